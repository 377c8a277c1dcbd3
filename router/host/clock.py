"""Clocks: one for deadlines, which stands still while the process does, and a reading of all there are."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import trio

#: Seconds; a jump beyond this is no slow loop and no correction of the time.
JUMP = 10.0


if sys.platform == "linux":

    def sleepless() -> float:
        """Seconds on a clock that goes on while the machine sleeps, and that nobody sets."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

elif sys.platform == "darwin":

    def sleepless() -> float:
        """Seconds on a clock that goes on while the machine sleeps, and that nobody sets."""
        # Python's own monotonic clock stands still there.
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:
    # Windows counts the time asleep.
    def sleepless() -> float:
        """Seconds on a clock that goes on while the machine sleeps, and that nobody sets."""
        return time.monotonic()


class AwakeClock(trio.abc.Clock):
    """Time for deadlines: as trio's own, without the time in which this process did not run.

    After a stop, or a suspend on systems whose clocks go on meanwhile, all deadlines would pass at once, before
    anything that came was read. now: seconds, from any beginning; it never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now = now
        self._missed = 0.0
        self._latest = now() + JUMP

    def start_clock(self) -> None:
        """Nothing to do."""

    def current_time(self) -> float:
        """Seconds."""
        now = self._now()
        if now > self._latest:
            self._missed += now - self._latest + JUMP
        self._latest = now + JUMP
        return now - self._missed

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Seconds until the deadline; that long trio's silence means nothing."""
        seconds = deadline - self.current_time()
        if seconds > 0:
            self._latest += seconds
        return seconds


class Reading(NamedTuple):
    """All clocks at one moment, in seconds. boot: counts on while the system is suspended; None where there is none."""

    monotonic: float
    wall: float
    boot: float | None


def read_clocks() -> Reading:
    """The clocks of this system."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None
    return Reading(time.perf_counter(), time.time(), boot)


def jump(before: Reading, after: Reading, planned: float) -> float:
    """By how much the clocks moved other than together and as planned, in seconds."""
    passed = after.monotonic - before.monotonic
    found = [passed - planned, abs(after.wall - before.wall - passed)]
    if before.boot is not None and after.boot is not None:
        found.append(after.boot - before.boot - passed)
    return max(found)
