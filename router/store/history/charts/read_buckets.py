"""Sums of each hour or day of the history, by name, for charts. An hour counts as a whole, for the day it begins in."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from router.store.history import histogram as buckets
from router.store.history.rollups import HOUR_MS, ROLES

if TYPE_CHECKING:
    import sqlite3

_SUMS = ("requests", "errors", "tokens_in", "tokens_out", "cache_read", "cache_write", "cost")
_WITHIN = "rollups.role = ? AND hour >= ? AND hour < ?"
_ALL = f"SELECT hour, {', '.join(_SUMS)}, first FROM rollups WHERE {_WITHIN} ORDER BY hour"  # noqa: S608 - names of ours
_NAMED = (
    f"SELECT hour, names.text, {', '.join(_SUMS)} FROM rollups "  # noqa: S608 - names of ours
    f"JOIN names ON names.id = rollups.name WHERE {_WITHIN}"
)


class Amounts(msgspec.Struct, kw_only=True):
    """Sums of some requests."""

    requests: int = 0
    errors: int = 0
    #: Tokens of all kinds.
    tokens: int = 0
    #: Tokens that were read from a cache, and of all input.
    cache_read: int = 0
    input: int = 0
    #: The cost of the requests with a known price.
    cost_usd: float = 0.0

    def add(self, row: tuple[int, ...]) -> None:
        """Add the sums of a row, in the order of _SUMS."""
        requests, errors, tokens_in, tokens_out, read, write, cost = row
        self.requests += requests
        self.errors += errors
        self.tokens += tokens_in + tokens_out + read + write
        self.cache_read += read
        self.input += tokens_in + read + write
        self.cost_usd += cost / 1e9


class UsageBucket(msgspec.Struct, kw_only=True):
    """The requests that began within one hour or day."""

    #: Where it begins, in seconds since 1970.
    start: float
    total: Amounts
    #: Milliseconds to the first byte: half of the requests, and 95 of 100, took no longer; None without any.
    first_byte_p50: float | None
    first_byte_p95: float | None
    #: By name; requests without one are in the total alone.
    names: dict[str, Amounts]


def read_buckets(db: "sqlite3.Connection", since: float, until: float, *, role: str, days: bool) -> list[UsageBucket]:
    """The hours, or local days, of a window that have requests, oldest first. role: of ROLES, what they are told apart
    by. since, until: seconds since 1970; the hours that they lie in count as a whole."""
    hours = (int(since * 1000) // HOUR_MS, int(until * 1000) // HOUR_MS + 1)
    found: dict[float, UsageBucket] = {}
    firsts: dict[float, int] = {}
    for hour, *row, first in db.execute(_ALL, (ROLES.index("all"), *hours)):
        start = _find_start(hour, days=days)
        if start not in found:
            found[start] = UsageBucket(start=start, total=Amounts(), first_byte_p50=None, first_byte_p95=None, names={})
        found[start].total.add(tuple(row))
        firsts[start] = firsts.get(start, 0) + buckets.unpack(first)
    for hour, name, *row in db.execute(_NAMED, (ROLES.index(role), *hours)):
        if name:
            found[_find_start(hour, days=days)].names.setdefault(name, Amounts()).add(tuple(row))
    return list(_measure(found, firsts))


def _find_start(hour: int, *, days: bool) -> float:
    seconds = hour * HOUR_MS / 1000
    if not days:
        return seconds
    return datetime.fromtimestamp(seconds).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _measure(found: dict[float, UsageBucket], firsts: dict[float, int]) -> Iterator[UsageBucket]:
    for start, bucket in sorted(found.items()):
        p50, p95 = (buckets.quantile(firsts.get(start, 0), share) for share in (0.5, 0.95))
        bucket.first_byte_p50 = None if p50 is None else p50 / 1000
        bucket.first_byte_p95 = None if p95 is None else p95 / 1000
        yield bucket
