"""Streams to the tabs that watch: what runs, what has ended, and the state of the proxy.

Rules of this file: requests cost nothing more while somebody watches. What has ended is read from the history, once for
all tabs; a tab that is slow gets what is there when it reads again, and one that reads nothing for STALL_SECONDS is
closed. Nothing is queued for a tab.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import trio

from router.admin.ask import Ask
from router.admin.ui.plain_text import encode
from router.admin.ui.state import Running, StateReporter
from router.errors import CommandError, RouterError
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.operator_api.page import PageEvent, PageState
from router.store.history.read_requests import RecordedRequest
from router.upstream.runtime import Runtime
from router.watch.follow import Follower
from router.watch.request_filter import RequestFilter
from router.wire.raw import sse

#: Seconds between two events of what runs, and between two signs of life when nothing happens.
TICK_SECONDS, BEAT_SECONDS = 0.5, 10.0
#: Seconds after which a tab that takes nothing is closed.
STALL_SECONDS = 20.0
#: Requests that are held for all tabs.
HELD = 500
# Seconds without a look at the history after which it is followed anew.
_FORGOTTEN_SECONDS = 10.0
_BEAT = b": beat\n\n"


class Ended(NamedTuple):
    """A request that has ended, and its JSON, which is made once for all tabs."""

    request: RecordedRequest
    data: bytes


class Feed:
    """The requests that end, and those that run, for all tabs."""

    def __init__(self, runtime: Runtime, threads: trio.CapacityLimiter):
        self._home, self._threads = runtime.home, threads
        self._lock = trio.Lock()
        self._follower: Follower | None = None
        self._looked = -math.inf
        self._held: deque[Ended] = deque(maxlen=HELD)
        self._state: tuple[PageState | None, bytes] = (None, b"")
        self._running: tuple[float, int, bytes] = (-math.inf, 0, b"")
        #: How many have ended since the begin, and those before that are not held.
        self.count = 0

    async def look(self) -> None:
        """See what has ended. Does nothing where another tab has just looked."""
        async with self._lock:
            now = trio.current_time()
            if now - self._looked < TICK_SECONDS / 2:
                return
            if self._follower is None or now - self._looked > _FORGOTTEN_SECONDS:
                self._follower = Follower(self._home)
                work: Callable[[], list[Ended]] = self._begin
                # Whoever watched before does not know what has ended meanwhile.
                self.count += HELD + 1
                self._held.clear()
            else:
                work = self._read
            self._looked = now
            try:
                found = await trio.to_thread.run_sync(work, limiter=self._threads)
            except CommandError:
                # The state says what is wrong with the history.
                return
            self._held += found
            self.count += len(found)

    def _begin(self) -> list[Ended]:
        assert self._follower is not None
        self._follower.begin(0)
        return []

    def _read(self) -> list[Ended]:
        assert self._follower is not None
        return [Ended(one, encode(one)) for one in self._follower.look()]

    def frame_state(self, state: PageState) -> bytes:
        """The event of a state."""
        if self._state[0] is not state:
            self._state = state, sse.frame(encode(PageEvent(state=state)), "state")
        return self._state[1]

    def frame_running(self, running: Running) -> bytes:
        """The event of what runs now."""
        now, count = trio.current_time(), running.number
        if count != self._running[1] or now - self._running[0] >= TICK_SECONDS / 2:
            event = PageEvent(running=running.report(), running_count=count)
            self._running = now, count, sse.frame(encode(event), "running")
        return self._running[2]

    def read_after(self, count: int) -> list[Ended] | None:
        """Those that have ended since there were `count`, oldest first; None when some of them are not held."""
        new = self.count - count
        if new > len(self._held):
            return None
        return [self._held[index] for index in range(len(self._held) - new, len(self._held))]


class Watcher:
    """One tab. check: raises RouterError when its access has ended."""

    def __init__(
        self, ask: Ask, feed: Feed, reporter: StateReporter, asked: RequestFilter, check: Callable[[], object]
    ):
        self._connection = ask.connection
        self._feed, self._reporter, self._asked, self._check = feed, reporter, asked, check
        self._count = 0
        self._state: PageState | None = None
        self._ran = True

    async def begin(self) -> None:
        """Let what ends from now on be told."""
        await self._feed.look()
        self._count = self._feed.count

    async def run(self) -> None:
        """Send events until the tab leaves, its access ends, or the proxy stops."""
        last = trio.current_time()
        while not self._connection.retired and self._has_access():
            await self._feed.look()
            state, running = await self._reporter.report(), await self._reporter.look_running()
            data = b"".join(self._make_events(state, running))
            if not data and trio.current_time() - last >= BEAT_SECONDS:
                data = _BEAT
            if data:
                last = trio.current_time()
                await send_or_close(self._connection, data)
            await trio.sleep(TICK_SECONDS)

    def _has_access(self) -> bool:
        try:
            self._check()
        except RouterError:
            return False
        return True

    def _make_events(self, state: PageState, running: Running) -> Iterator[bytes]:
        if self._state is None or _differs(self._state, state):
            self._state = state
            yield self._feed.frame_state(state)
        if running.number or self._ran:
            # Also once when the last one has ended.
            self._ran = bool(running.number)
            yield self._feed.frame_running(running)
        if self._feed.count != self._count:
            new = self._feed.read_after(self._count)
            self._count = self._feed.count
            ended = [one.data for one in new or () if self._asked.fits(one.request)]
            if ended or new is None:
                more = b"true" if new is None else b"false"
                yield sse.frame(b'{"ended":[' + b",".join(ended) + b'],"more":' + more + b"}", "ended")


async def send_or_close(connection: Connection, data: bytes) -> None:
    """Send a piece of the stream; end the connection of a tab that does not take it."""
    with trio.move_on_after(STALL_SECONDS) as scope:
        await connection.write(connection.frame_data(data))
    if scope.cancelled_caught:
        connection.cancel(CancelReason.STALLED)
        await trio.lowlevel.checkpoint()


def _differs(old: PageState, new: PageState) -> bool:
    """True when more than the time has changed."""
    return old is not new and msgspec.structs.replace(old, now=new.now, uptime_s=new.uptime_s) != new
