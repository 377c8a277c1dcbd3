"""Writes requests to upstreams (RFC 9112, 3 to 7): the head, and the framing of the body that it announces."""

import re

from router.errors import BadRequest
from router.net.headers import Lines
from router.net.stream import Bytes

_REQUEST_LINE = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+ [\x21-\x7e]+ HTTP/1\.1\r\n")


class RequestWriter:
    """One request. lines: its fields, of which `Content-Length` or `Transfer-Encoding: chunked` frames the body; with
    neither there is none. Raises BadRequest for what would be read as another request than this."""

    __slots__ = ("_left", "head")

    def __init__(self, method: bytes, target: bytes, lines: Lines):
        parts = [b"%b %b HTTP/1.1\r\n" % (method, target)]
        # Bytes of the body that are to come; None for one in chunks.
        self._left: int | None = 0
        chunked = False
        for raw, name, value in lines:
            parts.append(b"%b: %b\r\n" % (raw, value))
            if name == b"content-length":
                self._left = int(value)
            elif name == b"transfer-encoding":
                chunked = True
        if chunked:
            self._left = None
        count = len(parts)
        parts.append(b"\r\n")
        #: The request line and the fields, with the blank line.
        self.head = head = b"".join(parts)
        ends_once = head.count(b"\n") == head.count(b"\r") == count + 1
        if not ends_once or b"\x00" in head or not _REQUEST_LINE.fullmatch(parts[0]):
            raise BadRequest("The request cannot be sent on: its path or a header field holds a control character.")

    def frame(self, piece: Bytes) -> list[Bytes]:
        """A piece of the body as it is sent. Raises ValueError when there is more of it than the head says."""
        size = len(piece)
        if not size:
            return []
        if self._left is None:
            return [b"%x\r\n" % size, piece, b"\r\n"]
        self._left -= size
        if self._left < 0:
            raise ValueError("the body is longer than its head says")
        return [piece]

    def end(self) -> list[Bytes]:
        """What is sent behind the body. Raises ValueError when there is less of it than the head says."""
        if self._left:
            raise ValueError("the body is shorter than its head says")
        return [b"0\r\n\r\n"] if self._left is None else []
