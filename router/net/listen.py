"""Listening sockets and the accept loop."""

import errno
import socket
import sys
from collections.abc import Awaitable, Callable

import trio

from router.net.stream import SocketStream

BACKLOG = 1024
CONNECTION_LIMIT = 2048

# A full descriptor table or a lack of buffers passes; the loop waits instead of spinning (as trio.serve_listeners).
_TRANSIENT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Bound listening sockets; `localhost` binds both loopback families on one port.

    port 0 takes a free port. Raises OSError when the address cannot be bound.
    """
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_bound(host, port, family)]
    for _ in range(20):  # port 0: what is free for one family may be taken for the other
        listeners = [_bound("127.0.0.1", port, socket.AF_INET)]
        if not _has_ipv6():
            return listeners
        try:
            listeners.append(_bound("::1", listeners[0].getsockname()[1], socket.AF_INET6))
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


def _bound(host: str, port: int, family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let another program take the port from under us.
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


async def accept(
    listener: socket.socket, nursery: trio.Nursery, serve: Callable[[SocketStream], Awaitable[None]]
) -> None:
    """Accept for ever, each connection served by a task in `nursery`; ends when cancelled.

    Over CONNECTION_LIMIT tasks the loop waits, and the kernel's backlog holds the callers.
    """
    while True:
        await trio.lowlevel.wait_readable(listener)
        if len(nursery.child_tasks) >= CONNECTION_LIMIT:
            await trio.sleep(0.05)
            continue
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            continue
        except OSError as error:
            if error.errno not in _TRANSIENT:
                raise
            await trio.sleep(0.1)
            continue
        nursery.start_soon(serve, SocketStream(sock))
