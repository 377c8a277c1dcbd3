"""Reads history.db: sums over a window, single requests, rates of the last minutes. It never writes and never blocks
the writer.

Whole hours come from the sums of each hour, the part of an hour a window begins in from its rows. Percentiles are
read from histograms (history_buckets), within 9 %.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from router.errors import CommandError
from router.store import history_buckets as buckets
from router.store.database import BUSY_SECONDS, NAME
from router.store.history import HOUR_MS, SUMS, Tally
from router.store.history_names import ROLES
from router.store.home import Home
from router.store.migrations import MIGRATIONS
from router.store.modes import shown, word

if TYPE_CHECKING:
    import sqlite3

#: The version of the file that has requests.
_SINCE = 2
BURN_SECONDS = 900.0
# Two readings closer than this say nothing about a slope.
_SLOPE_SECONDS = 30.0
_ROWS_LIMIT = 1000

_NAMED = ("method", "client", "protocol", "model", "served", "backend", "account", "error", "price", "billing", "tag")
_PLAIN = (
    *("id", "time", "path", "status", "attempts", "queue_ms", "first_byte_us", "total_us", "tokens_in", "tokens_out"),
    *("cache_read", "cache_write", "reasoning", "cost", "losses", "stream", "utilisation", "estimated", "notes"),
)
_SELECT = (
    "SELECT "  # noqa: S608 - names of ours
    + ", ".join([*(f"r.{name}" for name in _PLAIN), *(f"n{index}.text" for index in range(len(_NAMED)))])
    + " FROM requests AS r "
    + " ".join(f"JOIN names AS n{index} ON n{index}.id = r.{name}" for index, name in enumerate(_NAMED))
)
_PART = (
    "SELECT served, backend, account, client, tag, billing, error, error <> ? OR status >= 400, estimated, "
    "cost IS NULL AND (tokens_in IS NOT NULL OR tokens_out IS NOT NULL), tokens_in, tokens_out, cache_read, "
    "cache_write, reasoning, cost, first_byte_us, total_us FROM requests WHERE time >= ? AND time < ?"
)
_HOURS = f"SELECT role, name, {', '.join(SUMS)}, first, total FROM rollups WHERE hour >= ? AND hour < ?"  # noqa: S608


class Request(msgspec.Struct, kw_only=True):
    """One request. time: seconds since 1970; *_ms: milliseconds; cost_usd: None when the price is unknown; price: where
    it is from; utilisation: used share of the account's tightest limit, as the answer said; losses, notes: lists."""

    id: str
    time: float
    client: str
    protocol: str
    method: str
    path: str
    model: str
    served_model: str
    backend: str
    account: str
    status: int
    error: str
    attempts: int
    queue_ms: int
    first_byte_ms: float | None
    total_ms: float
    tokens_in: int | None
    tokens_out: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    cost_usd: float | None
    price: str
    losses: list[str]
    stream: bool
    billing: str
    utilisation: float | None
    tag: str
    estimated: bool
    notes: list[str]


class Sums(msgspec.Struct, kw_only=True):
    """Sums of the requests of one name. tokens_in: read without the cache's. cost_usd: of those with a known price;
    unpriced: how many have tokens and no price. cached_share: of all input. share: of the requests of the window."""

    name: str
    requests: int
    errors: int
    estimated: int
    unpriced: int
    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write: int
    reasoning: int
    cost_usd: float
    cached_share: float | None
    share: float
    first_byte_ms: dict[str, float | None]
    total_ms: dict[str, float | None]


class Rate(msgspec.Struct, kw_only=True):
    """How fast it goes, over the last `seconds`; the forecast holds if it goes on so."""

    seconds: float
    requests_per_min: float
    tokens_per_min: float
    cost_usd_per_hour: float
    forecast_cost_usd_24h: float


class Limit(msgspec.Struct, kw_only=True):
    """An account's tightest limit. utilisation: its share in use when last told. per_hour: its slope over the last
    15 minutes, None when too few readings came. full_in_s: when it is used up at that rate, None when it is not."""

    account: str
    utilisation: float
    per_hour: float | None
    full_in_s: float | None


class Summary(msgspec.Struct, kw_only=True):
    """The window from `since` to `until` (seconds since 1970), by name within each role, most requests first."""

    since: float
    until: float
    total: Sums
    models: list[Sums]
    backends: list[Sums]
    accounts: list[Sums]
    clients: list[Sums]
    tags: list[Sums]
    billing_classes: list[Sums]
    errors: list[Sums]
    rate: Rate
    limits: list[Limit]


