"""The guard's data that the processes of a home share in history.db: spend, shares of budgets, halts.

Rules of this file: all work on the file is done in the ledger's thread. A message of a process is written in one
transaction that reaches the disk before the state with it is given out: the state is read back after the commit. The
shares of a process that ended are free. A new budget begins with the sums of the history over its term.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from router.ir import Extras
from router.policy.budget.budgets import (
    ALL,
    CHILD,
    Allowance,
    Budget,
    BudgetView,
    Rates,
    Term,
    TokenCounts,
    Unit,
    budget_key,
    compute_share,
    find_budget_term,
)
from router.policy.budget.guard import Halt
from router.policy.budget.prices import WITHOUT
from router.policy.budget.reservations import Claim, Model
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.rollups import HOUR_MS
from router.store.home import processes
from router.store.interfaces import Price, SharedState, SyncMessage
from router.store.peers import SharedServer

if TYPE_CHECKING:
    import sqlite3

# The shares of a process that does not write for so long are free: it hangs, or its number is another program's now.
LOST_SECONDS = 60.0
# No request waits for longer than this for room in a budget.
WAIT_LIMIT = 3600.0
_OLD_SECONDS = 40 * 86_400
_MILLION = 10**6
# SQLite's integers have 64 bits.
_MOST = 10**17

_SUMS: Mapping[Unit, str] = {
    "usd": "cost",
    "tokens": "coalesce(tokens_in, 0) + coalesce(tokens_out, 0) + coalesce(cache_read, 0) + coalesce(cache_write, 0)",
}
_LIVE = "SELECT held, running, wanted, process FROM guard_shares WHERE book = ? AND process <> ?"


class SqliteSharedBudgets:
    """The shared budgets for one process. price: computes what a request cost. clock: seconds since 1970."""

    def __init__(self, ledger: Ledger, price: Price, *, clock: Callable[[], float] = time.time):
        self._ledger = ledger
        self._price = price
        self._receive: Callable[[SharedState], None] = lambda state: None
        self._clock = clock
        self._process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._keys: tuple[str, ...] = ()
        self._rates: dict[Model, Rates | None] = {}
        self._asked = False
        self._latest = 0
        ledger.add_maintenance(self._read_back)

    def subscribe(self, receive: Callable[[SharedState], None]) -> None:
        """Have `receive` called with the state, in the ledger's thread."""
        self._receive = receive

    def publish(self, message: SyncMessage) -> None:
        """Write a message at once. Never waits."""
        self._asked, self._latest = True, message.sequence
        self._ledger.start()
        self._ledger.add(self._write, message)
        self._ledger.flush_soon()

    def look(self) -> None:
        """Give out the state as it is now. Never waits."""
        self._asked = True
        self._ledger.start()
        self._ledger.flush_soon()

    def find_rates(self, model: Model) -> Rates | None:
        """The rates of a model; None when it has no price. Blocks, as the price data may have to be loaded."""
        return rates_of(model, self._price, self._clock())

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        """The file is the home's own: what it cannot take is kept nowhere."""

    def leave(self) -> None:
        """Give back all shares, since this process ends."""
        if self._latest:
            self._ledger.add("DELETE FROM guard_shares WHERE process = ?", (self._process,))
            self._ledger.add("DELETE FROM guard_processes WHERE process = ?", (self._process,))

    @property
    def problem(self) -> str | None:
        """Why nothing can be shared, None while the file can be used."""
        return self._ledger.problem

    @property
    def kept_halts(self) -> Sequence[Halt]:
        """None: they are in the file that cannot be used."""
        return ()

    @property
    def server(self) -> SharedServer | None:
        """None: they are in a file."""
        return None

    @property
    def allowance(self) -> Allowance:
        """All that is left: a process without the file counts on by itself."""
        return "all"

    @property
    def pause(self) -> float:
        """None: other machines do not wait for the file."""
        return 0.0

    # The ledger's thread

    def _write(self, db: "sqlite3.Connection", messages: list[SyncMessage]) -> None:
        now = self._clock()
        beat = "INSERT OR REPLACE INTO guard_processes (process, pid, beat, turn) VALUES (?, ?, ?, ?)"
        for message in messages:
            db.execute(beat, (self._process, os.getpid(), now, message.sequence))
            others = _count_others(db, self._process, now)
            db.execute("DELETE FROM guard_shares WHERE process = ?", (self._process,))
            for key, claim in message.claims.items():
                _begin(db, key, claim, now)
            self._add_spent(db, message.finished)
            for key, claim in message.claims.items():
                self._hold(db, key, claim, processes=others + 1)
            for halt in message.halts:
                _store_halt(db, halt, now)
            if message.lift:
                lift_halts(db)
            self._keys = tuple(message.claims) or self._keys
            self._rates = {**self._rates, **{model: rates_of(model, self._price, now) for model in message.models}}

    def _add_spent(self, db: "sqlite3.Connection", finished: "Iterable[tuple[Sequence[str], HistoryEntry]]") -> None:
        """Add what requests cost to their budgets."""
        sums: dict[str, int] = {}
        for keys, entry in finished:
            tokens, (cost, _) = count_tokens(entry).tokens, self._price(entry)
            for key in keys:
                sums[key] = sums.get(key, 0) + (tokens if counts_tokens(key) else cost or 0)
        for key, amount in sums.items():
            added = (_MOST, min(_MOST, amount), key)
            db.execute("UPDATE guard_books SET spent = min(?, spent + ?) WHERE book = ?", added)

    def _hold(self, db: "sqlite3.Connection", key: str, claim: Claim, *, processes: int) -> None:
        spent = db.execute("SELECT spent - base FROM guard_books WHERE book = ?", (key,)).fetchone()[0]
        rows = db.execute(_LIVE, (key, self._process)).fetchall()
        since = max(1, int(claim.since * 1000))
        held = compute_share(
            limit=claim.budget.limit,
            spent=spent,
            others=sum(row[0] for row in rows),
            keep=claim.keep,
            needed=claim.needed,
            processes=processes,
            yields=waits_longer(rows, since if claim.needed else None, self._process, self._clock()),
        )
        wanted = since if claim.needed and held < claim.keep + claim.needed else 0
        db.execute(
            "INSERT INTO guard_shares (book, process, held, running, wanted) VALUES (?, ?, ?, ?, ?)",
            (key, self._process, min(held, _MOST), min(claim.running, _MOST), wanted),
        )

    def _read_back(self, db: "sqlite3.Connection") -> None:
        if not self._asked:
            return
        row = db.execute("SELECT turn FROM guard_processes WHERE process = ?", (self._process,)).fetchone()
        sequence = row[0] if row else 0
        # Read back again after a message that could not be written yet.
        self._asked = sequence < self._latest
        budgets = {key: self._read_view(db, key) for key in self._keys}
        rates, self._rates = self._rates, {}
        self._receive(SharedState(sequence, budgets, read_halts(db), rates))

    def _read_view(self, db: "sqlite3.Connection", key: str) -> BudgetView:
        spent = db.execute("SELECT spent - base FROM guard_books WHERE book = ?", (key,)).fetchone()
        own = db.execute("SELECT held FROM guard_shares WHERE book = ? AND process = ?", (key, self._process))
        held = own.fetchone()
        others = db.execute(_LIVE, (key, self._process)).fetchall()
        return BudgetView(
            spent=spent[0] if spent else 0,
            held=held[0] if held else 0,
            others=sum(row[0] for row in others),
            idle=sum(max(0, row[0] - row[1]) for row in others),
            wanted=any(row[2] for row in others),
        )


