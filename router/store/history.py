"""What happened: a row a request, and hourly sums, in history.db.

Rules of this file: `add` costs the request one append to a bounded queue; names, prices and sums are worked out by
the ledger's thread, rows and their sums in one transaction, so that they never disagree. No text of a request or an
answer gets here: what is stored are names, numbers and notes of fairlead's own.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from router.policy.attempts import Attempt, Binding
from router.store import history_buckets as buckets
from router.store.history_names import ROLES, Names, clean
from router.store.ledger import Ledger
from router.wire.limits import Windows

if TYPE_CHECKING:
    import sqlite3

HOUR_MS = 3_600_000
#: How long sums are kept; rows are kept as history.retention says.
SUMS_DAYS = 400
_TRIM_SECONDS, _TRIM_ROWS = 600.0, 5000
_NOTES_LIMIT = 512
# SQLite's integers have 64 bits; sums of hours must fit too.
_MOST = 10**13

_COLUMNS = (
    "id, time, method, client, protocol, path, model, served, backend, account, status, error, attempts, queue_ms, "
    "first_byte_us, total_us, tokens_in, tokens_out, cache_read, cache_write, reasoning, cost, price, losses, stream, "
    "billing, utilisation, tag, estimated, notes, sent_ms, bound, session, turns, given_up, used_5h, resets_5h, "
    "used_7d, resets_7d"
)
_PLACES = f"({', '.join('?' * 39)})"
# Rows in one statement; SQLite before 3.32 takes 999 values.
_TOGETHER = 25
_ATTEMPT = f"INSERT INTO attempts VALUES ({', '.join('?' * 10)})"  # noqa: S608 - no values in it
#: Of one request; whoever fills them in has a lower bound.
ATTEMPTS_LIMIT = 32
_NO_WINDOWS = (None, None, None, None)
SUMS = (
    *("requests", "errors", "estimated", "unpriced", "tokens_in", "tokens_out", "cache_read", "cache_write"),
    *("reasoning", "cost"),
)
_HELD = "SELECT first, total FROM rollups WHERE hour = ? AND role = ? AND name = ?"
_ADD_UP = (
    f"INSERT INTO rollups (hour, role, name, {', '.join(SUMS)}, first, total) "  # noqa: S608 - no values in it
    f"VALUES ({', '.join('?' * (5 + len(SUMS)))}) ON CONFLICT (hour, role, name) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    + ", first = excluded.first, total = excluded.total"
)


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finished request. started: seconds since 1970; queued, first_byte, total: seconds. root: the backend's URL,
    by which its prices are found. Token counts are None where nobody knows them. tries: what `attempts` counts, as far
    as it is known. given_up: cached tokens that were left behind when the account was changed."""

    id: str
    started: float
    method: str
    path: str
    client: str = ""
    protocol: str = ""
    model: str = ""
    served: str = ""
    backend: str = ""
    root: str = ""
    account: str = ""
    status: int = 0
    error: str = ""
    attempts: int = 0
    queued: float = 0.0
    first_byte: float | None = None
    total: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    losses: str = ""
    stream: bool = False
    billing: str = ""
    utilisation: float | None = None
    windows: Windows | None = None
    tag: str = ""
    estimated: bool = False
    notes: str = ""
    tries: tuple[Attempt, ...] = ()
    binding: Binding | None = None
    given_up: int | None = None


#: Cost in billionths of a US dollar (None: the price is unknown), and where the price is from.
Priced = tuple[int | None, str]


class Tally:
    """Sums of some requests; `sums` in the order of SUMS, `first` and `total` as histograms."""

    __slots__ = ("first", "sums", "total")

    def __init__(self) -> None:
        self.sums = [0] * len(SUMS)
        self.first = 0
        self.total = 0

    def count(self, rows: "Sequence[tuple[int | None, ...]]") -> None:
        """Add requests, column by column: each row is errors, estimated, unpriced, …, cost as in SUMS, then the times
        to the first byte and to the end in microseconds. None counts as nothing."""
        self.sums[0] += len(rows)
        *columns, firsts, totals = zip(*rows, strict=True)
        for index, column in enumerate(columns, 1):
            self.sums[index] += sum(filter(None, column))
        self.first += sum(buckets.one(first) for first in firsts if first is not None)
        self.total += sum(map(buckets.one, totals))

    def add(self, other: "Tally") -> None:
        """Add the sums of other requests."""
        self.sums = [mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True)]
        self.first += other.first
        self.total += other.total


