"""Server-sent events: cuts a byte stream at event borders, and parses single events.

Source: WHATWG HTML, 9.2. Lines end at LF, CRLF or CR only (`splitlines` would also cut at U+2028 inside JSON); an
event ends at a blank line. The splitter never changes a byte: what goes in comes out, cut at borders.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

EVENT_LIMIT = 8 << 20

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

    __slots__ = ("_limit", "tail")

    def __init__(self, limit: int = EVENT_LIMIT):
        self._limit = limit
        self.tail = b""

    def feed(self, data: bytes) -> bytes:
        """The events that are complete now, bytes unchanged; b"" when there are none. Raises EventTooLarge."""
        tail = self.tail
        # A border can begin in the tail's last three bytes (CR LF CR | LF).
        searched = max(0, len(tail) - 3)
        if tail:
            data = tail + data
        cut = find_last_border(data, searched)
        if cut == len(data):
            self.tail = b""
            return data
        if len(data) - cut > self._limit:
            raise EventTooLarge
        self.tail = data[cut:]
        return data[:cut]


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
    """One event from its lines. Undecodable bytes become U+FFFD; a leading byte order mark is dropped."""
    name = ""
    lines: list[str] = []
    for line in _LINE_END.split(block.decode("utf-8", "replace").removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            lines.append(value)
        elif field == "event":
            name = value
    return Event(name, "\n".join(lines))


def frame(data: bytes, name: str = "") -> bytes:
    """Encode an event with one data line."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
