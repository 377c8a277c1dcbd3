"""Upstream connections: dialled, used by exactly one task, pooled while idle.

Rules of this file:
- A connection is in the pool only while idle. In use, it belongs to one task, which releases or drops it.
- `acquire` returns an idle one, `dial` makes one; every one of them ends in `release` or `drop`.
- It is pooled only when its exchange is complete and nothing was left unread. Before it is used again one poll of the
  socket tells whether the peer closed it or sent unexpected bytes.
- HTTP/1.1 does not say which request an answer is to. Some servers send one too many, a moment later: to a connection
  that is in use by then it would be the answer to another request. So a connection rests after its first answer, and
  after each error, which servers frame wrongly most often: what comes meanwhile is noticed, and it is closed. An origin
  that did so gets a connection for each request for a while.
- Connections to origins that a new configuration no longer has are closed at once, those in use at their release.
- Idle ones are closed at the peer's announced Keep-Alive timeout less 5 s, else after 55 s (common servers: 60 s).
"""

import re
import ssl
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, cast

import trio

from router.errors import CommandError, Unavailable, Unreachable
from router.net.client.dial import connect
from router.net.client.response_reader import ResponseReader
from router.net.client.tls import describe_tls_failure, find_tls_cause, make_client_context
from router.net.client.tunnels import open_tunnel
from router.net.stream import Bytes, SocketStream
from router.settings import ProxyAddress

IDLE_SECONDS = 55.0
#: How long a connection rests.
REST_SECONDS = 0.25
#: A connection that was idle for so short a time is closed by no server that means to keep it.
YOUNG_SECONDS = 2.0
#: How long an origin that sent an answer nobody had asked for gets no connection that has served before.
DISTRUST_SECONDS = 600.0
IDLE_PER_ORIGIN = 128
#: A storm of errors would have hundreds rest at a time, and take the descriptors of those that work.
RESTING_PER_ORIGIN = 16
IDLE_IN_ALL = 512

Stream = SocketStream | trio.SSLStream[trio.abc.Stream]

_KEEP_ALIVE = re.compile(rb"timeout\s*=\s*(\d+)", re.IGNORECASE)


class Origin(NamedTuple):
    """Where an upstream listens, and the proxy to it."""

    scheme: str
    #: A name or an address, without brackets.
    host: str
    port: int
    proxy: ProxyAddress | None = None
    #: The user allowed link-local addresses there.
    link_local: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class NonBlockingTransport(trio.abc.Stream):
    """The transport below TLS. Its `send_all` never waits, since trio's TLS stream cannot even be read any more once a
    send was cancelled. What the socket did not take goes out with the next wait or send."""

    def __init__(self, socket: SocketStream):
        self._socket = socket
        self._unsent: Bytes = b""
        #: What was received first; b"" until then.
        self.first = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send what the socket takes, and keep the rest for later."""
        self._unsent = self._socket.try_send((self._unsent, data) if self._unsent else (data,))
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until all went out and the socket takes more; may be cancelled."""
        while True:
            await self._socket.wait_send_all_might_not_block()
            if not self._unsent:
                return
            self._unsent = self._socket.try_send((self._unsent,))

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive from the socket."""
        data = await self._socket.receive_some(max_bytes)
        self.first = self.first or data
        return data

    async def aclose(self) -> None:
        """Close the socket."""
        await self._socket.aclose()


def is_stray(data: bytes) -> bool:
    """True for the beginning of an answer; some servers say 408 before they close, and mean no harm."""
    return data.startswith(b"HTTP/1.") and data[8:12] != b" 408"


def _has_unread(layer: trio.abc.Stream) -> bool:
    """True when bytes wait in TLS, or in the TLS below it."""
    if not isinstance(layer, trio.SSLStream):
        return False
    tls = cast("trio.SSLStream[trio.abc.Stream]", layer)
    # trio's `pending` counts only what OpenSSL has decrypted.
    waiting = tls._incoming.pending  # pyright: ignore[reportPrivateUsage]
    return bool(waiting) or tls.pending() > 0 or _has_unread(tls.transport_stream)


class UpstreamConnection:
    """One connection to an origin, with the reader of its answers."""

    __slots__ = ("expires", "origin", "reader", "rested", "reused", "since", "socket", "stream")

    def __init__(self, origin: Origin, sock: SocketStream, stream: Stream):
        self.origin = origin
        self.socket = sock
        self.stream = stream
        self.reader = ResponseReader()
        #: True once it has served an exchange before.
        self.reused = False
        #: When an idle one is to be closed, since when it is idle, and when it has rested, on trio's clock.
        self.expires = self.since = self.rested = 0.0

    def is_dirty(self) -> bool:
        """True when the peer closed it or sent unexpected bytes, be they in the socket or in TLS's buffers."""
        return (self.stream is not self.socket and _has_unread(self.stream)) or self.socket.is_readable()

    def has_stray_answer(self) -> bool:
        """True when a dirty one holds an answer that nobody asked for. What TLS holds cannot be told apart from its own
        messages."""
        return self.stream is self.socket and is_stray(self.socket.peek(12))

    def close(self) -> None:
        """Close at once, from any task."""
        self.socket.close()


