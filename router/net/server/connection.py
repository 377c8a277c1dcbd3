"""The server side of HTTP/1.1: one client connection, its read-ahead, and the cycle of request and answer.

Rules of this file:
- Two tasks a connection. The reader only reads, a bounded number of bytes ahead, and notices when the client closes;
  the cycle task parses, runs the application and writes.
- One cancel scope a connection: cancelling a cycle ends the connection. Every limit moves its one deadline
  (`set_deadline`), which cancels the scope when it passes; the reader cancels it when the client is gone. The reason is
  in `cancel_reason`, and `on_cancel` is called with it outside the scope.
- A head is collected whole and checked raw before h11 sees it (`request_head`), as are chunk lines (`chunk_lines`). A
  body whose length the head tells does not pass through h11 (`request_body`).
- Only an error of the listening socket leaves a connection task.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import h11
import trio

from router.errors import BadRequest, RouterError
from router.net.headers import Headers, RawHeaders, with_field
from router.net.server import request_head
from router.net.server.answers import REASONS, AnswerObserver
from router.net.server.body_buffer import BodyBuffer
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection_table import ConnectionTable, Place
from router.net.server.deadlines import Deadline
from router.net.server.limits import Limits
from router.net.server.read_ahead import ReadAhead
from router.net.server.request_body import RequestBody
from router.net.server.request_head import HEAD_LIMIT, Request
from router.net.stream import Bytes, SocketStream


class Application(Protocol):
    """Answers the requests of a connection."""

    async def __call__(self, connection: "Connection", request: Request) -> None:
        """Answer one request through the connection.

        The cycle's deadline is still the one of the head or the body: move it before waiting for anything else.
        """
        ...

    def format_refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """Headers and body of the answer to a request that could not be read."""
        ...

    def report_crash(self, error: Exception) -> None:
        """Report an unexpected exception; the connection is closed after it."""
        ...


class Connection:
    """One client connection."""

    def __init__(
        self, stream: SocketStream, application: Application, limits: Limits, table: ConnectionTable | None = None
    ):
        self.stream = stream
        self.limits = limits
        #: Why the scope was cancelled; None until then.
        self.cancel_reason: CancelReason | None = None
        #: Called after a cancelled cycle, outside its scope; the application sets it for each request.
        self.on_cancel: Callable[[CancelReason], Awaitable[None]] | None = None
        #: Is told of each answer's status and fields, and of its body, while an application captures them.
        self.observer: AnswerObserver | None = None
        #: True from the end of a request head to the end of its answer.
        self.busy = False
        #: True once the connection is to close after an answer.
        self.retired = False
        self._ending = self._writing = self._unended = False
        #: Among all connections.
        self.place = Place(table, self._evict)
        self._application = application
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT + 1)
        self._scope = trio.CancelScope()
        self._deadline = Deadline(self._cancel_as_late)
        self._ahead = ReadAhead(stream)
        self._deadline_seconds = self._idle_seconds = limits.first
        self._body = RequestBody(self._h11, self._ahead, {})

    # The life of the connection

    async def serve(self) -> None:
        """Serve requests until either side ends the connection."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ahead.fill, self._on_client_gone)
                with self._scope:
                    while await self._serve_one():
                        pass
                self._deadline.cancel()
                if self._scope.cancelled_caught and self.cancel_reason is not None:
                    await self._end_cancelled(self.cancel_reason)
                nursery.cancel_scope.cancel()
        finally:
            self._deadline.cancel()
            self.stream.close()
            self.place.leave()

    def _evict(self) -> None:
        """End at once, for another connection. It has no request that is authenticated, so none is accounted for."""
        self.on_cancel = None
        self.cancel(CancelReason.CROWDED_OUT)

    def retire(self, *, idle: float = 0.0) -> None:
        """Close after the answer in progress, or now; with `idle`: after an answer that says so, or so many seconds."""
        self.retired, self._ending = True, not idle
        self._idle_seconds = idle or self._idle_seconds
        if self._ending and not self.busy:
            self.cancel(CancelReason.STOPPING)
        elif not self.busy:
            self.set_deadline(idle, CancelReason.IDLE)

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the running cycle, and with it the connection, from any task. The first reason counts."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
        self._scope.cancel()

    def set_deadline(self, seconds: float, reason: CancelReason, *, now: float | None = None) -> None:
        """Move the connection's one deadline to `seconds` from now; `reason` is given when it passes. now: trio's time,
        where the caller has just read it."""
        self._deadline_reason, self._deadline_seconds = reason, seconds
        self._deadline.move((trio.current_time() if now is None else now) + seconds)

    def restart_deadline(self) -> None:
        """Give the current deadline its full time again."""
        self._deadline.move(trio.current_time() + self._deadline_seconds)

    @property
    def client_gone(self) -> bool:
        """True once the client closed its side."""
        return self._ahead.ended

    async def _serve_one(self) -> bool:
        """Serve one request; False when the connection is to be closed."""
        self.busy = False
        self.place.end_request()
        self.set_deadline(self._idle_seconds, CancelReason.IDLE)
        self._idle_seconds = self.limits.idle
        if self._ending:
            return False
        try:
            request = await self._read_request()
            if request is None:
                return False
            self.busy = True
            if self._ahead.ended:
                # The client closed before there was a request to cancel.
                self.cancel(CancelReason.CLIENT_GONE)
            await self._application(self, request)
            return await self._finish_cycle()
        except RouterError as error:
            await self._send_error(error)
        except Exception as error:
            self._application.report_crash(error)
            self.stream.abort()
        return False

    async def _end_cancelled(self, reason: CancelReason) -> None:
        if self._writing:
            # Part of a write went out, how much is unknown: nothing valid can follow it.
            self.stream.abort()
        try:
            if self.on_cancel is not None:
                await self.on_cancel(reason)
                if self._unended:
                    await self._close_unended()
                elif self._h11.their_state is h11.SEND_BODY and not self._ahead.ended:
                    await self._linger()
            elif reason in (CancelReason.HEAD, CancelReason.BODY) and not self._ahead.ended:
                error = BadRequest(f"{reason.value}.")
                error.status = 408
                with trio.move_on_after(self.limits.linger):
                    await self._send_error(error)
        except Exception as error:
            self._application.report_crash(error)
            self.stream.abort()

    async def _finish_cycle(self) -> bool:
        """Prepare the connection for the next request; False when it cannot take one."""
        conn = self._h11
        if self._unended:
            # The request is over, and its outcome recorded: nothing that comes now concerns it.
            self.busy, self.on_cancel = False, None
            self.set_deadline(2 * self.limits.unread, CancelReason.IDLE)
            await self._close_unended()
            return False
        if conn.our_state not in (h11.DONE, h11.MUST_CLOSE):
            self.stream.abort()
            return False
        if self._ahead.ended:
            return False
        self._body.discard()
        if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE or self._ending:
            await self._linger()
            return False
        trailing = conn.trailing_data[0]
        if trailing:
            # The next head must be checked raw too, so it is taken back from h11.
            self._ahead.put_back(trailing)
            self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT + 1)
        else:
            conn.start_next_cycle()
        return True

    async def _close_unended(self) -> None:
        """Close an answer without its end, once the client has closed, as most do at an error event, or had time to
        read. Node's HTTP client throws away all that its program has not read yet when it sees the connection close."""
        with trio.move_on_after(self.limits.unread):
            while await self._ahead.wait_for_data():
                self._ahead.pop()
        self.stream.close()

    async def _linger(self) -> None:
        """Close our side and read on for a moment: a close over unread bytes resets, and the answer could be lost."""
        self.stream.half_close()
        with trio.move_on_after(self.limits.linger):
            while await self._ahead.wait_for_data():
                self._ahead.pop()

    async def _send_error(self, error: RouterError) -> None:
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.stream.abort()
            return
        headers, body = self._application.format_refusal(error)
        await self.respond(error.status, [*headers, (b"connection", b"close")], body)
        await self._linger()

    # Reading

    def _on_client_gone(self) -> None:
        if self.busy:
            self.cancel(CancelReason.CLIENT_GONE)

    def _on_head_begun(self) -> None:
        self.set_deadline(self.limits.head, CancelReason.HEAD)

    async def _read_request(self) -> Request | None:
        head = await request_head.collect_head(self._ahead, self._on_head_begun)
        if head is None:
            return None
        request = request_head.parse_head(self._h11, head)
        self._body = RequestBody(self._h11, self._ahead, request.fields)
        return request

    async def read_body(self, limit: int, reserve: Callable[[int], None]) -> bytes:
        """The whole request body. Raises TooLarge over `limit` bytes. `reserve` gets the size of each piece."""
        buffer = BodyBuffer()
        while piece := await self.read_body_piece(limit):
            buffer.append(piece)
            reserve(len(piece))
        return buffer.join()

    async def read_body_piece(self, limit: int) -> bytes:
        """The next piece of the request body, b"" at its end. Raises TooLarge when all exceed `limit` bytes."""
        while (piece := self._body.take(limit)) is None:
            if self._body.is_announced:
                await self.write(self._h11.send_with_data_passthrough(_CONTINUE) or ())
            self.set_deadline(self.limits.body, CancelReason.BODY)
            if not self._ahead and not await self._ahead.wait_for_data():
                await trio.lowlevel.checkpoint()  # the reader has cancelled this cycle
                raise BadRequest("The request body ended early.")
        return piece

    # Writing. The `frame_` methods send nothing; what they return is sent by `write` or `write_now`.

    @property
    def started(self) -> bool:
        """True once a response head was framed."""
        return self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE)

    def frame_head(self, status: int, headers: RawHeaders | Headers, reason: bytes = b"") -> list[Bytes]:
        """Frame a head in one piece; without content-length the body is chunked (closed at its end for HTTP/1.0)."""
        if self.retired or self.cancel_reason is not None:
            headers = with_field(headers, b"connection", b"close")
        if self.observer is not None:
            self.observer.note_head(status, headers)
        event = h11.Response(status_code=status, headers=headers, reason=reason or REASONS.get(status, b""))
        return [b"".join(self._h11.send_with_data_passthrough(event) or ())]

    def frame_data(self, payload: Bytes) -> list[Bytes]:
        """Frame a piece of the response body, without copying it."""
        if self.observer is not None:
            self.observer.note_body((payload,))
        return list(self._h11.send_with_data_passthrough(h11.Data(data=payload)) or ())  # type: ignore[arg-type]

    def frame_end(self) -> list[Bytes]:
        """Frame the end of the response."""
        return list(self._h11.send_with_data_passthrough(_END) or ())

    def write_now(self, parts: Sequence[Bytes]) -> Bytes:
        """Send what the socket takes now; returns the rest, for `flush`. Cancels the cycle when the client is gone."""
        try:
            return self.stream.try_send(parts)
        except OSError:
            self._cancel_as_gone()
            return b""

    async def write(self, parts: Sequence[Bytes]) -> None:
        """Send all, waiting for the client at most `limits.stalled`."""
        rest = self.write_now(parts) if parts else b""
        if rest:
            await self.flush(rest)

    async def flush(self, rest: Bytes) -> None:
        """Send what `write_now` left, as `write` does. It is not copied: with a slow reader it stays long in memory."""
        before, reason = self._deadline.at, self._deadline_reason
        self.set_deadline(self.limits.stalled, CancelReason.STALLED)
        self._writing = True
        try:
            await self.stream.send_all(rest)
        except (OSError, trio.ClosedResourceError):
            self._cancel_as_gone()
            await trio.lowlevel.checkpoint()
        self._writing = False
        self._deadline_reason = reason
        self._deadline.move(before)

    async def respond(self, status: int, headers: RawHeaders | Headers, body: Bytes = b"", reason: bytes = b"") -> None:
        """Send a whole answer; content-length is added here where the status has one (RFC 9110, 8.6)."""
        self._body.discard()
        if self._h11.their_state is h11.SEND_BODY:
            headers = with_field(headers, b"connection", b"close")  # the rest of the body will not be read
        if status not in (204, 304):
            headers = with_field(headers, b"content-length", b"%d" % len(body))
        parts = self.frame_head(status, headers, reason)
        if body and self.answers_with_body:
            parts += self.frame_data(body)
        parts += self.frame_end()
        await self.write(parts)

    @property
    def answers_with_body(self) -> bool:
        """False when the request was a HEAD."""
        return self._h11._request_method != b"HEAD"  # pyright: ignore[reportPrivateUsage]

    def close_unended(self) -> None:
        """Close without ending the answer, after the cycle and with time for the client to read what was sent: a
        chunked answer is then recognisably incomplete."""
        self._unended = True

    def abort(self) -> None:
        """Reset the connection, so that the client cannot take what it has for a whole answer."""
        self.stream.abort()

    def _cancel_as_late(self) -> None:
        self.cancel(self._deadline_reason)

    def _cancel_as_gone(self) -> None:
        self._ahead.ended = True
        self.cancel(CancelReason.CLIENT_GONE)


_CONTINUE = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
_END = h11.EndOfMessage()
