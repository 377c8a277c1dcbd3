"""May traffic go on: the states of the guard, what moves it between them, and what it says.

    state            what happens                                          next
    running          a budget is used to WARN_SHARE                         warned
    running, warned  a trigger, guard.behavior is warn                      warned, for guard.cooldown
    running, warned  a trigger, guard.behavior is halt                      halted {since, until, reason, request}
    warned           no budget is used so far, no trigger within cooldown   running
    halted           until has passed                                       as its budgets say
    halted           an operator's resume                                   running; a used-up budget counts from there

Triggers: a budget that is spent (what is reserved for running requests halts nothing: others wait for it); an answer
billed to a class that is not allowed. A halt holds for its scope: that of a backend's budget leaves other backends
alone. Time is a parameter, effects are data.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from router.policy.budget.budgets import ALL, CHILD, DOLLAR, Budget, BudgetState, Period, Unit, format_amount
from router.settings import Settings
from router.settings.declaring.shared import find_zone
from router.settings.kinds import clean
from router.settings.tables import KeyOptions, format_price_command

State = Literal["running", "warned", "halted"]
WARN_SHARE = 0.8
# A clock that was set back further than this ends a halt: it would last for as long as the clock went back.
_SKEW_SECONDS = 60.0
# Clients give up after 300 s without the head of an answer.
_PATIENCE = 240.0
# Models or paths without a price that a line names.
_NAMED = 3
# The beginning of the words for calls whose answers tell no cost, and what shows a segment of a path to be an id.
_CALLS = "calls of "
_ID = re.compile("[^a-z-]")
# How the scopes of client keys begin.
_KEY = "key "
_TABLE: tuple[tuple[Period, Unit, str], ...] = (
    ("day", "usd", "day_usd"),
    ("month", "usd", "month_usd"),
    ("day", "tokens", "day_tokens"),
    ("month", "tokens", "month_tokens"),
)


class Halt(msgspec.Struct, frozen=True):
    """Why and how long traffic of a scope stands still."""

    scope: str
    #: Seconds since 1970.
    since: float
    #: Seconds since 1970.
    until: float
    #: The trigger, in words.
    reason: str
    #: The id of the request that tripped it.
    request: str
    #: Of the budget that is used up, '' for another trigger.
    budget_key: str = ""

    def holds(self, now: float) -> bool:
        """True while it is not over."""
        return self.since - _SKEW_SECONDS <= now < self.until


@dataclass(frozen=True, slots=True)
class Rules:
    """What is guarded."""

    #: False to warn only.
    halts: bool
    #: Seconds that a halt or a warning lasts.
    cooldown: float
    #: A model without a price is refused.
    refuse_unpriced: bool
    #: Allowed classes, empty for all.
    billing: frozenset[str]
    budgets: tuple[Budget, ...]
    #: Seconds that a request waits for room in a budget.
    patience: float = 60.0
    #: The budgets by scope: there may be thousands of keys with one.
    by_scope: Mapping[str, tuple[Budget, ...]] = field(init=False, compare=False, repr=False)
    _standing: tuple[Budget, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, tuple[Budget, ...]] = {}
        for budget in self.budgets:
            found[budget.scope] = (*found.get(budget.scope, ()), budget)
        object.__setattr__(self, "by_scope", found)
        standing = tuple(budget for budget in self.budgets if not budget.scope.startswith(_KEY))
        object.__setattr__(self, "_standing", standing)

    def budgets_in_use(self, scopes: Iterable[str]) -> tuple[Budget, ...]:
        """All budgets, of keys only those in these scopes: those of keys that no request came with are left alone."""
        return (*self._standing, *self.budgets_of(scope for scope in scopes if scope.startswith(_KEY)))

    def budgets_of(self, scopes: Iterable[str]) -> tuple[Budget, ...]:
        """The budgets that a request of these scopes counts against."""
        return tuple(budget for scope in scopes for budget in self.by_scope.get(scope, ()))


def read_rules(settings: Settings, runs: Sequence[Budget] = (), elsewhere: Collection[str] = ()) -> Rules | None:
    """The rules of these settings; None when there is nothing to guard. runs: the budgets of processes that have a key
    of their own, and of keys of other homes. elsewhere: the names of the latter."""
    zone = find_zone(settings.shared_timezone) if settings.shared_url is not None else None
    budgets = [*_budgets(ALL, settings, "guard_")]
    for name, options in settings.backends.items():
        budgets += _budgets(f"backend {name}", options, "budget_")
    for name, options in settings.keys.items():
        budgets += list_key_budgets(name, options) if name not in elsewhere else ()
    for kind, day, month in (
        ("account", settings.guard_accounts_day_usd, settings.guard_accounts_month_usd),
        ("tag", settings.guard_tags_day_usd, settings.guard_tags_month_usd),
    ):
        budgets += [_budget(f"{kind} {name}", "day", "usd", dollars) for name, dollars in day.items()]
        budgets += [_budget(f"{kind} {name}", "month", "usd", dollars) for name, dollars in month.items()]
    if not settings.guard_enabled or not (budgets or runs or settings.guard_billing):
        return None
    return Rules(
        halts=settings.guard_behavior == "halt",
        cooldown=settings.guard_cooldown,
        refuse_unpriced=settings.guard_unpriced == "refuse",
        billing=frozenset(settings.guard_billing),
        budgets=(*(one._replace(zone=zone) for one in budgets), *runs),
        patience=min(settings.queue_timeout, _PATIENCE),
    )


def list_key_budgets(name: str, options: KeyOptions) -> list[Budget]:
    """The budgets of a client key."""
    return _budgets(f"key {name}", options, "budget_")


def _budgets(scope: str, holder: object, prefix: str) -> list[Budget]:
    found: list[Budget] = []
    for period, unit, name in _TABLE:
        value: float | int | None = getattr(holder, prefix + name)
        if value is not None:
            found.append(_budget(scope, period, unit, value))
    return found


def _budget(scope: str, period: Period, unit: Unit, value: float) -> Budget:
    return Budget(scope, period, unit, round(value * DOLLAR) if unit == "usd" else int(value))


def list_scopes(backend: str, account: str, tag: str = "", key: str = "") -> tuple[str, ...]:
    """The scopes of a request that goes to an account. tag: the caller's, '' for none. key: the name of its client key,
    '' for none; behind each CHILD is a key for a process, which spends from those before it too."""
    scopes = ALL, f"backend {backend}", f"account {backend}/{account}"
    if key:
        parts = key.split(CHILD)
        scopes = (*scopes, *(f"key {CHILD.join(parts[:count])}" for count in range(1, len(parts) + 1)))
    return (*scopes, f"tag {tag}") if tag else scopes


def find_halt(halts: Iterable[Halt], scopes: Iterable[str], now: float) -> Halt | None:
    """The halt that a request of these scopes meets, None when it may go."""
    wanted = frozenset(scopes)
    return next((halt for halt in halts if halt.scope in wanted and halt.holds(now)), None)


def judge_state(halts: Iterable[Halt], warnings: Iterable[Halt], shares: Iterable[float], now: float) -> State:
    """The state of the whole guard. warnings: what would be halts if guard.behavior were halt. shares: of each budget,
    how much is spent, from 0."""
    if any(halt.holds(now) for halt in halts):
        return "halted"
    if any(warning.holds(now) for warning in warnings) or any(share >= WARN_SHARE for share in shares):
        return "warned"
    return "running"


def is_everywhere(scope: str) -> bool:
    """True for the scope of a halt that a request meets wherever it is sent."""
    return scope == ALL or scope.startswith(("tag ", "key "))


def explain_trip(state: BudgetState) -> str:
    """Why a budget trips, in words, and when its next term begins: a halt that ends before trips again. Only what is
    spent trips one."""
    end = state.term.end
    if math.isinf(end):
        return explain_used_up(state)
    return f"{explain_used_up(state)} and resets on {datetime.fromtimestamp(end):%Y-%m-%d at %H:%M}"


def explain_used_up(state: BudgetState) -> str:
    """In words: this budget lets nothing more through."""
    budget = state.budget
    spent = state.spent
    reserved = state.running
    more = f", {format_amount(budget.unit, reserved)} reserved for running requests" if reserved else ""
    return f"{budget.title} is used up ({format_amount(budget.unit, spent)} spent{more})"


def explain_busy(state: BudgetState) -> str:
    """Why a request waits for a budget, in words: running requests may use all that is left."""
    budget = state.budget
    spent, reserved = (format_amount(budget.unit, amount) for amount in (state.spent, state.running))
    return f"{budget.title} has no room now ({spent} spent, {reserved} reserved for running requests)"


def explain_nearly_used(state: BudgetState) -> str:
    """The warning for a budget at WARN_SHARE."""
    budget = state.budget
    return f"{state.spent_share * 100:.0f} % of {budget.title} is spent"


def explain_billing(billing: str, backend: str, account: str, allowed: Iterable[str]) -> str:
    """Why a billing class trips, in words."""
    names = ", ".join(sorted(allowed))
    return f"{backend}/{account} billed an answer to the class {billing}; guard.billing allows {names}"


def format_moment(moment: float, now: float) -> str:
    """A moment for people: `18:30`, with its day when that is not today's."""
    when, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now)
    return when.strftime("%H:%M" if when.date() == today.date() else "%Y-%m-%d %H:%M")


