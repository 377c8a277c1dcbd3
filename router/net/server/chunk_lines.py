"""The lines around the chunks of a request body, checked raw before h11 sees them.

h11 accepts trailers with bare LF or folded fields, in any number, and control characters in chunk extensions. A server
in front of this one may read those differently, which allows requests to be smuggled (RFC 9112, 7.1 and 11.2).
"""

import re

from router.errors import BadRequest, HeadTooLarge
from router.net.server.request_head import FIELD_LIMIT, HEAD_LIMIT, check_raw

LINE_LIMIT = 4096
_FRAMING = (b"content-length", b"transfer-encoding")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}(?=[; \t\r])")


class ChunkLines:
    """Checks the chunk lines of one body, in whatever pieces it comes; bytes behind its end are ignored."""

    __slots__ = ("_ended", "_fields", "_in_trailers", "_line", "_seen", "_skip")

    def __init__(self) -> None:
        self._line = bytearray()
        self._skip = self._seen = self._fields = 0
        self._in_trailers = self._ended = False

    def check(self, data: bytes) -> None:
        """Check the lines in the next piece of the body. Raises BadRequest or HeadTooLarge."""
        at = 0
        while at < len(data) and not self._ended:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            self._check_size()
            if self._line.endswith(b"\n"):
                line = bytes(self._line)
                self._line.clear()
                self._check_line(line)

    def _check_size(self) -> None:
        if self._in_trailers:
            if self._seen + len(self._line) > HEAD_LIMIT:
                raise HeadTooLarge(f"The trailers of the request are over {HEAD_LIMIT // 1024} KiB.")
        elif len(self._line) > LINE_LIMIT:
            raise BadRequest(f"A chunk of the request has a size line of over {LINE_LIMIT} bytes.")

    def _check_line(self, line: bytes) -> None:
        # The preceding line end is put in front, so that a folded line is recognised.
        check_raw(b"\r\n" + line, whole=True)
        if not self._in_trailers:
            self._check_chunk(line)
        elif line == b"\r\n":
            self._ended = True
        else:
            self._check_trailer(line)

    def _check_trailer(self, line: bytes) -> None:
        self._seen += len(line)
        self._fields += 1
        if self._fields > FIELD_LIMIT:
            raise HeadTooLarge(f"The request has over {FIELD_LIMIT} trailers.")
        if line.partition(b":")[0].lower() in _FRAMING:
            raise BadRequest("A trailer of the request says how long its body is (RFC 9110, 6.5.1).")

    def _check_chunk(self, line: bytes) -> None:
        found = _SIZE.match(line)
        if found is None:
            raise BadRequest("The request is not valid HTTP: a chunk has no readable size (RFC 9112, 7.1).")
        size = int(found[0], 16)
        self._in_trailers = size == 0
        self._skip = size and size + 2
