"""May traffic go on: the states of the guard, what moves it between them, and what it says (product.md 8).

    state            what happens                                          next
    running          a budget is used to WARN_SHARE                         warned
    running, warned  a trigger, guard.behavior is warn                      warned, for guard.cooldown
    running, warned  a trigger, guard.behavior is halt                      halted {since, until, reason, request}
    warned           no budget is used so far, no trigger within cooldown   running
    halted           until has passed                                       as its budgets say
    halted           an operator's resume                                   running; a used-up budget counts from there

Triggers: spend and reservations above a budget; an answer billed to a class that is not allowed. A halt holds for its
scope: that of a backend's budget leaves other backends alone. Time is a parameter, effects are data.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from router.policy.budget.budgets import ALL, DOLLAR, Budget, Period, Purse, Unit, spoken
from router.settings import Settings

State = Literal["running", "warned", "halted"]
WARN_SHARE = 0.8
# A clock that was set back further than this ends a halt: it would last for as long as the clock went back.
_SKEW_SECONDS = 60.0
_TABLE: tuple[tuple[Period, Unit, str], ...] = (
    ("day", "usd", "day_usd"),
    ("month", "usd", "month_usd"),
    ("day", "tokens", "day_tokens"),
    ("month", "tokens", "month_tokens"),
)


class Halt(msgspec.Struct, frozen=True):
    """Why and how long traffic of a scope stands still. since, until: seconds since 1970. request: the id of the one
    that tripped it. book: of the budget that is used up, '' for another trigger."""

    scope: str
    since: float
    until: float
    reason: str
    request: str
    book: str = ""

    def holds(self, now: float) -> bool:
        """True while it is not over."""
        return self.since - _SKEW_SECONDS <= now < self.until


@dataclass(frozen=True, slots=True)
class Rules:
    """What is guarded. halts: False to warn only. billing: allowed classes, empty for all."""

    halts: bool
    cooldown: float
    notify: bool
    refuse_unpriced: bool
    billing: frozenset[str]
    budgets: tuple[Budget, ...]

    def budgets_of(self, scopes: Iterable[str]) -> tuple[Budget, ...]:
        """Those that a request of these scopes counts against."""
        wanted = frozenset(scopes)
        return tuple(budget for budget in self.budgets if budget.scope in wanted)


def rules_of(settings: Settings) -> Rules | None:
    """The rules of these settings; None when there is nothing to guard."""
    budgets = [*_budgets(ALL, settings, "guard_")]
    for name, options in settings.backends.items():
        budgets += _budgets(f"backend {name}", options, "budget_")
    for kind, day, month in (
        ("account", settings.guard_accounts_day_usd, settings.guard_accounts_month_usd),
        ("tag", settings.guard_tags_day_usd, settings.guard_tags_month_usd),
    ):
        budgets += [_budget(f"{kind} {name}", "day", "usd", dollars) for name, dollars in day.items()]
        budgets += [_budget(f"{kind} {name}", "month", "usd", dollars) for name, dollars in month.items()]
    if not settings.guard_enabled or not (budgets or settings.guard_billing):
        return None
    return Rules(
        halts=settings.guard_behavior == "halt",
        cooldown=settings.guard_cooldown,
        notify=settings.guard_notify,
        refuse_unpriced=settings.guard_unpriced == "refuse",
        billing=frozenset(settings.guard_billing),
        budgets=tuple(budgets),
    )


def _budgets(scope: str, holder: object, prefix: str) -> list[Budget]:
    found: list[Budget] = []
    for period, unit, name in _TABLE:
        value: float | int | None = getattr(holder, prefix + name)
        if value is not None:
            found.append(_budget(scope, period, unit, value))
    return found


def _budget(scope: str, period: Period, unit: Unit, value: float) -> Budget:
    return Budget(scope, period, unit, round(value * DOLLAR) if unit == "usd" else int(value))


def scopes_of(backend: str, account: str, tag: str = "") -> tuple[str, ...]:
    """The scopes of a request that goes to an account. tag: the caller's, '' for none."""
    scopes = ALL, f"backend {backend}", f"account {backend}/{account}"
    return (*scopes, f"tag {tag}") if tag else scopes


def held_up(halts: Iterable[Halt], scopes: Iterable[str], now: float) -> Halt | None:
    """The halt that a request of these scopes meets, None when it may go."""
    wanted = frozenset(scopes)
    return next((halt for halt in halts if halt.scope in wanted and halt.holds(now)), None)


def state_of(halts: Iterable[Halt], warnings: Iterable[Halt], shares: Iterable[float], now: float) -> State:
    """The state of the whole guard. warnings: what would be halts if guard.behavior were halt. shares: of each budget,
    how much is spent, from 0."""
    if any(halt.holds(now) for halt in halts):
        return "halted"
    if any(warning.holds(now) for warning in warnings) or any(share >= WARN_SHARE for share in shares):
        return "warned"
    return "running"


def is_everywhere(scope: str) -> bool:
    """True for the scope of a halt that a request meets wherever it is sent."""
    return scope == ALL or scope.startswith("tag ")


def tripped(purse: Purse, now: float) -> str:
    """Why a budget trips, in words, and when it is there again: a halt that ends before trips anew."""
    end = purse.term.end
    return used_up(purse) if math.isinf(end) else f"{used_up(purse)} and begins anew at {clock(end, now)}"


def used_up(purse: Purse) -> str:
    """What there is to say of a budget that lets nothing more through."""
    budget = purse.budget
    spent = purse.spent
    reserved = purse.running
    more = f", {spoken(budget.unit, reserved)} reserved for running requests" if reserved else ""
    return f"{budget.title} is used up ({spoken(budget.unit, spent)} spent{more})"


def nearly_used(purse: Purse) -> str:
    """What is said of a budget at WARN_SHARE."""
    budget = purse.budget
    return f"{purse.share * 100:.0f} % of {budget.title} is spent"


def billed_elsewhere(billing: str, backend: str, account: str, allowed: Iterable[str]) -> str:
    """Why a billing class trips, in words."""
    names = ", ".join(sorted(allowed))
    return f"{backend}/{account} billed an answer to the class {billing}; guard.billing allows {names}"


def clock(moment: float, now: float) -> str:
    """A moment as people say it: `18:30`, with its day when that is not today's."""
    at, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now)
    return at.strftime("%H:%M" if at.date() == today.date() else "%Y-%m-%d %H:%M")


def refusal(halt: Halt, now: float) -> str:
    """What a caller is told."""
    return (
        f"fairlead's guard has halted this traffic until {clock(halt.until, now)}: {halt.reason}. "
        f"Request {halt.request} tripped it. Lift the halt:   fairlead resume"
    )


def unpriced(model: str, backend: str) -> str:
    """What a caller of a model without a price is told."""
    return (
        f"No price is known for the model '{model}' of {backend}, and guard.unpriced is refuse under a budget in US "
        f"dollars. Set one:   fairlead config set 'prices.{model}.input' 1.5   (and .output)"
    )


def uncounted(path: str) -> str:
    """What a caller of a path is told whose costs no answer tells of."""
    return (
        f"What a call of {path} costs cannot be counted, and guard.unpriced is refuse under a budget in US dollars. "
        "Let such calls pass:   fairlead config set guard.unpriced allow"
    )
