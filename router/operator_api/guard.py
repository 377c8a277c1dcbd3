"""The guard as operators see it: its state, its halts and its budgets."""

from collections.abc import Iterable, Mapping

import msgspec

from router.policy.budget.budgets import DOLLAR, BudgetState
from router.policy.budget.guard import Halt


class HaltReport(msgspec.Struct, kw_only=True):
    """Why, and until when, traffic of a scope is halted."""

    #: `all`, `backend NAME`, `account NAME/ALIAS` or `tag NAME`.
    scope: str
    #: Seconds since 1970.
    since: float
    #: Seconds since 1970.
    until: float
    #: What tripped it, in words.
    reason: str
    #: The id of the request that tripped it.
    request: str


class BudgetReport(msgspec.Struct, kw_only=True):
    """A budget, and how much of it is used in the current day or month."""

    #: As in HaltReport.
    scope: str
    #: `day` or `month`.
    period: str
    #: `usd` or `tokens`, the unit of the amounts below.
    unit: str
    #: How much may be used.
    limit: float
    #: How much is used.
    spent: float
    #: How much is reserved for running requests.
    reserved: float
    #: When it starts again from zero, in seconds since 1970; null for never.
    renews: float | None
    #: How much the process that answers may use without asking the others.
    free_here: float = 0.0


class NotCounted(msgspec.Struct, kw_only=True):
    """A model without a price under a budget in US dollars: what it is used, or a part of it, counts in none."""

    #: Name of the backend.
    backend: str
    #: As the backend was asked for it.
    model: str
    #: Requests that this process has served since it started.
    requests: int
    #: What of them is not counted, in words; empty for all of it.
    part: str = ""


class GuardStatus(msgspec.Struct, kw_only=True):
    """The state of the guard. The fields from `scope` to `request` are those of the first halt, or of the first warning
    while nothing is halted; each is null while there is neither."""

    #: `off`, `running`, `warned` or `halted`.
    state: str
    #: As in HaltReport.
    scope: str | None = None
    #: As in HaltReport.
    since: float | None = None
    #: As in HaltReport.
    until: float | None = None
    #: As in HaltReport.
    reason: str | None = None
    #: As in HaltReport.
    request: str | None = None
    #: All halts in force.
    halts: list[HaltReport] = []
    #: All budgets.
    budgets: list[BudgetReport] = []
    #: The models whose requests count in no budget in US dollars, since they have no price.
    not_counted: list[NotCounted] = []


class Resumed(msgspec.Struct, kw_only=True):
    """All halts of this home were ended."""

    #: The halts that were in force.
    lifted: list[HaltReport]
    #: As in /status.
    guard: GuardStatus


def report_halt(halt: Halt) -> HaltReport:
    """A halt as operators see it."""
    return HaltReport(scope=halt.scope, since=halt.since, until=halt.until, reason=halt.reason, request=halt.request)


def report_not_counted(backend: str, model: str, part: str, requests: int) -> NotCounted:
    """A model without a price as operators see it. part: what of the requests has none, '' for all of it."""
    return NotCounted(backend=backend, model=model, requests=requests, part=part)


def report_guard(
    state: str,
    shown: Halt | None,
    halts: Iterable[Halt],
    states: Mapping[str, BudgetState],
    not_counted: list[NotCounted],
) -> GuardStatus:
    """The guard as operators see it. shown: the halt, or warning, that is shown for all."""
    return GuardStatus(
        state=state,
        scope=shown and shown.scope,
        since=shown and shown.since,
        until=shown and shown.until,
        reason=shown and shown.reason,
        request=shown and shown.request,
        halts=[report_halt(halt) for halt in halts],
        budgets=[report_budget(budget_state) for budget_state in states.values()],
        not_counted=not_counted,
    )


def report_budget(budget_state: BudgetState) -> BudgetReport:
    """A budget in US dollars or tokens."""
    budget = budget_state.budget
    unit = DOLLAR if budget.unit == "usd" else 1
    return BudgetReport(
        scope=budget.scope,
        period=budget.period,
        unit=budget.unit,
        limit=budget.limit / unit,
        spent=budget_state.spent / unit,
        reserved=budget_state.running / unit,
        renews=budget_state.term.end,
        free_here=budget_state.idle / unit,
    )
