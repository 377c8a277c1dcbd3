"""Reads the answers on one connection to an upstream, without I/O (RFC 9112, 4 to 7).

Own code where h11 would do, since answers are what a relay reads most: h11 takes 50,000 instructions for each chunk of
a burst, and here one loop takes all chunks of a read apart, which come out as one piece. It accepts what h11 accepts,
and h11 is what the tests hold it against.
"""

import re
from typing import NamedTuple

from router.net.client.tunnels import HEAD_LIMIT
from router.net.headers import Lines

#: Bytes of the line before a chunk, its extensions included.
CHUNK_LINE_LIMIT = 4096
# Chunks that are taken apart at once: 64 KiB of chunks of one byte are 11,000, for 10 ms.
_CHUNKS_AT_ONCE = 2048
_LENGTH_DIGITS = 20

_BLANK_LINE = re.compile(rb"\n\r?\n")
# Control characters pass here: `headers.drop_controls` takes the fields that hold them.
_STATUS_LINE = re.compile(rb"HTTP/([0-9]\.[0-9]) ([0-9]{3})(?: ([^\x00\r\n\f\v]*))?\r?\n")
_FIELD = re.compile(rb"^([-!#$%&'*+.^_`|~0-9a-zA-Z]+):([^\x00\r\n\f\v]*)\r?\n", re.MULTILINE)
_FOLD = re.compile(rb"\r?\n[ \t]+")
# Its extensions end below the limit, so that a line is refused whether or not it comes whole.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:[ \t]{0,4000}+\r|;[^\n]{0,4000}+(?<=\r))\n")
_DIGITS = re.compile(rb"[0-9]+")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))

# The lengths of chunks by their digits, of those that are short: 11,000 at most.
_KNOWN_DIGITS = 3
_known_lengths: dict[bytes, int] = {}

# How the body of an answer ends: after so many bytes, with its last chunk, with its trailers, with the connection.
_SIZED, _CHUNKED, _TRAILERS, _UNTIL_CLOSE = range(4)


class UnreadableAnswer(Exception):
    """The peer sent what is not valid HTTP; the text says what, and quotes nothing."""


class PrematureClose(Exception):
    """The peer closed the connection within a body; the text says how much of it came."""


class Head(NamedTuple):
    """The head of an answer, final or interim."""

    status: int
    reason: bytes
    lines: Lines


