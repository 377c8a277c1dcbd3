"""Sums over a window of the history, rates of the last minutes, and when limits will be used up.

Whole hours come from the sums of each hour, the part of an hour a window begins in from its rows. Percentiles are
read from histograms (histogram.py), within 9 %.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from router.store.history import histogram as buckets
from router.store.history.derive import SUMMED
from router.store.history.rollups import HOUR_MS, ROLE_COLUMNS, ROLES, SUMS, RollupSums

if TYPE_CHECKING:
    import sqlite3

BURN_SECONDS = 900.0
# Two readings closer than this give no slope.
_SLOPE_SECONDS = 30.0
# Answers overtake each other, so that readings fall a little; at the begin of a window they fall by more.
_RESET_DROP = 0.05

_PART = (
    f"SELECT {', '.join(ROLE_COLUMNS)}, error <> ? OR status >= 400, estimated, "  # noqa: S608 - names of ours
    f"cost IS NULL AND (tokens_in IS NOT NULL OR tokens_out IS NOT NULL), {', '.join(SUMMED)}, "
    "first_byte_us, total_us FROM requests WHERE time >= ? AND time < ?"
)
# Among the newest rows only, as reading the rows of a month takes too long.
_PRICES = (
    "SELECT DISTINCT names.text FROM (SELECT price, cost FROM requests ORDER BY seq DESC LIMIT 1000) JOIN names "
    "ON names.id = price WHERE cost IS NOT NULL AND names.text <> '' ORDER BY names.text"
)
_READINGS = (
    "SELECT names.text, time / 1000.0, utilisation, used_5h, resets_5h, used_7d, resets_7d FROM requests "
    "JOIN names ON names.id = requests.account WHERE time >= ? AND utilisation IS NOT NULL ORDER BY time"
)
_WITHIN = "FROM rollups WHERE hour >= ? AND hour < ?"
# `total` adds up as a float, so that it cannot overflow.
_TOTALS = ", ".join(f"CAST(total({name}) AS INTEGER)" for name in SUMS)
_HOURS = f"SELECT role, name, {_TOTALS} {_WITHIN} GROUP BY role, name"
_WHOLE_HOURS = f"SELECT hour, first, total, {', '.join(SUMS)} {_WITHIN} AND role = 0"
_TIMES = f"SELECT role, name, first, total {_WITHIN}"


#: The name of clients that were not recognised by their headers.
UNKNOWN_CLIENT = "(unknown)"


class UsageSums(msgspec.Struct, kw_only=True):
    """Sums of the requests of one name."""

    name: str
    requests: int
    errors: int
    estimated: int
    #: How many have tokens and no price.
    unpriced: int
    #: Tokens that were read without the cache's.
    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write: int
    reasoning: int
    #: Tokens that a cache should have had and did not, and what they cost more. Older proxies do not tell them, nor the
    #: lists with a default below.
    cache_lost: int = 0
    cache_lost_usd: float = 0.0
    #: What answers from fairlead's own cache had cost when they came.
    saved_usd: float = 0.0
    #: The cost of the requests with a known price.
    cost_usd: float
    #: The share of all input that was read from the cache; None when there was no input.
    cached_share: float | None
    #: The share of the requests of the window.
    share: float
    #: Percentile (p50, p95) -> milliseconds.
    first_byte_ms: dict[str, float | None]
    total_ms: dict[str, float | None]


class UsageRate(msgspec.Struct, kw_only=True):
    """The rates of the last `seconds`, and what the next day costs if they stay so."""

    seconds: float
    requests_per_min: float
    tokens_per_min: float
    cost_usd_per_hour: float
    forecast_cost_usd_24h: float


class LimitForecast(msgspec.Struct, kw_only=True):
    """A limit of an account, and when it will be used up."""

    account: str
    #: `5h` or `7d` for those of a subscription; '' for the tightest of others.
    window: str
    #: The share in use at the last reading.
    utilisation: float
    #: Its slope over the last 15 minutes; None when there are too few readings.
    per_hour: float | None
    #: Seconds until the limit begins anew; None when it is not known.
    resets_in_s: float | None
    #: Seconds until the limit is used up at that rate; None when it is not, or begins anew before.
    full_in_s: float | None


class UsageSummary(msgspec.Struct, kw_only=True):
    """The window from `since` to `until` (seconds since 1970), by name within each role, most requests first."""

    since: float
    until: float
    total: UsageSums
    models: list[UsageSums]
    backends: list[UsageSums]
    accounts: list[UsageSums]
    clients: list[UsageSums]
    tags: list[UsageSums]
    #: By client key; those that it made for processes have names of their own.
    keys: list[UsageSums]
    billing_classes: list[UsageSums]
    errors: list[UsageSums]
    #: The requests that lost tokens of a cache, by why.
    cache_losses: list[UsageSums] = msgspec.field(default_factory=list[UsageSums])
    #: By the class of the request, as far as the client says.
    classes: list[UsageSums] = msgspec.field(default_factory=list[UsageSums])
    #: By the client's agent that made the request, as far as it says.
    agents: list[UsageSums] = msgspec.field(default_factory=list[UsageSums])
    #: By what fairlead's own cache of answers gave, `hit` or `miss`, of the requests that it was asked for.
    answer_cache: list[UsageSums] = msgspec.field(default_factory=list[UsageSums])
    rate: UsageRate
    limits: list[LimitForecast]
    #: Where the latest costs are from, with the date of the data.
    prices: list[str]


def summarize(db: "sqlite3.Connection", since: float, until: float) -> UsageSummary:
    """Add up a window. until: now, as the last hour counts as a whole."""
    rollups: dict[tuple[int, int], RollupSums] = {}
    begin = int(since * 1000)
    first_hour = -(-begin // HOUR_MS)
    nothing = _find_empty_name(db)
    named = len(ROLE_COLUMNS)
    together: dict[tuple[int | None, ...], list[tuple[int | None, ...]]] = {}
    for row in db.execute(_PART, (nothing, begin, first_hour * HOUR_MS)):
        together.setdefault(row[:named], []).append(row[named:])
    for names, rows in together.items():
        rollup = RollupSums()
        *columns, firsts, totals = zip(*rows, strict=True)
        rollup.count(len(rows), columns, (first for first in firsts if first is not None), totals)
        for role, name in enumerate((nothing, *names)):
            if name is not None:
                rollups.setdefault((role, name), RollupSums()).add(rollup)
    hours = (first_hour, int(until * 1000) // HOUR_MS + 1)
    for role, name, *sums in db.execute(_HOURS, hours):
        rollup = rollups.setdefault((role, name), RollupSums())
        rollup.sums = [mine + theirs for mine, theirs in zip(rollup.sums, sums, strict=True)]
    for role, name, first, total in db.execute(_TIMES, hours):
        rollup = rollups[role, name]
        rollup.first += buckets.unpack(first)
        rollup.total += buckets.unpack(total)
    groups = _group_by_role(db, rollups)
    total = groups["all"][0] if groups["all"] else make_sums("", RollupSums(), 0)
    return UsageSummary(
        since=since,
        until=until,
        total=total,
        models=groups["model"],
        backends=groups["backend"],
        accounts=groups["account"],
        clients=groups["client"],
        tags=groups["tag"],
        keys=groups["key"],
        billing_classes=groups["billing"],
        errors=groups["error"],
        cache_losses=groups["cache_loss"],
        classes=groups["class"],
        agents=groups["agent"],
        answer_cache=groups["answer_cache"],
        rate=_measure_rate(db, until),
        limits=list(_forecast_limits(db, until)),
        prices=[row[0] for row in db.execute(_PRICES)],
    )


def summarize_days(db: "sqlite3.Connection", since: float, until: float) -> list[UsageSums]:
    """Add up each local day of a window that has requests, the last one first; their names are `2026-11-28`. An hour
    belongs to the day it begins in. until: as for summarize."""
    days: dict[str, RollupSums] = {}
    begin = int(since * 1000)
    first_hour = -(-begin // HOUR_MS)
    rows = db.execute(_PART, (_find_empty_name(db), begin, first_hour * HOUR_MS)).fetchall()
    if rows:
        *columns, firsts, totals = [*zip(*rows, strict=True)][len(ROLE_COLUMNS) :]
        days[_name_day(begin)] = rollup = RollupSums()
        rollup.count(len(rows), columns, (first for first in firsts if first is not None), totals)
    for hour, first, total, *sums in db.execute(_WHOLE_HOURS, (first_hour, int(until * 1000) // HOUR_MS + 1)):
        rollup = days.setdefault(_name_day(hour * HOUR_MS), RollupSums())
        rollup.sums = [mine + theirs for mine, theirs in zip(rollup.sums, sums, strict=True)]
        rollup.first += buckets.unpack(first)
        rollup.total += buckets.unpack(total)
    whole = sum(rollup.sums[0] for rollup in days.values())
    return [make_sums(name, rollup, whole) for name, rollup in sorted(days.items(), reverse=True)]


def _name_day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d")


def empty_summary(since: float, until: float) -> UsageSummary:
    """Make the summary of a window when nothing was ever recorded."""
    none: list[UsageSums] = []
    return UsageSummary(
        since=since,
        until=until,
        total=make_sums("", RollupSums(), 0),
        models=none,
        backends=none,
        accounts=none,
        clients=none,
        tags=none,
        keys=none,
        billing_classes=none,
        errors=none,
        cache_losses=none,
        classes=none,
        agents=none,
        answer_cache=none,
        rate=_make_rate(0, 0, 0),
        limits=[],
        prices=[],
    )


def _find_empty_name(db: "sqlite3.Connection") -> int:
    row = db.execute("SELECT id FROM names WHERE text = ''").fetchone()
    return row[0] if row else 0


def _group_by_role(db: "sqlite3.Connection", rollups: dict[tuple[int, int], RollupSums]) -> dict[str, list[UsageSums]]:
    """Make the sums of each role; requests without a name in a role (no tag, no error) are in the total only, but for
    those of clients that were not recognised, which are UNKNOWN_CLIENT."""
    whole = sum(rollup.sums[0] for (role, _), rollup in rollups.items() if role == 0)
    groups: dict[str, list[UsageSums]] = {role: [] for role in ROLES}
    for (role, number), rollup in rollups.items():
        row = db.execute("SELECT text FROM names WHERE id = ?", (number,)).fetchone()
        name = row[0] if row else ""
        if not name and ROLES[role] == "client":
            name = UNKNOWN_CLIENT
        if name or role == 0:
            groups[ROLES[role]].append(make_sums(name, rollup, whole))
    for group in groups.values():
        group.sort(key=lambda sums: (-sums.requests, sums.name))
    return groups


def make_sums(name: str, rollup: RollupSums, whole: int) -> UsageSums:
    """The sums of a name as they are shown. whole: how many requests there are in all."""
    values = dict(zip(SUMS, rollup.sums, strict=True))
    cost, lost, saved = (values.pop(column) for column in ("cost", "cache_lost_cost", "saved_cost"))
    read = values["tokens_in"] + values["cache_read"] + values["cache_write"]
    return UsageSums(
        name=name,
        **values,
        cost_usd=cost / 1e9,
        cache_lost_usd=lost / 1e9,
        saved_usd=saved / 1e9,
        cached_share=values["cache_read"] / read if read else None,
        share=values["requests"] / whole if whole else 0.0,
        first_byte_ms=_measure(rollup.first),
        total_ms=_measure(rollup.total),
    )


def _measure(histogram: int) -> dict[str, float | None]:
    found = {name: buckets.quantile(histogram, share) for name, share in (("p50", 0.5), ("p95", 0.95))}
    return {name: None if value is None else round(value / 1000, 3) for name, value in found.items()}


def _measure_rate(db: "sqlite3.Connection", until: float) -> UsageRate:
    query = (
        "SELECT count(*), total(tokens_in) + total(tokens_out) + total(cache_read) + total(cache_write), total(cost) "
        "FROM requests WHERE time >= ?"
    )
    return _make_rate(*db.execute(query, (int((until - BURN_SECONDS) * 1000),)).fetchone())


def _make_rate(requests: int, tokens: float, cost: float) -> UsageRate:
    hourly = cost / 1e9 * 3600 / BURN_SECONDS
    minutes = BURN_SECONDS / 60
    return UsageRate(
        seconds=BURN_SECONDS,
        requests_per_min=round(requests / minutes, 3),
        tokens_per_min=round(tokens / minutes, 1),
        cost_usd_per_hour=round(hourly, 9),
        forecast_cost_usd_24h=round(hourly * 24, 9),
    )


def _forecast_limits(db: "sqlite3.Connection", until: float) -> Iterator[LimitForecast]:
    """Forecast the windows of each account's subscription, or else its tightest limit."""
    readings: dict[tuple[str, str], list[_Reading]] = {}
    for account, at, used, *windows in db.execute(_READINGS, (int((until - BURN_SECONDS) * 1000),)):
        shares = [("5h", *windows[:2]), ("7d", *windows[2:])]
        if windows[0] is None and windows[2] is None:
            shares = [("", used, None)]
        for window, share, resets in shares:
            if share is not None:
                readings.setdefault((account, window), []).append(_Reading(at - until, share, resets))
    for (account, window), points in sorted(readings.items()):
        yield _forecast_limit(account, window, points, until)


