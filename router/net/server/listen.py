"""Listening sockets and the accept loop."""

import errno
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from router.net.descriptors import Reserve, is_exhaustion
from router.net.loopback import LOCALHOST, find_companion, is_localhost
from router.net.server.connection_table import ConnectionTable
from router.net.stream import SocketStream

BACKLOG = 1024

# All other errors of accept(2) concern one connection, or pass: a full descriptor table, a lack of buffers, a network
# that is down, a firewall's rule.
_LISTENER_ERRORS = {errno.EBADF, errno.ENOTSOCK, errno.EINVAL, errno.EOPNOTSUPP}


class AddressTaken(OSError):
    """Another program has the port. companion: the loopback address beside the host's own where it has it, "" where it
    has it on the host's own."""

    def __init__(self, companion: str = ""):
        super().__init__(errno.EADDRINUSE, f"the port is in use{companion and ' on '}{companion}")
        self.companion = companion


def hold_port(host: str, port: int) -> list[socket.socket]:
    """Bound listening sockets, the host's own first, then the one on the loopback address of the other family, where
    clients that are pointed at `localhost` may go (`net.loopback`).

    port 0 takes a free port. Raises AddressTaken, or OSError when the address cannot be bound.
    """
    return _bind_with_companion(_find_address(host), port)


def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Bound listening sockets of the host alone; `localhost` binds both loopback families on one port. Otherwise as
    `hold_port`."""
    return hold_port(host, port) if is_localhost(host) else [_bind(_find_address(host), port)]


def adopt_port(descriptors: Sequence[int], host: str, port: int) -> list[socket.socket] | None:
    """The listening sockets of a process that hands its port over; None when they are not those that `hold_port` would
    open: of this host with its companion, on this port. They stay bound all the time, so that no other program can take
    the port. Raises OSError for a descriptor that is no listening socket."""
    found: list[socket.socket] = []
    try:
        found.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
        if not all(_listens(sock) for sock in found):
            raise OSError(errno.EINVAL, "what was handed over is no listening socket")
        if _is_port(found, _find_address(host), port):
            for sock in found:
                sock.setblocking(False)
            return found
    except BaseException:
        _close_all(found)
        raise
    _close_all(found)
    return None


def _close_all(socks: Sequence[socket.socket]) -> None:
    for sock in socks:
        sock.close()


def _is_port(found: Sequence[socket.socket], host: str, port: int) -> bool:
    places = [sock.getsockname()[:2] for sock in found]
    first = _make_socket_address(host)
    companion = find_companion(first)
    wanted = [first, *([companion] if companion else [])]
    numbers = {number for _, number in places}
    return [address for address, _ in places] == wanted and len(numbers) == 1 and (not port or numbers == {port})


def _listens(sock: socket.socket) -> bool:
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _make_socket_address(host: str) -> str:
    """The address that a socket bound to a host has."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return str(socket.getaddrinfo(host, 0, family, socket.SOCK_STREAM)[0][4][0])


def _find_address(host: str) -> str:
    return LOCALHOST[0] if is_localhost(host) else host.strip("[]")


def _bind_with_companion(address: str, port: int) -> list[socket.socket]:
    for _ in range(20):  # port 0: what is free for one family may be taken for the other
        first = _bind(address, port)
        companion = None
        try:
            companion = find_companion(first.getsockname()[0])
            if companion is None:
                return [first]
            return [first, _bind(companion, first.getsockname()[1])]
        except AddressTaken:
            first.close()
            if port:
                raise AddressTaken(companion or "") from None
        except OSError:
            first.close()
            raise
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback families")


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
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
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken from None
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
            try:
                stream = await _accept_next(listener, reserve)
            except BaseException:
                slots.release()
                raise
            nursery.start_soon(serve_in_slot, stream)


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