class ResponseReader:
    """Gets what was received with `receive`, and gives one answer after another: its heads, then its body.

    A fault is raised by the call that meets it, what came before it is given out first, and nothing is read behind it.
    """

    __slots__ = (
        "_closed",
        "_data",
        "_fault",
        "_framing",
        "_is_head",
        "_keeps",
        "_left",
        "_length",
        "_searched",
        "ended",
        "more",
    )

    def __init__(self) -> None:
        # What was received and not read yet, and how much of it was searched for a blank line.
        self._data = b""
        self._searched = 0
        self._closed = self._keeps = self._is_head = False
        self._fault = ""
        self._framing = _SIZED
        # Bytes of the body that are to come; of a chunk, with the line end behind it.
        self._left = self._length = 0
        #: True once the whole answer was read.
        self.ended = False
        #: True when more of the body was received than `read_body` gave out.
        self.more = False

    def start(self, method: bytes) -> None:
        """Expect the answer to the next request."""
        self._is_head = method == b"HEAD"
        self._keeps = self.ended = False

    def receive(self, data: bytes) -> None:
        """Add what was received, at least one byte."""
        self._data = self._data + data if self._data else data

    def close(self) -> None:
        """Note that the peer sends no more. Raises PrematureClose when the body needs more."""
        self._closed = True
        if self._framing == _UNTIL_CLOSE:
            self.ended = True
        elif self._framing == _SIZED:
            raise PrematureClose(f"received {self._length - self._left} bytes, expected {self._length}")
        else:
            raise PrematureClose("incomplete chunked read")

    @property
    def unread(self) -> bytes:
        """What was received and not read."""
        return self._data

    @property
    def is_reusable(self) -> bool:
        """True when the connection may serve another request: its answer was read whole, nothing came behind it, and
        the peer does not mean to close."""
        return self.ended and self._keeps and not self._data and not self._closed

    def read_head(self) -> Head | None:
        """The next head, None when it has not come whole. Raises UnreadableAnswer."""
        data = self._data
        if not data:
            return None
        if data[:1] == b"\n" or data[:2] == b"\r\n":
            raise UnreadableAnswer("no response line received")
        found = _BLANK_LINE.search(data, self._searched)
        end = len(data) if found is None else found.end()
        if end > HEAD_LIMIT:
            raise UnreadableAnswer(f"a head of over {HEAD_LIMIT >> 10} KiB")
        if found is None:
            if data[0] <= 0x20:
                raise UnreadableAnswer("illegal status line")
            self._searched = max(0, end - 2)
            return None
        self._searched = 0
        line_end = data.find(b"\n") + 1
        status_line = _STATUS_LINE.fullmatch(data, 0, line_end)
        if status_line is None:
            raise UnreadableAnswer("illegal status line")
        version, code, reason = status_line.groups()
        status = int(code)
        if status < 100:
            raise UnreadableAnswer("a status below 100")
        framing: dict[bytes, bytes] = {}
        lines = _parse_fields(data[line_end : found.start() + 1], framing)
        self._data = data[end:]
        if status >= 200:
            self._frame_body(status, version, framing)
        return Head(status, reason or b"", lines)

    def _frame_body(self, status: int, version: bytes, framing: dict[bytes, bytes]) -> None:
        """Find where the body ends (RFC 9112, 6.3). Of both framings, chunks count."""
        named = framing.get(b"connection")
        closes = named is not None and b"close" in [part.strip() for part in named.lower().split(b",")]
        self._keeps = not closes and version >= b"1.1"
        self._left = self._length = 0
        if self._is_head or status in (204, 304):
            self._framing = _SIZED
        elif b"transfer-encoding" in framing:
            self._framing = _CHUNKED
        elif (length := framing.get(b"content-length")) is not None:
            self._framing = _SIZED
            self._left = self._length = int(length)
        else:
            self._framing = _UNTIL_CLOSE

    def read_body(self) -> bytes:
        """What has come of the body, in one piece; b"" for nothing, and at its end. Raises UnreadableAnswer."""
        if self._fault:
            raise UnreadableAnswer(self._fault)
        data, framing = self._data, self._framing
        if framing == _SIZED:
            left = self._left
            if len(data) > left:
                data, self._data = data[:left], data[left:]
            else:
                self._data = b""
            self._left = left = left - len(data)
            self.ended = not left
            return data
        if framing == _UNTIL_CLOSE:
            self._data = b""
            return data
        pieces: list[bytes] = []
        try:
            if framing == _CHUNKED:
                self._read_chunks(pieces)
            if self._framing == _TRAILERS:
                self._read_trailers()
        except UnreadableAnswer as error:
            self._fault = str(error)
            if not pieces:
                raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_chunks(self, pieces: list[bytes]) -> None:
        """Take chunks apart into `pieces`, until one is not whole."""
        data, at = self._data, 0
        self.more = False
        if self._left:
            at = self._read_part(data, 0, pieces)
        if not self._left:
            at = _take_known_chunks(data, at, pieces)
            for _ in range(_CHUNKS_AT_ONCE):
                line = _CHUNK_LINE.match(data, at)
                if line is None:
                    _check_chunk_line(data, at)
                    break
                length = int(line[1], 16)
                at = line.end()
                if not length:
                    self._framing = _TRAILERS
                    break
                if len(line[1]) <= _KNOWN_DIGITS:
                    _known_lengths[line[1]] = length
                end = at + length
                if data[end : end + 2] != b"\r\n":
                    self._left = length + 2
                    at = self._read_part(data, at, pieces)
                    break
                pieces.append(data[at:end])
                at = end + 2
            else:
                self.more = True
        self._data = data[at:]

    def _read_part(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take what has come of a chunk, and of the line end behind it; returns the offset behind that."""
        if self._left > 2:
            piece = data[at : at + self._left - 2]
            if piece:
                pieces.append(piece)
            at += len(piece)
            self._left -= len(piece)
        if self._left <= 2:
            behind = data[at : at + self._left]
            if behind != b"\r\n"[2 - self._left :][: len(behind)]:
                raise UnreadableAnswer("malformed chunk footer")
            at += len(behind)
            self._left -= len(behind)
        return at

    def _read_trailers(self) -> None:
        """Read what stands behind the last chunk, of which nothing is passed on."""
        data = self._data
        if data[:2] == b"\r\n" or data[:1] == b"\n":
            end = data.index(b"\n") + 1
        else:
            found = _BLANK_LINE.search(data, self._searched)
            end = len(data) if found is None else found.end()
            if end > HEAD_LIMIT:
                raise UnreadableAnswer(f"trailers of over {HEAD_LIMIT >> 10} KiB")
            if found is None:
                self._searched = max(0, end - 2)
                return
            _parse_fields(data[: found.start() + 1], {})
        self._data, self._searched, self.ended = data[end:], 0, True


def _take_known_chunks(data: bytes, at: int, pieces: list[bytes]) -> int:
    """Take the chunks from an offset on whose length was met before; returns the offset behind them. The events of a
    stream are of few lengths and hold no CR LF, so that each second line is a chunk."""
    lines = data[at:].split(b"\r\n", 2 * _CHUNKS_AT_ONCE)
    # Behind the last one is no line end.
    for line, piece in zip(lines[::2], lines[1:-1:2], strict=False):
        if _known_lengths.get(line) != len(piece):
            break
        pieces.append(piece)
        at += len(line) + len(piece) + 4
    return at


def _check_chunk_line(data: bytes, at: int) -> None:
    """Raise UnreadableAnswer unless the line before a chunk is only cut off."""
    end = data.find(b"\r\n", at)
    if end >= 0:
        raise UnreadableAnswer("illegal chunk header")
    if len(data) - at > CHUNK_LINE_LIMIT:
        raise UnreadableAnswer(f"a chunk header of over {CHUNK_LINE_LIMIT >> 10} KiB")


def _parse_fields(block: bytes, framing: dict[bytes, bytes]) -> Lines:
    """The fields of a head or of trailers; `framing` gets the values of those that frame a message. Raises
    UnreadableAnswer."""
    found: list[tuple[bytes, bytes]] = _FIELD.findall(block)
    if len(found) != block.count(b"\n"):
        if block[:1] in (b" ", b"\t"):
            raise UnreadableAnswer("continuation line at start of headers")
        block = _FOLD.sub(b" ", block)
        found = _FIELD.findall(block)
        if len(found) != block.count(b"\n"):
            raise UnreadableAnswer("illegal header line")
    lines: Lines = []
    for raw, value in found:
        name = raw.lower()
        value = value.strip(b" \t")
        if name in _FRAMING:
            value = _read_framing(name, value, framing)
            if name == b"content-length" and name in framing:
                continue  # the same once more
            framing[name] = value if name not in framing else framing[name] + b"," + value
        lines.append((raw, name, value))
    return lines


def _read_framing(name: bytes, value: bytes, framing: dict[bytes, bytes]) -> bytes:
    """The value of a field that frames a message. framing: those before it. Raises UnreadableAnswer."""
    if name == b"content-length":
        lengths = {length.strip() for length in value.split(b",")}
        value = lengths.pop()
        if lengths or framing.get(name, value) != value:
            raise UnreadableAnswer("conflicting Content-Length headers")
        if not _DIGITS.fullmatch(value) or len(value) > _LENGTH_DIGITS:
            raise UnreadableAnswer("bad Content-Length")
    elif name == b"transfer-encoding":
        if name in framing:
            raise UnreadableAnswer("multiple Transfer-Encoding headers")
        value = value.lower()
        if value != b"chunked":
            raise UnreadableAnswer("Only Transfer-Encoding: chunked is supported")
    return value