class _Reading(NamedTuple):
    """The state of a limit that an answer reported."""

    #: Seconds from the summary's end, so that it is negative.
    at: float
    #: A share.
    used: float
    #: Seconds since 1970; None when it is not known.
    resets: int | None


def _forecast_limit(account: str, window: str, points: list[_Reading], until: float) -> LimitForecast:
    used, resets = points[-1].used, points[-1].resets
    resets_in = None if resets is None else resets - until
    if resets_in is not None and resets_in <= 0:
        # The window has begun anew since that reading.
        return LimitForecast(
            account=account, window=window, utilisation=0, per_hour=None, resets_in_s=None, full_in_s=None
        )
    slope = _fit_slope(_cut_at_reset(points))
    full = (1 - used) / slope if slope is not None and slope > 0 and used < 1 else None
    if full is not None and resets_in is not None and full > resets_in:
        full = None
    return LimitForecast(
        account=account,
        window=window,
        utilisation=used,
        per_hour=None if slope is None else round(slope * 3600, 6),
        resets_in_s=None if resets_in is None else round(resets_in, 1),
        full_in_s=0.0 if used >= 1 else None if full is None else round(full, 1),
    )


def _cut_at_reset(points: list[_Reading]) -> list[_Reading]:
    """Drop the readings before the current window: a reading far below the one before it begins a new window."""
    start = 0
    for index in range(1, len(points)):
        if points[index].used < points[index - 1].used - _RESET_DROP:
            start = index
    return points[start:]


def _fit_slope(points: list[_Reading]) -> float | None:
    """Fit a line by least squares; its slope per second, None when the readings lie too close together."""
    if points[-1].at - points[0].at < _SLOPE_SECONDS:
        return None
    middle = sum(one.at for one in points) / len(points)
    level = sum(one.used for one in points) / len(points)
    spread = sum((one.at - middle) ** 2 for one in points)
    return sum((one.at - middle) * (one.used - level) for one in points) / spread
