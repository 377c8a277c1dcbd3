"""What a manager is told while a proxy serves."""

import trio
from trio.testing import MockClock

from router.host.service.managed import Service
from router.server.reported import Reported


class Told(Service):
    """A manager that keeps what it is told, and when."""

    def notify(self, *assignments):
        self.heard.append((trio.current_time(), assignments[0]))


class Serving:
    """A proxy whose reloads end when they are told to."""

    url = "http://localhost:1"

    def __init__(self):
        self.reloads = []

    def reload(self):
        self.reloads.append(trio.Event())
        return self.reloads[-1]


def run(act, *, watchdog=0.0):
    """Runs a scene on a clock that jumps; what the manager heard, and when."""
    manager = Told("systemd", watchdog=watchdog)
    heard = manager.heard = []

    async def main():
        async with trio.open_nursery() as nursery:
            serving = Serving()
            await act(Reported(serving, manager, nursery), serving)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return [(round(moment - heard[0][0], 3), text) for moment, text in heard]


def test_a_reload():
    """READY at the start, RELOADING at once, and READY when it is done."""

    async def act(reported, serving):
        reported.begin()
        await trio.sleep(1)
        reported.reload()
        await trio.sleep(5)
        serving.reloads[0].set()
        await trio.sleep(1)

    assert run(act) == [(0, "READY=1"), (1, "RELOADING=1"), (6, "READY=1")]


def test_two_reloads():
    """READY once, when both are done."""

    async def act(reported, serving):
        reported.begin()
        reported.reload()
        await trio.sleep(1)
        reported.reload()
        serving.reloads[0].set()
        await trio.sleep(1)
        serving.reloads[1].set()
        await trio.sleep(1)

    assert run(act) == [(0, "READY=1"), (0, "RELOADING=1"), (1, "RELOADING=1"), (2, "READY=1")]


def test_signs_of_life():
    """Three in the time in which one is wanted; none where none is."""

    async def act(reported, serving):
        reported.begin()
        await trio.sleep(90)

    alive = [moment for moment, text in run(act, watchdog=60.0) if text == "WATCHDOG=1"]
    assert alive == [0, 20, 40, 60, 80]
    assert run(act) == [(0, "READY=1")]
