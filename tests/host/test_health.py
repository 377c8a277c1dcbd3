"""The health of a proxy: the worst lag of a minute, and requests that wait while none is answered."""

import pytest
import trio
from trio.testing import MockClock

from router.host.health import STALLED_SECONDS, Health

BEAT = 5.0


class Client:
    """A connection as far as health looks at it."""

    def __init__(self, *, busy=True, called=True, started=False):
        self.busy = busy
        self.on_cancel = object() if called else None
        self.started = started


def beaten(steps):
    """What is stalled after each of these steps, which take a heartbeat's time each; a step changes the health."""
    health, found = Health(), []

    async def main():
        for step in steps:
            await trio.sleep(BEAT)
            step(health)
            health.update()
            found.append(health.stalled)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return found


@pytest.mark.parametrize(
    ("one", "waits"),
    [
        (Client(), True),
        (Client(busy=False), False),
        (Client(called=False), False),
        (Client(started=True), False),
    ],
    ids=["asked", "idle", "not a call of an API", "being answered"],
)
def test_what_counts_as_waiting(one, waits):
    """A request whose answer has not begun."""
    health = Health()
    health.clients.add(one)
    assert health.waiting == waits


def wait(health):
    health.clients.add(Client())


def go_on(health):
    """Nothing changes."""


def answer(health):
    health.answered = trio.current_time()


def empty(health):
    health.clients.clear()


BEATS = int(STALLED_SECONDS / BEAT)


@pytest.mark.parametrize(
    ("steps", "stalled"),
    [
        ([wait, *[go_on] * (BEATS - 1)], None),
        ([wait, *[go_on] * BEATS], STALLED_SECONDS),
        ([wait, *[go_on] * (BEATS + 2)], STALLED_SECONDS + 2 * BEAT),
        ([wait, *[go_on] * BEATS, answer], None),
        ([wait, *[go_on] * BEATS, empty], None),
        ([wait, *[answer] * (BEATS + 2)], None),
        ([*[go_on] * (BEATS + 2)], None),
        ([wait, *[go_on] * BEATS, answer, *[go_on] * BEATS], None),
        ([wait, *[go_on] * BEATS, answer, *[go_on] * (BEATS + 2)], STALLED_SECONDS),
    ],
    ids=["not yet", "two minutes", "longer", "answered", "left", "busy", "idle", "not again yet", "again"],
)
def test_a_proxy_that_is_stalled(steps, stalled):
    """Requests wait and none is answered, for STALLED_SECONDS without a break."""
    assert beaten(steps)[-1] == (stalled if stalled is None else pytest.approx(stalled, abs=BEAT))


@pytest.mark.parametrize(
    ("beats", "worst"),
    [([[0.1, 0.5, 0.2]], 0.5), ([[0.5], [0.1]], 0.5), ([[0.5], *[[0.1]] * 12], 0.1), ([[-0.001]], 0.0), ([], 0.0)],
)
def test_the_worst_lag_of_a_minute(beats, worst):
    """It is kept for twelve heartbeats; a loop that is early has none."""
    health = Health()

    async def main():
        for number, lags in enumerate(beats):
            if number:
                health.update()
            for lag in lags:
                health.record_lag(lag)

    trio.run(main)
    assert health.worst_lag == worst


def test_tasks_are_counted():
    """As many as the event loop has at a heartbeat."""
    health = Health()

    async def main():
        async with trio.open_nursery() as nursery:
            health.update()
            before = health.tasks
            for _ in range(3):
                nursery.start_soon(trio.sleep_forever)
            health.update()
            nursery.cancel_scope.cancel()
        assert health.tasks == before + 3

    trio.run(main)
