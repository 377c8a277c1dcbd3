"""Upstream connections: dialled, lent to exactly one task, kept while idle.

Rules of this file:
- A connection is in the pool only while idle. Lent, it belongs to one task, which gives it back or closes it.
- `take` gives an idle one, `dial` makes one; every one of them ends in `give_back` or `drop`.
- Given back only when its exchange is complete and nothing was left unread. Before it is lent again one peek at the
  socket tells whether the peer closed it or sent bytes nobody asked for.
- Idle ones go at the peer's announced Keep-Alive timeout less 5 s, else after 55 s (common servers close at 60 s).
"""

import re
import socket
import ssl
from typing import NamedTuple, cast

import h11
import trio

from router.errors import BadGateway, Unavailable
from router.net.descriptors import any_left, exhausted, is_out
from router.net.stream import SocketStream
from router.net.tls import client_context

IDLE_SECONDS = 55.0
IDLE_PER_ORIGIN = 128
HEAD_LIMIT = 65536

_KEEP_ALIVE = re.compile(rb"timeout\s*=\s*(\d+)", re.IGNORECASE)


class Origin(NamedTuple):
    """Where an upstream listens. host is a name or an address, without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class UpstreamConnection:
    """One connection to an origin, with its h11 state."""

    __slots__ = ("expires", "h11", "origin", "reused", "socket", "stream")

    def __init__(self, origin: Origin, sock: SocketStream, stream: "SocketStream | trio.SSLStream[SocketStream]"):
        self.origin = origin
        self.socket = sock
        self.stream = stream
        self.h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self.reused = False
        self.expires = 0.0

    def dirty(self) -> bool:
        """True when the peer closed it, or sent bytes nobody asked for, be they in the socket or in TLS's buffers."""
        if isinstance(self.stream, SocketStream):
            return self.socket.dirty()
        # trio shows only what OpenSSL has decrypted (`pending`), not what it has yet to.
        waiting = self.stream._incoming.pending  # pyright: ignore[reportPrivateUsage]
        return bool(waiting) or self.stream.pending() > 0 or self.socket.dirty()

    def close(self) -> None:
        """Close at once, from any task."""
        self.socket.close()


class Connections:
    """The idle pool of one proxy."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self._context = context
        self._idle: dict[Origin, list[UpstreamConnection]] = {}
        self.open = 0

    def take(self, origin: Origin) -> UpstreamConnection | None:
        """An idle connection that is still good, None when there is none."""
        stack = self._idle.get(origin)
        while stack:
            connection = stack.pop()
            if connection.expires > trio.current_time() and not connection.dirty():
                connection.reused = True
                return connection
            self.drop(connection)
        return None

    def give_back(self, connection: UpstreamConnection, keep_alive: bytes = b"") -> None:
        """Keep a connection whose exchange is complete; close it when it cannot be used again."""
        conn = connection.h11
        if conn.our_state is not h11.DONE or conn.their_state is not h11.DONE or conn.trailing_data != (b"", False):
            self.drop(connection)
            return
        seconds = IDLE_SECONDS
        announced = _KEEP_ALIVE.search(keep_alive) if keep_alive else None
        if announced:
            seconds = min(seconds, int(announced[1][:6]) - 5.0)
        stack = self._idle.setdefault(connection.origin, [])
        if seconds <= 0 or len(stack) >= IDLE_PER_ORIGIN:
            self.drop(connection)
            return
        conn.start_next_cycle()
        connection.expires = trio.current_time() + seconds
        stack.append(connection)

    def drop(self, connection: UpstreamConnection) -> None:
        """Close a lent or expired connection."""
        connection.close()
        self.open -= 1

    def sweep(self) -> None:
        """Close what expired or was closed by its peer."""
        now = trio.current_time()
        for origin, stack in list(self._idle.items()):
            kept: list[UpstreamConnection] = []
            for connection in stack:
                if connection.expires <= now or connection.dirty():
                    self.drop(connection)
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
                self.drop(connection)
        self._idle.clear()

    @property
    def idle(self) -> int:
        """How many connections are kept."""
        return sum(len(stack) for stack in self._idle.values())

    async def dial(self, origin: Origin) -> UpstreamConnection:
        """A new connection, TLS included. Raises BadGateway that says what was seen, Unavailable when no descriptor
        is left."""
        try:
            sock = await _connected(origin)
        except Unavailable:
            if not self.idle:
                raise
            # To other origins, or to addresses that this one no longer has.
            self.close()
            sock = await _connected(origin)
        stream = sock if origin.scheme == "http" else await self._secured(origin, sock)
        self.open += 1
        return UpstreamConnection(origin, sock, stream)

    async def _secured(self, origin: Origin, sock: SocketStream) -> "trio.SSLStream[SocketStream]":
        try:
            context = self._context or await trio.to_thread.run_sync(client_context)
            stream = trio.SSLStream(sock, context, server_hostname=origin.host, https_compatible=True)
            await stream.do_handshake()
        except BaseException as error:
            sock.close()
            if isinstance(error, (OSError, ssl.SSLError, trio.BrokenResourceError)):
                raise BadGateway(f"TLS with {origin.host} failed: {_tls_problem(error)}.") from None
            raise
        return stream


async def _connected(origin: Origin) -> SocketStream:
    """A TCP connection; trio races the addresses of both families (RFC 8305)."""
    try:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    except socket.gaierror as error:
        if not any_left():
            raise exhausted() from None
        raise BadGateway(f"The name {origin.host} could not be resolved: {error.strerror}.") from None
    except OSError as error:
        if is_out(error) or is_out(error.__cause__):
            raise exhausted() from None
        raise BadGateway(f"{origin} could not be reached: {_connect_problem(error)}.") from None
    # The file descriptor moves to a plain socket; trio's wrapper is left without one.
    family, kind, proto = stream.socket.family, stream.socket.type, stream.socket.proto
    sock = socket.socket(family, kind, proto, fileno=stream.socket.detach())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return SocketStream(sock)


def _connect_problem(error: OSError) -> str:
    # trio gathers the failures of all addresses; the first one speaks for them.
    group = error.__cause__
    seen: object = group
    if isinstance(group, BaseExceptionGroup):
        seen = cast("BaseExceptionGroup[BaseException]", group).exceptions[0]
    if not isinstance(seen, OSError):
        seen = error
    if isinstance(seen, ConnectionRefusedError):
        return "connection refused"
    return (seen.strerror or str(seen)).lower()


def _tls_problem(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) and error.__cause__ else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate was not accepted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or str(cause)).lower().replace("_", " ")
    return str(cause) or "the connection was closed"
