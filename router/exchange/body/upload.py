"""Multipart bodies: read until their model is known, then sent on as they come (product.md 6).

Clients send the model before the file (OpenAI's SDKs) or behind it (the vendors' curl examples); until it came what
was read is held, and counted against the bound of all buffers. Paths under which files are kept have no model: there
the fields before the file decide.
"""

from collections import deque

import trio

from router.errors import BadRequest
from router.exchange.body import buffered
from router.exchange.context import Ticket
from router.net.server.connection import CancelReason
from router.net.stream import RECEIVE_SIZE
from router.telemetry.accesslog import BODY_KEPT
from router.wire.raw.multipart import Reader, boundary_of
from router.wire.resource_ids import collection

_SHOWN_PIECES = 16
_WITHOUT_MODEL = frozenset(("files", "uploads", "containers", "skills", "vector_stores"))


def is_upload(ticket: Ticket) -> bool:
    """True for a multipart body; a path whose answers a model writes takes none."""
    if ticket.request.method not in ("POST", "PUT", "PATCH") or ticket.call.generates:
        return False
    return ticket.request.fields.get(b"content-type", b"")[:19].lower() == b"multipart/form-data"


class Upload:
    """One multipart body on its way. model: as the client named it, None for none. ended: all of it was read."""

    def __init__(self, ticket: Ticket, reader: Reader):
        self._ticket = ticket
        self._reader = reader
        self._held: deque[bytes | memoryview] = deque()
        self._grown = 0
        self.model: str | None = None
        self.ended = False

    @property
    def parts(self) -> list[bytes | memoryview]:
        """What was read and not yet sent on."""
        return list(self._held)

    @property
    def length(self) -> int | None:
        """How long the whole body is as it will be sent; None when the client does not say."""
        announced = self._ticket.request.fields.get(b"content-length")
        return None if announced is None else int(announced) + self._grown

    async def begin(self) -> None:
        """Read until the route can be known. Raises RouterError."""
        kept_files = collection(self._ticket.call.path) in _WITHOUT_MODEL
        while not self.ended and self._reader.model is None and not (kept_files and self._reader.in_file):
            piece = await self._read()
            if piece:
                self._ticket.hold(len(piece))
                self._held.append(piece)
        self._found()

    async def take(self, body: bytes) -> None:
        """All of the body at once, where it had to be decoded. Raises RouterError."""
        if len(body) > buffered.THREAD_BYTES:
            await buffered.in_thread(self._ticket, self._feed, body)
        else:
            self._feed(body)
        self._held.append(body)
        self.ended = True
        self._found()

    def _feed(self, body: bytes) -> None:
        # In pieces, as from a socket: the reader copies what is left of one at every part.
        for at in range(0, len(body), RECEIVE_SIZE):
            self._reader.feed(body[at : at + RECEIVE_SIZE])

    def _found(self) -> None:
        self.model = self._reader.model
        if self.ended and self.model is None and not self._reader.complete:
            raise BadRequest("The multipart body ends without its last boundary.")

    def rename(self, model: str) -> None:
        """Put another name in the model's place; before anything was sent on."""
        start, end = self._reader.span
        value = model.encode()
        self._held = _spliced(self._held, start, end, value)
        self._grown = len(value) - (end - start)

    async def more(self) -> bytes | memoryview:
        """The next piece to send on, b"" at the end. Raises RouterError."""
        if self._held:
            return self._held.popleft()
        self._ticket.release()
        piece = b"" if self.ended else await self._read()
        ticket = self._ticket
        elapsed = trio.current_time() - ticket.request.arrived
        ticket.connection.set_deadline(ticket.snapshot.settings.timeouts_total - elapsed, CancelReason.TOTAL)
        return piece

    async def _read(self) -> bytes:
        piece = await self._ticket.connection.read_body_piece(buffered.LIMIT)
        if piece:
            self._feed(piece)
        else:
            self.ended = True
        return piece


async def begin(ticket: Ticket) -> Upload:
    """Read a multipart body until its model is known. Raises RouterError."""
    upload = Upload(ticket, Reader(boundary_of(ticket.request.fields[b"content-type"])))
    if buffered.coding_of(ticket):
        await upload.take(await buffered.plain(ticket))
    else:
        await upload.begin()
    if ticket.kept:
        # Of files the beginning is enough.
        ticket.record.request_body = b"".join(upload.parts[:_SHOWN_PIECES])[:BODY_KEPT]
    return upload


def _spliced(pieces: deque[bytes | memoryview], start: int, end: int, value: bytes) -> deque[bytes | memoryview]:
    """The pieces with `value` in the place of the bytes from start to end; the rest is not copied."""
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
