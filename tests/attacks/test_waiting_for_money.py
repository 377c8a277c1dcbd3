"""Attacks on the requests that wait for money that others have reserved: to halt them, or to spend more."""

import contextlib
import random
import threading
import time

import pytest
import trio

from router.settings import Settings
from router.wire.costs.cost_traits import CostTraits
from tests.budget.test_guard import guarded as run_guarded  # noqa: F401 - a fixture
from tests.e2e.budgets import PATH
from tests.e2e.budgets import proxy as start
from tests.e2e.conftest import up  # noqa: F401 - a fixture
from tests.e2e.test_burst_budgets import MOST, Writer, body, configured
from tests.e2e.wire import Client, request

from ..patience import PATIENCE
from .probe import Probe, Runs

PROBES = {
    "huge first": Probe("one request that may cost ten times the budget", "it goes alone and is the last"),
    "flood of small": Probe("small requests without end before a large one", "the large one goes next"),
    "lowered while waiting": Probe(
        "a reload lowers the budget below what is spent", "those that wait are halted at once"
    ),
    "removed while waiting": Probe("a reload removes the budget", "all that wait go at once"),
    "midnight while waiting": Probe("the day ends while requests wait", "they go on the next day's budget"),
    "clock set back": Probe("the wall clock jumps back a day", "the wait is not longer, nothing fails"),
    "a thousand leave": Probe("a thousand clients leave the line in any order", "the next one goes; nothing is held"),
    "dead while alone": Probe("a process is killed while its request runs alone", "another process goes on at once"),
    "HTTP 1.0 burst": Probe("thirty HTTP 1.0 requests at once, 24 dollars in all", "5 dollars and one request"),
    "patience is over": Probe("an SDK repeats what found no room", "never a halt; served once there is room"),
}
run = Runs()


@pytest.mark.parametrize("name", PROBES)
def test_waiting_for_money(name, request):
    """Each attack gives what the table says."""
    run(name, request)


def limited(tokens):
    return {"traits": CostTraits(output=tokens), "size": 0}


@run.of("huge first")
def _huge_first(run_guarded):  # noqa: F811
    async def use(site):
        assert await site.ask("r1", **limited(10_000)) is None
        site.end("r1", 10_000)
        assert (await site.ask("r2", **limited(1))).status == 402
        assert site.guard.status().budgets[0].spent == 10_000

    run_guarded(use, guard_day_tokens=1000)


@run.of("flood of small")
def _flood(run_guarded):  # noqa: F811
    async def use(site):
        went = trio.Event()

        async def small(number):
            name = f"s{number}"
            if await site.ask(name, **limited(40)) is None:
                await trio.sleep(0.5)
                site.end(name, 0)

        async def flood(nursery):
            for number in range(10_000):
                if went.is_set():
                    return
                nursery.start_soon(small, number)
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, nursery)
            await trio.sleep(2)
            began = trio.current_time()
            assert await site.ask("large", **limited(5000)) is None
            assert trio.current_time() - began < 3
            site.end("large", 1)
            went.set()

    run_guarded(use, guard_day_tokens=1000)


async def _waiting(site, found, count=20):
    """A request that runs, and others that wait for it."""
    assert await site.ask("first", **limited(900)) is None

    async def ask(name):
        error = await site.ask(name, **limited(500))
        found.append((None if error is None else error.status, trio.current_time()))

    return [lambda number=number: ask(f"r{number}") for number in range(count)]


@run.of("lowered while waiting")
def _lowered(run_guarded):  # noqa: F811
    async def use(site):
        await site.spend(300, "before", **limited(300))
        found = []
        async with trio.open_nursery() as nursery:
            site.guard.apply(Settings(guard_day_tokens=1300))
            for ask in await _waiting(site, found):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            site.guard.apply(Settings(guard_day_tokens=200))
        assert [status for status, _ in found] == [402] * 20
        assert max(at for _, at in found) - began < 3

    run_guarded(use, guard_day_tokens=1000)


@run.of("removed while waiting")
def _removed(run_guarded):  # noqa: F811
    async def use(site):
        found = []
        async with trio.open_nursery() as nursery:
            for ask in await _waiting(site, found):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            site.guard.apply(Settings())
        assert [status for status, _ in found] == [None] * 20
        assert max(at for _, at in found) - began < 2

    run_guarded(use, guard_day_tokens=1000)


def _jump(run_guarded, seconds):  # noqa: F811
    async def use(site):
        now = [1_795_219_200.0 + 3600]
        site.guard._clock = lambda: now[0]
        found = []
        async with trio.open_nursery() as nursery:
            for ask in await _waiting(site, found, count=1):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            now[0] += seconds
        assert [status for status, _ in found] == [None]
        assert max(at for _, at in found) - began < 3

    run_guarded(use, guard_day_tokens=1000)


@run.of("midnight while waiting")
def _midnight(run_guarded):  # noqa: F811
    _jump(run_guarded, 86_400)


@run.of("clock set back")
def _set_back(run_guarded):  # noqa: F811
    _jump(run_guarded, -86_400)


@run.of("a thousand leave")
def _leave(run_guarded):  # noqa: F811
    async def use(site):
        chance = random.Random(1)
        assert await site.ask("first", **limited(900)) is None

        async def impatient(number):
            with trio.move_on_after(chance.uniform(0, 3)):
                await site.ask(f"r{number}", **limited(500))
                site.end(f"r{number}", 0)

        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(impatient, number)
        assert not site.guard._line
        site.end("first", 1)
        assert await site.ask("next", **limited(900)) is None
        assert site.guard._reservations.running == 1

    run_guarded(use, guard_day_tokens=1000)


@run.of("dead while alone")
def _dead(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_usd = 0.5")
    go = threading.Event()
    up.script(lambda sock: go.wait(PATIENCE))
    up.default = [Writer(3, seconds=0)]
    one, two = start(tmp_path, up), start(tmp_path, up)
    try:
        with Client(one.port) as first, Client(two.port) as second:
            first.send(request(PATH, body()))
            up.wait(lambda up: len(up.seen) == 1)
            second.send(request(PATH, body()))
            time.sleep(1)
            assert len(up.seen) == 1
            one.kill()
            assert second.answer().status == 200
    finally:
        go.set()
        with contextlib.suppress(Exception):
            one.kill()
        two.stop()


@run.of("HTTP 1.0 burst")
def _old_burst(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_usd = 5")
    up.default = [writer := Writer(5, MOST)]
    with start(tmp_path, up) as one:
        found, lock = [], threading.Lock()

        def work():
            with Client(one.port) as client:
                client.send(request(PATH, body()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
                status = client.answer().status
                with lock:
                    found.append(status)

        workers = [threading.Thread(target=work) for _ in range(30)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert {*found} == {200, 402}
    assert 5 <= sum(writer.dollars) <= 5 + max(writer.dollars)


@run.of("patience is over")
def _patience(run_guarded):  # noqa: F811
    async def use(site):
        assert await site.ask("first", **limited(900)) is None

        async def end():
            await trio.sleep(50)
            site.end("first", 10)

        statuses = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            while (error := await site.ask("again", **limited(500))) is not None:
                statuses.append(error.status)
                await trio.sleep(error.retry_after)
        assert len(statuses) >= 3
        assert {*statuses} == {503}
        assert site.guard.status().halts == []

    run_guarded(use, guard_day_tokens=1000, queue_timeout=5.0)


def test_every_probe_runs():
    """The table and the runs have the same names."""
    assert run.names == [*PROBES]