def waits_longer(rows: "Iterable[tuple[int, int, int, str]]", since: int | None, own: str, now: float) -> bool:
    """True when a request of another process waits longer than that of this one, which waits since then (milliseconds;
    None when none does). A wait that is older than requests wait is forgotten, as is the 1 of older versions."""
    oldest = int((now - WAIT_LIMIT) * 1000)
    return any(
        wanted > oldest and (since is None or (wanted, process) < (since, own)) for _, _, wanted, process in rows
    )


def rates_of(model: Model, price: Price, now: float) -> Rates | None:
    """The cost of a million tokens of a model, for each kind; None when input or output has no price."""
    asked = Model(*model)
    found: list[int] = []
    whole = True
    for field in ("tokens_in", "tokens_out", "cache_read", "cache_write", "cache_write_1h", "searches"):
        counts: dict[str, Any] = {"tokens_in": 0, field: _MILLION}
        extras = Extras(tier=asked.tier)
        if field == "cache_write_1h":
            counts["cache_write"] = _MILLION
        elif field == "searches":
            extras = Extras(tier=asked.tier, searches=counts.pop(field))
        elif asked.audio and field == "tokens_in":
            extras = Extras(tier=asked.tier, input_audio=_MILLION)
        elif asked.audio and field == "tokens_out":
            extras = Extras(tier=asked.tier, output_audio=_MILLION)
        sample = HistoryEntry(
            id="", started=now, method="", path="", root=asked.root, model=asked.name, extras=extras, **counts
        )
        cost, source = price(sample)
        if cost is None and field in ("tokens_in", "tokens_out"):
            return None
        whole = whole and WITHOUT not in source
        found.append(min(cost or 0, _MOST))
    return Rates(found[0], found[1], found[2], found[3], found[4], found[5], whole)


