"""Signatures in minisign's format: public keys, signature files, and their verification by PyNaCl.

Rules of this file: only the prehashed form ("ED", of BLAKE2b-512) is accepted; a signature counts only when the one of
the file and the one of the trusted comment both hold; the key is that of PUBLIC_KEYS whose id the signature names.
The format: minisign's manual, "Signature format" and "Public key format".
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

PREHASHED = b"ED"
#: Of the key itself, and of signatures of whole files, which are not accepted here.
PLAIN = b"Ed"
UNTRUSTED = "untrusted comment: "
TRUSTED = "trusted comment: "
#: Bytes of a signature file, of which minisign's own has about 300.
SIGNATURE_LIMIT = 4096


class BadSignature(Exception):
    """A signature that does not hold, or cannot be read; the text says why."""


class PublicKey(NamedTuple):
    """A public key of Ed25519 with the id that signatures name it by."""

    id: bytes
    key: bytes

    @property
    def shown(self) -> str:
        """The id as minisign prints it."""
        return show_id(self.id)


class Signature(NamedTuple):
    """What a signature file holds."""

    key_id: bytes
    #: Of the BLAKE2b-512 of the file.
    signature: bytes
    trusted_comment: str
    #: Of `signature` and the trusted comment.
    global_signature: bytes


def show_id(key_id: bytes) -> str:
    """A key's id as minisign prints it: a little-endian number in hexadecimal digits."""
    return key_id[::-1].hex().upper()


def parse_public_key(text: str) -> PublicKey:
    """Read a public key: its line of base64, with or without the comment above it. Raises ValueError."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(UNTRUSTED)]
    data = _decode(lines[0]) if len(lines) == 1 else b""
    if len(data) != 42 or data[:2] != PLAIN:
        raise ValueError("not a public key of minisign")
    return PublicKey(data[2:10], data[10:])


def parse_signature(data: bytes) -> Signature:
    """Read a signature file. Raises BadSignature."""
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise BadSignature("the signature is not a text") from None
    lines = lines[:-1] if lines[-1] == "" else lines
    if len(lines) != 4 or not lines[0].startswith(UNTRUSTED) or not lines[2].startswith(TRUSTED):
        raise BadSignature("the signature does not have minisign's four lines")
    first, second = _decode(lines[1]), _decode(lines[3])
    if len(first) != 74 or len(second) != 64:
        raise BadSignature("the signature does not have minisign's length")
    if first[:2] != PREHASHED:
        raise BadSignature("the signature is not of minisign's prehashed form")
    return Signature(first[2:10], first[10:], lines[2].removeprefix(TRUSTED), second)


def verify(data: bytes, signature: bytes, keys: Iterable[str]) -> str:
    """Verify a signature file of `data` by one of the public keys; returns its trusted comment. Raises BadSignature."""
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    found = parse_signature(signature)
    known = [key for key in map(parse_public_key, keys) if key.id == found.key_id]
    if not known:
        raise BadSignature(f"it was signed with the key {show_id(found.key_id)}, which is none of fairlead's")
    verifier = VerifyKey(known[0].key)
    try:
        verifier.verify(hashlib.blake2b(data).digest(), found.signature)
    except BadSignatureError:
        raise BadSignature("the signature does not fit: it was changed, or what it signs was") from None
    try:
        verifier.verify(found.signature + found.trusted_comment.encode(), found.global_signature)
    except BadSignatureError:
        raise BadSignature("the signature of the trusted comment does not fit") from None
    return found.trusted_comment


def _decode(line: str) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        return b""
