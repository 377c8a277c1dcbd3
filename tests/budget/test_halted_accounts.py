"""Halted accounts: by a halt of their own, and by a budget that the next request would trip."""

import pytest

from router.budget.guard import Guard
from router.budget.halted_accounts import halted_accounts, taken_share
from router.policy.budget.budgets import Budget, BudgetView, budget_key, find_term
from router.policy.budget.guard import Halt
from router.settings import Settings
from router.store.interfaces import SharedState

NOW = 1_795_243_000.0
SCOPE = "account box/work"


class Silent:
    """A store that keeps nothing and gives nothing out."""

    problem = None
    allowance = "all"
    pause = 0.0
    server = None

    def subscribe(self, receive):
        """Ignore the subscriber, since no state is given out."""


@pytest.fixture
def guard():
    """A guard with a budget of 1 dollar a day for one account."""
    found = Guard(Silent(), print, clock=lambda: NOW)
    found.apply(Settings(guard_accounts_day_usd={"box/work": 1.0}))
    found.publish(1, give_back=False)
    return found


def receive(guard, spent, *halts):
    """Give the guard a state with this spend, in billionths of a dollar."""
    [budget] = [one for one in guard.rules.budgets if one.scope == SCOPE]
    assert budget == Budget(SCOPE, "day", "usd", 10**9)
    books = {budget_key(budget, find_term("day", NOW)): BudgetView(spent=spent, held=10**9 - spent)}
    guard.receive(SharedState(1, books, halts, {}), 1)


def test_a_halt_of_an_account(guard):
    """It says why and until when; the account beside it goes on."""
    receive(guard, 0, Halt(SCOPE, NOW - 1, NOW + 60, "used up", "req_1"))
    assert halted_accounts(guard, "box", ["work", "home"]) == {"work": ("used up", NOW + 60)}


def test_a_budget_that_is_used_up(guard):
    """An account whose budget has nothing left is halted before a request trips it, until the budget renews."""
    receive(guard, 10**9 - 1)
    assert halted_accounts(guard, "box", ["work"]) == {}
    assert taken_share(guard, "box", "work") == pytest.approx(1, abs=1e-6)
    receive(guard, 10**9)
    [(reason, until)] = halted_accounts(guard, "box", ["work"]).values()
    assert "$1.00" in reason
    assert until == find_term("day", NOW).end


def test_an_account_without_budgets(guard):
    """Nothing of it is taken, and it is never halted."""
    assert taken_share(guard, "box", "home") == 0.0
    assert halted_accounts(guard, "box", ["home"]) == {}