def counts_tokens(key: str) -> bool:
    """True for a budget of tokens, False for one of dollars."""
    return key.split("|")[1] == "tokens"


def count_tokens(entry: HistoryEntry) -> TokenCounts:
    """The tokens of a finished request."""
    written = entry.cache_write or 0
    hour = min(entry.cache_write_1h or 0, written)
    searches = entry.extras.searches if entry.extras is not None else 0
    return TokenCounts(
        entry.tokens_in or 0, entry.tokens_out or 0, entry.cache_read or 0, written - hour, hour, searches
    )


def _count_others(db: "sqlite3.Connection", own: str, now: float) -> int:
    """Count the other processes that share the budgets; the shares of ended ones are deleted."""
    alive = 0
    rows = db.execute("SELECT process, pid, beat FROM guard_processes WHERE process <> ?", (own,)).fetchall()
    for process, pid, beat in rows:
        if abs(now - beat) < LOST_SECONDS and processes.alive(pid):
            alive += 1
        else:
            db.execute("DELETE FROM guard_shares WHERE process = ?", (process,))
            db.execute("DELETE FROM guard_processes WHERE process = ?", (process,))
    return alive


def _begin(db: "sqlite3.Connection", key: str, claim: Claim, now: float) -> None:
    """Begin a budget's term with the sum of the history over it, unless it was begun before."""
    budget = claim.budget
    updated = db.execute("UPDATE guard_books SET lim = ? WHERE book = ?", (budget.limit, key)).rowcount
    if updated:
        return
    db.execute("DELETE FROM guard_books WHERE began < ?", (now - _OLD_SECONDS,))
    db.execute("DELETE FROM guard_shares WHERE book NOT IN (SELECT book FROM guard_books)")
    spent = _sum_history(db, budget, claim.term)
    db.execute(
        "INSERT INTO guard_books (book, began, spent, base, lim) VALUES (?, ?, ?, 0, ?)",
        (key, claim.term.start, spent, budget.limit),
    )


def _sum_history(db: "sqlite3.Connection", budget: Budget, term: Term) -> int:
    """What the requests of a budget's term have cost, or their tokens."""
    return db.execute(*select_history_sum(budget, term)).fetchone()[0]


def select_history_sum(budget: Budget, term: Term) -> tuple[str, list[object]]:
    """The query, with its values, for what the requests of a budget's term have cost, or their tokens."""
    condition, values = _select_scope(budget.scope, int(term.start * 1000))
    # `total` adds up as a float, so that it cannot overflow.
    total = f"CAST(min(total({_SUMS[budget.unit]}), {_MOST}) AS INTEGER)"
    return f"SELECT {total} FROM requests WHERE {condition}", values  # noqa: S608 - names of ours


def _store_halt(db: "sqlite3.Connection", halt: Halt, now: float) -> None:
    """Store a halt, unless its scope has one that still holds."""
    if any(old.scope == halt.scope and old.holds(now) for old in read_halts(db)):
        return
    db.execute(
        "INSERT OR REPLACE INTO guard_halts (scope, since, until, reason, request, book) VALUES (?, ?, ?, ?, ?, ?)",
        (halt.scope, halt.since, halt.until, halt.reason, halt.request, halt.budget_key),
    )


def read_halts(db: "sqlite3.Connection") -> tuple[Halt, ...]:
    """The halts in the file, those that are over included."""
    return tuple(Halt(*row) for row in db.execute("SELECT scope, since, until, reason, request, book FROM guard_halts"))


def lift_halts(db: "sqlite3.Connection") -> None:
    """End all halts; the budgets that were used up count from here."""
    db.execute("UPDATE guard_books SET base = spent WHERE book IN (SELECT book FROM guard_halts)")
    db.execute("DELETE FROM guard_halts")


