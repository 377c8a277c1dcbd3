"""Packs an answer with gzip, so that each part of it can be read when it arrives."""

import zlib
from collections.abc import Mapping

#: The head fields of a packed answer.
PACKED = ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))
_GZIP = 31


class Packer:
    """Packs one answer."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=_GZIP)

    def pack(self, data: bytes) -> bytes:
        """The bytes packed, and whatever was held back before."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """The last bytes."""
        return self._packer.flush()


def takes_gzip(fields: Mapping[bytes, bytes]) -> bool:
    """True when a request accepts gzip."""
    wanted = [one.partition(b";") for one in fields.get(b"accept-encoding", b"").lower().split(b",")]
    return any(name.strip() == b"gzip" and weight.replace(b" ", b"") != b"q=0" for name, _, weight in wanted)
