"""Threads for work that would delay every stream, given out fairly.

Such work keeps the interpreter's lock for most of its time, so more threads would not make it faster: there is one for
each kind of size. Whose turn is next is decided by self-clocked fair queueing (Golestani, INFOCOM 1994): work that came
gets the number at which it would end if all flows shared the thread equally, and the smallest number comes first. So
small work goes before large, no flow delays another by having much work, and none waits for ever.
"""

import contextlib
import gc
import heapq
import itertools
import sys
from collections.abc import Callable, Generator, Hashable
from typing import TypeVar, TypeVarTuple

import trio

from router.wire.raw.json.deallocation import free_in_steps

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")

#: Bytes; larger work has a thread of its own, so that other work does not wait until it has ended.
VERY_LARGE = 8 << 20
_FLOWS_LIMIT = 256
#: While work runs, the loop waits so long for the interpreter, each time that it comes back from a system call.
SWITCH_SECONDS = 0.0002
_USUAL_SWITCH_SECONDS = sys.getswitchinterval()
#: The collector is stopped for so long while one work follows the other.
COLLECTOR_SECONDS = 10.0


class _Interpreter:
    """What all threads of the interpreter share, and what is set of it while large work runs."""

    def __init__(self) -> None:
        self._running = 0
        self._began = 0.0
        self._stopped_collector = False

    @contextlib.contextmanager
    def share(self) -> Generator[None]:
        """Large work runs in a thread while the block does. The loop gets the interpreter often: at all other times
        switching as often would cost each request some percent. The collector is stopped: its passes look through all
        that the work has made, some hundred thousand objects, and keep the lock meanwhile; none of these is garbage.
        For no longer than COLLECTOR_SECONDS: others make garbage."""
        now = trio.current_time()
        if not self._running:
            self._began, self._stopped_collector = now, gc.isenabled()
            if self._stopped_collector:
                gc.disable()
        elif now > self._began + COLLECTOR_SECONDS:
            self._start_collector()
        self._running += 1
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                sys.setswitchinterval(_USUAL_SWITCH_SECONDS)
                self._start_collector()

    def _start_collector(self) -> None:
        if self._stopped_collector:
            self._stopped_collector = False
            gc.enable()


_interpreter = _Interpreter()


async def run_beside_loop(
    work: Callable[[*_Arguments], _Result], *arguments: *_Arguments, limiter: trio.CapacityLimiter
) -> _Result:
    """Run large work in a thread of the limiter, so that the loop goes on meanwhile. When cancelled it has not begun;
    once it has begun its result is returned."""
    with _interpreter.share():
        return await trio.to_thread.run_sync(free_in_steps, work, *arguments, limiter=limiter)


class _Turns:
    """The turns of one thread."""

    __slots__ = ("_busy", "_ends", "_now", "_numbers", "_waiting")

    def __init__(self) -> None:
        self._busy = False
        # The number of the work that has the thread, and that of the last work of each flow.
        self._now = 0
        self._ends: dict[Hashable, int] = {}
        self._waiting: list[tuple[int, int, trio.Event]] = []
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """Works that wait for their turn."""
        return len(self._waiting)

    async def begin(self, flow: Hashable, size: int) -> None:
        """Wait for a turn, which `end` must end."""
        number = max(self._now, self._ends.get(flow, 0)) + size
        if flow is not None:
            self._ends[flow] = number
        if not self._busy:
            self._busy, self._now = True, number
            return
        turn = trio.Event()
        entry = (number, next(self._numbers), turn)
        heapq.heappush(self._waiting, entry)
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self.end()
            else:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    def end(self) -> None:
        """Give the turn to the next work."""
        if not self._waiting:
            self._busy, self._now = False, 0
            self._ends.clear()
            return
        self._now, _, turn = heapq.heappop(self._waiting)
        if len(self._ends) > _FLOWS_LIMIT:
            self._ends = {flow: number for flow, number in self._ends.items() if number > self._now}
        turn.set()


class FairThread:
    """One thread for work of up to VERY_LARGE bytes, and one for larger work."""

    def __init__(self) -> None:
        self._turns = (_Turns(), _Turns())
        self._limiter = trio.CapacityLimiter(2)

    @property
    def waiting(self) -> int:
        """Works that wait for their turn."""
        return sum(turns.waiting for turns in self._turns)

    async def run(
        self, flow: Hashable, size: int, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """Run work in its turn. flow: whose it is, None for nobody's. size: bytes, which stand for the time it takes.
        When cancelled it has not begun; once it has begun its result is returned."""
        turns = self._turns[size > VERY_LARGE]
        await turns.begin(flow, size)
        try:
            return await run_beside_loop(work, *arguments, limiter=self._limiter)
        finally:
            turns.end()


def size_of(arguments: tuple[object, ...]) -> int:
    """The bytes and characters that work gets, as a measure of its time."""
    return sum(len(one) for one in arguments if isinstance(one, bytes | bytearray | str))
