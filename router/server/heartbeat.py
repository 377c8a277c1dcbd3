"""The heartbeat: every few seconds it compares the clocks and the machine's addresses, and looks after what ages.

After a sleep, or on another network, kept connections are dead without a sign of it, and deadlines know nothing of
the time that passed: the first are closed, the others begin anew (product.md 7).
"""

from collections.abc import Callable

import trio

from router.host.clock import JUMP, Reading, jump, read_clocks
from router.net.addresses import local_addresses
from router.upstream.runtime import Runtime

BEAT_SECONDS = 5.0
# While clients are connected: how late one of these naps ends is the lag of the loop.
NAP_SECONDS = 0.25


class Heartbeat:
    """The heartbeat of one proxy. clocks, addresses: how they are read. chores: done every beat; they must not
    wait."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        clocks: Callable[[], Reading] = read_clocks,
        addresses: Callable[[], tuple[str, ...]] = local_addresses,
        chores: tuple[Callable[[], None], ...] = (),
    ):
        self._runtime = runtime
        self._vitals = runtime.vitals
        self._clocks = clocks
        self._addresses = addresses
        self._chores = (runtime.connections.sweep, runtime.vitals.look, *chores)

    async def run(self) -> None:
        """Beat until cancelled."""
        before, there = self._clocks(), self._addresses()
        while True:
            await self._rest()
            now, here = self._clocks(), self._addresses()
            gap = jump(before, now, BEAT_SECONDS)
            if gap > JUMP:
                self._vitals.jumps += 1
                self._begin_anew(f"the machine slept, or its time was changed ({gap:.0f} s)")
            elif here != there:
                self._vitals.moves += 1
                self._begin_anew("the machine's network address changed")
            before, there = now, here
            for chore in self._chores:
                chore()

    def _begin_anew(self, why: str) -> None:
        runtime = self._runtime
        idle = runtime.connections.idle
        runtime.connections.close()
        for client in self._vitals.clients:
            client.restart()
        # They may have ended meanwhile; the next request fetches anew.
        runtime.credentials.retain_only(())
        runtime.log.add(f"{why}: {idle} idle upstream connections closed, deadlines begun anew.")

    async def _rest(self) -> None:
        """Wait for the next beat, measuring the loop's lag where there is somebody whom it would keep waiting."""
        end = trio.current_time() + BEAT_SECONDS
        while (now := trio.current_time()) < end:
            wake = min(now + NAP_SECONDS, end) if self._vitals.clients else end
            await trio.sleep_until(wake)
            self._vitals.late(trio.current_time() - wake)
