"""What the proxy reports about itself to the local page; it is made once for all tabs that watch."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import trio

from router import __version__
from router.admin import status
from router.admin.ask import Operated
from router.admin.proxy_api import judge
from router.errors import CommandError
from router.operator_api.page import PageState
from router.operator_api.status import RunningRequest, Status
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSummary
from router.store.history.time_window import parse_since
from router.store.home.home import Home
from router.upstream.runtime import Runtime

SCHEMA = 1
#: Seconds for which a report, and the sums in it, serve.
STATE_SECONDS, SUMS_SECONDS = 2.0, 5.0
#: The same for what runs in several processes.
LOOK_SECONDS = 0.25


class Running(NamedTuple):
    """How many requests are being answered; report: lists the oldest."""

    number: int
    report: Callable[[], list[RunningRequest]]


class StateReporter:
    """Reports the state of a proxy, however many watch."""

    def __init__(self, runtime: Runtime, operated: Operated, threads: trio.CapacityLimiter):
        self._runtime, self._operated, self._threads = runtime, operated, threads
        self._lock = trio.Lock()
        self._state: PageState | None = None
        self._sums: UsageSummary | None = None
        self._made = self._summed = self._looked = 0.0
        self._whole: Status | None = None

    async def report(self) -> PageState:
        """The state, at most STATE_SECONDS old."""
        async with self._lock:
            now = trio.current_time()
            if self._sums is None or now - self._summed >= SUMS_SECONDS:
                self._sums = await trio.to_thread.run_sync(_sum_today, self._runtime.home, limiter=self._threads)
                self._summed = now
            if self._state is None or now - self._made >= STATE_SECONDS:
                await self._runtime.guard.current()
                self._state, self._made = await self._make(self._sums), now
            return self._state

    async def look_running(self) -> Running:
        """What is being answered now, in all processes of the port."""
        runtime, others = self._runtime, self._operated.others
        if others is None:
            return Running(len(runtime.running), partial(status.report_running, runtime))
        async with self._lock:
            now = trio.current_time()
            if self._whole is None or now - self._looked >= LOOK_SECONDS:
                self._whole, self._looked = await status.report_port(runtime, self._operated, []), now
            whole = self._whole
        return Running(whole.running_count, lambda: whole.running)

    async def _make(self, sums: UsageSummary) -> PageState:
        runtime = self._runtime
        whole = await status.report_port(runtime, self._operated, [])
        return PageState(
            schema=SCHEMA,
            version=__version__,
            url=self._operated.url,
            now=round(time.time(), 3),
            health=judge(runtime),
            uptime_s=round(trio.current_time() - self._operated.started, 1),
            backends=whole.backends,
            problems=whole.problems,
            history=whole.history.problem,
            capture=runtime.settings.history_capture,
            guard=whole.guard,
            refused=whole.refused,
            today=sums.total,
            rate=sums.rate,
            limits=sums.limits,
        )


def _sum_today(home: Home) -> UsageSummary:
    now = time.time()
    midnight = parse_since("today", now)
    try:
        with reader.open_reader(home) as db:
            if db is not None:
                return read_usage.summarize(db, midnight, now)
    except CommandError:
        # The state says what is wrong with the history.
        pass
    return read_usage.empty_summary(midnight, now)
