"""Deadlines that are moved far more often than they are met.

A cancel scope's own deadline costs 2 to 6 µs a move, since trio keeps all of them in one heap. Here a move to a later
time, which nearly all are, is an assignment: a deadline stands in the heap at a time that is not after its own; when
that time comes it is met, or put back to where it stands now.
"""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush

import trio

# So many entries that mean nothing any more are tolerated, and as many as there are deadlines.
_STALE = 1000


class Deadline:
    """A moment at which `meet` is called, once; it must not raise. at: on trio's clock, infinite for never."""

    __slots__ = ("at", "entry", "meet", "timer")

    def __init__(self, meet: Callable[[], None]):
        self.at = math.inf
        self.meet: Callable[[], None] | None = meet
        #: The timer looks at it then; infinite while it does not stand in the heap.
        self.entry = math.inf
        self.timer = _timer()
        self.timer.live += 1

    def move(self, at: float) -> None:
        """Have it at another time."""
        self.at = at
        if at < self.entry:
            self.timer.enter(self)

    def end(self) -> None:
        """It is neither met nor moved any more."""
        if self.meet is not None:
            self.at, self.meet = math.inf, None
            self.timer.live -= 1


class Timer:
    """All deadlines of one run of trio, and the task that meets them. live: deadlines that have not ended."""

    def __init__(self) -> None:
        self.live = 0
        self._heap: list[tuple[float, int, Deadline]] = []
        self._number = 0
        self._nap = trio.CancelScope()

    def __len__(self) -> int:
        """How many entries are kept."""
        return len(self._heap)

    def enter(self, deadline: Deadline) -> None:
        """Look at a deadline at its time."""
        at = deadline.entry = deadline.at
        if len(self._heap) > 2 * self.live + _STALE:
            self._heap = [entry for entry in self._heap if _counts(entry)]
            heapify(self._heap)
        self._number += 1
        heappush(self._heap, (at, self._number, deadline))
        if at < self._nap.deadline:
            self._nap.deadline = at

    async def run(self) -> None:
        """Meet deadlines until cancelled."""
        while True:
            with self._nap:
                await trio.sleep_forever()
            self._meet(trio.current_time())
            self._nap = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)

    def _meet(self, now: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            deadline = entry[2]
            if not _counts(entry):
                continue
            deadline.entry = math.inf
            if deadline.at > now:
                if deadline.at < math.inf:
                    self.enter(deadline)
                    heap = self._heap
            elif deadline.meet is not None:
                deadline.at = math.inf
                deadline.meet()


def _counts(entry: tuple[float, int, Deadline]) -> bool:
    """False for one whose deadline ended, or has an earlier entry."""
    at, _, deadline = entry
    return deadline.meet is not None and deadline.entry == at


_timers: trio.lowlevel.RunVar[Timer] = trio.lowlevel.RunVar("timer")


def _timer() -> Timer:
    """The one of this run, which ends with it."""
    try:
        return _timers.get()
    except LookupError:
        timer = Timer()
        _timers.set(timer)
        trio.lowlevel.spawn_system_task(timer.run)
        return timer
