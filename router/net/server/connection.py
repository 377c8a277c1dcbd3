"""The server side of HTTP/1.1: one client connection, its read-ahead, and the cycle of request and answer.

Rules of this file:
- Two tasks a connection. The reader only reads, a bounded piece ahead, and notices when the client leaves;
  the cycle task parses, runs the application and writes.
- One cancel scope a connection: what cuts a cycle ends the connection. Every limit is a move of its one deadline
  (`deadline`), which cancels it, as the reader does when the client is gone. What cut it is in `why`; the application
  hears of it through `on_cut`, outside the scope.
- A head is collected whole and checked raw before h11 sees it (`heads`), and so are the lines of chunks (`chunks`).
- Nothing but an error of the listening socket leaves a connection task.
"""

import contextlib
import enum
import http
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import h11
import trio

from router.errors import BadRequest, RouterError
from router.net.headers import Headers, RawHeaders, extended
from router.net.server.body_buffer import Gathered
from router.net.server.chunk_lines import ChunkLines
from router.net.server.deadlines import Deadline
from router.net.server.read_ahead import ReadAhead
from router.net.server.request_head import HEAD_LIMIT, Request, check_head, collect_head, malformed, too_large
from router.net.stream import Bytes, SocketStream


class CancelReason(enum.Enum):
    """Why a running cycle was cancelled: each with the words an error says it in. The names, in lower case, are error
    classes of the history and the log: renaming one changes what is recorded."""

    CLIENT_GONE = "the client closed the connection"
    IDLE = "no request came"
    HEAD = "the request head did not arrive in time"
    BODY = "the request body stopped arriving"
    STALLED = "the client stopped reading"
    CONNECT = "the upstream could not be reached in time"
    FIRST_BYTE = "the upstream sent no response head in time"
    SILENT = "the upstream stopped sending"
    TOTAL = "the request took too long"
    STOPPING = "fairlead is stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Deadlines of a client connection, in seconds."""

    idle: float = 120.0
    head: float = 10.0
    body: float = 30.0
    stalled: float = 300.0
    linger: float = 1.0


class Application(Protocol):
    """What a connection serves."""

    async def __call__(self, connection: "Connection", request: Request) -> None:
        """Answer one request through the connection.

        The cycle's deadline is still the one of the head or the body: move it before waiting for anything else.
        """
        ...

    def refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """Headers and body of an answer to a request that could not even be read."""
        ...

    def crashed(self, error: Exception) -> None:
        """Hear of a defect; the connection is closed after it."""
        ...


