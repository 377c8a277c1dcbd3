"""Server-sent events: cuts a byte stream at event borders, and parses single events.

Source: WHATWG HTML, 9.2. Lines end at LF, CRLF or CR only (`splitlines` would also cut at U+2028 inside JSON); an
event ends at a blank line. The splitter never changes a byte: what goes in comes out, cut at borders.
"""

import re
from collections.abc import Iterable, Iterator
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
# Data lines that are joined at once: millions of them by themselves would take ten times their bytes.
_GROUP = 4096
# Bytes of a name that are read: those of protocols are short.
_NAME_BYTES = 256
_DONE = b"[DONE]"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event."""

    #: The `event:` field, '' without one.
    name: str
    #: The `data:` lines joined by LF, as they came: they may be no UTF-8.
    data: bytes

    @property
    def is_done(self) -> bool:
        """True for the one behind the last of a Chat stream."""
        return len(self.data) <= scan.STEP and self.data.strip() == _DONE


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


def parse_events(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, Event]]:
    """Each whole event between `start` and `end` with the offset behind its blank line; comments and unknown fields are
    left out."""
    at = start
    for begin, behind in _iter_blank_lines(data, start):
        if end is not None and behind > end:
            return
        small = begin - at <= scan.STEP
        yield behind, parse_event(data[at:begin]) if small else _parse_large_event(data, at, begin)
        at = behind


def parse_event(block: bytes) -> Event:
    """One event from its lines. Undecodable bytes of its name become U+FFFD; a leading byte order mark is dropped.

    A line `error: {…}`, as llama.cpp and GPUStack write it, is an event of that name: readers that follow the standard
    see nothing there.
    """
    if len(block) > scan.STEP:
        return _parse_large_event(block, 0, len(block))
    # For bytes the line ends are these three only.
    return _collect_fields(block.removeprefix(_BYTE_ORDER_MARK).splitlines())


def _parse_large_event(data: bytes, start: int, end: int) -> Event:
    """As `parse_event`, for the lines between two offsets: what is large of them is copied once, in steps."""
    if data[start : start + len(_BYTE_ORDER_MARK)] == _BYTE_ORDER_MARK:
        start += len(_BYTE_ORDER_MARK)
    return _collect_fields(_iter_lines(data, start, end))


def _collect_fields(lines: Iterable[bytes | memoryview]) -> Event:
    name = error = b""
    found: list[bytes] = []
    groups: list[bytes] = []
    for line in lines:
        field = bytes(line[:_FIELD_BYTES]).partition(b":")[0]
        if field not in _FIELDS:
            continue
        at = len(field) + 1
        value = line[at + 1 if line[at : at + 1] == b" " else at :]
        if field == b"event":
            name = bytes(value[:_NAME_BYTES])
        elif field == b"data":
            found.append(value if isinstance(value, bytes) else scan.copy(value))
            if len(found) == _GROUP:
                groups.append(b"\n".join(found))
                found.clear()
        else:
            error = value if isinstance(value, bytes) else scan.copy(value)
    if error and not found and not groups:
        return Event("error", error)
    # Others may run while this joins megabytes; of one line it makes no copy.
    return Event(name.decode("utf-8", "replace"), b"\n".join(groups + found if groups else found))


def _iter_lines(data: bytes, start: int, end: int) -> Iterator[bytes | memoryview]:
    """The lines between two offsets, without their ends: long ones as views, so that nothing large is copied."""
    view = memoryview(data)
    while start < end:
        stop = min(start + _SEARCHED, end)
        cut = max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) + 1
        if stop == end:
            cut = end
        if cut > 0:
            cut += data[cut - 1 : cut + 1] == b"\r\n" and cut < end
            yield from data[start:cut].splitlines()
        else:
            line_end = _find_line_end(data, stop, end)
            yield view[start:line_end]
            cut = line_end + (2 if data[line_end : line_end + 2] == b"\r\n" else 1)
        start = cut


def _find_line_end(data: bytes, start: int, end: int) -> int:
    """Where the line that goes on at `start` ends; `end` when no line end comes before it."""
    for at in range(start, end, scan.STEP):
        stop = min(at + scan.STEP, end)
        found = data.find(b"\n", at, stop)
        before = data.find(b"\r", at, stop if found < 0 else found)
        if before >= 0 or found >= 0:
            return before if before >= 0 else found
    return end


def payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each whole event that has any data."""
    return _iter_payloads(batch) if len(batch) <= scan.STEP else _iter_large_payloads(batch)


def _iter_payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\r" in batch:
        # All three are line ends, and the fast way knows one.
        batch = batch.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # What the data of the last event stood behind, and its name: those of the next one are mostly the same.
    head, name, size = b"data: ", "", 6
    for block in batch.split(b"\n\n"):
        if block[:size] == head and b"\n" not in (data := block[size:]):
            if data := data.strip():
                yield name, data
        elif block[:6] == b"data: " and b"\n" not in block:
            head, name, size = b"data: ", "", 6
            if data := block[6:].strip():
                yield name, data
        elif block[:7] == b"event: " and block.count(b"\n") == 1 and (at := block.find(b"\ndata: ")) > 0:
            size = at + 7
            head, name = block[:size], block[7:at].decode("utf-8", "replace")
            if data := block[size:].strip():
                yield name, data
        elif block and (block[:1] != b":" or b"\n" in block):
            event = parse_event(block)
            if data := event.data.strip():
                yield event.name, data


def _iter_large_payloads(batch: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(batch):
        cut = find_cut(batch, at, scan.STEP)
        if cut - at <= scan.STEP + 1:  # one more where it would be within CR LF
            yield from _iter_payloads(batch[at:cut])
        else:
            # One event: there is no border within a step of it.
            event = _parse_large_event(batch, at, cut)
            if data := scan.strip(event.data):
                yield event.name, data
        at = cut


def find_cut(batch: bytes, at: int, size: int) -> int:
    """Where whole events from `at` on end, about `size` bytes further; a larger event stays whole."""
    end = at + size
    if end >= len(batch):
        return len(batch)
    cut = find_last_border(batch, at, end) or find_next_border(batch, max(at, end - BORDER))
    # Not within CR LF: readers would take its LF for a part of the next event.
    return cut + 1 if batch[cut - 1 : cut + 1] == b"\r\n" else cut


def complete_event(tail: bytes) -> bytes:
    """The last event of a stream with the line ends that are missing behind it: without a blank line, readers of events
    drop it."""
    end = next((one for one in (b"\r\n", b"\r") if scan.contains(tail, one)), b"\n")
    # Others may run while this joins megabytes.
    return b"".join((tail, end) if tail.endswith((b"\n", b"\r")) else (tail, end, end))


def frame(data: bytes, name: str = "") -> bytes:
    """Encode an event with one data line."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
