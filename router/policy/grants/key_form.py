"""The form of a client key: `flk_`, 128 random bits in base32, and two characters that show a typing error.

A key is random, so that a plain SHA-256 of it is enough at rest: there is nothing to guess.
"""

import base64
import binascii
import re
from hashlib import sha256

PREFIX = "flk_"
BITS = 128
_RANDOM, _CHECK = 26, 2
LENGTH = len(PREFIX) + _RANDOM + _CHECK
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = frozenset(_ALPHABET)
MARK = PREFIX.encode()
_IN_TEXT = re.compile(r"flk_[A-Za-z0-9]{8,}+")


def format_key(random: bytes) -> str:
    """The key made of BITS random bits."""
    text = base64.b32encode(random).decode().rstrip("=").lower()
    return f"{PREFIX}{text}{_compute_check(text)}"


def _compute_check(text: str) -> str:
    bits = binascii.crc32(text.encode()) & 0x3FF
    return _ALPHABET[bits >> 5] + _ALPHABET[bits & 31]


def is_marked(value: bytes) -> bool:
    """True for a text that claims to be a client key, whether it is a whole one or not."""
    return value.startswith(MARK)


def explain_fault(key: str) -> str:
    """What keeps a text from being a client key, as a clause; '' for one that has the form of a key."""
    text = key.removeprefix(PREFIX)
    if text == key:
        return f"it does not begin with {PREFIX}"
    if len(key) != LENGTH:
        return f"it has {len(key)} characters, and a key has {LENGTH}"
    if not _LETTERS.issuperset(text):
        return "it has a character that no key has"
    if _compute_check(text[:_RANDOM]) != text[_RANDOM:]:
        return "a character of it is wrong"
    return ""


def hide_keys(text: str) -> str:
    """A text without what may be client keys in it."""
    return _IN_TEXT.sub("flk_[redacted]", text) if PREFIX in text else text


def digest_key(key: bytes) -> bytes:
    """The SHA-256 of a key, by which it is known at rest: 32 bytes."""
    return sha256(key).digest()
