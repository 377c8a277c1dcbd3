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

    __slots__ = ("_end", "_limit", "_pieces", "size")

    def __init__(self, limit: int = EVENT_LIMIT):
        self._limit = limit
        # The unfinished event as it came: joined once it is whole, since joining at each read would be quadratic.
        self._pieces: list[bytes] = []
        self._end = b""
        #: Bytes of the unfinished event.
        self.size = 0

    @property
    def tail(self) -> bytes:
        """The unfinished event."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def feed(self, data: bytes) -> bytes:
        """The events that are complete now, bytes unchanged; b"" when there are none. Raises EventTooLarge."""
        if not self.size:
            cut = find_last_border(data, 0)
            if cut == len(data):
                return data
            self._keep(data[cut:] if cut else data)
            return data[:cut]
        # A border can begin in the last three bytes that are held (CR LF CR | LF).
        held = len(self._end)
        cut = find_last_border(self._end + data, 0) - held
        if cut <= 0:
            self._keep(data)
            return b""
        batch = b"".join((*self._pieces, data[:cut] if cut < len(data) else data))
        self._pieces, self._end, self.size = [], b"", 0
        if cut < len(data):
            self._keep(data[cut:])
        return batch

    def _keep(self, data: bytes) -> None:
        if self.size + len(data) > self._limit:
            raise EventTooLarge
        self.size += len(data)
        self._pieces.append(data)
        self._end = (self._end + data[-3:])[-3:]


def find_last_border(data: bytes, start: int, end: int | None = None) -> int:
    """The offset behind the last blank line between `start` and `end`; 0 when there is none."""
    if end is None:
        end = len(data)
    if data.find(b"\r", start, end) < 0:
        found = data.rfind(b"\n\n", start, end)
        return found + 2 if found >= 0 else 0
    cut = 0
    for match in _BLANK_LINE.finditer(data, start, end):
        cut = match.end()
    return cut


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


def complete_event(tail: bytes) -> bytes:
    """The last event of a stream with the line ends that are missing behind it: without a blank line, readers of events
    drop it."""
    end = b"\r\n" if b"\r\n" in tail else b"\r" if b"\r" in tail else b"\n"
    return tail + end if tail.endswith((b"\n", b"\r")) else tail + end + end


def frame(data: bytes, name: str = "") -> bytes:
    """Encode an event with one data line."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
