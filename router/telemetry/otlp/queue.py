"""Requests that have ended and whose spans are not sent yet: a bounded queue, which counts what it drops."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from router.store.history.entry import HistoryEntry

#: Spans of one batch, and those that may wait.
BATCH, LIMIT = 512, 4096


class SpanQueue:
    """The queue, for all threads, and how it goes with the collector. on_full: called from any thread once a batch
    waits; it must not wait. collector: its host and port."""

    def __init__(self, on_full: Callable[[], None], collector: str = ""):
        #: The collector's host and port.
        self.collector = collector
        #: Why what was sent last was not taken, None where it was.
        self.problem: str | None = None
        #: The last failure, and when that was, in seconds since 1970; '' and None where there was none.
        self.last_failure = ""
        self.failed_at: float | None = None
        #: Spans that a collector took, and those that were lost.
        self.exported = self.dropped = 0
        self._on_full = on_full
        self._waiting: deque[HistoryEntry] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def extend(self, entries: Sequence[HistoryEntry]) -> None:
        """Add requests that have ended. The oldest are dropped where there are too many: what is new says more of why
        a collector cannot keep up."""
        with self._lock:
            before = len(self._waiting)
            self._waiting.extend(entries)
            while len(self._waiting) > LIMIT:
                self._waiting.popleft()
                self.dropped += 1
            full = before < BATCH <= len(self._waiting)
        if full:
            self._on_full()

    def note(self, problem: str | None, now: float) -> bool:
        """Note how a request to the collector went, None for well; True where it went otherwise before. now: seconds
        since 1970."""
        changed = (problem is None) is not (self.problem is None)
        self.problem = problem
        if problem is not None:
            self.last_failure, self.failed_at = problem, now
        return changed

    def drop_rest(self, more: int) -> None:
        """Drop all, since nothing is sent any more. more: spans of a batch that was taken and not sent."""
        with self._lock:
            self.dropped += len(self._waiting) + more
            self._waiting.clear()

    def pop_batch(self) -> list[HistoryEntry]:
        """Take the oldest, at most a batch of them."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
