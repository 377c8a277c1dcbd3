"""The channel between the parent and one worker: messages with a length before them, over a pair of sockets.

Rules of this file: a message is queued at once and sent by a task, so that none waits on the other process. A
descriptor travels with the first byte of its message. Both ends are this program's own, started from the same files.
"""

import os
import socket
import sys
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import msgspec
import trio

_LENGTH = 4
_PIECE = 65_536
_DESCRIPTORS = 16
_NOTHING = msgspec.Raw(b"\xc0")

T = TypeVar("T")


class Message(msgspec.Struct, array_like=True):
    """One message."""

    kind: str
    #: Of a question, and of its answer; 0 for what is not answered.
    number: int = 0
    data: msgspec.Raw = _NOTHING
    #: True when a descriptor comes with it.
    carries: bool = False

    def read(self, kind: type[T]) -> T:
        """What it says, as a value of this type. Raises msgspec.ValidationError."""
        return msgspec.msgpack.decode(self.data, type=kind)


def write(value: object) -> msgspec.Raw:
    """A value as a message's data."""
    return msgspec.Raw(msgspec.msgpack.encode(value))


class Channel:
    """One end of a channel. sock: this end, which the channel closes."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(False)
        self._sock = sock
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._wake = trio.Event()
        self._received = bytearray()
        self._descriptors: deque[int] = deque()

    def send(self, kind: str, value: object = None, *, number: int = 0, descriptor: int | None = None) -> None:
        """Queue a message. descriptor: goes with it, and is closed here once it has gone."""
        message = Message(kind, number, _NOTHING if value is None else write(value), descriptor is not None)
        data = msgspec.msgpack.encode(message)
        self._waiting.append((len(data).to_bytes(_LENGTH, "big") + data, descriptor))
        self._wake.set()

    async def run_sender(self) -> None:
        """Send what is queued until cancelled, or the other end is gone."""
        try:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                while self._waiting:
                    await self._send(*self._waiting.popleft())
        except OSError:
            return  # the reader sees the end too

    async def _send(self, data: bytes, descriptor: int | None) -> None:
        view = memoryview(data)
        try:
            while view:
                try:
                    if descriptor is not None:
                        sent = _send_descriptor(self._sock, view, descriptor)
                        os.close(descriptor)
                        descriptor = None
                    else:
                        sent = self._sock.send(view)
                    view = view[sent:]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._sock)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    async def receive(self) -> list[tuple[Message, int | None]]:
        """The messages that have come, each with its descriptor, which is the caller's to close; none at the end."""
        while True:
            found = list(self._take())
            if found:
                return found
            await trio.lowlevel.wait_readable(self._sock)
            try:
                data, descriptors = _receive(self._sock)
            except BlockingIOError:
                continue
            except OSError:
                return []
            self._descriptors.extend(descriptors)
            if not data:
                return []
            self._received += data

    def _take(self) -> Iterator[tuple[Message, int | None]]:
        buffer = self._received
        while len(buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(buffer[:_LENGTH], "big")
            if len(buffer) < end:
                return
            message = msgspec.msgpack.decode(bytes(buffer[_LENGTH:end]), type=Message)
            del buffer[:end]
            yield message, self._descriptors.popleft() if message.carries and self._descriptors else None

    def close(self) -> None:
        """Close this end, with the descriptors that did not go or were not taken."""
        for descriptor in (*self._descriptors, *(one for _, one in self._waiting if one is not None)):
            os.close(descriptor)
        self._descriptors.clear()
        self._waiting.clear()
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()


def _send_descriptor(sock: socket.socket, data: memoryview, descriptor: int) -> int:
    if sys.platform == "win32":
        raise OSError
    return socket.send_fds(sock, [data], [descriptor])


def _receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    if sys.platform == "win32":
        raise OSError
    data, descriptors, _, _ = socket.recv_fds(sock, _PIECE, _DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, descriptors
