"""Listening sockets and the accept loop."""

import errno
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from router.net.descriptors import Reserve, is_exhaustion
from router.net.server.connection_table import ConnectionTable
from router.net.stream import SocketStream

BACKLOG = 1024

# All other errors of accept(2) concern one connection, or pass: a full descriptor table, a lack of buffers, a network
# that is down, a firewall's rule.
_LISTENER_ERRORS = {errno.EBADF, errno.ENOTSOCK, errno.EINVAL, errno.EOPNOTSUPP}


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Bound listening sockets; `localhost` binds both loopback families on one port.

    port 0 takes a free port. Raises OSError when the address cannot be bound.
    """
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_bind(host, port, family)]
    for _ in range(20):  # port 0: what is free for one family may be taken for the other
        listeners = [_bind("127.0.0.1", port, socket.AF_INET)]
        if not _has_ipv6():
            return listeners
        try:
            listeners.append(_bind("::1", listeners[0].getsockname()[1], socket.AF_INET6))
        except OSError as error:
            listeners[0].close()
            if port == 0 and error.errno == errno.EADDRINUSE:
                continue
            raise
        return listeners
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback families")


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _bind(host: str, port: int, family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # On Windows SO_REUSEADDR would let another program bind the same port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


class Places(Protocol):
    """How many connections are served at a time."""

    async def acquire(self) -> None:
        """Take a place."""
        ...

    def release(self) -> None:
        """Give it up."""
        ...


async def accept(
    listener: socket.socket,
    nursery: trio.Nursery,
    serve: Callable[[SocketStream], Awaitable[None]],
    slots: Places | None = None,
    reserve: Reserve | None = None,
) -> None:
    """Accept for ever, each connection served by a task in `nursery`; the listener is closed when this is cancelled.

    slots: the places for connections, shared with other listeners; who gets none waits in the kernel's backlog.
    reserve: descriptors to free when none is left. Only this function may close the listener: otherwise an accept in
    the same step would use a closed socket.
    """
    slots = slots or ConnectionTable()

    async def serve_in_slot(stream: SocketStream) -> None:
        try:
            await serve(stream)
        finally:
            slots.release()
            if reserve is not None and reserve.low:
                # At once: the connection's descriptor was closed in this step, and may be taken in the next.
                reserve.fill()

    with listener:
        while True:
            await trio.lowlevel.wait_readable(listener)
            # Not before: a listener without waiting connections would keep a slot from the others.
            await slots.acquire()
            nursery.start_soon(serve_in_slot, await _accept_next(listener, reserve))


async def _accept_next(listener: socket.socket, reserve: Reserve | None) -> SocketStream:
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock = _accept_one(listener, reserve)
        except (BlockingIOError, ConnectionAbortedError):
            continue
        except OSError as error:
            if error.errno in _LISTENER_ERRORS:
                raise
            # Wait instead of spinning, as trio.serve_listeners does.
            await trio.sleep(0.1)
            continue
        try:
            return SocketStream(sock)
        except OSError:
            # On macOS options of a connection that its peer has reset cannot be set.
            sock.close()


def _accept_one(listener: socket.socket, reserve: Reserve | None) -> socket.socket:
    """Accept the waiting connection, if need be with a descriptor of the reserve. Raises OSError."""
    try:
        return listener.accept()[0]
    except OSError as error:
        if reserve is None or not is_exhaustion(error) or not reserve.free_one():
            raise
    # In the same step, before another task takes the freed descriptor.
    return listener.accept()[0]
