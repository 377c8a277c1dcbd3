"""Clocks: one for deadlines, which stands still while the process is stopped, and a reading of all clocks."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import trio

#: Seconds; a larger difference between clocks is neither a slow event loop nor a usual correction of the time.
JUMP = 10.0


if sys.platform == "linux":

    def boot_time() -> float:
        """Seconds on a clock that runs on while the machine sleeps and that cannot be set."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

elif sys.platform == "darwin":

    def boot_time() -> float:
        """Seconds on a clock that runs on while the machine sleeps and that cannot be set."""
        # time.monotonic() stands still during sleep on macOS.
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:
    # time.monotonic() includes the time asleep on Windows.
    def boot_time() -> float:
        """Seconds on a clock that runs on while the machine sleeps and that cannot be set."""
        return time.monotonic()


class AwakeClock(trio.abc.Clock):
    """The clock of deadlines: like trio's own, but without the time in which this process did not run.

    After a stop, or a suspend on systems whose clocks run on meanwhile, all deadlines would otherwise expire at once,
    before the data that arrived was read. now: seconds since any moment; it must not go back.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter):
        self._now = now
        self._missed = 0.0
        self._latest = now() + JUMP

    def start_clock(self) -> None:
        """Do nothing: the clock always runs."""

    def current_time(self) -> float:
        """Seconds the process has run, from any start."""
        now = self._now()
        if now > self._latest:
            self._missed += now - self._latest + JUMP
        self._latest = now + JUMP
        return now - self._missed

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Seconds until the deadline; trio sleeping that long does not count as a stopped process."""
        seconds = deadline - self.current_time()
        if seconds > 0:
            self._latest += seconds
        return seconds


class ClockReading(NamedTuple):
    """All clocks at one moment, in seconds."""

    monotonic: float
    wall: float
    #: Runs on while the system is suspended; None where there is no such clock.
    boot: float | None


def read_clocks() -> ClockReading:
    """Read the clocks of this system."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None
    return ClockReading(time.perf_counter(), time.time(), boot)


def measure_jump(before: ClockReading, after: ClockReading, planned: float) -> float:
    """The largest difference between what the clocks show as passed, and from `planned`, in seconds."""
    passed = after.monotonic - before.monotonic
    found = [passed - planned, abs(after.wall - before.wall - passed)]
    if before.boot is not None and after.boot is not None:
        found.append(after.boot - before.boot - passed)
    return max(found)