@contextmanager
def reading(home: Home) -> Generator["sqlite3.Connection | None"]:
    """A connection that only reads; None when nothing was ever recorded. Raises CommandError for a file that cannot
    be read: a damaged one, or one of a newer version."""
    import sqlite3

    path = home.at(NAME)
    if not path.exists():
        yield None
        return
    uri = f"{path.resolve().as_uri()}?mode=ro"
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found > len(MIGRATIONS):
            raise CommandError(
                f"{shown(path)} was written by a newer fairlead (its version is {found}).",
                f"Use that one, or move the file away:   mv {word(path)} {word(path)}.newer",
            )
        if found < _SINCE:
            yield None
            return
        # All queries see one moment.
        db.execute("BEGIN")
        yield db
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from None
    finally:
        if db is not None:
            db.close()


def _unreadable(path: Any, error: "sqlite3.DatabaseError") -> CommandError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (11, 26):
        return CommandError(
            f"{shown(path)} is damaged: {error}.",
            f"A proxy that finds it so begins a new one; or move it away:   mv {word(path)} {word(path)}.damaged",
        )
    return CommandError(f"{shown(path)} cannot be read: {error}.")


def summary(db: "sqlite3.Connection", since: float, until: float) -> Summary:
    """The sums of a window; `until` is meant to be now: the last hour counts as a whole."""
    tallies: dict[tuple[int, int], Tally] = {}
    begin = int(since * 1000)
    first_hour = -(-begin // HOUR_MS)
    nothing = _nothing(db)
    together: dict[tuple[int, ...], Tally] = {}
    for row in db.execute(_PART, (nothing, begin, first_hour * HOUR_MS)):
        names = row[:7]
        tally = together.get(names)
        if tally is None:
            tally = together[names] = Tally()
        tally.count(row[7:16], row[16], row[17])
    for names, tally in together.items():
        for role, name in enumerate((nothing, *names)):
            tallies.setdefault((role, name), Tally()).add(tally)
    for row in db.execute(_HOURS, (first_hour, int(until * 1000) // HOUR_MS + 1)):
        tally = tallies.setdefault((row[0], row[1]), Tally())
        tally.sums = [mine + theirs for mine, theirs in zip(tally.sums, row[2:], strict=False)]
        tally.first += buckets.unpacked(row[-2])
        tally.total += buckets.unpacked(row[-1])
    groups = _named(db, tallies)
    total = groups["all"][0] if groups["all"] else _sums("", Tally(), 0)
    return Summary(
        since=since,
        until=until,
        total=total,
        models=groups["model"],
        backends=groups["backend"],
        accounts=groups["account"],
        clients=groups["client"],
        tags=groups["tag"],
        billing_classes=groups["billing"],
        errors=groups["error"],
        rate=_rate(db, until),
        limits=list(_limits(db, until)),
    )


def empty(since: float, until: float) -> Summary:
    """The sums of a window in which nothing was ever recorded."""
    nobody: list[Sums] = []
    return Summary(
        since=since,
        until=until,
        total=_sums("", Tally(), 0),
        models=nobody,
        backends=nobody,
        accounts=nobody,
        clients=nobody,
        tags=nobody,
        billing_classes=nobody,
        errors=nobody,
        rate=_rated(0, 0, 0),
        limits=[],
    )


def _nothing(db: "sqlite3.Connection") -> int:
    row = db.execute("SELECT id FROM names WHERE text = ''").fetchone()
    return row[0] if row else 0


def _named(db: "sqlite3.Connection", tallies: dict[tuple[int, int], Tally]) -> dict[str, list[Sums]]:
    """The sums by role; what has no name (no tag, no error) is in the total only."""
    whole = sum(tally.sums[0] for (role, _), tally in tallies.items() if role == 0)
    groups: dict[str, list[Sums]] = {role: [] for role in ROLES}
    for (role, number), tally in tallies.items():
        row = db.execute("SELECT text FROM names WHERE id = ?", (number,)).fetchone()
        name = row[0] if row else ""
        if name or role == 0:
            groups[ROLES[role]].append(_sums(name, tally, whole))
    for group in groups.values():
        group.sort(key=lambda sums: (-sums.requests, sums.name))
    return groups


def _sums(name: str, tally: Tally, whole: int) -> Sums:
    values = dict(zip(SUMS, tally.sums, strict=True))
    cost = values.pop("cost")
    read = values["tokens_in"] + values["cache_read"] + values["cache_write"]
    return Sums(
        name=name,
        **values,
        cost_usd=cost / 1e9,
        cached_share=values["cache_read"] / read if read else None,
        share=values["requests"] / whole if whole else 0.0,
        first_byte_ms=_percentiles(tally.first),
        total_ms=_percentiles(tally.total),
    )


def _percentiles(histogram: int) -> dict[str, float | None]:
    found = {name: buckets.quantile(histogram, share) for name, share in (("p50", 0.5), ("p95", 0.95))}
    return {name: None if value is None else round(value / 1000, 3) for name, value in found.items()}


def _rate(db: "sqlite3.Connection", until: float) -> Rate:
    query = (
        "SELECT count(*), total(tokens_in) + total(tokens_out) + total(cache_read) + total(cache_write), total(cost) "
        "FROM requests WHERE time >= ?"
    )
    return _rated(*db.execute(query, (int((until - BURN_SECONDS) * 1000),)).fetchone())


def _rated(requests: int, tokens: float, cost: float) -> Rate:
    hourly = cost / 1e9 * 3600 / BURN_SECONDS
    minutes = BURN_SECONDS / 60
    return Rate(
        seconds=BURN_SECONDS,
        requests_per_min=round(requests / minutes, 3),
        tokens_per_min=round(tokens / minutes, 1),
        cost_usd_per_hour=round(hourly, 9),
        forecast_cost_usd_24h=round(hourly * 24, 9),
    )


def _limits(db: "sqlite3.Connection", until: float) -> Iterator[Limit]:
    """A line through each account's readings by least squares; times count from the window's start."""
    start = int((until - BURN_SECONDS) * 1000)
    query = (
        "SELECT names.text, (time - ?) / 1000.0, utilisation FROM requests JOIN names ON names.id = requests.account "
        "WHERE time >= ? AND utilisation IS NOT NULL ORDER BY time"
    )
    readings: dict[str, list[tuple[float, float]]] = {}
    for account, at, used in db.execute(query, (start, start)):
        readings.setdefault(account, []).append((at, used))
    for account, points in sorted(readings.items()):
        used = points[-1][1]
        slope = _slope(points)
        full = (1 - used) / slope if slope is not None and slope > 0 and used < 1 else None
        yield Limit(
            account=account,
            utilisation=used,
            per_hour=None if slope is None else round(slope * 3600, 6),
            full_in_s=0.0 if used >= 1 else None if full is None else round(full, 1),
        )


def _slope(points: list[tuple[float, float]]) -> float | None:
    """Per second; None when the readings lie too close together."""
    if points[-1][0] - points[0][0] < _SLOPE_SECONDS:
        return None
    middle = sum(at for at, _ in points) / len(points)
    level = sum(used for _, used in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    return sum((at - middle) * (used - level) for at, used in points) / spread


def request(db: "sqlite3.Connection", name: str) -> Request | None:
    """The request of that id, None when there is none; without its `req_` too."""
    for row in db.execute(f"{_SELECT} WHERE r.id IN (?, ?)", (name, f"req_{name}")):
        return _request(row)
    return None


def beginning(db: "sqlite3.Connection", start: str, limit: int = 3) -> list[str]:
    """The newest ids that begin so."""
    text = start if start.startswith("req_") else f"req_{start}"
    query = "SELECT id FROM requests WHERE id >= ? AND id < ? ORDER BY time DESC LIMIT ?"
    return [row[0] for row in db.execute(query, (text, text + "\U0010ffff", limit))]


def latest(db: "sqlite3.Connection", limit: int, before: str = "") -> list[Request]:
    """The newest requests first, at most `limit`; before: those that were written before this one."""
    query, values = f"{_SELECT} ORDER BY r.seq DESC LIMIT ?", [min(limit, _ROWS_LIMIT)]
    if before:
        row = db.execute("SELECT seq FROM requests WHERE id = ?", (before,)).fetchone()
        if row is None:
            return []
        query, values = f"{_SELECT} WHERE r.seq < ? ORDER BY r.seq DESC LIMIT ?", [row[0], *values]
    return [_request(row) for row in db.execute(query, values)]


def every(db: "sqlite3.Connection") -> Iterable[Request]:
    """All requests, oldest first; they are read as they are taken."""
    return (_request(row) for row in db.execute(f"{_SELECT} ORDER BY r.seq"))


def _request(row: tuple[Any, ...]) -> Request:
    found: dict[str, Any] = dict(zip((*_PLAIN, *_NAMED), row, strict=True))
    cost, first = found.pop("cost"), found.pop("first_byte_us")
    return Request(
        time=found.pop("time") / 1000,
        served_model=found.pop("served"),
        first_byte_ms=None if first is None else first / 1000,
        total_ms=found.pop("total_us") / 1000,
        cost_usd=None if cost is None else cost / 1e9,
        losses=_listed(found.pop("losses")),
        notes=_listed(found.pop("notes")),
        stream=bool(found.pop("stream")),
        estimated=bool(found.pop("estimated")),
        account=found.pop("account").partition("/")[2],
        **found,
    )


def _listed(text: str) -> list[str]:
    return text.split("; ") if text else []
