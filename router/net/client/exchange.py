"""One HTTP/1.1 exchange with an upstream over a lent connection."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from router.errors import BadGateway
from router.net.client.dial import SILENCE_SECONDS
from router.net.client.pool import ConnectionPool, UpstreamConnection, is_stray
from router.net.client.request_writer import RequestWriter
from router.net.client.response_reader import PrematureClose, UnreadableAnswer
from router.net.client.tunnels import INTERIM_LIMIT
from router.net.headers import Lines, drop_controls, index_by_name
from router.net.stream import RECEIVE_SIZE, Bytes, SocketStream

TLS_RECORD = 16_384
# Over this nothing is copied at once: 64 MiB would hold up every stream for 30 ms.
LARGE = 1 << 20
# An idle connection's buffers take this much, whatever the peer does.
SURELY_TAKEN = 32_768
REFUSED = 300

# How a server's answer to a client that does not speak TLS may begin: an alert, or a handshake (RFC 8446, 5.1).
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")

Sent = TypeVar("Sent")


class UpstreamDisconnected(Exception):
    """The upstream's answer ended before it was whole, or cannot be read on; the text says what the upstream did, as in
    `closed the connection without an answer`."""


class UpstreamExchange:
    """A request that was sent, and its answer as it comes.

    Exactly one of `release` and `drop` must be called at the end; both may be called again without effect.
    """

    __slots__ = (
        "_asked",
        "_connection",
        "_connections",
        "_ended",
        "_is_head",
        "_sent_any",
        "_spoke_tls",
        "_unread",
        "_whole",
        "delivered",
        "fields",
        "lines",
        "reason",
        "status",
        "written",
    )

    def __init__(self, connections: ConnectionPool, connection: UpstreamConnection):
        self._connections = connections
        self._connection: UpstreamConnection | None = connection
        self._unread = b""
        self._ended = False
        self._sent_any = self._spoke_tls = False
        self._whole = True
        #: True once the whole request was given to the connection.
        self.delivered = False
        self._is_head = False
        # Bytes of the request, where all of them were written before its answer was waited for; else 0.
        self._asked = 0
        #: True once any of the request may have reached the peer.
        self.written = False
        self.status = 0
        self.reason = b""
        self.lines: Lines = []
        self.fields: dict[bytes, bytes] = {}

    async def send(self, method: bytes, target: bytes, lines: Lines, body: Sequence[Bytes]) -> None:
        """Send the whole request; what the peer does not take at once goes out while its answer is waited for.

        A lost connection shows only in `head`: the upstream may have answered before it closed. Raises what `head`
        does.
        """
        connection = self._lent()
        request = self._start(method, target, lines)
        parts: list[Bytes] = [request.head]
        asked, size = len(request.head), 0
        for piece in body:
            size += len(piece)
            parts += request.frame(piece)
        parts += request.end()
        stream = connection.stream
        rest: Sequence[Bytes] = parts
        try:
            if size <= LARGE and isinstance(stream, SocketStream):
                rest = (stream.try_send(parts),)
                self.written = True
            elif size <= SURELY_TAKEN:
                self.written = True
                await stream.send_all(b"".join(parts))
                await stream.wait_send_all_might_not_block()
                rest = ()
            elif size <= LARGE:
                rest = (b"".join(parts),)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            return
        del parts
        self.written = True
        if connection.reused and size <= LARGE and not any(rest):
            self._asked = asked + size
        if any(rest):
            await self._while_answering(self._send_rest, rest)
        else:
            self.delivered = True

    async def send_streamed(
        self, method: bytes, target: bytes, lines: Lines, more: Callable[[], Awaitable[Bytes]]
    ) -> None:
        """Send a request whose body comes piece by piece, b"" at its end, and wait for the response head.

        Raises what `more` raises, and what `head` does.
        """

        async def feed(request: RequestWriter) -> None:
            await self._send_parts([request.head])
            while piece := await more():
                await self._send_parts(request.frame(piece))
            await self._send_parts(request.end())

        await self._while_answering(feed, self._start(method, target, lines))

    def _start(self, method: bytes, target: bytes, lines: Lines) -> RequestWriter:
        self._is_head = method == b"HEAD"
        self._lent().reader.start(method)
        return RequestWriter(method, target, lines)

    async def _while_answering(self, feed: Callable[[Sent], Awaitable[None]], what: Sent) -> None:
        """Send, and read the response head meanwhile.

        An answer that refuses the request (3xx and up) ends the sending: the rest is not read, and an upstream that
        reads nothing would hold up its own refusal. The connection is then not used again.
        """
        problems: list[Exception] = []
        self._whole, self.written = False, True
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                try:
                    await feed(what)
                    self._whole = self.delivered = True
                except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                    return  # what the upstream said before it closed shows in `head`
                except Exception as error:
                    problems.append(error)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(send)
            try:
                await self.head()
            except Exception as error:
                problems.append(error)
            if problems or self.status >= REFUSED:
                nursery.cancel_scope.cancel()
        if problems:
            raise problems[0]

    async def _send_parts(self, parts: Sequence[Bytes]) -> None:
        stream = self._lent().stream
        if isinstance(stream, SocketStream) and parts:
            await self._send_rest((stream.try_send(parts),))
        else:
            await self._send_rest((b"".join(parts),))

    async def _send_rest(self, rest: Sequence[Bytes]) -> None:
        stream = self._lent().stream
        for part in rest:
            if isinstance(stream, SocketStream):
                await stream.send_all(part)
                continue
            data = memoryview(part)
            for at in range(0, len(data), TLS_RECORD):
                # The send itself never waits (pool.NonBlockingTransport), so only this can be cancelled.
                await stream.wait_send_all_might_not_block()
                await stream.send_all(data[at : at + TLS_RECORD])
            await stream.wait_send_all_might_not_block()

    async def head(self) -> None:
        """Wait for the final response head: `status`, `reason`, `lines`, and `fields` (first value by name).

        Returns at once when it has come already. Raises UpstreamDisconnected when the connection ends before it,
        BadGateway for what is no HTTP.
        """
        connection = self._lent()
        interim = 0
        while not self.status:
            try:
                head = connection.reader.read_head()
            except UnreadableAnswer as error:
                cause = "speaks_tls" if self._spoke_tls else ""
                raise BadGateway(f"{connection.origin} did not answer in HTTP: {error}.", cause=cause) from None
            if head is None:
                if not await self._receive():
                    raise UpstreamDisconnected("closed the connection without an answer (premature close)")
            elif head.status >= 200:
                self.status = head.status
                self.reason, self.lines = drop_controls(head.reason, head.lines)
                self.fields = index_by_name(self.lines)
            else:
                interim += 1
                if interim > INTERIM_LIMIT or head.status == 101:
                    raise BadGateway(
                        f"{connection.origin} sent interim answers without end, or one that switches protocols."
                    )

    async def read(self) -> list[bytes]:
        """What one read brought of the body, in one piece; [] at its end. Raises UpstreamDisconnected."""
        if self._unread:
            unread, self._unread = self._unread, b""
            return [unread]
        # Asked for at each read, so without a call.
        reader = (self._connection or self._lent()).reader
        while not self._ended:
            try:
                data = reader.read_body()
                self._ended = reader.ended
                if data:
                    if reader.more:
                        # Others run: a read of chunks of one byte has ten thousand of them.
                        await trio.lowlevel.cancel_shielded_checkpoint()
                    return [data]
                if not self._ended and not await self._receive():
                    reader.close()
            except UnreadableAnswer as error:
                raise UpstreamDisconnected(f"sent an answer that is not valid HTTP ({error})") from None
            except PrematureClose as error:
                raise UpstreamDisconnected(_describe_close(str(error))) from None
        return []

    def put_back(self, data: bytes) -> None:
        """Give back what was read: the next `read` returns it first."""
        self._unread = data

    @property
    def ended(self) -> bool:
        """True when the whole body was read."""
        return self._ended and not self._unread

    @property
    def reused(self) -> bool:
        """True when the connection had served before: then it may have been stale."""
        return self._connection is not None and self._connection.reused

    @property
    def answered(self) -> bool:
        """True when any byte of an answer came."""
        return self._sent_any

    def release(self) -> None:
        """The exchange is over: keep the connection if the whole answer was read, else close it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # A length beside chunks is ignored, and what sends both is not trusted with another request (RFC 9112, 6.3).
        framed_once = b"content-length" not in self.fields or b"transfer-encoding" not in self.fields
        # After answers without a body some servers send one nevertheless.
        has_body = not self._is_head and self.status not in (204, 304)
        if self._ended and self._whole and framed_once and has_body:
            self._connections.release(connection, self.fields.get(b"keep-alive", b""), rest=self.status >= REFUSED)
        else:
            self._connections.drop(connection)

    def drop(self) -> None:
        """Close the connection, whatever was read."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.drop(connection)

    def _lent(self) -> UpstreamConnection:
        if self._connection is None:
            raise UpstreamDisconnected("was asked for more after the exchange was over")
        return self._connection

    async def _receive(self) -> int:
        """Read what is there; how many bytes came, 0 at the end of the connection. Raises UpstreamDisconnected."""
        connection = self._connection or self._lent()
        try:
            data = bytes(await connection.stream.receive_some(RECEIVE_SIZE))
        except TimeoutError:
            raise UpstreamDisconnected(
                f"was lost by the network: it acknowledged nothing for {SILENCE_SECONDS} s"
            ) from None
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            raise UpstreamDisconnected(_describe_close("connection reset")) from None
        if data:
            if not self._sent_any:
                # Nothing of it is acknowledged; in TLS it takes more bytes, of which then all are missing too.
                if self._asked and connection.socket.count_unacknowledged() >= self._asked:
                    # It was on its way before the peer's system had a byte of this request.
                    if is_stray(data):
                        self._connections.distrust(connection.origin, trio.current_time())
                    raise UpstreamDisconnected("sent an answer before it had the request")
                self._spoke_tls = data.startswith(TLS_RECORDS)
                self._sent_any = True
            connection.reader.receive(data)
        return len(data)


def _describe_close(how: str) -> str:
    """What an upstream did that closed the connection early. how: what came of it, or `connection reset`."""
    return f"closed the connection before the answer was complete ({how})"
