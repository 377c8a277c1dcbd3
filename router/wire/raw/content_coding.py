"""Decodes content codings (RFC 9110, 8.4.1) piece by piece: gzip, both forms of deflate, br, zstd.

Rules of this file:
- Memory is bounded by the output so far plus a step of 1 MiB for each coding: decoders are asked for one step at a
  time, and the output of each coding counts against the limit, so that nested compression bombs are caught too.
- A gzip member or zstd frame may follow another (RFC 1952, 2.2; RFC 8878, 3); anything else behind the end is an error.
- brotli and zstd are imported on first use; a proxy has loaded them by then (server/preload.py).
"""

import sys
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from typing import Protocol

STEP = 1 << 20
# Senders use one, at most two; each further coding multiplies the cost of detecting a compression bomb.
CODINGS_LIMIT = 4
# Empty members cost time, and they give no output that would count against the limit.
_MEMBERS_PER_CALL = 1000
# RFC 9659: a content coding's window is at most 8 MiB.
_ZSTD_WINDOW_LOG = 23


class UnknownCoding(Exception):
    """A content coding that is not supported; the text is its name."""


class Malformed(Exception):
    """The data is not valid in its coding; the text gives the reason."""


class OverLimit(Exception):
    """The decoded data is larger than the limit."""


class _Member(Protocol):
    """One gzip member, zstd frame, or brotli stream."""

    @property
    def eof(self) -> bool:
        """True once its end was read."""
        ...

    @property
    def rest(self) -> bytes:
        """The bytes behind its end."""
        ...

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """The decoded data, about a step at a time. Raises Malformed."""
        ...


class _Zlib:
    """gzip (31), zlib (15) or raw deflate (-15), by zlib's `wbits`."""

    def __init__(self, wbits: int):
        self._decoder = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes) -> Iterator[bytes]:
        decoder = self._decoder
        while True:
            try:
                piece = decoder.decompress(data, STEP)
            except zlib.error as error:
                raise Malformed(str(error)) from None
            if piece:
                yield piece
            data = decoder.unconsumed_tail
            # After a full step there may be more output, even without more input.
            if decoder.eof or (not data and len(piece) < STEP):
                return


class _Deflate:
    """`deflate` means zlib's form in RFC 9110, but many senders use the raw form; the first two bytes show which."""

    def __init__(self) -> None:
        self._begin = b""
        self._found: _Zlib | None = None

    @property
    def eof(self) -> bool:
        return self._found is not None and self._found.eof

    @property
    def rest(self) -> bytes:
        return self._found.rest if self._found is not None else b""

    def decompress(self, data: bytes) -> Iterator[bytes]:
        if self._found is None:
            data = self._begin + data
            if len(data) < 2:
                self._begin = data
                return
            wrapped = data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._found = _Zlib(15 if wrapped else -15)
        yield from self._found.decompress(data)


class _BrotliDecompressor(Protocol):
    """The part of the untyped brotli package that is used."""

    def process(self, data: bytes, output_buffer_limit: int) -> bytes: ...

    def is_finished(self) -> bool: ...

    def can_accept_more_data(self) -> bool: ...


class _Brotli:
    """A brotli stream; the format allows no second stream behind it."""

    def __init__(self) -> None:
        brotli = import_module("brotli")
        self._error: type[Exception] = brotli.error
        self._decoder: _BrotliDecompressor = brotli.Decompressor()

    @property
    def rest(self) -> bytes:
        return b""

    @property
    def eof(self) -> bool:
        return self._decoder.is_finished()

    def decompress(self, data: bytes) -> Iterator[bytes]:
        decoder = self._decoder
        while True:
            try:
                piece = decoder.process(data, output_buffer_limit=STEP // 2)  # it may give twice as much
            except self._error as error:
                raise Malformed(str(error).removeprefix("brotli: ")) from None
            if piece:
                yield piece
            # After a full step there may be more output, although it would accept more input.
            if decoder.is_finished() or (len(piece) < STEP // 2 and decoder.can_accept_more_data()):
                return
            data = b""


class _Zstd:
    """A zstd frame, skippable ones included."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd  # pyright: ignore[reportMissingTypeStubs]

        self._error: type[Exception] = zstd.ZstdError
        self._decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes) -> Iterator[bytes]:
        decoder = self._decoder
        while not decoder.eof:
            try:
                piece = decoder.decompress(data, STEP)
            except self._error as error:
                raise Malformed(str(error)) from None
            if piece:
                yield piece
            if decoder.needs_input:
                return
            data = b""


_MEMBERS: dict[str, Callable[[], _Member]] = {
    "gzip": lambda: _Zlib(31),
    "x-gzip": lambda: _Zlib(31),
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
#: The supported codings, as a content-encoding or accept-encoding field lists them.
KNOWN = "gzip, deflate, br, zstd"


class _Layer:
    """One coding: a sequence of members."""

    def __init__(self, name: str):
        self._name = name
        self._begin = _MEMBERS[name]
        self._member = self._begin()
        self._begun = False
        #: Decoded bytes of the current call.
        self.total = 0

    @property
    def whole(self) -> bool:
        """True at the end of a member."""
        return self._begun and self._member.eof

    def decompress(self, data: bytes) -> Iterator[bytes]:
        for _ in range(_MEMBERS_PER_CALL):
            if not data:
                return
            if self._member.eof:
                self._begin_next()
            self._begun = True
            yield from self._member.decompress(data)
            data = self._member.rest if self._member.eof else b""
        if data:
            raise Malformed("it has too many members")

    def _begin_next(self) -> None:
        if self._name not in ("gzip", "x-gzip", "zstd"):
            raise Malformed("there is more behind its end")
        self._member = self._begin()


class Decoder:
    """Decodes the codings of a content-encoding field. Raises UnknownCoding; Malformed when it lists too many."""

    def __init__(self, field: bytes):
        #: The codings in the order they were applied; empty for identity.
        self.names = parse_codings(field)
        if len(self.names) > CODINGS_LIMIT:
            raise Malformed(f"it has over {CODINGS_LIMIT} codings")
        for name in self.names:
            if name not in _MEMBERS:
                raise UnknownCoding(name)
        self._layers = [_Layer(name) for name in reversed(self.names)]

    @property
    def whole(self) -> bool:
        """True when every coding is at its end."""
        return all(layer.whole for layer in self._layers)

    def decode(self, data: bytes, limit: int) -> bytes:
        """The decoded data. Raises Malformed, and OverLimit once one coding gives more than `limit` bytes.

        After an error the decoder cannot be used again.
        """
        # It grows in place, and is given out without a copy: to join 64 MiB holds up everybody for 30 ms.
        buffer = BytesIO()
        buffer.writelines(self.pieces(data, limit))
        return buffer.getvalue()

    def pieces(self, data: bytes, limit: int) -> Iterator[bytes]:
        """The decoded data in pieces of about STEP, as `decode` gives it whole, each decoded when it is asked for."""
        for layer in self._layers:
            layer.total = 0
        return _decode_through(self._layers, data, limit)


def parse_codings(field: bytes) -> list[str]:
    """The codings in a content-encoding field, lower-case, without identity."""
    names = (name.strip().lower() for name in field.decode("latin-1").split(","))
    return [name for name in names if name not in ("", "identity")]


def _decode_through(layers: list[_Layer], data: bytes, limit: int) -> Iterator[bytes]:
    if not layers:
        yield data
        return
    layer, *inner = layers
    for piece in layer.decompress(data):
        layer.total += len(piece)
        if layer.total > limit:
            raise OverLimit
        yield from _decode_through(inner, piece, limit)
