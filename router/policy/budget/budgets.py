"""Budgets of the guard: what is counted, over which time, and how a share of one is handed to a process.

Rules of this file: amounts are whole numbers, billionths of a US dollar or tokens. What a process has outstanding, that
is reserved for running requests, or used and not recorded in history.db yet, comes out of what it holds of a budget;
what all processes hold and what is recorded is never more than the budget when it is handed out. So several processes
need not ask each other before each request: far from the limit each holds plenty, near it each asks for the little it
needs. A request goes when what is reserved for it fits. One that fits in no more than the whole rest goes alone: while
no request of any process is running, and anything is left. So a budget is overspent by one request at most.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple

Unit = Literal["usd", "tokens"]
Period = Literal["day", "month", "run"]
#: What a process may use of budgets while it cannot ask the others: all that is left as far as it knows, the share that
#: it holds, or nothing.
Allowance = Literal["all", "share", "nothing"]
DOLLAR = 10**9
#: More than any request uses. Sums of it fit into the 64 bits of SQLite's integers.
MOST_AMOUNT = 10**15
#: The scope of what is counted over all traffic; others are `backend NAME`, `account NAME/ALIAS`, `tag TAG`,
#: `key NAME`.
ALL = "all"
#: Stands between the name of a client key and that of one that it made for a process; no name has it.
CHILD = "."


class Budget(NamedTuple):
    """A limit on what traffic of one scope may use in a day or month, or while one process runs."""

    #: ALL, or what it is counted over.
    scope: str
    period: Period
    unit: Unit
    #: Billionths of a US dollar, or tokens.
    limit: int
    #: Where a run begins: seconds since 1970.
    since: float = 0.0
    #: That of its days and months, None for the machine's.
    zone: tzinfo | None = None

    @property
    def title(self) -> str:
        """`the daily budget of $5.00 for backend groq`."""
        of = "" if self.scope == ALL else f" for {self.scope}"
        if self.period == "run":
            return f"the budget of {format_amount(self.unit, self.limit)}{of}"
        name = "daily" if self.period == "day" else "monthly"
        return f"the {name} budget of {format_amount(self.unit, self.limit)}{of}"


class Term(NamedTuple):
    """One day or month."""

    #: Such as `day 2026-11-28`.
    label: str
    #: Seconds since 1970.
    start: float
    #: Seconds since 1970; infinite for the last one that the calendar knows.
    end: float


class TokenCounts(NamedTuple):
    """Tokens of one request, by the kinds that have prices of their own."""

    #: Without those of the cache.
    input: int = 0
    output: int = 0
    cache_read: int = 0
    #: Without cache_write_1h.
    cache_write: int = 0
    #: Written to the cache for an hour.
    cache_write_1h: int = 0
    #: Web searches, which are no tokens.
    searches: int = 0

    @property
    def tokens(self) -> int:
        """The tokens of all kinds."""
        return sum(self) - self.searches


class Rates(NamedTuple):
    """What a million tokens of each kind cost, in billionths of a US dollar, in the order of TokenCounts."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    #: Of a million web searches.
    searches: int = 0
    #: False when a part of what is asked for has no price, such as the service tier.
    whole: bool = True