class _Group:
    """Requests of one batch that share all their names: the names' numbers, and what they add up to."""

    __slots__ = ("billing", "client", "error", "hour", "method", "model", "path", "protocol", "roles", "rows", "tag")

    def __init__(
        self,
        *,
        hour: int,
        model: int,
        served: int,
        backend: int,
        account: int,
        client: int,
        tag: int,
        billing: int,
        error: int,
        method: int,
        protocol: int,
        path: str,
    ):
        self.hour = hour
        self.model = model
        self.client, self.tag, self.billing, self.error = client, tag, billing, error
        self.method, self.protocol, self.path = method, protocol, path
        # In the order of ROLES, without `all`.
        self.roles = (served, backend, account, client, tag, billing, error)
        # What of each request adds up, as Tally.count takes it.
        self.rows: list[tuple[int | None, ...]] = []


class History:
    """The history of one home. price: what a request cost; it is asked by the ledger's thread. days: how long rows
    are kept."""

    def __init__(self, ledger: Ledger, price: Callable[[Entry], Priced], days: Callable[[], int]):
        self._ledger = ledger
        self._price = price
        self._days = days
        self._names = Names()
        self._trimmed = -_TRIM_SECONDS
        ledger.every(self._trim)

    def add(self, entry: Entry) -> None:
        """Hand over one request. Never waits."""
        self._ledger.add(self._write, entry)

    def _write(self, db: "sqlite3.Connection", entries: list[Entry]) -> None:
        names = self._names
        names.begin(db)
        groups: dict[tuple[object, ...], _Group] = {}
        attempts: list[tuple[object, ...]] = []
        # Neither row by row nor all at once: SQLite lets go of the interpreter at each statement, and taking it back
        # from a busy loop costs both threads (55 µs a request); a whole batch would keep requests waiting.
        for at in range(0, len(entries), _TOGETHER):
            _insert(db, [self._row(entry, groups, attempts) for entry in entries[at : at + _TOGETHER]])
        if attempts:
            db.executemany(_ATTEMPT, attempts)
        sums: dict[tuple[int, int, int], Tally] = {}
        nothing = names.number("")
        for group in groups.values():
            tally = Tally()
            tally.count(group.rows)
            for role, name in enumerate((nothing, *group.roles)):
                sums.setdefault((group.hour, role, name), Tally()).add(tally)
        _add_up(db, sums.items())

    def _row(
        self, entry: Entry, groups: dict[tuple[object, ...], "_Group"], attempts: list[tuple[object, ...]]
    ) -> tuple[object, ...]:
        ms = int(entry.started * 1000)
        key = (
            *(ms // HOUR_MS, entry.model, entry.served, entry.backend, entry.account, entry.client, entry.tag),
            *(entry.billing, entry.error, entry.method, entry.protocol, entry.path),
        )
        group = groups.get(key)
        if group is None:
            group = groups[key] = self._group(entry, ms // HOUR_MS)
        cost, source = self._price(entry)
        first = None if entry.first_byte is None else max(0, int(entry.first_byte * 1e6))
        total = max(0, int(entry.total * 1e6))
        tokens = (entry.tokens_in, entry.tokens_out, entry.cache_read, entry.cache_write, entry.reasoning)
        if sum(filter(None, tokens)) > _MOST:
            tokens = tuple(None if count is None else min(count, _MOST) for count in tokens)
        if cost is not None:
            cost = min(cost, _MOST)
        unpriced = cost is None and (tokens[0] is not None or tokens[1] is not None)
        failed = entry.error != "" or entry.status >= 400
        group.rows.append((failed, entry.estimated, unpriced, *tokens, cost, first, total))
        served, backend, account, *_ = group.roles
        price, losses, notes = self._names.number(source), clean(entry.losses, 1024), clean(entry.notes, _NOTES_LIMIT)
        return (
            *(entry.id, ms, group.method, group.client, group.protocol, group.path, group.model, served, backend),
            *(account, entry.status, group.error, entry.attempts, int(entry.queued * 1000), first, total, *tokens),
            *(cost, price, losses, entry.stream, group.billing, entry.utilisation, group.tag, entry.estimated, notes),
            *(self._sent(entry, ms, attempts), *self._bound(entry)),
            *(_NO_WINDOWS if entry.windows is None else msgspec.structs.astuple(entry.windows)),
        )

    def _sent(self, entry: Entry, ms: int, attempts: list[tuple[object, ...]]) -> int | None:
        """When the only attempt was made, in ms: the rest of it is the request's own row. Several get rows of theirs:
        one for each of them always would cost a fifth of the time and of the space."""
        tries = entry.tries
        if not tries:
            return None
        only = tries[0]
        if len(tries) == 1 and not only.done and not only.note and only.status == entry.status:
            return int(only.at * 1000)
        number = self._names.number
        for index, one in enumerate(tries[:ATTEMPTS_LIMIT]):
            names = (one.backend, f"{one.backend}/{one.account}")
            attempts.append(
                (
                    *(ms, entry.id, index, int(one.at * 1000), *map(number, names), one.status),
                    *(number(clean(one.error, 64)), number(clean(one.done, 64)), clean(one.note)),
                )
            )
        return None

    def _bound(self, entry: Entry) -> tuple[object, ...]:
        binding = entry.binding
        if binding is None:
            return (None, None, None, entry.given_up)
        return (self._names.number(binding.account), clean(binding.session, 16), binding.turns, entry.given_up)

    def _group(self, entry: Entry, hour: int) -> "_Group":
        number = self._names.number
        model = number(clean(entry.model), chosen=True)
        return _Group(
            hour=hour,
            model=model,
            served=number(clean(entry.served), chosen=True) if entry.served else model,
            backend=number(entry.backend),
            account=number(f"{entry.backend}/{entry.account}" if entry.backend else ""),
            client=number(entry.client),
            tag=number(clean(entry.tag), chosen=True),
            billing=number(clean(entry.billing, 64), chosen=True),
            error=number(entry.error),
            method=number(entry.method),
            protocol=number(entry.protocol),
            path=clean(entry.path),
        )

    def _trim(self, db: "sqlite3.Connection") -> None:
        """Forget what is too old, a bounded piece at a time."""
        if time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return
        now = time.time()
        oldest = int((now - self._days() * 86400) * 1000)
        query = f"DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE time < ? LIMIT {_TRIM_ROWS})"  # noqa: S608
        if db.execute(query, (oldest,)).rowcount >= _TRIM_ROWS:
            return
        self._trimmed = time.monotonic()
        db.execute("DELETE FROM attempts WHERE time < ?", (oldest,))
        db.execute("DELETE FROM rollups WHERE hour < ?", (int(now / 3600) - SUMS_DAYS * 24,))
        self._names.forget_unused(db)


def _insert(db: "sqlite3.Connection", rows: "Sequence[tuple[object, ...]]") -> None:
    places = ", ".join([_PLACES] * len(rows))
    statement = f"INSERT INTO requests ({_COLUMNS}) VALUES {places}"  # noqa: S608 - no values in it
    db.execute(statement, [value for row in rows for value in row])


def _add_up(db: "sqlite3.Connection", sums: "Iterable[tuple[tuple[int, int, int], Tally]]") -> None:
    rows: list[tuple[object, ...]] = []
    for key, tally in sums:
        held = db.execute(_HELD, key).fetchone() or (b"", b"")
        first = buckets.packed(tally.first + buckets.unpacked(held[0]))
        rows.append((*key, *tally.sums, first, buckets.packed(tally.total + buckets.unpacked(held[1]))))
    db.executemany(_ADD_UP, rows)


def clear(db: "sqlite3.Connection") -> int:
    """Erase all of it, and give the space back if nobody reads; the number of requests that were erased."""
    import sqlite3

    # Else what was deleted would still stand in free pages.
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN IMMEDIATE")
    try:
        count: int = db.execute("SELECT count(*) FROM requests").fetchone()[0]
        for table in ("requests", "attempts", "rollups", "names"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    with contextlib.suppress(sqlite3.OperationalError):
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


assert len(ROLES) == 8, "their positions are numbers in files"
