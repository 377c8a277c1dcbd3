"""Searches bytes that may be many megabytes in calls of bounded size.

One call into C keeps the interpreter's lock to its end: to look for two line ends in 31 MiB takes 30 ms, to count a
pattern 100 ms, in which no other thread runs. Between these calls others get their turn. The loop waits for the end of
such a call each time that it comes back from a system call, of which it makes several for each peer: so a call takes no
longer than the interval after which threads are switched.
"""

import re
from io import BytesIO

#: Bytes that one call looks through, in half a millisecond or less.
STEP = 256 << 10

Data = bytes | bytearray


def find(data: Data, needle: bytes, start: int = 0, end: int | None = None) -> int:
    """As `data.find`. start, end: not negative."""
    end = len(data) if end is None else min(end, len(data))
    over = len(needle) - 1
    while end - start > STEP:
        found = data.find(needle, start, start + STEP + over)
        if found >= 0:
            return found
        start += STEP
    return data.find(needle, start, end)


def rfind(data: Data, needle: bytes, start: int = 0, end: int | None = None) -> int:
    """As `data.rfind`. start, end: not negative."""
    end = len(data) if end is None else min(end, len(data))
    over = len(needle) - 1
    while end - start > STEP:
        found = data.rfind(needle, max(start, end - STEP - over), end)
        if found >= 0:
            return found
        end -= STEP
    return data.rfind(needle, start, end)


def count(data: Data, needle: bytes) -> int:
    """As `data.count`, for a needle that cannot overlap itself."""
    if len(data) <= STEP:
        return data.count(needle)
    over = len(needle) - 1
    # A needle is counted in the step that it begins in.
    return sum(data.count(needle, at, at + STEP + over) for at in range(0, len(data), STEP))


def contains(data: Data, needle: bytes) -> bool:
    """As `needle in data`."""
    return needle in data if len(data) <= STEP else find(data, needle) >= 0


def search(pattern: re.Pattern[bytes], data: Data, longest: int) -> re.Match[bytes] | None:
    """As `pattern.search(data)`, for a pattern without anchors or looks around. longest: bytes of its longest match."""
    for at in range(0, len(data), STEP):
        found = pattern.search(data, at, at + STEP + longest - 1)
        if found is not None:
            return found
    return None


def is_blank(data: Data) -> bool:
    """As `not data.strip()`."""
    if len(data) <= STEP:
        return not data.strip()
    return all(not data[at : at + STEP].strip() for at in range(0, len(data), STEP))


def write(out: BytesIO, data: bytes | memoryview) -> None:
    """As `out.write(data)`."""
    view = memoryview(data)
    for at in range(0, len(view), STEP):
        out.write(view[at : at + STEP])


def copy(view: memoryview) -> bytes:
    """As `bytes(view)`: for 31 MiB that takes 20 ms, most of it for memory that the process gets page by page."""
    if len(view) <= STEP:
        return bytes(view)
    out = BytesIO()
    write(out, view)
    return out.getvalue()


def strip(data: bytes) -> bytes:
    """As `data.strip()`."""
    if len(data) <= STEP or not (data[:1].isspace() or data[-1:].isspace()):
        return data.strip()
    begin, end = 0, len(data)
    for at in range(0, end, STEP):
        piece = data[at : at + STEP]
        rest = piece.lstrip()
        begin = at + len(piece) - len(rest)
        if rest:
            break
    while end > begin:
        piece = data[max(begin, end - STEP) : end]
        rest = piece.rstrip()
        end -= len(piece) - len(rest)
        if rest:
            break
    return copy(memoryview(data)[begin:end])


class Steps:
    """Large bytes with the searches above, for code that searches small bytes itself."""

    __slots__ = ("_data",)

    def __init__(self, data: Data):
        self._data = data

    def find(self, needle: bytes, start: int = 0, end: int | None = None) -> int:
        """As `find` above."""
        return find(self._data, needle, start, end)

    def rfind(self, needle: bytes, start: int = 0, end: int | None = None) -> int:
        """As `rfind` above."""
        return rfind(self._data, needle, start, end)

    def count(self, needle: bytes) -> int:
        """As `count` above."""
        return count(self._data, needle)

    def __contains__(self, needle: bytes) -> bool:
        return contains(self._data, needle)
