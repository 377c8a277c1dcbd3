"""Server-sent events: cuts a byte stream at event borders, and parses single events.

Source: WHATWG HTML, 9.2. Lines end at LF, CRLF or CR only (`splitlines` would also cut at U+2028 inside JSON); an
event ends at a blank line. The splitter never changes a byte: what goes in comes out, cut at borders.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from router.wire.raw import scan

#: Bytes of the largest event: pictures of 4K arrive in one event of over 8 MiB.
EVENT_LIMIT = 32 << 20

# Atomic groups: without them CR LF could match as two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
#: Bytes of the longest border, less one.
BORDER = 3
_CR, _LF = b"\r\n"
# Bytes that the expression looks through at once: a megabyte takes 25 ms, in which no other thread runs.
_SEARCHED = 64 << 10
# The fields that are read, and what the longest takes with its colon.
_FIELDS = (b"data", b"event", b"error")
_FIELD_BYTES = len("error:")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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

    __slots__ = ("_buffer", "_last", "_limit", "size")

    def __init__(self, limit: int = EVENT_LIMIT):
        self._limit = limit
        # It grows in place, and gives out what it holds without a copy: joining at each read would be quadratic, a
        # list of bytes takes 50 times their size, and to copy 31 MiB holds up everybody for 20 ms.
        self._buffer = BytesIO()
        #: Bytes of the unfinished event.
        self.size = 0
        # The last of them: a border can begin there (CR LF CR | LF).
        self._last = b""

    @property
    def tail(self) -> bytes:
        """The unfinished event."""
        return self._buffer.getvalue()

    def feed(self, data: bytes) -> bytes:
        """The events that are complete now, bytes unchanged; b"" when there are none. Raises EventTooLarge."""
        ends = data[-2:] == b"\n\n"
        if not self.size:
            if ends:
                return data  # nearly always
            cut = find_last_border(data, 0)
            if cut == len(data):
                return data
            self._keep(data[cut:] if cut else data)
            return data[:cut]
        cut = len(data) if ends else find_last_border(self._last + data, 0) - len(self._last)
        if cut <= 0:
            self._keep(data)
            return b""
        self._buffer.write(data[:cut] if cut < len(data) else data)
        batch = self._buffer.getvalue()
        self._buffer, self.size, self._last = BytesIO(), 0, b""
        if cut < len(data):
            self._keep(data[cut:])
        return batch

    def _keep(self, data: bytes) -> None:
        if self.size + len(data) > self._limit:
            raise EventTooLarge
        self.size += self._buffer.write(data)
        self._last = (self._last + data)[-BORDER:] if len(data) < BORDER else data[-BORDER:]


def find_last_border(data: bytes, start: int, end: int | None = None) -> int:
    """The offset behind the last blank line between `start` and `end`; 0 when there is none."""
    if end is None:
        end = len(data)
    if data.find(b"\r", start, end) < 0:
        small = end - start <= scan.STEP
        found = data.rfind(b"\n\n", start, end) if small else scan.rfind(data, b"\n\n", start, end)
        return found + 2 if found >= 0 else 0
    # Backwards, as above: a step for each line end would take a second for megabytes of them.
    found = max(scan.rfind(data, pair, start, end) for pair in (b"\n\n", b"\r\r", b"\n\r")) + 2
    if found < 2:
        return 0
    # The LF of CR LF belongs to it.
    return found + 1 if data[found - 1] == _CR and found < end and data[found] == _LF else found


def find_next_border(data: bytes, start: int) -> int:
    """The offset behind the first blank line from `start` on; the length of the data when there is none."""
    for _, end in _iter_blank_lines(data, start):
        return end
    return len(data)


def _iter_blank_lines(data: bytes, start: int = 0) -> Iterator[tuple[int, int]]:
    """Where each blank line begins and ends, from `start` on: `_BLANK_LINE` in calls of bounded size."""
    size = len(data)
    if size - start <= _SEARCHED:
        for match in _BLANK_LINE.finditer(data, start):
            yield match.span()
        return
    if scan.find(data, b"\r", start) < 0:
        while (found := scan.find(data, b"\n\n", start)) >= 0:
            start = found + 2
            yield found, start
        return
    while start < size:
        # A blank line that begins in this step may end in the next.
        match = _BLANK_LINE.search(data, start, start + _SEARCHED + BORDER)
        if match is None or match.start() >= start + _SEARCHED:
            start += _SEARCHED
            continue
        start = match.end()
        yield match.span()


def parse_events(data: bytes) -> Iterator[tuple[int, Event]]:
    """Each whole event with the offset behind its blank line; comments and unknown fields are left out."""
    at = 0
    for begin, end in _iter_blank_lines(data):
        yield end, parse_event(data[at:begin])
        at = end


def parse_event(block: bytes) -> Event:
    """One event from its lines. Undecodable bytes become U+FFFD; a leading byte order mark is dropped.

    A line `error: {…}`, as llama.cpp and GPUStack write it, is an event of that name: readers that follow the standard
    see nothing there.
    """
    name = error = ""
    lines: list[str] = []
    block = block.removeprefix(_BYTE_ORDER_MARK)
    # For bytes the line ends are these three only.
    small = len(block) <= scan.STEP or b"\r" in block
    for line in block.splitlines() if small else _iter_lines(block):
        field = bytes(line[:_FIELD_BYTES]).partition(b":")[0]
        if field not in _FIELDS:
            continue
        at = len(field) + 1
        value = str(line[at + 1 if line[at : at + 1] == b" " else at :], "utf-8", "replace")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
        else:
            error = value
    if error and not lines:
        return Event("error", error)
    return Event(name, "\n".join(lines))


def _iter_lines(block: bytes) -> Iterator[memoryview]:
    """The lines that LF ends, without copies of megabytes."""
    view, at = memoryview(block), 0
    while (end := block.find(b"\n", at)) >= 0:
        yield view[at:end]
        at = end + 1
    yield view[at:]


def payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each whole event that has any data."""
    return _iter_payloads(batch) if len(batch) <= scan.STEP else _iter_large_payloads(batch)


