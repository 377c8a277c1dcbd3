"""What the proxy reports about itself to the local page; it is made once for all tabs that watch."""

import time

import trio

from router import __version__
from router.admin import status
from router.admin.ask import Operated
from router.admin.proxy_api import judge
from router.errors import CommandError
from router.operator_api.page import PageState
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSummary
from router.store.history.time_window import parse_since
from router.store.home.home import Home
from router.upstream.runtime import Runtime

SCHEMA = 1
#: Seconds for which a report, and the sums in it, serve.
STATE_SECONDS, SUMS_SECONDS = 2.0, 5.0


class StateReporter:
    """Reports the state of a proxy, however many watch."""

    def __init__(self, runtime: Runtime, operated: Operated, threads: trio.CapacityLimiter):
        self._runtime, self._operated, self._threads = runtime, operated, threads
        self._lock = trio.Lock()
        self._state: PageState | None = None
        self._sums: UsageSummary | None = None
        self._made = self._summed = 0.0

    async def report(self) -> PageState:
        """The state, at most STATE_SECONDS old."""
        async with self._lock:
            now = trio.current_time()
            if self._sums is None or now - self._summed >= SUMS_SECONDS:
                self._sums = await trio.to_thread.run_sync(_sum_today, self._runtime.home, limiter=self._threads)
                self._summed = now
            if self._state is None or now - self._made >= STATE_SECONDS:
                await self._runtime.guard.current()
                self._state, self._made = self._make(self._sums), now
            return self._state

    def _make(self, sums: UsageSummary) -> PageState:
        runtime = self._runtime
        return PageState(
            schema=SCHEMA,
            version=__version__,
            url=self._operated.url,
            now=round(time.time(), 3),
            health=judge(runtime),
            uptime_s=round(trio.current_time() - self._operated.started, 1),
            backends=status.report_backends(runtime),
            problems=self._operated.problems,
            history=runtime.ledger.problem,
            capture=runtime.settings.history_capture,
            guard=runtime.guard.status(),
            refused=runtime.gate_refusals.counts,
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
