"""Multipart bodies: read until their model is known, then streamed on.

Clients send the model before the file (OpenAI's SDKs) or after it (the vendors' curl examples). Until the model is
known, what was read is kept in memory and counted against the bound of all buffers. Paths under which files are stored
have no model: there reading ahead stops where the file begins.
"""

from collections import deque

import trio

from router.errors import BadRequest
from router.exchange.body.body import LIMIT, THREAD_BYTES, BodySource, run_in_thread
from router.exchange.body.buffered import coding_of, read_decoded
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Request
from router.net.stream import RECEIVE_SIZE
from router.wire.raw.multipart import ModelReader, parse_boundary
from router.wire.resource_ids import collection

_CAPTURED_PIECES = 16
_WITHOUT_MODEL = frozenset(("files", "uploads", "containers", "skills", "vector_stores"))


def is_upload(request: Request, *, generates: bool) -> bool:
    """True for a multipart body; paths that generate take none."""
    if request.method not in ("POST", "PUT", "PATCH") or generates:
        return False
    return request.fields.get(b"content-type", b"")[:19].lower() == b"multipart/form-data"


class Upload:
    """One multipart body, which is streamed."""

    #: A streamed body is never in memory as a whole.
    data = b""
    top = None

    def __init__(self, source: BodySource, path: str):
        self._source = source
        self._path = path
        self._reader = ModelReader(parse_boundary(source.request.fields[b"content-type"]))
        self._pieces: deque[bytes | memoryview] = deque()
        self._grown = 0
        self._released = False
        #: As the client named it, None for none.
        self.model: str | None = None
        #: True once all of it was read.
        self.ended = False

    @property
    def replayable(self) -> bool:
        """True for a body that was read whole and is still in memory."""
        return self.ended and not self._released

    def release(self) -> None:
        """Stop counting its bytes. Pieces that were not sent on yet stay, since they are about to be sent."""
        self._released = True
        self._source.release()

    @property
    def parts(self) -> list[bytes | memoryview]:
        """The pieces that were read and not sent on yet."""
        return list(self._pieces)

    @property
    def length(self) -> int | None:
        """Bytes of the whole body as it will be sent; None when the client does not say."""
        announced = self._source.request.fields.get(b"content-length")
        return None if announced is None else int(announced) + self._grown

    def beginning(self, limit: int) -> bytes:
        """Its first bytes, for a capture: the beginning of a file is enough there."""
        return b"".join(self.parts[:_CAPTURED_PIECES])[:limit]

    async def begin(self) -> None:
        """Read until the route can be decided. Raises RouterError."""
        if coding_of(self._source.request):
            await self._begin_decoded(await read_decoded(self._source))
            return
        stores_files = collection(self._path) in _WITHOUT_MODEL
        while not self.ended and self._reader.model is None and not (stores_files and self._reader.in_file):
            piece = await self._read()
            if piece:
                self._source.hold(len(piece))
                self._pieces.append(piece)
        self._find_model()

    async def _begin_decoded(self, body: bytes) -> None:
        if len(body) > THREAD_BYTES:
            await run_in_thread(self._source.connection, self._source.total, self._feed, body)
        else:
            self._feed(body)
        self._pieces.append(body)
        self.ended = True
        self._find_model()

    def _feed(self, body: bytes) -> None:
        # In pieces, as from a socket: at every part the reader copies the rest of its piece.
        for at in range(0, len(body), RECEIVE_SIZE):
            self._reader.feed(body[at : at + RECEIVE_SIZE])

    def _find_model(self) -> None:
        self.model = self._reader.model
        if self.ended and self.model is None and not self._reader.complete:
            raise BadRequest("The multipart body ends without its last boundary.")

    def rename(self, model: str) -> None:
        """Replace the name of the model. To be called before any piece was sent on."""
        start, end = self._reader.span
        value = model.encode()
        self._pieces = _splice(self._pieces, start, end, value)
        self._grown = len(value) - (end - start)

    async def more(self) -> bytes | memoryview:
        """The next piece to send on, b"" at the end. Raises RouterError."""
        if self._pieces:
            return self._pieces.popleft()
        self.release()
        piece = b"" if self.ended else await self._read()
        elapsed = trio.current_time() - self._source.request.arrived
        self._source.connection.set_deadline(self._source.total - elapsed, CancelReason.TOTAL)
        return piece

    async def _read(self) -> bytes:
        piece = await self._source.connection.read_body_piece(LIMIT)
        if piece:
            self._feed(piece)
        else:
            self.ended = True
        return piece


def _splice(pieces: deque[bytes | memoryview], start: int, end: int, value: bytes) -> deque[bytes | memoryview]:
    """The pieces with `value` in place of the bytes from start to end; the rest is not copied."""
    out: deque[bytes | memoryview] = deque()
    at = 0
    for piece in pieces:
        view = memoryview(piece)
        before, after = view[: max(0, start - at)], view[max(0, end - at) :]
        if before:
            out.append(before)
        if at <= start < at + len(view):
            out.append(value)
        if after:
            out.append(after)
        at += len(view)
    return out
