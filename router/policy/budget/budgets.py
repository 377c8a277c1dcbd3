"""Budgets of the guard: what is counted, over which time, and how a share of one is handed to a process.

Rules of this file: amounts are whole numbers, billionths of a US dollar or tokens. What a process has outstanding, that
is reserved for running requests, or used and not booked, comes out of what it holds of a budget; what all hold and what
is booked is never more than the budget when it is handed out. So several processes need not ask each other before each
request: far from the limit each holds plenty, near it each asks for the little it needs. A request may go while there
is room, however little: what a budget is overspent by is never more than what runs costs.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple

Unit = Literal["usd", "tokens"]
Period = Literal["day", "month"]
DOLLAR = 10**9
#: The scope of what is counted over all traffic; others are `backend NAME`, `account NAME/ALIAS`, `tag TAG`.
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
    wanted: another process waits for a share. held: by this process."""

    spent: int = 0
    held: int = 0
    others: int = 0
    idle: int = 0
    wanted: bool = False


class Purse:
    """What one process has outstanding of one budget in one term. reserved: for running requests; settled: used, and
    not booked yet.

    While a round is under way (`begin` to `heard`) no more is used than what the round was told to keep.
    """

    __slots__ = ("_ceiling", "budget", "known", "reserved", "settled", "term", "view")

    def __init__(self, budget: Budget, found: Term):
        self.budget = budget
        self.term = found
        self.reserved = 0
        self.settled = 0
        self.view = BookView()
        #: True once it was seen what is spent.
        self.known = False
        self._ceiling = 0

    @property
    def outstanding(self) -> int:
        """Reserved, or used and not booked."""
        return self.reserved + self.settled

    @property
    def spent(self) -> int:
        """Of the budget, as far as this process knows, without reservations."""
        return self.view.spent + self.settled

    @property
    def running(self) -> int:
        """Reserved by all processes."""
        return self.reserved + max(0, self.view.others - self.view.idle)

    @property
    def share(self) -> float:
        """How much is spent, from 0."""
        return self.spent / self.budget.limit

    @property
    def taken(self) -> float:
        """How much is spent or reserved, from 0."""
        return (self.spent + self.running) / self.budget.limit

    @property
    def idle(self) -> int:
        """What this process may use and does not."""
        return max(0, self._ceiling - self.outstanding)

    @property
    def open(self) -> bool:
        """True when a further request may go without asking. It may need more than there is: then it is the last."""
        return self.outstanding < self._ceiling

    @property
    def may_open(self) -> bool:
        """True while what stops a further request is not spent: reserved, which may come to less, or held, which the
        next rounds bring back, here as well as by others."""
        return self.spent < self.budget.limit

    def begin(self, *, give_back: bool) -> int:
        """Begin a round: what the process keeps without asking, `keep` of share. What is settled will be booked."""
        kept = 0 if give_back or self.view.wanted else self.idle // 2
        self._ceiling = min(self._ceiling, self.outstanding + kept)
        return self.reserved + kept

    def heard(self, booked: int, view: BookView, *, settled: bool) -> None:
        """What stands in the file now. booked: of what was settled here. settled: no round is under way."""
        self.settled -= booked
        self.view = view
        self.known = True
        if view.spent + view.others + view.held > self.budget.limit:
            # More is out than there is, since the last requests needed more than was left: what one of them turns out
            # not to need is nobody's until the others were asked.
            self._ceiling = 0
        elif settled:
            self._ceiling = view.held

    def restart(self) -> None:
        """Count from here, where nobody else keeps count."""
        self.view = self.view._replace(spent=-self.settled)

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
