"""The heartbeat: compares the clocks and the machine's addresses every few seconds, and runs periodic chores.

After a sleep, or on another network, idle upstream connections are dead although the socket does not show it, and
deadlines do not count the time that passed: connections are then closed, and deadlines get their full time again.
"""

from collections.abc import Callable

import trio

from router.host.clock import JUMP, ClockReading, measure_jump, read_clocks
from router.net.addresses import find_local_addresses
from router.upstream.runtime import Runtime

BEAT_SECONDS = 5.0
#: While clients are connected the loop sleeps for so long at a time; how late a sleep ends is its lag.
NAP_SECONDS = 0.25


class Heartbeat:
    """The heartbeat of one proxy. clocks, addresses: functions that read them. chores: called every beat; they must
    not block."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        clocks: Callable[[], ClockReading] = read_clocks,
        addresses: Callable[[], tuple[str, ...]] = find_local_addresses,
        chores: tuple[Callable[[], None], ...] = (),
    ):
        self._runtime = runtime
        self._health = runtime.health
        self._clocks = clocks
        self._addresses = addresses
        self._chores = (runtime.credentials.renew_due, runtime.connections.sweep, runtime.health.update, *chores)

    async def run(self) -> None:
        """Beat until cancelled."""
        before, there = self._clocks(), self._addresses()
        while True:
            await self._wait()
            now, here = self._clocks(), self._addresses()
            gap = measure_jump(before, now, BEAT_SECONDS)
            if gap > JUMP:
                self._health.jumps += 1
                self._recover(f"the machine slept, or its time was changed ({gap:.0f} s)")
            elif here != there:
                self._health.moves += 1
                self._recover("the machine's network address changed")
            before, there = now, here
            for chore in self._chores:
                chore()

    def _recover(self, why: str) -> None:
        runtime = self._runtime
        idle = runtime.connections.idle
        runtime.connections.close()
        for client in self._health.clients:
            client.restart_deadline()
        # Credentials may have expired during a sleep: they are fetched again, those of logins at once.
        runtime.credentials.forget_all()
        runtime.log.add(f"{why}: {idle} idle upstream connections closed, running timeouts restarted.")

    async def _wait(self) -> None:
        """Wait for the next beat; measures the loop's lag while clients are connected."""
        end = trio.current_time() + BEAT_SECONDS
        while (now := trio.current_time()) < end:
            wake = min(now + NAP_SECONDS, end) if self._health.clients else end
            await trio.sleep_until(wake)
            self._health.record_lag(trio.current_time() - wake)
