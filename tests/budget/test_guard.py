"""The guard of one process, in virtual time over a store in memory: what it admits, what trips it, what it reports."""

import time

import pytest
import trio
from trio.testing import MockClock

from router.budget.demand import Demand
from router.budget.guard import Guard
from router.errors import Halted
from router.ir import Extras
from router.policy.budget.extra_prices import WITHOUT
from router.settings import Settings
from router.settings.tables import BackendOptions
from router.store.history.entry import HistoryEntry
from tests.store.memory import MemoryBudgets, MemoryStore

SIZE = 360  # 100 tokens
ROOT = "https://box.example/v1"


def cost(entry):
    """A dollar a token or search for the models that have a price, twice that with priority; not for sound."""
    if entry.model.startswith("free"):
        return None, ""
    extras = entry.extras or Extras()
    tokens = ((entry.tokens_in or 0) + (entry.tokens_out or 0)) * (2 if extras.tier == "priority" else 1)
    missing = extras.tier not in ("", "priority") or extras.output_audio
    return (tokens + extras.searches) * 10**9, "test" + (f"{WITHOUT}it" if missing else "")


class Site:
    """A guard, and the lines that it logs."""

    def __init__(self, store, settings):
        self.said, self.told, self.waits = [], [], []
        self.guard = Guard(MemoryBudgets(store, cost), self.said.append, self)
        self.guard.apply(Settings(**settings))

    def tell(self, kind, subject, text, *, bell):
        """Take a notification."""
        self.told.append((kind, subject, text, bell))

    async def ask(self, name="r1", *, size=SIZE, backend="box", account="main", **fields):
        """Admit one request; the Halted that refuses it, or None."""
        usual = {"tag": "", "root": ROOT, "model": "m", "method": "POST", "path": "/v1/messages", "generates": True}
        whose = {"request": name, "backend": backend, "account": account}
        demand = Demand(**whose, input_tokens=round(size / 3.6), **{**usual, **fields})
        try:
            await self.guard.admit(demand, self.guard.rules, self.waits.append)
        except Halted as error:
            return error
        return None

    def end(self, name="r1", tokens=100, **fields):
        """The request has ended, having used so many tokens."""
        usual = {"model": "m", "backend": "box", "account": "main", "root": ROOT, "attempts": 1}
        used = {"tokens_in": tokens, "tokens_out": 0}
        self.guard.finished(HistoryEntry(name, time.time(), "POST", "/v1/messages", **{**usual, **used, **fields}))

    async def spend(self, tokens, name="r1", **fields):
        """A whole request."""
        refusal = await self.ask(name, **fields)
        assert refusal is None, refusal
        self.end(name, tokens, **{name: value for name, value in fields.items() if name in ("backend", "account")})


@pytest.fixture
def guarded():
    """Runs `use(site)` while the guard exchanges; settings: those of the guard."""

    def run(use, store=None, **settings):
        site = Site(store or MemoryStore(), settings)

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(site.guard.run)
                await use(site)
                nursery.cancel_scope.cancel()

        trio.run(main, clock=MockClock(autojump_threshold=0.001))
        return site

    return run


def test_requests_within_a_budget_go(guarded):
    """Each reserves what it may use, and what it used takes the place of that."""

    async def use(site):
        for number in range(5):
            await site.spend(100, f"r{number}")
        await trio.sleep(1)
        [state] = site.guard.budget_states("all")
        assert (state.spent, state.reserved) == (500, 0)
        assert site.guard.status().state == "running"

    assert guarded(use, guard_day_tokens=1000).said == []


def test_a_budget_that_is_used_up_halts(guarded):
    """The request that does not fit trips it, and the ones behind it are refused by the halt, each as final."""

    async def use(site):
        await site.spend(1000)
        refusals = [await site.ask(f"r{number}") for number in (2, 3)]
        assert [(one.status, one.scope) for one in refusals] == [(402, "all")] * 2
        status = site.guard.status()
        assert (status.state, status.request, status.reason) == ("halted", "r2", refusals[0].reason)

    [*_, halt] = guarded(use, guard_day_tokens=1000).said
    assert halt.startswith("guard: halted until ")


def test_the_operator_resumes(guarded):
    """All halts end and are returned, and a budget that was used up counts from there."""

    async def use(site):
        await site.spend(1000)
        assert await site.ask("r2") is not None
        [lifted] = await site.guard.resume()
        assert (lifted.scope, lifted.request) == ("all", "r2")
        assert await site.ask("r3") is None
        assert await site.guard.resume() == []

    guarded(use, guard_day_tokens=1000)


def test_a_guard_that_only_warns(guarded):
    """Nothing is refused; one line is logged."""

    async def use(site):
        await site.spend(1000)
        assert [await site.ask(f"r{number}") for number in (2, 3, 4)] == [None] * 3
        assert site.guard.status().state == "warned"

    said = guarded(use, guard_day_tokens=1000, guard_behavior="warn").said
    assert sum(line.startswith("guard: warning: ") for line in said) == 1