def measure_tokens(unit: Unit, counts: TokenCounts, rates: Rates | None) -> int:
    """How much of a budget tokens use, at most MOST_AMOUNT; nothing in dollars where no price is known."""
    if unit == "tokens":
        return min(counts.tokens, MOST_AMOUNT)
    if rates is None:
        return 0
    cost = sum(count * rate for count, rate in zip(counts, rates[:6], strict=True))
    return min((cost + 500_000) // 10**6, MOST_AMOUNT)


def find_budget_term(budget: Budget, at: float) -> Term:
    """The day, month or run of a budget at a moment, in its time zone: seconds since 1970."""
    if budget.period == "run":
        return Term("run", budget.since, float("inf"))
    return find_term(budget.period, at, budget.zone)


def find_term(period: Period, at: float, zone: tzinfo | None = None) -> Term:
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


def budget_key(budget: Budget, found: Term) -> str:
    """The name under which a budget's spend of one term is recorded; it holds no limit, so that one may be changed."""
    return f"{budget.scope}|{budget.unit}|{found.label}"


def compute_share(
    *, limit: int, spent: int, others: int, keep: int, needed: int, processes: int, yields: bool = False
) -> int:
    """What a process may have outstanding from now on.

    limit: the budget's. spent: recorded by all processes. others: held by the others. keep: what it cannot give back.
    needed: for the request that waits. processes: how many there are, this one included. yields: a request of another
    process waits for longer, so that what is free is left to that.
    """
    free = limit - spent - others - keep
    if free <= 0 or yields:
        return keep
    if free <= needed:
        return keep + free
    return keep + needed + (free - needed) // (2 * max(1, processes))


class BudgetView(NamedTuple):
    """A budget as it stands in history.db."""

    #: Used and recorded, by all processes.
    spent: int = 0
    #: Held by this process.
    held: int = 0
    #: Held by other processes.
    others: int = 0
    #: What of it they have no request for.
    idle: int = 0
    #: Another process waits for a share.
    wanted: bool = False


class BudgetState:
    """What one process has outstanding of one budget in one term.

    While a synchronization is under way (`begin` to `receive`) no more is used than what it keeps without asking.
    """

    __slots__ = ("_alone", "_ceiling", "budget", "known", "reserved", "settled", "term", "view")

    def __init__(self, budget: Budget, found: Term):
        self.budget = budget
        self.term = found
        #: For running requests.
        self.reserved = 0
        #: Used, and not recorded yet.
        self.settled = 0
        self.view = BudgetView()
        #: True once it was read what is spent.
        self.known = False
        self._ceiling = 0
        # No other process holds anything, and this one all that is left.
        self._alone = False

    @property
    def outstanding(self) -> int:
        """Reserved, or used and not recorded."""
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
    def spent_share(self) -> float:
        """How much is spent, from 0."""
        return self.spent / self.budget.limit

    @property
    def used_share(self) -> float:
        """How much is spent or reserved, from 0."""
        return (self.spent + self.running) / self.budget.limit

    @property
    def idle(self) -> int:
        """What this process may use and does not."""
        return max(0, self._ceiling - self.outstanding)

    @property
    def used_up(self) -> bool:
        """True when nothing is left, as far as this process knows. What is reserved does not count."""
        return self.spent >= self.budget.limit

    def admits(self, amount: int) -> bool:
        """True when a request that may use so much may go without asking: it fits, or it goes alone."""
        if self.outstanding + max(1, amount) <= self._ceiling:
            return True
        return self._alone and not self.reserved and self.spent < self.budget.limit

    def begin(self, *, give_back: bool) -> int:
        """Begin a synchronization, which will record what is settled: what the process keeps without asking, that is
        `keep` of `compute_share`."""
        unused = 0 if give_back or self.view.wanted else self.idle // 2
        self._alone = False
        self._ceiling = min(self._ceiling, self.outstanding + unused)
        return self.reserved + unused

    def receive(self, recorded: int, view: BudgetView, *, settled: bool) -> None:
        """Take over what stands in history.db now.

        recorded: of what was settled here. settled: no synchronization is under way.
        """
        self.settled -= recorded
        self.view = view
        self.known = True
        if view.spent + view.others + view.held > self.budget.limit:
            # More is handed out than there is, since the last requests needed more than was left: what one of them
            # turns out not to need is not used again until the other processes were asked.
            self._ceiling = 0
        elif settled:
            self._ceiling = view.held
            self._alone = not view.others and view.held >= self.budget.limit - view.spent

    def restart(self) -> None:
        """Count from here, where no other process keeps count."""
        self.view = self.view._replace(spent=-self.settled)

    def use_local_state(self, allowance: Allowance) -> None:
        """Count on with what was read last, since nothing can be shared."""
        self._alone = allowance == "all"
        if allowance == "all":
            self._ceiling = self.budget.limit - self.view.spent - self.view.others
        elif allowance == "nothing":
            self._ceiling = 0


def format_amount(unit: Unit, amount: int) -> str:
    """`$5.00`, `$0.0023`, `1,200 tokens`."""
    if unit == "tokens":
        return f"{amount:,} token{'' if amount == 1 else 's'}"
    return format_dollars(amount / DOLLAR)


def format_dollars(dollars: float) -> str:
    """`$3.41`, `$0.05`, `$0.012`, `$0.0023`: cents, and of less than a dollar at least two digits that count."""
    if dollars >= 0.995 or dollars <= 0:
        return f"${dollars:,.2f}"
    digits = 2
    while digits < 9 and dollars * 10**digits < 9.95:
        digits += 1
    whole, _, part = f"{dollars:.{digits}f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"
