"""The guard as operators see it."""

from router.operator_api.guard import GuardStatus, report_budget, report_guard
from router.policy.budget.budgets import DOLLAR, Budget, BudgetState, Term
from router.policy.budget.guard import Halt


def test_a_budget_in_dollars():
    """A budget is reported in whole dollars, with the time it renews."""
    purse = BudgetState(Budget("all", "day", "usd", 5 * DOLLAR), Term("2026-11-28", 0.0, 86_400.0))
    purse.settled, purse.reserved = DOLLAR, DOLLAR // 2
    found = report_budget(purse)
    assert (found.limit, found.spent, found.reserved, found.renews) == (5.0, 1.0, 0.5, 86_400.0)


def test_a_halt_stands_for_all():
    """The fields of the first halt stand beside the state; without one they are null."""
    halt = Halt("all", 1.0, 2.0, "it is used up", "req_1", "book")
    found = report_guard("halted", halt, [halt], {}, [])
    assert (found.scope, found.since, found.until, found.reason, found.request) == (
        "all",
        1.0,
        2.0,
        halt.reason,
        "req_1",
    )
    assert [one.request for one in found.halts] == ["req_1"]
    assert report_guard("running", None, [], {}, []) == GuardStatus(state="running")
