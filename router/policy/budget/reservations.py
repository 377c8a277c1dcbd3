"""What one process has reserved and spent of its budgets, between two rounds with the others.

Rules of this file: numbers only, time is a parameter. A reservation counts in the books it was made in, also when the
day ends meanwhile. What a round has booked is taken off here once it is heard, never before.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from router.policy.budget.budgets import BookView, Budget, Purse, Rates, Sold, Term, amount_of, book_of, term

# What a request is taken to write before any of its model was seen.
TYPICAL_OUTPUT = 1000
# A dear request is remembered at once and forgotten slowly: too much reserved makes others wait, too little overspends.
_LEARN = 0.2
_LEAST, _MOST = 0.001, 50.0
# The names of models are the callers', so there may be any number of them.
_RATIOS = 2000

#: A backend's URL and the model's name there.
Model = tuple[str, str]


class Claim(NamedTuple):
    """What a process wants of one budget. keep, running, needed: as in guard_budgets.share and Purse.begin."""

    budget: Budget
    term: Term
    keep: int
    running: int
    needed: int


class Wanted(NamedTuple):
    """What a request is expected to use, by book. by_size: what its size alone says; ratio: key of what was learned."""

    amounts: Mapping[str, int]
    by_size: Sold
    rates: Rates | None
    model: Model


class Tally:
    """The budgets of one process."""

    def __init__(self) -> None:
        self.purses: dict[str, Purse] = {}
        self._scopes: dict[str, list[Purse]] = {}
        self._reserved: dict[str, Wanted] = {}
        self._settled: dict[str, int] = {}
        self._under_way: dict[int, dict[str, int]] = {}
        self._ratios: dict[tuple[Model, str], float] = {}

    @property
    def running(self) -> int:
        """Requests that hold a reservation."""
        return len(self._reserved)

    def of(self, scope: str) -> Sequence[Purse]:
        """The budgets of a scope."""
        return self._scopes.get(scope, ())

    def wanted(self, budgets: Sequence[Budget], by_size: Sold, rates: Rates | None, model: Model, now: float) -> Wanted:
        """What a request is expected to use of these budgets: by its size, and as those of its model before it."""
        amounts: dict[str, int] = {}
        for budget in budgets:
            size = amount_of(budget.unit, by_size, rates)
            amounts[self._opened(budget, now)] = round(size * self._ratios.get((model, budget.unit), 1.0))
        return Wanted(amounts, by_size, rates, model)

    def short(self, wanted: Wanted) -> list[str]:
        """The books that have no room for it."""
        return [book for book in wanted.amounts if not self.purses[book].open]

    def reserve(self, name: str, wanted: Wanted) -> None:
        """Count a request as running."""
        for book, amount in wanted.amounts.items():
            self.purses[book].reserved += amount
        self._reserved[name] = wanted

    def release(self, name: str) -> Wanted | None:
        """A request runs no more; what it had reserved."""
        wanted = self._reserved.pop(name, None)
        if wanted is not None:
            for book, amount in wanted.amounts.items():
                self.purses[book].reserved -= amount
        return wanted

    def settle(self, name: str, sold: Sold) -> Sequence[str] | None:
        """Put what a request has used in the place of its reservation; the books, None when it had none."""
        wanted = self.release(name)
        if wanted is None:
            return None
        for book in wanted.amounts:
            unit = self.purses[book].budget.unit
            used = amount_of(unit, sold, wanted.rates)
            self._add(book, used)
            self._learn(wanted.model, unit, amount_of(unit, wanted.by_size, wanted.rates), used)
        return tuple(wanted.amounts)

    def count(self, budgets: Sequence[Budget], sold: Sold, rates: Rates | None, now: float) -> Sequence[str]:
        """Add a request that had no reservation; the books. A book nobody looked into yet begins with what the
        history has, which will hold this one."""
        found: list[str] = []
        for budget in budgets:
            book = book_of(budget, term(budget.period, now))
            if book in self.purses and self.purses[book].known:
                self._add(book, amount_of(budget.unit, sold, rates))
                found.append(book)
        return found

    # Rounds

    @property
    def idle(self) -> bool:
        """True when the process holds what it has no request for."""
        return any(purse.idle for purse in self.purses.values())

    @property
    def restless(self) -> bool:
        """True when the others should hear of this process: it knows too little, or holds what they wait for."""
        return any(not purse.known or (purse.view.wanted and purse.idle) for purse in self.purses.values())

    def withdraw(self) -> None:
        """Hold nothing of what was granted, since the limits are others now."""
        for purse in self.purses.values():
            purse.begin(give_back=True)
            purse.known = False

    def begin(
        self, turn: int, budgets: Sequence[Budget], waiting: Iterable[Wanted], *, give_back: bool, now: float
    ) -> dict[str, Claim]:
        """Begin a round. budgets: all there are. waiting: requests that have no room. give_back: hold nothing."""
        self._under_way[turn], self._settled = self._settled, {}
        self._forget({self._opened(budget, now) for budget in budgets})
        needed: dict[str, int] = {}
        for wanted in waiting:
            for book, amount in wanted.amounts.items():
                needed[book] = needed.get(book, 0) + amount
        claims: dict[str, Claim] = {}
        for book, purse in self.purses.items():
            keep = purse.begin(give_back=give_back)
            if not give_back:
                claims[book] = Claim(purse.budget, purse.term, keep, purse.reserved, needed.get(book, 0))
        return claims

    def heard(self, turn: int, views: Mapping[str, BookView], latest: int) -> None:
        """What stands in the file now. turn: the last round in it; latest: the last one that was begun."""
        booked: dict[str, int] = {}
        for number in [number for number in self._under_way if number <= turn]:
            for book, amount in self._under_way.pop(number).items():
                booked[book] = booked.get(book, 0) + amount
        for book, purse in self.purses.items():
            view = views.get(book)
            if view is not None:
                purse.heard(booked.get(book, 0), view, settled=turn >= latest)

    def alone(self, *, lift: bool) -> None:
        """Nothing can be shared: count on with what was seen last. lift: what is used up counts from here."""
        for purse in self.purses.values():
            if lift and purse.spent >= purse.budget.limit:
                purse.restart()
            purse.alone()

    def _opened(self, budget: Budget, now: float) -> str:
        found = term(budget.period, now)
        book = book_of(budget, found)
        purse = self.purses.get(book)
        if purse is None:
            purse = self.purses[book] = Purse(budget, found)
            self._scopes.setdefault(budget.scope, []).append(purse)
        purse.budget = budget
        return book

    def _add(self, book: str, used: int) -> None:
        self.purses[book].settled += used
        self._settled[book] = self._settled.get(book, 0) + used

    def _learn(self, model: Model, unit: str, by_size: int, used: int) -> None:
        if by_size > 0 and used > 0:
            if len(self._ratios) > _RATIOS:
                self._ratios.clear()
            ratio = min(_MOST, max(_LEAST, used / by_size))
            before = self._ratios.get((model, unit), 1.0)
            self._ratios[model, unit] = max(ratio, before + _LEARN * (ratio - before))

    def _forget(self, books: Set[str]) -> None:
        """Let go of terms that are over and of budgets that are no more, once nothing of them is outstanding."""
        for book in [book for book, purse in self.purses.items() if book not in books and not purse.outstanding]:
            purse = self.purses.pop(book)
            self._scopes[purse.budget.scope].remove(purse)


def by_size(size: int, *, bytes_per_token: float) -> Sold:
    """The tokens of a generation by the bytes of its request."""
    return Sold(input=round(size / bytes_per_token), output=TYPICAL_OUTPUT)
