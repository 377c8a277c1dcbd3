"""The health of a running proxy: waiting requests and since when, lag of the event loop, events of the machine."""

import math
from collections import deque
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from router.net.server.connection import Connection

#: Seconds with requests waiting and none answered, after which the proxy reports that it is stalled. Some models
#: process a prompt for a minute.
STALLED_SECONDS = 120.0
#: For how many heartbeats the worst lag is kept.
_BEATS = 12


class Health:
    """Figures that the heartbeat measures and requests record."""

    def __init__(self) -> None:
        #: The open client connections.
        self.clients: set[Connection] = set()
        #: When an answer last began or ended, on trio's clock.
        self.answered = 0.0
        #: How late the event loop last was, in seconds.
        self.lag = 0.0
        #: How often the clocks jumped.
        self.jumps = 0
        #: How often the machine's addresses changed.
        self.moves = 0
        #: Tasks of the event loop.
        self.tasks = 0
        self._worst: deque[float] = deque([0.0], maxlen=_BEATS)
        self._waiting_since = math.inf
        self._stalled = 0.0
        self._updated = 0.0

    def record_lag(self, seconds: float) -> None:
        """Record how much later than planned the event loop ran a task."""
        self.lag = max(seconds, 0.0)
        self._worst[-1] = max(self._worst[-1], self.lag)

    @property
    def worst_lag(self) -> float:
        """The largest lag of the last minute, in seconds."""
        return max(self._worst)

    @property
    def waiting(self) -> int:
        """Requests whose answer has not begun."""
        return sum(client.busy and client.on_cancel is not None and not client.started for client in self.clients)

    def update(self) -> None:
        """Record, at every heartbeat, since when requests wait without any being answered."""
        now = trio.current_time()
        self._worst.append(0.0)
        self.tasks = trio.lowlevel.current_statistics().tasks_living
        if self.answered >= self._updated or not self.waiting:
            self._waiting_since = math.inf
        else:
            self._waiting_since = min(self._waiting_since, self._updated)
        self._stalled = now - self._waiting_since
        self._updated = now

    @property
    def stalled(self) -> float | None:
        """For how many seconds requests have waited and none was answered, at the last heartbeat; None below
        STALLED_SECONDS."""
        return self._stalled if self._stalled >= STALLED_SECONDS and self.answered < self._waiting_since else None
