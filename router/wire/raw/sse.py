"""Server-sent events: cuts a byte stream at event borders, and parses single events.

Source: WHATWG HTML, 9.2. Lines end at LF, CRLF or CR only (`splitlines` would also cut at U+2028 inside JSON); an
event ends at a blank line. The splitter never changes a byte: what goes in comes out, cut at borders.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Bytes of the largest event: pictures of 4K arrive in one event of over 8 MiB.
EVENT_LIMIT = 32 << 20

# Atomic groups: without them CR LF could match as two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
# Bytes of the longest border, less one.
_BORDER = 3
_CR, _LF = b"\r\n"
_LINE_END = re.compile(r"\r\n|\n|\r")


class Event(NamedTuple):
    """One event."""

    #: The `event:` field, '' without one.
    name: str
    #: The `data:` lines joined by LF.
    data: str


class EventTooLarge(Exception):
    """An event passed EVENT_LIMIT bytes without an end."""


class Splitter:
    """Cuts a stream into whole events, and buffers the unfinished event at its end."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = EVENT_LIMIT):
        self._limit = limit
        # It grows in place: joining at each read would be quadratic, and a list of bytes takes 50 times their size.
        self._buffer = bytearray()

    @property
    def size(self) -> int:
        """Bytes of the unfinished event."""
        return len(self._buffer)

    @property
    def tail(self) -> bytes:
        """The unfinished event."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> bytes:
        """The events that are complete now, bytes unchanged; b"" when there are none. Raises EventTooLarge."""
        buffer = self._buffer
        if not buffer:
            cut = find_last_border(data, 0)
            if cut == len(data):
                return data
            self._keep(data[cut:] if cut else data)
            return data[:cut]
        # A border can begin in the last three bytes that are held (CR LF CR | LF).
        held = bytes(buffer[-_BORDER:])
        cut = find_last_border(held + data, 0) - len(held)
        if cut <= 0:
            self._keep(data)
            return b""
        buffer += data[:cut] if cut < len(data) else data
        batch = bytes(buffer)
        self._buffer = bytearray()
        if cut < len(data):
            self._keep(data[cut:])
        return batch

    def _keep(self, data: bytes) -> None:
        if len(self._buffer) + len(data) > self._limit:
            raise EventTooLarge
        self._buffer += data


def find_last_border(data: bytes, start: int, end: int | None = None) -> int:
    """The offset behind the last blank line between `start` and `end`; 0 when there is none."""
    if end is None:
        end = len(data)
    if data.find(b"\r", start, end) < 0:
        found = data.rfind(b"\n\n", start, end)
        return found + 2 if found >= 0 else 0
    # Backwards, as above: a step for each line end would take a second for megabytes of them.
    found = max(data.rfind(pair, start, end) for pair in (b"\n\n", b"\r\r", b"\n\r")) + 2
    if found < 2:
        return 0
    # The LF of CR LF belongs to it.
    return found + 1 if data[found - 1] == _CR and found < end and data[found] == _LF else found


def find_next_border(data: bytes, start: int) -> int:
    """The offset behind the first blank line from `start` on; the length of the data when there is none."""
    match = _BLANK_LINE.search(data, start)
    return match.end() if match else len(data)


def parse_events(data: bytes) -> Iterator[tuple[int, Event]]:
    """Each whole event with the offset behind its blank line; comments and unknown fields are left out."""
    at = 0
    for match in _BLANK_LINE.finditer(data):
        if match.start() < at:
            continue
        yield match.end(), parse_event(data[at : match.start()])
        at = match.end()


def parse_event(block: bytes) -> Event:
    """One event from its lines. Undecodable bytes become U+FFFD; a leading byte order mark is dropped.

    A line `error: {…}`, as llama.cpp and GPUStack write it, is an event of that name: readers that follow the standard
    see nothing there.
    """
    name = error = ""
    lines: list[str] = []
    for line in _LINE_END.split(block.decode("utf-8", "replace").removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            lines.append(value)
        elif field == "event":
            name = value
        elif field == "error":
            error = value
    if error and not lines:
        return Event("error", error)
    return Event(name, "\n".join(lines))


def payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each whole event that has any data."""
    if b"\r" in batch:
        # All three are line ends, and the fast way knows one.
        batch = batch.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in batch.split(b"\n\n"):
        if block[:6] == b"data: " and b"\n" not in block:
            yield "", block[6:].strip()
        elif block[:7] == b"event: " and block.count(b"\n") == 1 and (at := block.find(b"\ndata: ")) > 0:
            yield block[7:at].decode("utf-8", "replace"), block[at + 7 :].strip()
        elif block and (block[:1] != b":" or b"\n" in block):
            event = parse_event(block)
            if event.data.strip():
                yield event.name, event.data.strip().encode("utf-8")


def complete_event(tail: bytes) -> bytes:
    """The last event of a stream with the line ends that are missing behind it: without a blank line, readers of events
    drop it."""
    end = b"\r\n" if b"\r\n" in tail else b"\r" if b"\r" in tail else b"\n"
    return tail + end if tail.endswith((b"\n", b"\r")) else tail + end + end


def frame(data: bytes, name: str = "") -> bytes:
    """Encode an event with one data line."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
