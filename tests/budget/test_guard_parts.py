"""Parts of a request that cost beside its tokens: what is reserved for them, and what cannot be counted."""

import time

import pytest

from router.errors import Halted
from router.ir import Extras
from router.policy.routing.table import SEARCH
from router.store.history.entry import HistoryEntry
from router.wire.costs.cost_traits import CostTraits

from .test_guard import ROOT, guarded  # noqa: F401 - a fixture


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"model": "free-m", "extras": None}, ""),
        ({"extras": Extras(uncounted="code execution")}, "code execution"),
        ({"path": "/v1/images/generations", "tokens_in": None, "tokens_out": None}, "calls of /v1/images/generations"),
        (
            {"path": "/v1/threads/thread_9aZ/runs/run_1/x", "tokens_in": None, "tokens_out": None},
            "calls of /v1/threads/*/runs",
        ),
        ({"path": "/v1/images/generations"}, None),
        ({"path": "/v1/images/generations", "tokens_in": None, "tokens_out": None, "status": 400}, None),
        ({"extras": Extras(searches=3)}, None),
        ({"extras": Extras(uncounted="code execution"), "charge": 7}, None),
    ],
)
def test_what_is_not_counted_is_named(guarded, fields, part):  # noqa: F811
    """In /status, with what of the request it is."""

    async def use(site):
        if fields.get("model"):
            assert await site.ask(model=fields["model"]) is None
        site.guard.finished(
            HistoryEntry(
                "r1",
                time.time(),
                "POST",
                **{
                    "path": "/v1/messages",
                    "model": "m",
                    "backend": "box",
                    "account": "main",
                    "root": ROOT,
                    "attempts": 1,
                    "tokens_in": 5,
                    "tokens_out": 5,
                    "status": 200,
                    **fields,
                },
            )
        )
        found = [(one.part, one.requests) for one in site.guard.status().not_counted]
        assert found == ([] if part is None else [(part, 1)])

    guarded(use, guard_day_usd=1000.0)


@pytest.mark.parametrize(
    ("traits", "refused"),
    [
        (CostTraits(uncounted="the tool code_execution"), True),
        (CostTraits(tier="priority"), False),
        (CostTraits(tier="unheard_of"), True),
        (CostTraits(audio=True), True),
        (CostTraits(searches=5), False),
    ],
)
def test_parts_that_cannot_be_counted(guarded, traits, refused):  # noqa: F811
    """A tier or sound without a price, and tools whose cost no answer tells, are refused where the user wants that,
    unless the provider says what each answer cost."""

    async def use(site):
        refusal = await site.ask(traits=traits)
        assert (refusal is not None) is refused
        assert refusal is None or (refusal.word, "guard.unpriced" in refusal.message) == ("unpriced", True)
        assert await site.ask(traits=traits, tells_charge=True) is None

    guarded(use, guard_day_usd=10_000.0, guard_unpriced="refuse")


def test_what_it_costs_beside_its_tokens_is_reserved(guarded):  # noqa: F811
    """The fee counts in dollars whatever the model's price, and not in tokens."""

    async def use(site):
        assert await site.ask(model="free-m", fee=3 * 10**9) is None
        reserved = {state.budget.unit: state.reserved for state in site.guard.budget_states("all")}
        assert reserved["usd"] == 3 * 10**9
        assert reserved["tokens"] < 10**9

    guarded(use, guard_day_usd=10.0, guard_day_tokens=100_000)


SEARCHING = {"backend": SEARCH, "root": "", "model": "", "size": 0, "traits": CostTraits(output=0)}


def test_a_part_of_a_request_does_not_wait_for_it(guarded):  # noqa: F811
    """A request that needs all that is left goes alone, and its searches with it, until that is spent."""

    async def use(site):
        assert await site.ask("r1", fee=50 * 10**9) is None
        part = {**SEARCHING, "fee": 3 * 10**9, "within": "r1"}
        for number in range(2):
            assert await site.ask(f"r1-s{number}", **part) is None
            site.end(f"r1-s{number}", 0, backend=SEARCH, root="", model="", charge=3 * 10**9)
        assert site.waits == []
        refusal = await site.ask("r1-s2", **part)
        assert isinstance(refusal, Halted)
        assert "daily budget" in refusal.message

    guarded(use, guard_day_usd=5.0)


def test_searches_without_a_price(guarded):  # noqa: F811
    """They are refused where the user wants that, and else named as not counted."""
    told = "web searches"

    async def use(site):
        refusal = await site.ask(**{**SEARCHING, "traits": CostTraits(output=0, uncounted=told)})
        assert (refusal is not None) is (site.guard.rules.refuse_unpriced)
        assert refusal is None or told in refusal.message
        extras = Extras(searches=1, uncounted=told)
        site.end("r1", 0, backend=SEARCH, root="", model="", extras=extras, status=200)
        assert [(one.part, one.requests) for one in site.guard.status().not_counted] == [(told, 1)]

    guarded(use, guard_day_usd=5.0, guard_unpriced="refuse")
    guarded(use, guard_day_usd=5.0)


def test_a_dear_tier_reserves_more(guarded):  # noqa: F811
    """As much as it may cost."""

    async def use(site):
        assert await site.ask("r1", size=0, traits=CostTraits(output=10)) is None
        assert site.guard.budget_states("all")[0].reserved == 10 * 10**9
        assert await site.ask("r2", size=0, traits=CostTraits(output=10, tier="priority", searches=3)) is None
        assert site.guard.budget_states("all")[0].reserved == (10 + 20 + 3) * 10**9

    guarded(use, guard_day_usd=1000.0)
