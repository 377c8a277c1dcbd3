"""The guard's states and words, in virtual time."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.budget import guard
from router.policy.budget.budgets import ALL, DOLLAR, Budget, BudgetState, BudgetView, Term, find_term
from router.policy.budget.guard import Halt, explain_refusal, find_halt, judge_state, list_scopes, read_rules
from router.settings import Frozen, Settings
from router.settings.tables import BackendOptions

NOW = 1_795_243_000.0


def purse(limit=5 * DOLLAR, **view):
    """A day's purse, as it stands in the file."""
    found = BudgetState(Budget(ALL, "day", "usd", limit), find_term("day", NOW))
    found.receive(0, BudgetView(**view), settled=True)
    return found


def test_nothing_to_guard():
    """Without a budget or allowed classes, or switched off, there are no rules at all."""
    assert read_rules(Settings()) is None
    assert read_rules(Settings(guard_behavior="warn", guard_cooldown=5.0, guard_unpriced="refuse")) is None
    assert read_rules(Settings(guard_enabled=False, guard_day_usd=5.0)) is None


def test_every_budget_of_the_settings():
    """Each key is a budget of its scope, in the unit's smallest parts."""
    options = BackendOptions(budget_day_usd=0.5, budget_month_tokens=7)
    rules = read_rules(
        Settings(
            guard_day_usd=5.0,
            guard_month_usd=100.0,
            guard_day_tokens=10,
            guard_month_tokens=20,
            guard_accounts_day_usd=Frozen({"groq/work": 2.0}),
            guard_accounts_month_usd=Frozen({"groq/work": 9.0}),
            guard_tags_day_usd=Frozen({"night": 3.0}),
            guard_tags_month_usd=Frozen({"night": 4.0}),
            backends=Frozen({"groq": options, "box": BackendOptions()}),
        )
    )
    assert {*rules.budgets} == {
        Budget(ALL, "day", "usd", 5 * DOLLAR),
        Budget(ALL, "month", "usd", 100 * DOLLAR),
        Budget(ALL, "day", "tokens", 10),
        Budget(ALL, "month", "tokens", 20),
        Budget("backend groq", "day", "usd", DOLLAR // 2),
        Budget("backend groq", "month", "tokens", 7),
        Budget("account groq/work", "day", "usd", 2 * DOLLAR),
        Budget("account groq/work", "month", "usd", 9 * DOLLAR),
        Budget("tag night", "day", "usd", 3 * DOLLAR),
        Budget("tag night", "month", "usd", 4 * DOLLAR),
    }
    assert len(rules.budgets_of(list_scopes("box", "main"))) == 4
    assert len(rules.budgets_of(list_scopes("groq", "work"))) == 8
    assert len(rules.budgets_of(list_scopes("groq", "home"))) == 6
    assert len(rules.budgets_of(list_scopes("groq", "home", "night"))) == 8
    assert len(rules.budgets_of(list_scopes("groq", "home", "day"))) == 6


@given(st.floats(-1e9, 1e9), st.floats(1, 1e6))
def test_a_halt_ends_whatever_the_clock_does(moved, cooldown):
    """It holds for its cooldown and no longer: a clock that is set back far ends it, one set forward too."""
    halt = Halt(ALL, NOW, NOW + cooldown, "why", "req_1")
    held = halt.holds(NOW + moved)
    assert held == (-60 <= moved < cooldown) or abs(moved + 60) < 1e-3 or abs(moved - cooldown) < 1e-3
    assert halt.holds(NOW)
    assert not halt.holds(NOW + 365 * 86_400)
    assert not halt.holds(NOW - 365 * 86_400)


def test_a_halt_is_for_its_scope():
    """That of a backend or an account leaves others alone; that of all stops all."""
    halts = [Halt("backend groq", NOW, NOW + 60, "a", "r"), Halt("account box/work", NOW, NOW + 60, "b", "r")]
    assert find_halt(halts, list_scopes("groq", "main"), NOW) is halts[0]
    assert find_halt(halts, list_scopes("box", "work"), NOW) is halts[1]
    assert find_halt(halts, list_scopes("box", "home"), NOW) is None
    assert find_halt([*halts, Halt(ALL, NOW, NOW + 60, "c", "r")], list_scopes("box", "home"), NOW).reason == "c"
    assert find_halt(halts, list_scopes("groq", "main"), NOW + 60) is None


@pytest.mark.parametrize(
    ("halts", "warnings", "share", "state"),
    [
        ([], [], 0.0, "running"),
        ([], [], 0.79, "running"),
        ([], [], 0.8, "warned"),
        ([], [NOW + 1], 0.1, "warned"),
        ([], [NOW], 0.1, "running"),
        ([NOW + 1], [], 0.1, "halted"),
        ([NOW + 1], [NOW + 1], 2.0, "halted"),
        ([NOW], [], 2.0, "warned"),
    ],
)
def test_the_table_of_states(halts, warnings, share, state):
    """Each row of the table at the top of the file. halts, warnings: until when."""
    made = [[Halt(ALL, NOW - 60, until, "why", "req_1") for until in untils] for untils in (halts, warnings)]
    assert judge_state(*made, [share], NOW) == state


def test_why_a_budget_trips():
    """What is spent and what is reserved are told apart, with the budget's own name."""
    found = purse(spent=4 * DOLLAR, others=DOLLAR, idle=DOLLAR // 4)
    used = "the daily budget of $5.00 is used up ($4.00 spent, $0.75 reserved for running requests)"
    assert guard.explain_used_up(found) == used
    assert guard.explain_used_up(purse(spent=5 * DOLLAR)) == "the daily budget of $5.00 is used up ($5.00 spent)"
    midnight = guard.format_moment(found.term.end, NOW).replace(" ", " at ")
    assert guard.explain_trip(found) == f"{used} and resets on {midnight}"
    found.term = Term("day 9999-12-31", NOW, math.inf)
    assert guard.explain_trip(found) == used
    assert guard.explain_nearly_used(found) == "80 % of the daily budget of $5.00 is spent"


def test_what_a_caller_is_told():
    """Why, until when, the command that ends it, and the budget's new figure when it was changed since."""
    halt = Halt(ALL, NOW, NOW + 1800, "the daily budget of $5.00 is used up", "req_7")
    begin, end = (
        "fairlead stopped this request: the daily budget of $5.00 is used up.",
        "Continue now:   fairlead resume",
    )
    end = f" Blocked until {guard.format_moment(NOW + 1800, NOW)}. {end}"
    assert explain_refusal(halt, NOW) == explain_refusal(halt, NOW, purse()) == begin + end
    raised = explain_refusal(halt, NOW, purse(20 * DOLLAR))
    assert raised == f"{begin} The budget is $20.00 now, but the halt stays.{end}"
    assert len(guard.format_moment(NOW + 3 * 86_400, NOW)) == len("2026-11-24 18:30")


def test_rules_are_compared_by_what_they_say():
    """A reload that changes nothing of the guard is none for it."""
    settings = Settings(guard_day_usd=5.0)
    assert read_rules(settings) == read_rules(dataclasses.replace(settings, port=1))
    assert read_rules(settings) != read_rules(dataclasses.replace(settings, guard_day_usd=6.0))


def test_requests_that_name_no_model_ask_for_no_price_of_one():
    """A command without a name in it helps nobody; those that have one are named beside."""
    alone, beside = guard.explain_not_counted(2, [""]), guard.explain_not_counted(3, ["", "m"])
    assert alone == "2 requests are not counted, since neither they nor their answers name a model."
    assert "no price: m and a model without a name. Set one:   fairlead config set prices.m.input" in beside