def explain_refusal(halt: Halt, now: float, state: BudgetState | None = None) -> str:
    """The message to a caller whose traffic is halted. state: of the halt's budget as it is now, if it is known: its
    limit may have been raised since, which does not end the halt."""
    raised = ""
    if state is not None:
        limit = format_amount(state.budget.unit, state.budget.limit)
        raised = "" if limit in halt.reason else f" The budget is {limit} now, but the halt stays."
    return (
        f"fairlead stopped this request: {halt.reason}.{raised} Blocked until {format_moment(halt.until, now)}. "
        "Continue now:   fairlead resume"
    )


def explain_lost(state: BudgetState, problem: str) -> str:
    """The message to a caller whose request needs more of a budget than the share that is held. problem: why no more
    can be asked for."""
    return (
        f"fairlead cannot ask the team for more of {state.budget.title}: {problem}. It is asked again every second; "
        "repeat the request, or allow it:   fairlead config set shared.on_loss allow"
    )


def explain_unpriced(model: str, backend: str) -> str:
    """The message to a caller of a model without a price."""
    return (
        f"No price is known for the model '{model}' of {backend}, and guard.unpriced is refuse while there is a budget "
        f"in US dollars. Set one:   {format_price_commands(model)}"
    )


def explain_not_counted(requests: int, models: Sequence[str]) -> str:
    """The line on requests under a budget in US dollars whose models have no price. models: the most used first, '' for
    requests of which no model is known."""
    named = [model for model in models if model]
    if not named:
        which = "they nor their answers name" if requests > 1 else "it nor its answer names"
        return f"{_count_not_counted(requests)}, since neither {which} a model."
    have = "its model has" if requests == 1 else "their models have"
    names = ", ".join(clean(model, 60) for model in named[:_NAMED])
    more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
    unnamed = " and a model without a name" if len(named) < len(models) else ""
    price = f"Set one:   {format_price_commands(named[0])}"
    return f"{_count_not_counted(requests)}, {have} no price: {names}{more}{unnamed}. {price}"


