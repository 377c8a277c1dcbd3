"""The lines on the guard that `usage` and the start of a proxy print: budgets, amounts spent, halts in force."""

import time

from router.errors import CommandError
from router.policy.budget.budgets import Budget, format_amount
from router.policy.budget.guard import Halt, Rules, format_moment, read_rules
from router.settings import Settings
from router.settings.kinds import clean
from router.store.home.home import Home


def format_budget_lines(home: Home, settings: Settings) -> list[str]:
    """One line for the budgets and one for each halt; no lines when no budget is set. Reads history.db."""
    rules = read_rules(settings)
    if rules is None:
        return []
    from router.store.history.reader import open_reader
    from router.store.shared import budgets

    now = time.time()
    spent: dict[Budget, int | None] = {}
    halts: list[Halt] = []
    try:
        with open_reader(home) as db:
            if db is not None:
                spent = {budget: budgets.read_spent(db, budget, now) for budget in rules.budgets}
                halts = [halt for halt in budgets.read_halts(db) if rules.halts and halt.holds(now)]
    except CommandError:
        # Commands that read the history report this error; the budgets can be listed without it.
        spent, halts = {}, []
    said = [_format_halt(halt, now) for halt in halts]
    return [f"guard    {_format_budgets(rules, spent)}", *said]


def _format_budgets(rules: Rules, spent: dict[Budget, int | None]) -> str:
    parts = [_format_budget(budget, spent.get(budget)) for budget in rules.budgets]
    if rules.billing:
        parts.append(f"billed to {', '.join(sorted(rules.billing))} only")
    return f"{'   '.join(parts)}   ({'halts' if rules.halts else 'warns only'})"


def _format_budget(budget: Budget, spent: int | None) -> str:
    of = "" if budget.scope == "all" else f"{budget.scope} "
    share = f" ({(spent or 0) / budget.limit * 100:.0f} %)"
    used, limit = (format_amount(budget.unit, amount) for amount in (spent or 0, budget.limit))
    return f"{of}{budget.period} {used} of {limit}{share}"


def _format_halt(halt: Halt, now: float) -> str:
    reason = clean(halt.reason, 400)
    return f"halted   until {format_moment(halt.until, now)}: {reason} ({halt.request})   lift it:   fairlead resume"
