"""The lines on the guard that commands print: budgets, amounts spent, requests that count in none, halts in force; and
on the server of a team and a collector."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from router.backends.known import price_root
from router.cli.common.layout import GAP
from router.errors import CommandError
from router.operator_api.status import SharedStatus, TelemetryStatus
from router.policy.accounts.retry import format_duration
from router.policy.budget.budgets import Budget, format_amount
from router.policy.budget.guard import (
    Halt,
    Rules,
    explain_not_counted,
    explain_partly_counted,
    format_moment,
    read_rules,
)
from router.policy.routing.table import DEMO
from router.settings import Settings
from router.settings.kinds import clean
from router.store.config import backends
from router.store.home.home import Home
from router.watch.amounts import format_share


class _Found(NamedTuple):
    """What the history has on the budgets."""

    spent: Mapping[Budget, int] = {}
    #: The line on requests that count in no budget, if there are any.
    missed: Sequence[str] = ()
    #: Those in force.
    halts: Sequence[Halt] = ()


def format_budget_lines(home: Home, settings: Settings) -> list[str]:
    """One line for the budgets, one for the requests that count in none, and one for each halt; no lines when no budget
    is set. Reads history.db."""
    rules = read_rules(settings)
    if rules is None:
        return []
    now = time.time()
    found = _read(home, settings, rules, now)
    halts = [_format_halt(halt, now) for halt in found.halts]
    return [f"guard    {line}" for line in (_format_budgets(rules, found.spent), *found.missed)] + halts


def explain_change(home: Home, settings: Settings, path: Sequence[str]) -> list[str]:
    """What the user should know once the setting of this path was changed: what a budget does not count, that a halt
    stays, that a price is half of one. settings: those with the change."""
    if path[0] == "prices":
        price = settings.prices.get(path[1].lower())
        half = price.explain_half(path[1]) if price is not None else ""
        return [half] * bool(half)
    rules = read_rules(settings)
    if rules is None or not (path[0] == "guard" or "budget" in path):
        return []
    now = time.time()
    found = _read(home, settings, rules, now)
    missed = found.missed if any(part.endswith("_usd") for part in path) else ()
    return [*missed, *(explain_halt(halt, now) for halt in found.halts)]


def explain_halt(halt: Halt, now: float) -> str:
    """In words: a halt stays whatever the budget is now, and what ends it."""
    until = format_moment(halt.until, now)
    return f"Traffic stays halted until {until} ({clean(halt.reason, 400)}). Continue now:   fairlead resume"


def _read(home: Home, settings: Settings, rules: Rules, now: float) -> _Found:
    from router.store.history.reader import open_reader
    from router.store.shared import budgets

    try:
        with open_reader(home) as db:
            if db is None:
                return _Found()
            return _Found(
                budgets.read_spent(db, rules.budgets, now),
                [
                    *_format_not_counted(home, settings, budgets.read_not_counted(db, rules.budgets, now)),
                    *(
                        explain_partly_counted(count, missing)
                        for missing, count in budgets.read_partly_counted(db, rules.budgets, now).items()
                    ),
                ],
                [halt for halt in budgets.read_halts(db) if rules.halts and halt.holds(now)],
            )
    except CommandError:
        # Commands that read the history report this error; the budgets can be listed without it.
        return _Found()


def _format_not_counted(home: Home, settings: Settings, found: Mapping[tuple[str, str], int]) -> list[str]:
    """The line on requests that count in no budget in US dollars, if there are any. Those that nobody bills need no
    price, and the next ones of a model that has been given one since will count."""
    stored, _ = backends.load(home) if found else ((), ())
    free = {DEMO, *(backend.name for backend in stored if not price_root(backend))}
    models: dict[str, int] = {}
    for (backend, model), count in found.items():
        price = settings.prices.get(model.lower())
        if backend not in free and (price is None or price.missing):
            models[model] = models.get(model, 0) + count
    if not models:
        return []
    return [explain_not_counted(sum(models.values()), sorted(models, key=models.__getitem__, reverse=True))]


def _format_budgets(rules: Rules, spent: Mapping[Budget, int]) -> str:
    parts = [_format_budget(budget, spent.get(budget, 0)) for budget in rules.budgets]
    if rules.billing:
        parts.append(f"billed to {', '.join(sorted(rules.billing))} only")
    return f"{'   '.join(parts)}   ({'halts' if rules.halts else 'warns only'})"


def _format_budget(budget: Budget, spent: int) -> str:
    of = "" if budget.scope == "all" else f"{budget.scope} "
    share = f" ({format_share(spent / budget.limit)})"
    used, limit = (format_amount(budget.unit, amount) for amount in (spent, budget.limit))
    return f"{of}{budget.period} {used} of {limit}{share}"


def _format_halt(halt: Halt, now: float) -> str:
    reason = clean(halt.reason, 400)
    return (
        f"halted   until {format_moment(halt.until, now)}: {reason} ({halt.request}). Continue now:   fairlead resume"
    )


def describe_server(shared: SharedStatus) -> str:
    """The server of a team on one line: whether it can be used, and what that means for budgets."""
    now = time.time()
    name = f"team {clean(shared.team)} on {clean(shared.server)}"
    if shared.problem is None:
        some = f"{shared.processes:,} with shares of budgets" if shared.processes else "no budget in use yet"
        round_ = f"{GAP}last round {_ago(shared.last_round, now)} ago" if shared.last_round is not None else ""
        settling = f"{GAP}it has lost data, shares are not handed out yet" * shared.settling
        return f"{name}{GAP}{some}{_describe_share(shared, now)}{round_}{settling}"
    since = f" since {format_moment(shared.failing_since, time.time())}" if shared.failing_since is not None else ""
    means = {
        "all": "requests go, and each proxy counts by itself (shared.on_loss)",
        "share": f"budgets are closed beyond the shares that are held{_describe_share(shared, now, ' ')}",
    }.get(shared.allowance, "budgets are closed")
    return f"{clean(shared.problem, 300)}{since}; {means}"


def _describe_share(shared: SharedStatus, now: float, gap: str = GAP) -> str:
    if shared.shares_until is None or shared.shares_until <= now:
        return ""
    return f"{gap}{'for' if gap != GAP else 'holds some for'} {format_duration(shared.shares_until - now)}"


def _ago(moment: float, now: float) -> str:
    return format_duration(max(0.0, now - moment))


def describe_export(telemetry: TelemetryStatus) -> str:
    """The export to a collector on one line."""
    counts = f"{telemetry.exported:,} sent, {telemetry.waiting:,} waiting, {telemetry.dropped:,} lost"
    now, name = time.time(), f"to {clean(telemetry.collector)}"
    if telemetry.failed_at is None:
        return f"{name}{GAP}{counts}"
    when = f"{_ago(telemetry.failed_at, now)} ago: {clean(telemetry.last_failure, 300)}"
    return f"{name}{GAP}{counts}{GAP}{'fails' if telemetry.problem is not None else 'failed last'}, {when}"