@pytest.mark.parametrize(
    ("settings", "scope", "other"),
    [
        ({"backends": {"box": BackendOptions(budget_day_tokens=1000)}}, "backend box", {"backend": "other"}),
        ({"guard_accounts_day_usd": {"box/main": 1000.0}}, "account box/main", {"account": "second"}),
        ({"guard_tags_day_usd": {"t": 1000.0}}, "tag t", {"tag": "u"}),
    ],
)
def test_a_budget_halts_its_own_scope(guarded, settings, scope, other):
    """Requests of another backend, account or tag go on."""

    async def use(site):
        assert await site.ask("r1", tag="t") is None
        site.end("r1", 1000, tag="t")
        refusal = await site.ask("r2", tag="t")
        assert (refusal.scope, site.guard.held(scope).request) == (scope, "r2")
        assert await site.ask("r3", **{"tag": "t", **other}) is None

    guarded(use, **settings)


@pytest.mark.parametrize(("seconds", "refused"), [(10, False), (100, True)])
def test_a_request_waits_for_running_ones(guarded, seconds, refused):
    """They may cost less than was reserved for them. After queue.timeout it is told to come again, and nothing halts:
    only what is spent does."""

    async def use(site):
        assert await site.ask("r1", size=9 * SIZE) is None

        async def end():
            await trio.sleep(seconds)
            site.end("r1", 10)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            began = trio.current_time()
            found = await site.ask("r2", size=2 * SIZE)
            assert (found is not None) is refused
            assert trio.current_time() - began == pytest.approx(min(seconds, 60), abs=2)
        if found is not None:
            assert (found.status, found.retryable, found.retry_after) == (503, True, 5)
            assert "reserved for running requests" in found.message
        assert site.guard.status().state == "running"
        assert site.waits

    guarded(use, guard_day_tokens=1000)


@pytest.mark.parametrize(
    ("fields", "unpriced", "refused"),
    [
        ({}, "refuse", False),
        ({"model": "free-m"}, "refuse", True),
        ({"model": "free-m"}, "allow", False),
        ({"model": "free-m", "backend": "demo"}, "refuse", False),
        ({"path": "/v1/images/generations", "generates": False}, "refuse", True),
        ({"path": "/v1/images/generations", "generates": False}, "allow", False),
        ({"path": "/v1/files", "method": "GET", "generates": False}, "refuse", False),
    ],
)
def test_what_cannot_be_counted_in_dollars(guarded, fields, unpriced, refused):
    """It is refused where the user wants that, without a halt; the demo costs nothing."""

    async def use(site):
        refusal = await site.ask(**fields)
        assert (refusal is not None) is refused
        assert refusal is None or refusal.word == "unpriced"
        assert site.guard.status().halts == []

    guarded(use, guard_day_usd=1000.0, guard_unpriced=unpriced)


@pytest.mark.parametrize(
    ("billing", "halts"), [("subscription", False), ("Subscription", False), ("", False), ("overage", True)]
)
def test_an_answer_billed_to_another_class(guarded, billing, halts):
    """It halts everything; a class that is allowed, in any spelling, or none at all does not."""

    async def use(site):
        site.guard.billed(site.guard.rules, billing, "box", "main", "r1")
        refusal = await site.ask("r2")
        assert (refusal is not None) is halts
        assert refusal is None or (refusal.scope, "overage" in refusal.reason) == ("all", True)

    guarded(use, guard_billing=("subscription",))


def test_a_budget_that_is_nearly_used_up(guarded):
    """One line is logged and one notification shown, before anything is refused."""

    async def use(site):
        for number, tokens in enumerate((700, 150, 50)):
            await site.spend(tokens, f"r{number}", size=36)
            await trio.sleep(2)

    site = guarded(use, guard_day_tokens=1000)
    [line] = site.said
    assert "halted" not in line
    assert [(kind, f"fairlead {line}" == text, bell) for kind, _, text, bell in site.told] == [("budget", True, True)]


@pytest.mark.parametrize(("behavior", "kind"), [("halt", "halt"), ("warn", "budget")])
def test_a_used_up_budget_is_notified_of(guarded, behavior, kind):
    """As a halt, or where the guard only warns as a budget; each other request that is refused says nothing more."""

    async def use(site):
        await site.spend(1000)
        for number in range(3):
            await trio.sleep(2)
            await site.ask(f"again{number}")

    site = guarded(use, guard_day_tokens=1000, guard_behavior=behavior)
    told = [(one, subject) for one, subject, text, _ in site.told if "is used up" in text]
    assert told == [(kind, "all")]


def test_without_rules(guarded):
    """Nothing runs, nothing is held and nothing is counted."""

    async def use(site):
        site.end("r1", 10**9)
        await site.guard.current()
        assert (site.guard.active, site.guard.has_news, site.guard.busy) == (False, False, False)
        assert site.guard.held("all") is None
        assert site.guard.status().state == "off"

    guarded(use)


def test_rules_that_go_while_halted(guarded):
    """A halt holds no longer than there are rules."""

    async def use(site):
        await site.spend(1000)
        assert await site.ask("r2") is not None
        site.guard.apply(Settings())
        assert site.guard.held("all") is None
        assert site.guard.status().state == "off"

    guarded(use, guard_day_tokens=1000)


def test_processes_of_one_store(guarded):
    """Each knows what the other spent, and a halt of one is a halt of both."""
    store = MemoryStore()

    async def use(site):
        other = Site(store, {"guard_day_tokens": 1000})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.guard.run)
            await site.spend(1000)
            await trio.sleep(1)
            refusal = await other.ask("r2")
            assert refusal.scope == "all"
            assert (await site.ask("r3")).reason == refusal.reason
            assert site.guard.held("all").request == "r2"
            nursery.cancel_scope.cancel()

    guarded(use, store, guard_day_tokens=1000)
