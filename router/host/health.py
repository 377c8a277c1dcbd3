"""How a running proxy is doing: what waits and since when, how late its loop is, what happened to the machine."""

import math
from collections import deque
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from router.net.server.connection import Connection

#: Seconds with requests waiting, and none of them answered, until the proxy says that it is stalled. Some models read
#: a prompt for a minute.
STALLED_SECONDS = 120.0
#: How many beats of the heart the worst lag is kept.
_BEATS = 12


class Vitals:
    """What the heartbeat saw, and what a request notes for it.

    clients: the connections that are open. answered: when an answer last began or ended, on trio's clock. jumps, moves:
    how often the clocks jumped, and how often the machine's addresses changed. tasks: of the event loop.
    """

    def __init__(self) -> None:
        self.clients: set[Connection] = set()
        self.answered = 0.0
        self.lag = 0.0
        self.jumps = 0
        self.moves = 0
        self.tasks = 0
        self._worst: deque[float] = deque([0.0], maxlen=_BEATS)
        self._since = math.inf
        self._stalled = 0.0
        self._looked = 0.0

    def late(self, seconds: float) -> None:
        """The loop came this much later than it was to."""
        self.lag = max(seconds, 0.0)
        self._worst[-1] = max(self._worst[-1], self.lag)

    @property
    def worst_lag(self) -> float:
        """The largest of the last minute, in seconds."""
        return max(self._worst)

    @property
    def waiting(self) -> int:
        """Requests whose answer has not begun."""
        return sum(client.busy and client.on_cancel is not None and not client.started for client in self.clients)

    def look(self) -> None:
        """Once a beat: note since when requests wait without any being answered."""
        now = trio.current_time()
        self._worst.append(0.0)
        self.tasks = trio.lowlevel.current_statistics().tasks_living
        if self.answered >= self._looked or not self.waiting:
            self._since = math.inf
        else:
            self._since = min(self._since, self._looked)
        self._stalled = now - self._since
        self._looked = now

    @property
    def stalled(self) -> float | None:
        """For how many seconds requests have waited and none was answered, at the last beat; None while that is no
        long time."""
        return self._stalled if self._stalled >= STALLED_SECONDS and self.answered < self._since else None