class Connection:
    """One client connection."""

    def __init__(self, stream: SocketStream, application: Application, limits: Limits):
        self.stream = stream
        self.limits = limits
        self.why: CancelReason | None = None
        self.on_cut: Callable[[CancelReason], Awaitable[None]] | None = None
        self.busy = self._retired = self._writing = False
        self._application = application
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT + 1)
        self._scope = trio.CancelScope()
        self._deadline = Deadline(self._scope.cancel)
        self._ahead = ReadAhead(stream)
        self._seconds = limits.idle
        self._announced = self._received = 0
        self._chunks: ChunkLines | None = None

    # The life of the connection

    async def serve(self) -> None:
        """Serve requests until either side ends the connection."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ahead.fill, self._client_left)
                with self._scope:
                    while await self._cycle():
                        pass
                self._deadline.end()
                if self._scope.cancelled_caught:
                    await self._after_cut(self.why or self._meaning)
                nursery.cancel_scope.cancel()
        finally:
            self._deadline.end()
            self.stream.close()

    def retire(self) -> None:
        """Close when idle, else after the answer that is under way."""
        self._retired = True
        if not self.busy:
            self.cut(CancelReason.STOPPING)

    def cut(self, why: CancelReason) -> None:
        """Cut the running cycle, and with it the connection, from any task."""
        if self.why is None:
            self.why = why
        self._scope.cancel()

    def deadline(self, seconds: float, why: CancelReason) -> None:
        """Move the connection's one deadline; `why` is what it will mean."""
        self._meaning, self._seconds = why, seconds
        self._deadline.move(trio.current_time() + seconds)

    def restart(self) -> None:
        """Have the running deadline begin anew."""
        self._deadline.move(trio.current_time() + self._seconds)

    @property
    def retired(self) -> bool:
        """True once the connection is to close after the answer that is under way."""
        return self._retired

    @property
    def gone(self) -> bool:
        """True once the client closed its side."""
        return self._ahead.ended

    async def _cycle(self) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        self.busy = False
        self.deadline(self.limits.idle, CancelReason.IDLE)
        if self._retired:
            return False
        try:
            request = await self._next_request()
            if request is None:
                return False
            self.busy = True
            if self._ahead.ended:
                # It left before there was a request to cut.
                self.cut(CancelReason.CLIENT_GONE)
            await self._application(self, request)
            return await self._settled()
        except RouterError as error:
            await self._refuse(error)
        except Exception as error:
            self._application.crashed(error)
            self.stream.abort()
        return False

    async def _after_cut(self, why: CancelReason) -> None:
        if self._writing:
            # Part of an answer is out and how much is unknown: nothing sensible can follow it.
            self.stream.abort()
        try:
            if self.on_cut is not None:
                await self.on_cut(why)
                if self._h11.their_state is h11.SEND_BODY and not self._ahead.ended:
                    await self._linger()
            elif why in (CancelReason.HEAD, CancelReason.BODY) and not self._ahead.ended:
                error = BadRequest(f"{why.value}.")
                error.status = 408
                with trio.move_on_after(self.limits.linger):
                    await self._refuse(error)
        except Exception as error:
            self._application.crashed(error)
            self.stream.abort()

    async def _settled(self) -> bool:
        """True when the connection can take the next request."""
        conn = self._h11
        if conn.our_state not in (h11.DONE, h11.MUST_CLOSE):
            self.stream.abort()
            return False
        if self._ahead.ended:
            return False
        self._skim()
        if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE or self._retired:
            await self._linger()
            return False
        trailing = conn.trailing_data[0]
        if trailing:
            # The next head must be checked raw too, so h11 may not keep it.
            self._ahead.put_back(trailing)
            self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT + 1)
        else:
            conn.start_next_cycle()
        return True

    def _skim(self) -> None:
        """Read over what is at hand of a body nobody asked for; a request without one ends here too."""
        conn = self._h11
        with contextlib.suppress(h11.RemoteProtocolError, RouterError):  # it ends the connection, not this answer
            while conn.their_state is h11.SEND_BODY:
                if conn.next_event() is h11.NEED_DATA:
                    if not self._ahead:
                        return
                    self._feed()

    async def _linger(self) -> None:
        """End our side and read on for a moment: closing over unread bytes would reset the answer away."""
        self.stream.half_close()
        with trio.move_on_after(self.limits.linger):
            while await self._ahead.more():
                self._ahead.take()

    async def _refuse(self, error: RouterError) -> None:
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.stream.abort()
            return
        headers, body = self._application.refusal(error)
        await self.respond(error.status, [*headers, (b"connection", b"close")], body)
        await self._linger()

    # Reading

    def _client_left(self) -> None:
        if self.busy:
            self.cut(CancelReason.CLIENT_GONE)

    def _head_begun(self) -> None:
        self.deadline(self.limits.head, CancelReason.HEAD)

    def _feed(self) -> None:
        while self._ahead:
            data = self._ahead.take()
            if self._chunks is not None:
                self._chunks.check(data)
            self._h11.receive_data(data)

    async def _next_request(self) -> Request | None:
        head = await collect_head(self._ahead, self._head_begun)
        if head is None:
            return None
        self._h11.receive_data(head)
        try:
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise malformed(error) from None
        if not isinstance(event, h11.Request):
            raise BadRequest("The request head could not be read.")
        request = Request(event)
        check_head(request)
        self._received = 0
        self._chunks = ChunkLines() if b"transfer-encoding" in request.fields else None
        self._announced = int(request.fields.get(b"content-length", b"0"))
        return request

    async def body(self, limit: int, hold: Callable[[int], None]) -> bytes:
        """The whole request body; raises TooLarge over `limit` bytes. `hold` is told of each piece, and may raise."""
        gathered = Gathered()
        while piece := await self.more_body(limit):
            gathered.add(piece)
            hold(len(piece))
        return gathered.whole()

    async def more_body(self, limit: int) -> bytes:
        """The next piece of the request body, b"" at its end; raises TooLarge when all are over `limit` bytes."""
        conn = self._h11
        if self._announced > limit:
            raise too_large(limit)
        self._feed()
        while True:
            try:
                event = conn.next_event()
            except h11.RemoteProtocolError as error:
                raise malformed(error) from None
            if isinstance(event, h11.Data):
                self._received += len(event.data)
                if self._received > limit:
                    raise too_large(limit)
                return event.data
            if event is h11.NEED_DATA:
                if not self._ahead:
                    if conn.they_are_waiting_for_100_continue:
                        await self.write(conn.send_with_data_passthrough(_CONTINUE) or ())
                    self.deadline(self.limits.body, CancelReason.BODY)
                    if not await self._ahead.more():
                        await trio.lowlevel.checkpoint()  # the reader has cut this cycle
                        raise BadRequest("The request body ended early.")
                self._feed()
            elif isinstance(event, h11.EndOfMessage):
                return b""
            else:
                raise BadRequest("The request body could not be read.")

    # Writing. `head`, `data` and `end` only frame; what they return is sent by `write` or `write_now`.

    @property
    def started(self) -> bool:
        """True once a response head was framed."""
        return self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE)

    def head(self, status: int, headers: RawHeaders | Headers, reason: bytes = b"") -> list[Bytes]:
        """Frame a response head; without content-length the body is chunked (closed at its end for HTTP/1.0)."""
        if self._retired or self._scope.cancel_called:
            headers = extended(headers, b"connection", b"close")
        event = h11.Response(status_code=status, headers=headers, reason=reason or _REASONS.get(status, b""))
        return list(self._h11.send_with_data_passthrough(event) or ())

    def data(self, payload: Bytes) -> list[Bytes]:
        """Frame a piece of the response body, without copying it."""
        return list(self._h11.send_with_data_passthrough(h11.Data(data=payload)) or ())  # type: ignore[arg-type]

    def end(self) -> list[Bytes]:
        """Frame the end of the response."""
        return list(self._h11.send_with_data_passthrough(_END) or ())

    def write_now(self, parts: Sequence[Bytes]) -> bytes:
        """Send what fits now; the caller hands the rest to `write`. A client that left cuts the cycle."""
        try:
            return self.stream.try_send(parts)
        except OSError:
            self._lost()
            return b""

    async def write(self, parts: Sequence[Bytes]) -> None:
        """Send all, waiting for the client at most `limits.stalled`."""
        rest = self.write_now(parts) if parts else b""
        if rest:
            await self.flush(rest)

    async def flush(self, rest: bytes) -> None:
        """Send what `write_now` left, as `write` does. It is not copied again: a slow reader holds it for long."""
        before, meaning = self._deadline.at, self._meaning
        self.deadline(self.limits.stalled, CancelReason.STALLED)
        self._writing = True
        try:
            await self.stream.send_all(rest)
        except (OSError, trio.ClosedResourceError):
            self._lost()
            await trio.lowlevel.checkpoint()
        self._writing = False
        self._meaning = meaning
        self._deadline.move(before)

    async def respond(self, status: int, headers: RawHeaders | Headers, body: Bytes = b"", reason: bytes = b"") -> None:
        """Send a whole answer; content-length is added here where the status has one (RFC 9110, 8.6)."""
        self._skim()
        if self._h11.their_state is h11.SEND_BODY:
            headers = extended(headers, b"connection", b"close")  # a body nobody will read is still coming
        if status not in (204, 304):
            headers = extended(headers, b"content-length", b"%d" % len(body))
        parts = self.head(status, headers, reason)
        if body and self.answers_with_body:
            parts += self.data(body)
        parts += self.end()
        await self.write(parts)

    @property
    def answers_with_body(self) -> bool:
        """False when the request was a HEAD."""
        return self._h11._request_method != b"HEAD"  # pyright: ignore[reportPrivateUsage]

    def close(self) -> None:
        """Close without ending the answer: what was sent arrives, and a chunked answer shows that it is not whole."""
        self.stream.close()

    def abort(self) -> None:
        """Drop the connection so that the client cannot take what it has for a whole answer."""
        self.stream.abort()

    def _lost(self) -> None:
        self._ahead.ended = True
        self.cut(CancelReason.CLIENT_GONE)


_CONTINUE = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
_END = h11.EndOfMessage()
_REASONS = {int(status): status.phrase.encode() for status in http.HTTPStatus}
