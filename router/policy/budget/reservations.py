"""What one process has reserved and spent of its budgets, between two synchronizations with other processes.

Rules of this file: numbers only, time is a parameter. A reservation counts in the terms it was made in, also when the
day ends meanwhile. What a synchronization has recorded is taken off here once it was read back, never before. A `key`
is that of one budget in one term (`budget_key`).
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from router.policy.budget.budgets import (
    MOST_AMOUNT,
    Allowance,
    Budget,
    BudgetState,
    BudgetView,
    Rates,
    Term,
    TokenCounts,
    Unit,
    budget_key,
    find_budget_term,
    measure_tokens,
)
from router.wire.costs.cost_traits import CostTraits

#: Tokens that a request is expected to write before any of its model was seen.
TYPICAL_OUTPUT = 1000
# A dear request is remembered at once and forgotten slowly: too much reserved makes others wait, too little overspends.
_LEARN = 0.2
_LEAST, _MOST = 0.001, 50.0
# The names of models come from callers, so there may be any number of them.
_RATIOS = 2000


class Model(NamedTuple):
    """What a request is priced by."""

    #: The backend's URL, '' where nobody bills.
    root: str
    #: As the backend was asked for it.
    name: str
    #: The service tier that is asked for, '' for the usual one.
    tier: str = ""
    #: The answer is sound.
    audio: bool = False


class Claim(NamedTuple):
    """What a process wants of one budget."""

    budget: Budget
    term: Term
    #: What it holds on to without asking (`BudgetState.begin`).
    keep: int
    #: Reserved for running requests.
    running: int
    #: For the first request that waits, and since when it does: seconds since 1970.
    needed: int
    since: float = 0.0


class Need(NamedTuple):
    """What the first request that waits for a budget needs of it."""

    amount: int
    #: When it came, in seconds since 1970.
    since: float


class Size(NamedTuple):
    """What is known of a request before it is sent."""

    #: The input by its bytes; the output as the request limits it, else as requests usually need it.
    counts: TokenCounts
    #: True when the request itself limits its output.
    limited: bool = False
    #: What it costs beside its tokens, in billionths of a US dollar.
    fee: int = 0


class Estimate(NamedTuple):
    """What a request is expected to use."""

    #: By the key of the budget.
    amounts: Mapping[str, int]
    size: Size
    rates: Rates | None
    model: Model
    #: The tokens that it is expected to write.
    output: int


_NO_NEED = Need(0, 0.0)


class Reservations:
    """The budgets of one process, and what its running requests have reserved of them."""

    def __init__(self) -> None:
        self.states: dict[str, BudgetState] = {}
        self._scopes: dict[str, list[BudgetState]] = {}
        self._reserved: dict[str, Estimate] = {}
        self._settled: dict[str, int] = {}
        self._under_way: dict[int, dict[str, int]] = {}
        self._ratios: dict[tuple[Model, str], float] = {}

    @property
    def running(self) -> int:
        """Requests that hold a reservation."""
        return len(self._reserved)

    @property
    def scopes(self) -> Sequence[str]:
        """The scopes of budgets that requests counted in."""
        return [scope for scope, states in self._scopes.items() if states]

    def of_scope(self, scope: str) -> Sequence[BudgetState]:
        """The budgets of a scope."""
        return self._scopes.get(scope, ())

    def estimate(
        self, budgets: Sequence[Budget], size: Size, rates: Rates | None, model: Model, now: float
    ) -> Estimate:
        """What a request is expected to use of these budgets: as much as it may where it limits its output, else by its
        size and as those of its model before it."""
        amounts: dict[str, int] = {}
        most = 0.0 if budgets else 1.0
        for budget in budgets:
            ratio = 1.0 if size.limited else self._ratios.get((model, budget.unit), 1.0)
            most = max(most, ratio)
            amount = round(measure_tokens(budget.unit, size.counts, rates) * ratio)
            amounts[self._open(budget, now)] = amount + (size.fee if budget.unit == "usd" else 0)
        return Estimate(amounts, size, rates, model, min(round(size.counts.output * most), MOST_AMOUNT))

    def find_full(self, estimate: Estimate) -> list[str]:
        """The keys of the budgets that do not admit it now."""
        return [key for key, amount in estimate.amounts.items() if not self.states[key].admits(amount)]

    def has_room(self, estimate: Estimate) -> bool:
        """True when all budgets admit it now."""
        return all(key in self.states and self.states[key].admits(more) for key, more in estimate.amounts.items())

    def find_used_up(self, estimate: Estimate) -> str | None:
        """The key of the first budget of which nothing is left for it; None when there is none."""
        return next((key for key in estimate.amounts if self.states[key].used_up), None)

    def reserve(self, name: str, estimate: Estimate) -> None:
        """Count a request as running."""
        for key, amount in estimate.amounts.items():
            self.states[key].reserved += amount
        self._reserved[name] = estimate

    def release(self, name: str) -> Estimate | None:
        """Give back what a request that runs no more had reserved; None when it had nothing."""
        estimate = self._reserved.pop(name, None)
        if estimate is not None:
            for key, amount in estimate.amounts.items():
                self.states[key].reserved -= amount
        return estimate

    def settle(
        self, name: str, counts: TokenCounts, charge: int | None = None, *, whole: bool = True
    ) -> Sequence[str] | None:
        """Put what a request has used in the place of its reservation; the keys it counts in, None when it had none.
        charge: what it cost, where the provider has said so. whole: False when it cost more than its counts tell; it
        then counts as what was reserved until the store has its price."""
        estimate = self.release(name)
        if estimate is None:
            return None
        for key, reserved in estimate.amounts.items():
            unit = self.states[key].budget.unit
            used = _measure(unit, counts, estimate.rates, charge)
            self._add(key, used if whole else max(used, reserved))
            if not estimate.size.limited:
                self._learn(estimate.model, unit, measure_tokens(unit, estimate.size.counts, estimate.rates), used)
        return tuple(estimate.amounts)

    def count(
        self, budgets: Sequence[Budget], counts: TokenCounts, rates: Rates | None, now: float, charge: int | None = None
    ) -> Sequence[str]:
        """Add a request that had no reservation; the keys it counts in. A budget that was not read yet begins with
        what the history has, which will hold this request. charge: as for `settle`."""
        found: list[str] = []
        for budget in budgets:
            key = budget_key(budget, find_budget_term(budget, now))
            if key in self.states and self.states[key].known:
                self._add(key, _measure(budget.unit, counts, rates, charge))
                found.append(key)
        return found

    # Synchronization

    @property
    def idle(self) -> bool:
        """True when the process holds what it has no request for."""
        return any(state.idle for state in self.states.values())

    @property
    def has_news(self) -> bool:
        """True when the other processes should hear of this one: it knows too little, or holds what they wait for."""
        return any(not state.known or (state.view.wanted and state.idle) for state in self.states.values())

    def withdraw(self) -> None:
        """Hold nothing of what was granted, since the limits have changed."""
        for state in self.states.values():
            state.begin(give_back=True)
            state.known = False

    def begin(
        self, sequence: int, budgets: Sequence[Budget], needs: Mapping[str, Need], *, give_back: bool, now: float
    ) -> dict[str, Claim]:
        """Begin a synchronization; the claims by key. budgets: all there are. needs: what the first request needs that
        waits for a budget, by key. give_back: hold nothing."""
        self._under_way[sequence], self._settled = self._settled, {}
        self._forget({self._open(budget, now) for budget in budgets})
        claims: dict[str, Claim] = {}
        for key, state in self.states.items():
            keep = state.begin(give_back=give_back)
            if not give_back:
                need = needs.get(key, _NO_NEED)
                claims[key] = Claim(state.budget, state.term, keep, state.reserved, need.amount, need.since)
        return claims

    def receive(self, sequence: int, views: Mapping[str, BudgetView], latest: int) -> None:
        """Take over what stands in history.db. sequence: the last synchronization in it; latest: the last begun."""
        recorded: dict[str, int] = {}
        for number in [number for number in self._under_way if number <= sequence]:
            for key, amount in self._under_way.pop(number).items():
                recorded[key] = recorded.get(key, 0) + amount
        for key, state in self.states.items():
            view = views.get(key)
            if view is not None:
                state.receive(recorded.get(key, 0), view, settled=sequence >= latest)

    def use_local_state(self, *, lift: bool, allowance: Allowance = "all") -> None:
        """Count on with what was read last, since nothing can be shared. lift: what is used up counts from here."""
        for state in self.states.values():
            if lift and state.spent >= state.budget.limit:
                state.restart()
            state.use_local_state(allowance)

    def _open(self, budget: Budget, now: float) -> str:
        found = find_budget_term(budget, now)
        key = budget_key(budget, found)
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = BudgetState(budget, found)
            self._scopes.setdefault(budget.scope, []).append(state)
        state.budget = budget
        return key

    def _add(self, key: str, used: int) -> None:
        self.states[key].settled += used
        self._settled[key] = self._settled.get(key, 0) + used

    def _learn(self, model: Model, unit: str, by_size: int, used: int) -> None:
        if by_size > 0 and used > 0:
            if len(self._ratios) > _RATIOS:
                self._ratios.clear()
            ratio = min(_MOST, max(_LEAST, used / by_size))
            before = self._ratios.get((model, unit), 1.0)
            self._ratios[model, unit] = max(ratio, before + _LEARN * (ratio - before))

    def _forget(self, keys: Set[str]) -> None:
        """Forget terms that are over and budgets that are no more, once nothing of them is outstanding."""
        for key in [key for key, state in self.states.items() if key not in keys and not state.outstanding]:
            state = self.states.pop(key)
            left = self._scopes[state.budget.scope]
            left.remove(state)
            if not left:
                del self._scopes[state.budget.scope]


def _measure(unit: Unit, counts: TokenCounts, rates: Rates | None, charge: int | None) -> int:
    """How much of a budget a request has used."""
    return min(charge, MOST_AMOUNT) if unit == "usd" and charge is not None else measure_tokens(unit, counts, rates)


def estimate_size(read: int, traits: CostTraits, fee: int = 0) -> Size:
    """What a generation may use. read: the tokens of its input, by an estimate. fee: as of Size."""
    read = min(read, MOST_AMOUNT)
    # What may be written to a cache costs more than other input.
    minutes, hour = read if traits.cached == "5m" else 0, read if traits.cached == "1h" else 0
    output = TYPICAL_OUTPUT * traits.choices if traits.output is None else traits.output
    counts = TokenCounts(read - minutes - hour, output, 0, minutes, hour, traits.searches)
    return Size(counts, limited=traits.output is not None, fee=fee)
