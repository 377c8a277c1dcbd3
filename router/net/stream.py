"""A connected TCP socket with one operation trio's own stream lacks: a send that never waits.

The relay sends each batch of events with `try_send` and switches tasks only when the peer's window is full. In the
benchmark's burst of events a switch for each batch was a third of the CPU of a stream.
Rules: one task receives, one task sends; `close` and `abort` may come from any task and wake both.
"""

import contextlib
import functools
import select
import socket
import struct
import sys
from collections.abc import Callable, Sequence

import trio

if sys.platform == "linux":
    import fcntl
    import termios

RECEIVE_SIZE = 65536

Bytes = bytes | bytearray | memoryview
# To copy more would hold up every stream: 64 MiB take 30 ms.
_LARGE = 1 << 20
# Bytes that one call sends: a peer that reads as fast as we send would take all at once, in one step of the loop.
_SEND_SIZE = 256 << 10

# l_onoff=1, l_linger=0: close sends RST, which clients do not mistake for a clean end. Windows has 16-bit fields.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class SocketStream(trio.abc.Stream):
    """A byte stream over a connected socket; errors are OSError and trio.ClosedResourceError."""

    __slots__ = ("_closed", "_internet", "_poll", "_sock")

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        # `family` makes an enum each time.
        self._internet = sock.family in (socket.AF_INET, socket.AF_INET6)
        if self._internet:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._closed = False
        self._poll: Callable[[], object] | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Up to max_bytes; b"" at the end of the stream. No byte is lost when cancelled."""
        # Waits before it reads: a relay's next event is seldom there yet, and a failed read costs an exception.
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            data = self.receive_now(max_bytes or RECEIVE_SIZE)
            if data is not None:
                return data

    def receive_now(self, max_bytes: int) -> bytes | None:
        """What has arrived, b"" at the end of the stream, None when nothing has. Raises OSError."""
        try:
            return self._sock.recv(max_bytes)
        except BlockingIOError:
            return None

    def try_send(self, parts: Sequence[Bytes]) -> Bytes:
        """Send what the socket takes now; returns the rest, b"" when all went out. Raises OSError."""
        size = sum(map(len, parts))
        first = parts if size <= _LARGE else _take_first(parts)
        try:
            if len(first) == 1:
                sent = self._sock.send(first[0])
            elif sys.platform == "win32":  # it has no sendmsg
                sent = self._sock.send(b"".join(first))
            else:
                sent = self._sock.sendmsg(first)
        except BlockingIOError:
            sent = 0
        if sent == size:
            return b""
        for at, part in enumerate(parts):
            if sent < len(part):
                if len(part) - sent > _LARGE and at == len(parts) - 1:
                    return memoryview(part)[sent:]
                # Only the rest is copied: a large body is never joined as a whole.
                return b"".join((memoryview(part)[sent:], *parts[at + 1 :]))
            sent -= len(part)
        return b""

    async def send_all(self, data: Bytes) -> None:
        """Send all; when cancelled, how much went out is unknown and the stream must be dropped."""
        await trio.lowlevel.checkpoint_if_cancelled()
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view[:_SEND_SIZE]) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._sock)
            else:
                if view:
                    await trio.lowlevel.checkpoint()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket takes at least one byte."""
        await trio.lowlevel.wait_writable(self._sock)

    def get_local_address(self) -> tuple[str, int]:
        """Address and port of our end; ("", 0) where it has none."""
        name = self._sock.getsockname()
        return (name[0], name[1]) if self._internet else ("", 0)

    def is_readable(self) -> bool:
        """True when a read would not wait: bytes, an end or an error are there."""
        if self._poll is None:
            self._poll = _make_poll(self._sock)
        return bool(self._poll())

    def peek(self, max_bytes: int) -> bytes:
        """What a read would give now, which stays there; b"" at the end of the stream and for nothing."""
        try:
            return self._sock.recv(max_bytes, socket.MSG_PEEK)
        except OSError:
            return b""

    def count_unacknowledged(self) -> int:
        """How many bytes were sent that the peer's system has not acknowledged; 0 where this system does not tell."""
        if sys.platform != "linux" or not self._internet:
            return 0
        try:
            return int.from_bytes(fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0

    def half_close(self) -> None:
        """Close our direction; the peer sees the end of the stream after what was sent."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        """Close; tasks that wait on the socket get ClosedResourceError."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def abort(self) -> None:
        """Close with a reset, so that the peer cannot take what it has for a whole answer."""
        if not self._closed:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close()

    async def aclose(self) -> None:
        """Close, as trio's streams do."""
        self.close()
        await trio.lowlevel.checkpoint()


def _take_first(parts: Sequence[Bytes]) -> list[Bytes]:
    """The first _SEND_SIZE bytes of some parts."""
    found: list[Bytes] = []
    room = _SEND_SIZE
    for part in parts:
        found.append(memoryview(part)[:room])
        room -= len(found[-1])
        if not room:
            break
    return found


def _make_poll(sock: socket.socket) -> Callable[[], object]:
    """A function that is true once there is something to read. It costs less than a read that fails."""
    if sys.platform == "win32":
        return lambda: select.select((sock,), (), (), 0)[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return functools.partial(poll.poll, 0)