def read_not_counted(db: "sqlite3.Connection", budgets: Iterable[Budget], now: float) -> dict[tuple[str, str], int]:
    """How many requests of the current terms count nothing in budgets in US dollars, since their models have no price:
    by backend and model, most first."""
    dollars = [
        (budget.scope, int(find_budget_term(budget, now).start * 1000)) for budget in budgets if budget.unit == "usd"
    ]
    first = min((start for _, start in dollars), default=0)
    # The sums of hours first: reading the rows of a month takes a tenth of a second.
    unpriced = "SELECT total(unpriced) FROM rollups WHERE hour >= ?"
    if not dollars or not db.execute(unpriced, (first // HOUR_MS,)).fetchone()[0]:
        return {}
    wanted, values = zip(*(_select_scope(scope, start) for scope, start in dollars), strict=True)
    query = (
        "SELECT backends.text, models.text, count(*) FROM requests JOIN names AS backends ON backends.id = backend "  # noqa: S608 - names of ours
        "JOIN names AS models ON models.id = served WHERE time >= ? AND cost IS NULL AND "
        f"(tokens_in IS NOT NULL OR tokens_out IS NOT NULL) AND ({' OR '.join(wanted)}) "
        "GROUP BY backend, served ORDER BY 3 DESC, 2"
    )
    rows = db.execute(query, [first, *(value for some in values for value in some)]).fetchall()
    return {(backend, model): count for backend, model, count in rows}


def read_partly_counted(db: "sqlite3.Connection", budgets: Iterable[Budget], now: float) -> dict[str, int]:
    """How many requests of the current terms are counted without a part that has no price, by what that is."""
    dollars = [
        (budget.scope, int(find_budget_term(budget, now).start * 1000)) for budget in budgets if budget.unit == "usd"
    ]
    prices = dict(db.execute("SELECT id, text FROM names WHERE instr(text, ?)", (WITHOUT,)).fetchall())
    if not dollars or not prices:
        return {}
    wanted, values = zip(*(_select_scope(scope, start) for scope, start in dollars), strict=True)
    query = (
        f"SELECT price, count(*) FROM requests WHERE price IN ({', '.join('?' * len(prices))}) AND "  # noqa: S608 - names of ours
        f"({' OR '.join(wanted)}) GROUP BY price"
    )
    found: dict[str, int] = {}
    for price, count in db.execute(query, [*prices, *(value for some in values for value in some)]):
        missing = prices[price].partition(WITHOUT)[2]
        found[missing] = found.get(missing, 0) + count
    return found


def _select_scope(scope: str, start: int) -> tuple[str, list[object]]:
    """The condition for the requests of a scope since a moment (milliseconds), and its values."""
    if scope == ALL:
        return "time >= ?", [start]
    kind, _, name = scope.partition(" ")
    if kind == "key":
        # With those of the keys that it made for processes.
        chosen = "SELECT id FROM names WHERE text = ? OR substr(text, 1, ?) = ?"
        below = name + CHILD
        return f"time >= ? AND key IN ({chosen})", [start, name, len(below), below]
    return f"time >= ? AND {kind} = (SELECT id FROM names WHERE text = ?)", [start, name]  # noqa: S608 - a column's name


def read_spent(db: "sqlite3.Connection", budgets: Iterable[Budget], now: float) -> dict[Budget, int]:
    """The spend of each budget in its current term. That of one that no process has used in this term is what it would
    begin with: the sum of the history."""
    found: dict[Budget, int] = {}
    used: dict[float, frozenset[str]] = {}
    for budget in budgets:
        term = find_budget_term(budget, now)
        query = "SELECT spent - base FROM guard_books WHERE book = ?"
        row = db.execute(query, (budget_key(budget, term),)).fetchone()
        if row is None and budget.scope.startswith("key "):
            # There may be thousands of keys: only for those with requests the history is read.
            if term.start not in used:
                used[term.start] = _list_key_scopes(db, term)
            if budget.scope not in used[term.start]:
                row = (0,)
        found[budget] = row[0] if row else _sum_history(db, budget, term)
    return found


def _list_key_scopes(db: "sqlite3.Connection", term: Term) -> frozenset[str]:
    """The scopes of the client keys that requests of a term came with."""
    query = "SELECT text FROM names WHERE id IN (SELECT DISTINCT key FROM requests WHERE time >= ?)"
    names = (row[0].split(CHILD) for row in db.execute(query, (int(term.start * 1000),)))
    return frozenset(f"key {CHILD.join(parts[:count])}" for parts in names for count in range(1, len(parts) + 1))
