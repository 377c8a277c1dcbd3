"""Marks what demo-full gives out to be sent back, such as reasoning, so that it knows its own again."""

import base64
import binascii
import hashlib

_BYTES = 12


def seal(text: str) -> str:
    """The text, marked and encoded. This is no secret: everyone can read and make it."""
    raw = text.encode()
    return base64.b64encode(hashlib.sha256(b"demo-full:" + raw).digest()[:_BYTES] + raw).decode()


def unseal(sealed: str) -> str | None:
    """The text of `seal`, None for what it did not make."""
    try:
        text = base64.b64decode(sealed, validate=True)[_BYTES:].decode()
    except (binascii.Error, ValueError):
        return None
    return text if seal(text) == sealed else None
