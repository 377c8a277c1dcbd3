"""Upstream connections: dialled, used by exactly one task, pooled while idle.

Rules of this file:
- A connection is in the pool only while idle. In use, it belongs to one task, which releases or drops it.
- `acquire` returns an idle one, `dial` makes one; every one of them ends in `release` or `drop`.
- It is pooled only when its exchange is complete and nothing was left unread. Before it is used again one poll of the
  socket tells whether the peer closed it or sent unexpected bytes.
- Connections to origins that a new configuration no longer has are closed at once, those in use at their release.
- Idle ones are closed at the peer's announced Keep-Alive timeout less 5 s, else after 55 s (common servers: 60 s).
"""

import re
import ssl
from collections.abc import Collection
from typing import NamedTuple, cast

import h11
import trio

from router.errors import CommandError, Unavailable, Unreachable
from router.net.client.dial import connect
from router.net.client.tls import describe_tls_failure, find_tls_cause, make_client_context
from router.net.client.tunnels import HEAD_LIMIT, open_tunnel
from router.net.stream import SocketStream
from router.settings import ProxyAddress

IDLE_SECONDS = 55.0
IDLE_PER_ORIGIN = 128
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
        self._unsent = b""
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


def _get_oldest_expiry(stack: "list[UpstreamConnection]") -> float:
    """When the oldest connection of a stack expires."""
    return stack[0].expires


def _has_unread(layer: trio.abc.Stream) -> bool:
    """True when bytes wait in TLS, or in the TLS below it."""
    if not isinstance(layer, trio.SSLStream):
        return False
    tls = cast("trio.SSLStream[trio.abc.Stream]", layer)
    # trio's `pending` counts only what OpenSSL has decrypted.
    waiting = tls._incoming.pending  # pyright: ignore[reportPrivateUsage]
    return bool(waiting) or tls.pending() > 0 or _has_unread(tls.transport_stream)


class UpstreamConnection:
    """One connection to an origin, with its h11 state."""

    __slots__ = ("expires", "h11", "origin", "reused", "socket", "stream")

    def __init__(self, origin: Origin, sock: SocketStream, stream: Stream):
        self.origin = origin
        self.socket = sock
        self.stream = stream
        self.h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        #: True once it has served an exchange before.
        self.reused = False
        #: When an idle one is to be closed, on trio's clock.
        self.expires = 0.0

    def is_dirty(self) -> bool:
        """True when the peer closed it or sent unexpected bytes, be they in the socket or in TLS's buffers."""
        return (self.stream is not self.socket and _has_unread(self.stream)) or self.socket.is_readable()

    def close(self) -> None:
        """Close at once, from any task."""
        self.socket.close()


class ConnectionPool:
    """The upstream connections of one proxy."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self._context = context
        self._roots = ""
        self._idle: dict[Origin, list[UpstreamConnection]] = {}
        self._origins: Collection[Origin] | None = None
        #: How many are idle.
        self.idle = 0
        #: How many there are, idle and in use.
        self.open = 0

    def configure(self, origins: Collection[Origin], roots: str) -> None:
        """Set the origins that are in use and the further roots (PEM); closes idle connections made otherwise."""
        stale = [origin for origin in self._idle if origin not in origins or roots != self._roots]
        self._origins, self._roots = origins, roots
        for origin in stale:
            for connection in self._idle.pop(origin):
                self._evict(connection)

    def acquire(self, origin: Origin, now: float) -> UpstreamConnection | None:
        """An idle connection that is still good, None when there is none. now: trio's time."""
        stack = self._idle.get(origin)
        while stack:
            connection = stack.pop()
            self.idle -= 1
            if connection.expires > now and not connection.is_dirty():
                connection.reused = True
                return connection
            self.drop(connection)
        return None

    def release(self, connection: UpstreamConnection, keep_alive: bytes = b"") -> None:
        """Put a connection back into the pool; closes it when its exchange is incomplete or it cannot be reused.

        keep_alive: the value of the response's Keep-Alive field.
        """
        conn = connection.h11
        if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE or conn.trailing_data != (b"", False):
            self.drop(connection)
            return
        seconds = IDLE_SECONDS
        announced = _KEEP_ALIVE.search(keep_alive) if keep_alive else None
        if announced:
            seconds = min(seconds, int(announced[1][:6]) - 5.0)
        unused = self._origins is not None and connection.origin not in self._origins
        stack = self._idle.setdefault(connection.origin, [])
        if seconds <= 0 or unused or len(stack) >= IDLE_PER_ORIGIN:
            self.drop(connection)
            return
        if self.idle >= IDLE_IN_ALL:
            self._evict(min((stack for stack in self._idle.values() if stack), key=_get_oldest_expiry).pop(0))
        conn.start_next_cycle()
        connection.expires = trio.current_time() + seconds
        stack.append(connection)
        self.idle += 1

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
        for origin, stack in list(self._idle.items()):
            kept: list[UpstreamConnection] = []
            for connection in stack:
                if connection.expires <= now or connection.is_dirty():
                    self._evict(connection)
                else:
                    kept.append(connection)
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]

    def close(self) -> None:
        """Close all idle connections."""
        for stack in self._idle.values():
            for connection in stack:
                self._evict(connection)
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
