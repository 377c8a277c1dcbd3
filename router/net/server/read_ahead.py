"""What a client sent and nobody has read yet: one task fills it, one takes from it.

The reading task never stops while a request is served: that is how a client that leaves is noticed.
"""

from collections import deque
from collections.abc import Callable

import trio

from router.net.stream import RECEIVE_SIZE, SocketStream

READ_AHEAD = 131072


class ReadAhead:
    """A bounded queue of received bytes. ended: the client closed its side, or was lost."""

    __slots__ = ("_chunks", "_reader", "_size", "_stream", "_taker", "ended")

    def __init__(self, stream: SocketStream):
        self._stream = stream
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._reader: trio.lowlevel.Task | None = None
        self._taker: trio.lowlevel.Task | None = None
        self.ended = False

    def __len__(self) -> int:
        return self._size

    async def fill(self, on_end: Callable[[], None]) -> None:
        """Read until the client closes its side; then call `on_end` once."""
        while not self.ended:
            if self._size >= READ_AHEAD:
                self._reader = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._reader_aborted)
            await self._receive()
            if self.ended:
                on_end()
            if self._taker is not None:
                task, self._taker = self._taker, None
                trio.lowlevel.reschedule(task)

    async def _receive(self) -> None:
        """Read what is there: one wake-up for a whole body where the socket has it."""
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

    async def more(self) -> bool:
        """Wait until there is something to take; False at the end."""
        if not self._chunks and not self.ended:
            self._taker = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._taker_aborted)
        return bool(self._chunks)

    def take(self) -> bytes:
        """The oldest piece."""
        data = self._chunks.popleft()
        self._size -= len(data)
        if self._reader is not None and self._size < READ_AHEAD:
            task, self._reader = self._reader, None
            trio.lowlevel.reschedule(task)
        return data

    def put_back(self, data: bytes) -> None:
        """Give back what was taken too much; it is the oldest piece again."""
        self._chunks.appendleft(data)
        self._size += len(data)

    def _reader_aborted(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _taker_aborted(self, _: object) -> trio.lowlevel.Abort:
        self._taker = None
        return trio.lowlevel.Abort.SUCCEEDED
