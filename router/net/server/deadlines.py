"""Deadlines that are moved far more often than they expire.

Moving a cancel scope's own deadline costs 2 to 6 µs, since trio keeps all of them in one heap. Here a move to a later
time, which nearly all are, is an assignment: a deadline is scheduled in the heap at a time not after its own; when
that time comes it expires, or is scheduled again for its current time.
"""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush

import trio

# So many stale entries are tolerated in the heap, beside two for each deadline.
_STALE = 1000


class Deadline:
    """A time at which `on_expiry` is called, once; it must not raise."""

    __slots__ = ("at", "on_expiry", "scheduled", "timer")

    def __init__(self, on_expiry: Callable[[], None]):
        #: When it expires, on trio's clock; infinite for never.
        self.at = math.inf
        #: None once it was cancelled.
        self.on_expiry: Callable[[], None] | None = on_expiry
        #: When the timer looks at it; infinite while it is not in the heap.
        self.scheduled = math.inf
        self.timer = _get_timer()
        self.timer.live += 1

    def move(self, at: float) -> None:
        """Set another time."""
        self.at = at
        if at < self.scheduled:
            self.timer.schedule(self)

    def cancel(self) -> None:
        """End it: it neither expires nor may be moved any more."""
        if self.on_expiry is not None:
            self.at, self.on_expiry = math.inf, None
            self.timer.live -= 1


class Timer:
    """All deadlines of one run of trio, and the task that lets them expire."""

    def __init__(self) -> None:
        #: How many deadlines were not cancelled.
        self.live = 0
        self._heap: list[tuple[float, int, Deadline]] = []
        self._number = 0
        self._sleep = trio.CancelScope()

    def __len__(self) -> int:
        """How many entries are in the heap."""
        return len(self._heap)

    def schedule(self, deadline: Deadline) -> None:
        """Enter a deadline at its time."""
        at = deadline.scheduled = deadline.at
        if len(self._heap) > 2 * self.live + _STALE:
            self._heap = [entry for entry in self._heap if _is_current(entry)]
            heapify(self._heap)
        self._number += 1
        heappush(self._heap, (at, self._number, deadline))
        if at < self._sleep.deadline:
            self._sleep.deadline = at

    async def run(self) -> None:
        """Let deadlines expire until cancelled."""
        while True:
            with self._sleep:
                await trio.sleep_forever()
            self._expire(trio.current_time())
            self._sleep = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)

    def _expire(self, now: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            deadline = entry[2]
            if not _is_current(entry):
                continue
            deadline.scheduled = math.inf
            if deadline.at > now:
                if deadline.at < math.inf:
                    self.schedule(deadline)
                    heap = self._heap
            elif deadline.on_expiry is not None:
                deadline.at = math.inf
                deadline.on_expiry()


def _is_current(entry: tuple[float, int, Deadline]) -> bool:
    """False for an entry whose deadline was cancelled or is scheduled earlier."""
    at, _, deadline = entry
    return deadline.on_expiry is not None and deadline.scheduled == at


_timers: trio.lowlevel.RunVar[Timer] = trio.lowlevel.RunVar("timer")


def _get_timer() -> Timer:
    """The timer of this trio run, made at its first use; it ends with the run."""
    try:
        return _timers.get()
    except LookupError:
        timer = Timer()
        _timers.set(timer)
        trio.lowlevel.spawn_system_task(timer.run)
        return timer
