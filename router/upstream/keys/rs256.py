"""Signatures with RSA and SHA-256 (RS256 of RFC 7518, RSASSA-PKCS1-v1_5 of RFC 8017), for one JSON Web Token an hour.

Rules of this file: it signs and does nothing else; the private operation is blinded, so that how long it takes says
nothing of the key; each signature is verified before it is given out, since one that a fault of the machine spoiled
would reveal the key (Boneh, DeMillo, Lipton 1997). Keys are read in the forms that Google writes and openssl converts
to: PKCS#8 (RFC 5208) and PKCS#1 in PEM, without a password.
"""

import binascii
import hashlib
import secrets
from typing import NamedTuple

from router.errors import CommandError

#: Bits of a modulus. Google makes keys of 2048; a longer one takes longer, and Google takes none beyond.
SHORTEST_BITS, LONGEST_BITS = 2048, 4096
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_RSA = bytes.fromhex("06092a864886f70d010101")
# DigestInfo of SHA-256 (RFC 8017, 9.2, note 1).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_FORMS = ("PRIVATE KEY", "RSA PRIVATE KEY")


class PrivateKey(NamedTuple):
    """A private key of RSA; names as in RFC 8017, 3.2."""

    n: int
    e: int
    p: int
    q: int
    dp: int
    dq: int
    qinv: int

    def __repr__(self) -> str:
        return f"PrivateKey({self.n.bit_length()} bits)"


def sign(key: PrivateKey, message: bytes) -> bytes:
    """The signature of a message. Raises CommandError for a key whose parts do not belong together."""
    size = (key.n.bit_length() + 7) // 8
    digest = _SHA256 + hashlib.sha256(message).digest()
    padded = int.from_bytes(b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest)
    blind = secrets.randbelow(key.n - 2) + 2
    blinded = padded * pow(blind, key.e, key.n) % key.n
    first, second = pow(blinded, key.dp, key.p), pow(blinded, key.dq, key.q)
    raised = second + (key.qinv * (first - second) % key.p) * key.q
    try:
        signature = raised * pow(blind, -1, key.n) % key.n
    except ValueError:
        signature = 0
    if pow(signature, key.e, key.n) != padded:
        raise CommandError("the private key is damaged: its parts do not belong together.")
    return signature.to_bytes(size)


def read_private_key(text: str) -> PrivateKey:
    """The key in PEM. Raises CommandError with what is wrong with it, and nothing of it."""
    for form in _FORMS:
        head, foot = f"-----BEGIN {form}-----", f"-----END {form}-----"
        start, end = text.find(head), text.find(foot)
        if 0 <= start < end:
            try:
                data = binascii.a2b_base64(text[start + len(head) : end], strict_mode=False)
                return _read_key(data if form == _FORMS[1] else _unwrap(data))
            except (binascii.Error, ValueError, IndexError):
                raise CommandError("the private key cannot be read: it is damaged or no RSA key.") from None
    if "ENCRYPTED" in text:
        raise CommandError("the private key is protected by a password; Google's have none.")
    raise CommandError(f"the private key is not in PEM; expected BEGIN {_FORMS[0]}.")


def _unwrap(data: bytes) -> bytes:
    """The RSA key in a key of PKCS#8."""
    content, _ = _read_element(data, 0, _SEQUENCE)
    _, at = _read_element(content, 0, _INTEGER)
    algorithm, at = _read_element(content, at, _SEQUENCE)
    if not algorithm.startswith(_RSA):
        raise ValueError("no RSA key")
    return _read_element(content, at, _OCTETS)[0]


def _read_key(data: bytes) -> PrivateKey:
    content, _ = _read_element(data, 0, _SEQUENCE)
    found: list[int] = []
    at = 0
    for _ in range(9):
        number, at = _read_element(content, at, _INTEGER)
        found.append(int.from_bytes(number, signed=True))
    version, n, e, _d, p, q, dp, dq, qinv = found
    if version or min(found[1:]) <= 0 or p * q != n or not e % 2:
        raise ValueError("its parts do not belong together")
    if not SHORTEST_BITS <= n.bit_length() <= LONGEST_BITS:
        raise CommandError(f"the private key has {n.bit_length()} bits; expected {SHORTEST_BITS} to {LONGEST_BITS}.")
    return PrivateKey(n, e, p, q, dp, dq, qinv)


def _read_element(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The content of an element in DER (X.690), and where the next one begins."""
    if data[at] != tag:
        raise ValueError("another element")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= 2:
            raise ValueError("a length that no key has")
        length, start = int.from_bytes(data[start : start + count]), start + count
    end = start + length
    if end > len(data):
        raise ValueError("cut off")
    return data[start:end], end
