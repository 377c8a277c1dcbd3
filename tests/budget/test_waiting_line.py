"""Requests that wait for room in a budget: in line, none for ever, never halted, and the budget holds."""

import random
import time

import pytest
import trio

from router.budget.waiting_line import WaitingLine
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.reservations import Estimate, Model, Size
from router.settings.tables import BackendOptions
from router.wire.costs.cost_traits import CostTraits

from .test_guard import Site, guarded  # noqa: F401 - a fixture


def limited(tokens):
    return {"traits": CostTraits(output=tokens), "size": 0}


def estimate(**amounts):
    """What a request needs of budgets, by their key."""
    return Estimate(amounts, Size(TokenCounts()), None, Model("", "m"), 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_burst_spends_no_more_than_the_budget_and_one_request(guarded, seed):  # noqa: F811
    """However many come at once, whatever they use of what they may: all wait for their turn, and the budget is
    overspent by less than one of them. Nothing halts before it is spent."""
    chance = random.Random(seed)
    limit, most = 1000, chance.choice((30, 160, 900, 5000))
    spent, refused, dearest = [], [], []

    async def use(site):
        async def request(name):
            may = chance.randint(1, most)
            error = await site.ask(name, **limited(may))
            if error is not None:
                refused.append((error.status, sum(spent)))
                return
            await trio.sleep(chance.uniform(0.01, 3))
            used = may if chance.random() < 0.5 else chance.randint(1, may)
            spent.append(used)
            dearest.append(used)
            site.end(name, used)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(request, f"r{number}")

    guarded(use, guard_day_tokens=limit, queue_timeout=10_000.0)
    assert sum(spent) < limit + max(dearest)
    assert all(status == 402 and so_far >= limit for status, so_far in refused), refused
    assert len(spent) + len(refused) == 100
    assert sum(spent) >= limit or not refused


def test_a_large_request_is_not_overtaken(guarded):  # noqa: F811
    """Small ones that come after it wait behind it, though there is room for them; one for another budget goes."""
    order = []

    async def use(site):
        assert await site.ask("first", backend="box", **limited(500)) is None

        async def ask(name, tokens, backend="box"):
            assert await site.ask(name, backend=backend, **limited(tokens)) is None
            order.append(name)
            await trio.sleep(1)
            site.end(name, 1, backend=backend)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "large", 900)
            await trio.sleep(0.2)
            for number in range(20):
                nursery.start_soon(ask, f"small{number}", 1)
            nursery.start_soon(ask, "other", 1, "other")
            await trio.sleep(2)
            assert order == ["other"]
            site.end("first", 1)

    guarded(use, backends={"box": BackendOptions(budget_day_tokens=1000)}, guard_month_tokens=10**6)
    assert order[:2] == ["other", "large"]
    assert sorted(order[2:]) == sorted(f"small{number}" for number in range(20))


def test_a_request_that_leaves_the_line_holds_nobody_up(guarded):  # noqa: F811
    """A client that goes away, or whose time is over, gives way to the next."""

    async def use(site):
        assert await site.ask("first", **limited(500)) is None
        with trio.move_on_after(1):
            await site.ask("gone", **limited(900))
        began = trio.current_time()
        assert await site.ask("small", **limited(100)) is None
        assert trio.current_time() - began < 1
        assert (await site.ask("late", **limited(900))).status == 503
        assert await site.ask("next", **limited(100)) is None

    guarded(use, guard_day_tokens=1000, queue_timeout=5.0)


def test_a_request_waits_no_longer_than_it_may_take(guarded):  # noqa: F811
    """timeouts.total holds for the wait too."""

    async def use(site):
        assert await site.ask("first", **limited(900)) is None
        began = trio.current_time()
        assert (await site.ask("r2", left=3.0, **limited(500))).status == 503
        assert trio.current_time() - began < 4
        assert (await site.ask("r3", left=-1.0, **limited(500))).status == 503

    guarded(use, guard_day_tokens=1000)


@pytest.mark.parametrize("seed", range(8))
def test_requests_of_several_budgets(guarded, seed):  # noqa: F811
    """Waits in several lines end for all: by their turn, by patience or by a halt; each budget holds."""
    chance = random.Random(seed)
    backends = {name: BackendOptions(budget_day_tokens=chance.choice((300, 2000))) for name in ("box", "two")}
    used = {"box": [], "two": []}

    async def use(site):
        async def request(name):
            backend, may = chance.choice(("box", "two")), chance.choice((5, 80, 700))
            if await site.ask(name, backend=backend, **limited(may)) is None:
                await trio.sleep(chance.uniform(0, 4))
                used[backend].append(spent := chance.choice((0, may // 2, may)))
                site.end(name, spent, backend=backend)

        async with trio.open_nursery() as nursery:
            for number in range(150):
                nursery.start_soon(request, f"r{number}")
                await trio.sleep(chance.uniform(0, 0.2))
        assert not site.guard._line

    guarded(use, guard_day_tokens=1500, backends=backends, queue_timeout=chance.choice((5.0, 200.0)))
    every = used["box"] + used["two"]
    assert sum(every) < 1500 + max(every)
    for name, options in backends.items():
        assert sum(used[name]) < options.budget_day_tokens + max(used[name], default=1)


def test_a_halt_reaches_all_that_wait(guarded):  # noqa: F811
    """Those in line are told at once, not when their turn comes."""

    async def use(site):
        assert await site.ask("first", **limited(900)) is None
        found = []

        async def ask(name):
            found.append((await site.ask(name, **limited(500))).status)

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(ask, f"r{number}")
            await trio.sleep(3)
            began = trio.current_time()
            site.end("first", 1000)
        assert found == [402] * 50
        assert trio.current_time() - began < 3

    guarded(use, guard_day_tokens=1000)


def test_nothing_waits_where_only_warnings_are_wanted(guarded):  # noqa: F811
    """guard.behavior = warn refuses nothing and holds nothing up."""

    async def use(site):
        began = trio.current_time()
        for number in range(20):
            assert await site.ask(f"r{number}", **limited(900)) is None
        assert trio.current_time() - began < 5

    guarded(use, guard_day_tokens=1000, guard_behavior="warn")


@pytest.mark.parametrize("seed", range(50))
def test_the_line_never_stands_still(seed):
    """Of any waiters for any budgets, the one that came first is first in all of its lines; each can leave at any
    time, and when all have left nothing remains."""
    chance = random.Random(seed)
    line, waiting = WaitingLine(), []
    for _ in range(200):
        if waiting and chance.random() < 0.4:
            line.leave(waiting.pop(chance.randrange(len(waiting))))
        else:
            waiting.append(line.enter(time.time(), estimate(a=1, b=1, c=1)))
        if waiting:
            line.stand(chance.choice(waiting), chance.sample("abc", chance.randint(1, 3)))
        standing = [waiter for waiter in waiting if waiter.keys]
        if standing:
            first = min(standing, key=lambda waiter: waiter.number)
            assert line.blocking(first, "abc") == []
            assert line.blocking(None, first.keys) == [*first.keys]
            assert line.needs()
    for waiter in waiting:
        line.leave(waiter)
    assert not line
    assert line.needs() == {}


def test_the_line_grows_without_much_work():
    """A thousand waiters cost little more each than ten."""
    line = WaitingLine()
    waiters = [line.enter(0.0, estimate(a=1)) for _ in range(5000)]
    for waiter in waiters:
        line.stand(waiter, ["a"])
    began = time.thread_time()
    for waiter in waiters:
        assert line.blocking(waiter, ["a"]) == []
        line.wake_first()
        line.leave(waiter)
    assert time.thread_time() - began < 1
