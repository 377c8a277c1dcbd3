"""What `usage` and the start of a proxy say of the guard: its budgets, what is spent of them, what it has halted."""

import time

from router.errors import CommandError
from router.policy.budget.budgets import Budget, format_amount
from router.policy.budget.guard import Halt, Rules, format_moment, read_rules
from router.settings import Settings
from router.settings.kinds import clean
from router.store.home.home import Home


def lines(home: Home, settings: Settings) -> list[str]:
    """A line for the budgets and one for each halt; none where nothing is guarded. Reads history.db."""
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
        # Said where the history is asked for; the budgets can be named without it.
        spent, halts = {}, []
    said = [_halted(halt, now) for halt in halts]
    return [f"guard    {_budgets(rules, spent)}", *said]


def _budgets(rules: Rules, spent: dict[Budget, int | None]) -> str:
    parts = [_budget(budget, spent.get(budget)) for budget in rules.budgets]
    if rules.billing:
        parts.append(f"billed to {', '.join(sorted(rules.billing))} only")
    return f"{'   '.join(parts)}   ({'halts' if rules.halts else 'warns only'})"


def _budget(budget: Budget, spent: int | None) -> str:
    of = "" if budget.scope == "all" else f"{budget.scope} "
    share = f" ({(spent or 0) / budget.limit * 100:.0f} %)"
    used, limit = (format_amount(budget.unit, amount) for amount in (spent or 0, budget.limit))
    return f"{of}{budget.period} {used} of {limit}{share}"


def _halted(halt: Halt, now: float) -> str:
    reason = clean(halt.reason, 400)
    return f"halted   until {format_moment(halt.until, now)}: {reason} ({halt.request})   lift it:   fairlead resume"
