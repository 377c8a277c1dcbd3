"""Seals values that only the proxies of a team may read: compressed, then encrypted with a key of the team's secret.

XChaCha20-Poly1305, with a random nonce for each value; the name of a value is authenticated with it, so that the server
cannot give one in the place of another.
"""

import secrets
import sys
from typing import Any

#: Bytes of a value before it is compressed.
LIMIT = 4 << 20
_NONCE = 24
# The form of what follows, so that it can be changed.
_FORM = b"\x01"


class Unreadable(Exception):
    """A value was not sealed with this key under this name, or was changed since."""


class Sealer:
    """Seals and opens values with one key of 32 bytes."""

    def __init__(self, key: bytes):
        self._key = key

    def __repr__(self) -> str:
        return "Sealer(set)"

    def seal(self, name: str, value: bytes) -> bytes:
        """The sealed form of a value of that name."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

        nonce = secrets.token_bytes(_NONCE)
        return _FORM + nonce + encrypt(_zstd().compress(value), name.encode(), nonce, self._key)

    def open(self, name: str, sealed: bytes) -> bytes:
        """The value that was sealed under that name. Raises Unreadable."""
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt
        from nacl.exceptions import CryptoError

        if sealed[:1] != _FORM:
            raise Unreadable
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            packed = decrypt(rest, name.encode(), nonce, self._key)
            return _unpack(packed)
        except (CryptoError, ValueError, TypeError, _zstd().ZstdError):
            raise Unreadable from None


def _unpack(packed: bytes) -> bytes:
    unpacker = _zstd().ZstdDecompressor()
    value = unpacker.decompress(packed, max_length=LIMIT)
    if not unpacker.eof:
        raise ValueError
    return value


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # pyright: ignore[reportMissingTypeStubs]
    return zstd
