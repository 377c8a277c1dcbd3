"""Budgets of the guard: what is counted, over which time, and how a share of one is handed to a process.

Rules of this file: amounts are whole numbers, billionths of a US dollar or tokens. A process may have outstanding (spent
and not booked, or reserved for requests that run) only what it holds of a budget. What all hold and what is booked
together is never more than the budget when it is handed out, so that several processes need not ask each other before
each request: far from the limit they hold plenty, near it each asks for the little it needs.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple

Unit = Literal["usd", "tokens"]
Period = Literal["day", "month"]
DOLLAR = 10**9
#: The scope of what is counted over all traffic; others are `backend NAME` and `account NAME/ALIAS`.
ALL = "all"


class Budget(NamedTuple):
    """limit: billionths of a US dollar, or tokens."""

    scope: str
    period: Period
    unit: Unit
    limit: int

    @property
    def title(self) -> str:
        """`the day budget of $5.00 for backend groq`."""
        of = "" if self.scope == ALL else f" for {self.scope}"
        return f"the {self.period} budget of {spoken(self.unit, self.limit)}{of}"


class Term(NamedTuple):
    """One day or month. start, end: seconds since 1970."""

    label: str
    start: float
    end: float


class Sold(NamedTuple):
    """Tokens of one request, by what they are sold as."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


#: What a million tokens of each kind cost, in billionths of a US dollar, as Sold has them.
Rates = tuple[int, int, int, int]


def amount_of(unit: Unit, sold: Sold, rates: Rates | None) -> int:
    """What tokens are of a budget; nothing in dollars where no price is known."""
    if unit == "tokens":
        return sum(sold)
    if rates is None:
        return 0
    return round(sum(count * rate for count, rate in zip(sold, rates, strict=True)) / 10**6)


def term(period: Period, at: float, zone: tzinfo | None = None) -> Term:
    """The day or month of a moment, in local time. at: seconds since 1970; zone: None for the machine's."""
    day = datetime.fromtimestamp(at, zone).date()
    first = day if period == "day" else day.replace(day=1)
    try:
        after = first + timedelta(days=1) if period == "day" else (first + timedelta(days=32)).replace(day=1)
        end = _midnight(after, zone)
    except OverflowError:
        end = float("inf")
    return Term(f"{period} {first.isoformat()}", _midnight(first, zone), end)


def _midnight(day: date, zone: tzinfo | None) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def book_of(budget: Budget, found: Term) -> str:
    """The name under which a budget's spend of one term is kept; it holds no limit, so that one may be changed."""
    return f"{budget.scope}|{budget.unit}|{found.label}"


def share(*, limit: int, spent: int, others: int, keep: int, needed: int, processes: int) -> int:
    """What a process may have outstanding from now on.

    spent: booked by all. others: held by the others. keep: what it cannot give back. needed: for requests that wait.
    """
    free = limit - spent - others - keep
    if free <= 0:
        return keep
    if free <= needed:
        return keep + free
    return keep + needed + (free - needed) // (2 * max(1, processes))


class BookView(NamedTuple):
    """A budget's spend as it is booked. others: held by other processes; idle: what of it they have no request for;
    wanted: another process waits for a share. held: by this process, None when it has no part in it yet."""

    spent: int = 0
    held: int | None = None
    others: int = 0
    idle: int = 0
    wanted: bool = False


class Purse:
    """What one process has outstanding of one budget in one term.

    While a round is under way (`begin` to `booked`), no more is used than what the round was told to keep.
    """

    __slots__ = ("_ceiling", "budget", "end", "reserved", "settled", "start", "view")

    def __init__(self, budget: Budget, found: Term):
        self.budget = budget
        self.start, self.end = found.start, found.end
        self.reserved = 0
        self.settled = 0
        self.view = BookView()
        self._ceiling = 0

    @property
    def outstanding(self) -> int:
        """Reserved, or spent and not booked."""
        return self.reserved + self.settled

    @property
    def used(self) -> int:
        """Of the budget: booked, reserved here, and held for running requests elsewhere."""
        return self.view.spent + self.outstanding + self.view.others - self.view.idle

    @property
    def spent(self) -> int:
        """Of the budget, as far as this process knows, without reservations."""
        return self.view.spent + self.settled

    def fits(self, amount: int) -> bool:
        """True when this much more may be outstanding without asking."""
        return self.outstanding + amount <= self._ceiling

    def begin(self) -> tuple[int, int]:
        """Begin a round: what the process keeps without asking (`keep` of share), and what of it runs."""
        idle = max(0, self._ceiling - self.outstanding)
        kept = 0 if self.view.wanted else idle // 2
        self._ceiling = self.outstanding + kept
        return self.reserved + kept, self.reserved

    def booked(self, settled: int, view: BookView) -> None:
        """A round has ended. settled: what of ours it booked."""
        self.settled -= settled
        self.view = view
        self._ceiling = view.held or 0

    def seen(self, view: BookView) -> None:
        """A look between two rounds."""
        self.view = view._replace(held=self.view.held)

    def alone(self) -> None:
        """Nothing can be shared: count on with what was seen last."""
        self._ceiling = self.budget.limit - self.view.spent - self.view.others


def spoken(unit: Unit, amount: int) -> str:
    """`$5.00`, `$0.0023`, `1,200 tokens`."""
    if unit == "tokens":
        return f"{amount:,} tokens"
    dollars = amount / DOLLAR
    if dollars >= 0.01 or dollars <= 0:
        return f"${dollars:,.2f}"
    return f"${dollars:.2g}" if dollars >= 0.0001 else f"${dollars:.9f}".rstrip("0").rstrip(".")


def shares(purses: Mapping[str, Purse]) -> list[tuple[str, float]]:
    """Of each budget, how much is used, from 0."""
    return [(book, purse.used / purse.budget.limit if purse.budget.limit else 1.0) for book, purse in purses.items()]
