"""Keeps calls from waiting for a server that does not answer.

    closed   FAILURES in a row, the first at most WINDOW_SECONDS ago   open
    open     PROBE_SECONDS since the last call that went through      one call goes through: closed when it is answered

A probe each second, rather than one after the whole window, since who shares budgets refuses requests meanwhile.
"""

import threading
import time
from collections.abc import Callable

FAILURES = 5
WINDOW_SECONDS = 10.0
PROBE_SECONDS = 1.0


class Breaker:
    """The breaker of one server, for all threads. clock: seconds that never go back; now: seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time):
        #: Since when calls have failed, None while the server answers: seconds since 1970.
        self.failing_since: float | None = None
        #: When a call was answered last, None where none was: seconds since 1970.
        self.answered: float | None = None
        #: Why the last call failed.
        self.reason = ""
        #: Calls that failed, and calls that were not made while it was open, since the start.
        self.failed = self.refused = 0
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._row = 0
        self._first = 0.0
        self._probed = 0.0
        self._open = False

    @property
    def problem(self) -> str | None:
        """Why the server cannot be used, None while it can."""
        return self.reason if self._open else None

    def admit(self) -> bool:
        """True when a call may go to the server now."""
        with self._lock:
            now = self._clock()
            if self._open and now - self._probed < PROBE_SECONDS:
                self.refused += 1
                return False
            self._probed = now
            return True

    def succeed(self) -> bool:
        """Note that a call was answered; True when calls had failed before."""
        with self._lock:
            before, self.failing_since = self.failing_since, None
            self.answered = self._now()
            self._row, self._open = 0, False
            return before is not None

    def fail(self, reason: str) -> bool:
        """Note that a call was not answered; True when this has opened it."""
        with self._lock:
            now = self._clock()
            if not self._row or now - self._first > WINDOW_SECONDS:
                self._row, self._first = (self._row if self._open else 0), now
            self._row += 1
            self.failed += 1
            self.reason = reason
            if self.failing_since is None:
                self.failing_since = self._now()
            opened = not self._open and self._row >= FAILURES
            self._open = self._open or opened
            return opened