def name_calls(path: str) -> str:
    """What `NotCounted.part` says of calls whose answers tell no cost, by their path; ids in it do not count, of which
    there are any number."""
    first, *more = path.split("/")[2:5]
    return _CALLS + "/".join(["/v1", first, *("*" if _ID.search(one) else one for one in more)])


def explain_untold(parts: Iterable[tuple[str, int]]) -> str:
    """The line on calls whose answers tell no cost, '' for none. parts: what is not counted (`NotCounted.part`), and of
    how many requests."""
    calls: dict[str, int] = {}
    for part, requests in parts:
        if part.startswith(_CALLS):
            name = part.removeprefix(_CALLS)
            calls[name] = calls.get(name, 0) + requests
    if not calls:
        return ""
    ranked = sorted(calls, key=calls.__getitem__, reverse=True)
    names = ", ".join(f"{clean(name, 60)} {calls[name]:,}" for name in ranked[:_NAMED])
    more = f" and {len(ranked) - _NAMED:,} more" if len(ranked) > _NAMED else ""
    count = sum(calls.values())
    its = "its answer tells" if count == 1 else "their answers tell"
    return f"{_count_not_counted(count)}, as {its} no cost: {names}{more}"


def _count_not_counted(requests: int) -> str:
    return f"{requests:,} request{' is' if requests == 1 else 's are'} not counted"


def explain_partly_counted(requests: int, missing: str) -> str:
    """The line on requests under a budget in US dollars of which a part has no price. missing: what that is."""
    return (
        f"{requests:,} request{'' if requests == 1 else 's'} counted without {clean(missing, 120)}, which has no price"
    )


def format_price_commands(model: str) -> str:
    """The commands that give a model a price."""
    return f"{format_price_command(model, 'input')}   and   {format_price_command(model, 'output')}"


def explain_uncounted(what: str) -> str:
    """The message to a caller of something whose cost no answer says, such as a path or a tool."""
    return (
        f"The cost of {what} cannot be counted, and guard.unpriced is refuse while there is a budget in US dollars. "
        "Allow such calls:   fairlead config set guard.unpriced allow"
    )
