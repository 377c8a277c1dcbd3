"""Secret keys in minisign's format and signatures by them, which `minisign -S` and `minisign -V` take.

A secret key file: a comment, and in base64 the algorithms of signature, key derivation and checksum (two bytes each),
the salt (32), limits of operations and memory (8 each), and 104 bytes that are encrypted with what scrypt makes of the
password: the key's id (8), seed and public key (64), and a BLAKE2b-256 of algorithm, id and key (32).
"""

import base64
import binascii
import hashlib
import os
import secrets
import struct
from pathlib import Path
from typing import NamedTuple

from nacl.pwhash import scrypt
from nacl.signing import SigningKey

from router.installation.upgrade.minisign import PLAIN, PREHASHED, TRUSTED, UNTRUSTED, show_id

SCRYPT, UNENCRYPTED, BLAKE2B = b"Sc", b"\0\0", b"B2"
#: minisign's own: a second and 1 GiB.
OPERATIONS, MEMORY = 1 << 25, 1 << 30
_HEAD = struct.Struct("<2s2s2s32sQQ")
_SECRET = 104


class KeyProblem(Exception):
    """A key file that cannot be used; the text says why."""


class SecretKey(NamedTuple):
    """A secret key of Ed25519 with its id."""

    id: bytes
    seed: bytes

    @property
    def public_line(self) -> str:
        """The public key as one line of base64, as it stands in router/installation/upgrade/release_keys.py."""
        return base64.b64encode(PLAIN + self.id + bytes(SigningKey(self.seed).verify_key)).decode()


def make_key() -> SecretKey:
    """A new random key."""
    return SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))


def read_key(path: Path, password: str) -> SecretKey:
    """Read a secret key file. Raises KeyProblem."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyProblem(f"{path} cannot be read: {error}") from None
    try:
        data = base64.b64decode(lines[1], validate=True)
        algorithm, derivation, checksum, salt, operations, memory = _HEAD.unpack_from(data)
    except (binascii.Error, IndexError, ValueError, struct.error):
        raise KeyProblem(f"{path} is not a secret key of minisign") from None
    secret = data[_HEAD.size :]
    known = (algorithm, checksum) == (PLAIN, BLAKE2B) and derivation in (SCRYPT, UNENCRYPTED)
    if not known or len(secret) != _SECRET:
        raise KeyProblem(f"{path} is not a secret key of minisign")
    if derivation == SCRYPT:
        secret = _mix(secret, password, salt, operations, memory)
    key_id, pair, check = secret[:8], secret[8:72], secret[72:]
    if hashlib.blake2b(PLAIN + key_id + pair, digest_size=32).digest() != check:
        raise KeyProblem(f"the password of {path} is wrong, or the file is damaged")
    return SecretKey(key_id, pair[:32])


def write_key(key: SecretKey, path: Path, password: str, *, operations: int = OPERATIONS, memory: int = MEMORY) -> None:
    """Write a new secret key file, mode 0600, and the public key beside it as NAME.pub. An empty password leaves it
    unencrypted, as `minisign -GW` does. Raises KeyProblem."""
    pair = key.seed + bytes(SigningKey(key.seed).verify_key)
    secret = key.id + pair + hashlib.blake2b(PLAIN + key.id + pair, digest_size=32).digest()
    salt = secrets.token_bytes(32)
    if password:
        head = _HEAD.pack(PLAIN, SCRYPT, BLAKE2B, salt, operations, memory)
        secret = _mix(secret, password, salt, operations, memory)
    else:
        head = _HEAD.pack(PLAIN, UNENCRYPTED, BLAKE2B, bytes(32), 0, 0)
    kind = "encrypted secret key" if password else "secret key"
    text = f"{UNTRUSTED}minisign {kind}\n{base64.b64encode(head + secret).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyProblem(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    public = f"{UNTRUSTED}minisign public key {show_id(key.id)}\n{key.public_line}\n"
    path.with_name(f"{path.name}.pub").write_text(public, "utf-8", newline="\n")


def sign(data: bytes, key: SecretKey, *, comment: str) -> bytes:
    """The signature file of `data`. comment: the trusted one, which is signed too."""
    signer = SigningKey(key.seed)
    signature = signer.sign(hashlib.blake2b(data).digest()).signature
    whole = signer.sign(signature + comment.encode()).signature
    lines = [
        f"{UNTRUSTED}signature from minisign secret key",
        base64.b64encode(PREHASHED + key.id + signature).decode(),
        f"{TRUSTED}{comment}",
        base64.b64encode(whole).decode(),
    ]
    return ("\n".join(lines) + "\n").encode()


def _mix(secret: bytes, password: str, salt: bytes, operations: int, memory: int) -> bytes:
    try:
        stream = scrypt.kdf(_SECRET, password.encode(), salt, operations, memory)
    except Exception as error:
        # Limits outside libsodium's, or memory that is not there.
        raise KeyProblem(f"the key cannot be derived from the password: {error}") from None
    return bytes(one ^ other for one, other in zip(secret, stream, strict=True))
