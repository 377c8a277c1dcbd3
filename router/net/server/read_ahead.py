"""Bytes a client sent that were not parsed yet: one task fills the queue, one pops from it.

The filling task reads on while a request is served: that is how a closed connection is noticed.
"""

from collections import deque
from collections.abc import Callable

import trio

from router.net.stream import RECEIVE_SIZE, SocketStream

READ_AHEAD = 131072


class ReadAhead:
    """A bounded queue of received bytes."""

    __slots__ = ("_chunks", "_reader", "_size", "_stream", "_waiter", "ended")

    def __init__(self, stream: SocketStream):
        self._stream = stream
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._reader: trio.lowlevel.Task | None = None
        self._waiter: trio.lowlevel.Task | None = None
        #: True once the client closed its side or the connection was lost.
        self.ended = False

    def __len__(self) -> int:
        return self._size

    async def fill(self, on_end: Callable[[], None]) -> None:
        """Read until the client closes its side; then call `on_end` once."""
        while not self.ended:
            if self._size >= READ_AHEAD:
                self._reader = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abort_reader)
            await self._receive()
            if self.ended:
                on_end()
            if self._waiter is not None:
                task, self._waiter = self._waiter, None
                trio.lowlevel.reschedule(task)

    async def _receive(self) -> None:
        """Read all the socket has, so that a body that is there takes one wake-up."""
        try:
            data: bytes | None = await self._stream.receive_some(RECEIVE_SIZE)
            while data:
                self._chunks.append(data)
                self._size += len(data)
                if len(data) < RECEIVE_SIZE or self._size >= READ_AHEAD:
                    return
                data = self._stream.receive_now(RECEIVE_SIZE)
            self.ended = self.ended or data is not None
        except (OSError, trio.ClosedResourceError):
            self.ended = True

    async def wait_for_data(self) -> bool:
        """Wait until a piece can be popped; False at the end."""
        if not self._chunks and not self.ended:
            self._waiter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort_waiter)
        return bool(self._chunks)

    def pop(self, most: int | None = None) -> bytes:
        """Remove and return the oldest piece; of a longer one than `most` the first bytes."""
        data = self._chunks.popleft()
        if most is not None and len(data) > most:
            self._chunks.appendleft(data[most:])
            data = data[:most]
        self._size -= len(data)
        if self._reader is not None and self._size < READ_AHEAD:
            task, self._reader = self._reader, None
            trio.lowlevel.reschedule(task)
        return data

    def put_back(self, data: bytes) -> None:
        """Put back bytes that were popped; they are the oldest piece again."""
        self._chunks.appendleft(data)
        self._size += len(data)

    def _abort_reader(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _abort_waiter(self, _: object) -> trio.lowlevel.Abort:
        self._waiter = None
        return trio.lowlevel.Abort.SUCCEEDED
