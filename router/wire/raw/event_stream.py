"""Amazon's event stream: cuts a byte stream into messages, and reads their headers. No I/O.

Source: the Smithy specification of `application/vnd.amazon.eventstream`. A message is

    total length u32 | length of the headers u32 | CRC-32 of these eight bytes
    headers: length of the name u8 | name | type u8 | value
    payload
    CRC-32 of all before it

with integers in network order. The lengths are checked as soon as they are known, so no more is held than one message
may have.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

#: Bytes of headers and of payload that a message may have, as Amazon's own library reads them.
HEADERS_LIMIT = 128 << 10
PAYLOAD_LIMIT = 24 << 20

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
#: Bytes of a message beside headers and payload.
_AROUND = _PRELUDE.size + _CHECKSUM.size
_LENGTH = struct.Struct(">H")
# Type of a header -> what its value is; true and false take no bytes, and bytes and strings tell their length.
_TRUE, _FALSE, _BYTES, _STRING, _UUID = 0, 1, 6, 7, 9
# A timestamp is in milliseconds.
_NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_NUMBERS[8] = _NUMBERS[5]
_UUID_BYTES = 16

HeaderValue = bool | int | bytes | str


class Message(NamedTuple):
    """One message."""

    headers: Mapping[str, HeaderValue]
    payload: bytes

    def text(self, name: str) -> str:
        """The value of a header, '' where there is none or it is no string."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class Malformed(Exception):
    """A message that cannot be read; the text says why."""


class Decoder:
    """Cuts a stream into messages, and buffers the one at its end that is not whole."""

    __slots__ = ("_buffer", "_needed", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Bytes that must be there before anything more can be read.
        self._needed = _PRELUDE.size
        #: Why nothing more can be read, '' where nothing hinders that.
        self.problem = ""

    @property
    def size(self) -> int:
        """Bytes of the message that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. One that cannot be read ends the stream: `problem` then says why."""
        if self.problem:
            return []
        self._buffer += data
        if len(self._buffer) < self._needed:
            return []
        raw, at = bytes(self._buffer), 0
        found: list[Message] = []
        try:
            while (size := _measure(raw, at)) <= len(raw) - at:
                found.append(_read_message(raw, at, size))
                at += size
            self._needed = size
        except Malformed as malformed:
            self.problem, at = str(malformed), len(raw)
        self._buffer = bytearray(memoryview(raw)[at:])
        return found


def _measure(raw: bytes, at: int) -> int:
    """The bytes of the message that begins at `at`; those of a prelude, where that is not whole. Raises Malformed."""
    if len(raw) - at < _PRELUDE.size:
        return _PRELUDE.size
    total, headers, checksum = _PRELUDE.unpack_from(raw, at)
    if crc32(raw[at : at + _PRELUDE.size - _CHECKSUM.size]) != checksum:
        raise Malformed("the checksum of a message's lengths is wrong")
    payload = total - headers - _AROUND
    if payload < 0:
        raise Malformed("the lengths of a message contradict each other")
    if headers > HEADERS_LIMIT or payload > PAYLOAD_LIMIT:
        raise Malformed(f"a message is over {PAYLOAD_LIMIT >> 20} MiB, or its headers over {HEADERS_LIMIT >> 10} KiB")
    return total


def _read_message(raw: bytes, at: int, size: int) -> Message:
    """The message of so many bytes. Raises Malformed."""
    end = at + size - _CHECKSUM.size
    if crc32(memoryview(raw)[at:end]) != _CHECKSUM.unpack_from(raw, end)[0]:
        raise Malformed("the checksum of a message is wrong")
    start = at + _PRELUDE.size
    behind = start + _PRELUDE.unpack_from(raw, at)[1]
    try:
        return Message(_read_headers(raw[start:behind]), raw[behind:end])
    except (struct.error, IndexError, UnicodeDecodeError):
        raise Malformed("a message has broken headers") from None


def _read_headers(block: bytes) -> dict[str, HeaderValue]:
    """The headers of a message. Raises Malformed, struct.error, IndexError and UnicodeDecodeError."""
    found: dict[str, HeaderValue] = {}
    at = 0
    while at < len(block):
        begin = at + 1
        at = begin + block[at]
        name, kind = _cut(block, begin, at).decode(), block[at]
        if name in found:
            raise Malformed("a message has a header twice")
        found[name], at = _read_value(block, at + 1, kind)
    return found


def _read_value(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    """The value of a header of a type, and where it ends; raises as `_read_headers`."""
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    number = _NUMBERS.get(kind)
    if number is not None:
        return number.unpack_from(block, at)[0], at + number.size
    if kind == _UUID:
        return _cut(block, at, at + _UUID_BYTES), at + _UUID_BYTES
    if kind not in (_BYTES, _STRING):
        # How long it is, and so where the next header begins, is not known.
        raise Malformed(f"a message has a header of the unknown type {kind}")
    begin = at + _LENGTH.size
    end = begin + _LENGTH.unpack_from(block, at)[0]
    value = _cut(block, begin, end)
    return (value.decode() if kind == _STRING else value), end


def _cut(block: bytes, begin: int, end: int) -> bytes:
    """The bytes between two offsets. Raises IndexError where they are not all there."""
    if end > len(block):
        raise IndexError
    return block[begin:end]