class _Idle:
    """The idle connections of one origin."""

    __slots__ = ("ready", "resting")

    def __init__(self) -> None:
        #: Those that have rested; the last one is used first.
        self.ready: deque[UpstreamConnection] = deque()
        #: The others, in the order in which they will have rested.
        self.resting: deque[UpstreamConnection] = deque()

    def __len__(self) -> int:
        return len(self.ready) + len(self.resting)

    def __iter__(self) -> Iterator[UpstreamConnection]:
        yield from self.ready
        yield from self.resting

    def end_rests(self, now: float) -> None:
        """Make those ready that have rested, to be used after all that were ready before."""
        rested: list[UpstreamConnection] = []
        while self.resting and self.resting[0].rested <= now:
            rested.append(self.resting.popleft())
        self.ready.extendleft(reversed(rested))

    def oldest_expiry(self) -> float:
        """About when the first of them expires."""
        return min(stack[0].expires for stack in (self.ready, self.resting) if stack)

    def pop_oldest(self) -> UpstreamConnection:
        """Remove and return the one that has been idle longest, or nearly so."""
        return self.ready.popleft() if self.ready else self.resting.popleft()


class ConnectionPool:
    """The upstream connections of one proxy."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self._context = context
        self._roots = ""
        self._idle: dict[Origin, _Idle] = {}
        # Origin -> until when it is not trusted.
        self._distrusted: dict[Origin, float] = {}
        self._origins: Collection[Origin] | None = None
        #: How many are idle.
        self.idle = 0
        #: How many there are, idle and in use.
        self.open = 0

    def configure(self, origins: Collection[Origin], roots: str) -> None:
        """Set the origins that are in use and the further roots (PEM); closes idle connections made otherwise."""
        stale = [origin for origin in self._idle if origin not in origins or roots != self._roots]
        self._distrusted = {origin: until for origin, until in self._distrusted.items() if origin in origins}
        self._origins, self._roots = origins, roots
        for origin in stale:
            self._empty(self._idle.pop(origin))

    def acquire(
        self, origin: Origin, now: float, *, young: Callable[[], bool] | None = None
    ) -> UpstreamConnection | None:
        """An idle connection that is still good, None when there is none. now: trio's time. young: True for what must
        not be sent twice, and so only over one that its peer surely has not begun to close; asked where the one that is
        there may be too old."""
        idle = self._idle.get(origin)
        if idle is None:
            return None
        if idle.resting:
            idle.end_rests(now)
        ready = idle.ready
        while ready:
            if young is not None and ready[-1].since + YOUNG_SECONDS < now and young():
                return None
            connection = ready.pop()
            self.idle -= 1
            if connection.expires > now and not connection.is_dirty():
                connection.reused = True
                return connection
            self._drop_dirty(connection, now)
        return None

    def release(self, connection: UpstreamConnection, keep_alive: bytes = b"", *, rest: bool = False) -> None:
        """Put a connection back into the pool; closes it when its exchange is incomplete or it cannot be reused.

        keep_alive: the value of the response's Keep-Alive field. rest: it is not used again at once.
        """
        reader, origin = connection.reader, connection.origin
        now = trio.current_time()
        if not reader.is_reusable:
            if is_stray(reader.unread):
                self.distrust(origin, now)
            self.drop(connection)
            return
        seconds = IDLE_SECONDS
        announced = _KEEP_ALIVE.search(keep_alive) if keep_alive else None
        if announced:
            seconds = min(seconds, int(announced[1][:6]) - 5.0)
        unused = self._origins is not None and origin not in self._origins
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = _Idle()
        crowded = len(idle.ready) + len(idle.resting) >= IDLE_PER_ORIGIN
        if seconds <= 0 or unused or crowded or (self._distrusted and self._is_distrusted(origin, now)):
            self.drop(connection)
            return
        rest = rest or not connection.reused
        if rest and len(idle.resting) >= RESTING_PER_ORIGIN:
            # Not another in its place: then none would ever have rested where many are opened.
            self.drop(connection)
            return
        if self.idle >= IDLE_IN_ALL:
            self._evict(min((one for one in self._idle.values() if len(one)), key=_Idle.oldest_expiry).pop_oldest())
        connection.expires, connection.since = now + seconds, now
        if rest:
            connection.rested = now + REST_SECONDS
            idle.resting.append(connection)
        else:
            idle.ready.append(connection)
        self.idle += 1

    def distrust(self, origin: Origin, now: float) -> None:
        """Give each request to this origin a connection of its own for a while: it sent an answer nobody asked for.
        now: trio's time."""
        self._distrusted[origin] = now + DISTRUST_SECONDS
        idle = self._idle.pop(origin, None)
        if idle is not None:
            self._empty(idle)

    def _is_distrusted(self, origin: Origin, now: float) -> bool:
        until = self._distrusted.get(origin)
        if until is None:
            return False
        if until <= now:
            del self._distrusted[origin]
        return until > now

    def _drop_dirty(self, connection: UpstreamConnection, now: float) -> None:
        """Close one that is not idle any more as it should be."""
        stray = connection.has_stray_answer()
        self.drop(connection)
        if stray:
            self.distrust(connection.origin, now)

    def _empty(self, idle: _Idle) -> None:
        for connection in idle:
            self._evict(connection)
        idle.ready.clear()
        idle.resting.clear()

    def _evict(self, connection: UpstreamConnection) -> None:
        self.idle -= 1
        self.drop(connection)

    def drop(self, connection: UpstreamConnection) -> None:
        """Close a connection that is in use or expired."""
        connection.close()
        self.open -= 1

    def sweep(self) -> None:
        """Close idle connections that expired or were closed by their peers."""
        now = trio.current_time()
        for origin, idle in list(self._idle.items()):
            gone = {connection for connection in idle if connection.expires <= now or connection.is_dirty()}
            idle.ready = deque(one for one in idle.ready if one not in gone)
            idle.resting = deque(one for one in idle.resting if one not in gone)
            if not len(idle):
                del self._idle[origin]
            self.idle -= len(gone)
            for connection in gone:
                self._drop_dirty(connection, now)

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self._idle.values():
            self._empty(idle)
        self._idle.clear()

    async def dial(self, origin: Origin) -> UpstreamConnection:
        """Open a new connection, proxy and TLS included. Raises Unreachable with the cause, Unavailable when no
        descriptor is left."""
        try:
            return await self._dial_once(origin)
        except Unavailable:
            if not self._idle:
                raise
            # Idle connections only save time; this one is needed.
            self.close()
            return await self._dial_once(origin)

    async def _dial_once(self, origin: Origin) -> UpstreamConnection:
        proxy = origin.proxy
        if proxy is None:
            sock = await connect(origin.host, origin.port, str(origin), link_local=origin.link_local)
        else:
            sock = await _connect_to_proxy(proxy)
        stream: Stream = sock
        try:
            if proxy is not None:
                if proxy.scheme == "https":
                    stream = await self._start_tls(stream, proxy.host)
                await open_tunnel(stream, proxy, origin.host, origin.port)
            if origin.scheme == "https":
                stream = await self._start_tls(stream, origin.host)
        except BaseException:
            sock.close()
            raise
        self.open += 1
        return UpstreamConnection(origin, sock, stream)

    def load_context(self) -> ssl.SSLContext:
        """The TLS context of all connections. The first call reads files: make it in a thread."""
        return self._context or make_client_context(self._roots)

    async def _start_tls(self, transport: Stream, host: str) -> Stream:
        try:
            context = await trio.to_thread.run_sync(self.load_context)
        except CommandError as error:
            raise Unreachable(f"TLS with {host} is not possible: {error} {error.hint}") from None
        through = NonBlockingTransport(transport) if isinstance(transport, SocketStream) else transport
        try:
            stream = trio.SSLStream[trio.abc.Stream](through, context, server_hostname=host, https_compatible=True)
            await stream.do_handshake()
        except (OSError, ssl.SSLError, trio.BrokenResourceError, UnicodeError) as error:
            cause = find_tls_cause(error, through.first) if isinstance(through, NonBlockingTransport) else ""
            raise Unreachable(f"TLS with {host} failed: {describe_tls_failure(error, host)}.", cause=cause) from None
        return stream


async def _connect_to_proxy(proxy: ProxyAddress) -> SocketStream:
    try:
        return await connect(proxy.host, proxy.port, f"The proxy {proxy}", link_local=True)
    except Unreachable as error:
        error.cause = "proxy"
        raise