def _iter_payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\r" in batch:
        # All three are line ends, and the fast way knows one.
        batch = batch.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in batch.split(b"\n\n"):
        if not block:
            continue
        if block[:6] == b"data: " and b"\n" not in block:
            if data := block[6:].strip():
                yield "", data
        elif block[:7] == b"event: " and block.count(b"\n") == 1 and (at := block.find(b"\ndata: ")) > 0:
            if data := block[at + 7 :].strip():
                yield block[7:at].decode("utf-8", "replace"), data
        elif block[:1] != b":" or b"\n" in block:
            event = parse_event(block)
            if event.data.strip():
                yield event.name, event.data.strip().encode("utf-8")


def _iter_large_payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(batch):
        cut = find_cut(batch, at, scan.STEP)
        piece = batch[at:cut]
        at = cut
        if len(piece) > scan.STEP and _is_plain_event(piece):
            if data := piece[6:-2].strip():  # copied once
                yield "", data
        else:
            yield from _iter_payloads(_make_line_feeds(piece) if b"\r" in piece else piece)


def _is_plain_event(piece: bytes) -> bool:
    """True for one event with one data line."""
    framed = piece[:6] == b"data: " and piece[-2:] == b"\n\n"
    return framed and piece.find(b"\n") == len(piece) - 2 and b"\r" not in piece


def find_cut(batch: bytes, at: int, size: int) -> int:
    """Where whole events from `at` on end, about `size` bytes further; a larger event stays whole."""
    end = at + size
    if end >= len(batch):
        return len(batch)
    cut = find_last_border(batch, at, end) or find_next_border(batch, max(at, end - BORDER))
    # Not within CR LF: readers would take its LF for a part of the next event.
    return cut + 1 if batch[cut - 1 : cut + 1] == b"\r\n" else cut


def _make_line_feeds(batch: bytes) -> bytes:
    """The same with LF as its only line end."""
    pieces: list[bytes] = []
    at = 0
    while at < len(batch):
        piece = batch[at : at + scan.STEP]
        if piece[-1] == _CR and batch[at + len(piece) : at + len(piece) + 1] == b"\n":
            piece += b"\n"
        at += len(piece)
        pieces.append(piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return b"".join(pieces)


def complete_event(tail: bytes) -> bytes:
    """The last event of a stream with the line ends that are missing behind it: without a blank line, readers of events
    drop it."""
    end = b"\r\n" if b"\r\n" in tail else b"\r" if b"\r" in tail else b"\n"
    return tail + end if tail.endswith((b"\n", b"\r")) else tail + end + end


def frame(data: bytes, name: str = "") -> bytes:
    """Encode an event with one data line."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
