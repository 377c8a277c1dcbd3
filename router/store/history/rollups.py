"""Hourly sums of the history, by name within each role.

A row of `rollups` is one hour of one name; histograms of durations are integers (histogram.py).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from router.store.history import histogram as buckets
from router.store.history.derive import STORED, SUMMED

if TYPE_CHECKING:
    import sqlite3

HOUR_MS = 3_600_000
#: What sums are kept by. The position is the number in the table `rollups`; `all` has the name ''.
ROLES = (
    *("all", "model", "backend", "account", "client", "tag", "billing", "error", "cache_loss", "class", "agent"),
    *("key", "answer_cache"),
)
_BY_ROLE = {column.role: column.name for column, _ in STORED}
#: The columns with the names, in the order of ROLES, without `all`.
ROLE_COLUMNS = tuple(_BY_ROLE[role] for role in ROLES[1:])
SUMS = ("requests", "errors", "estimated", "unpriced", *SUMMED)
_HISTOGRAMS = "SELECT first, total FROM rollups WHERE hour = ? AND role = ? AND name = ?"
_ADD_UP = (
    f"INSERT INTO rollups (hour, role, name, {', '.join(SUMS)}, first, total) "  # noqa: S608 - no values in it
    f"VALUES ({', '.join('?' * (5 + len(SUMS)))}) ON CONFLICT (hour, role, name) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    + ", first = excluded.first, total = excluded.total"
)


class RollupSums:
    """Sums of some requests."""

    __slots__ = ("first", "sums", "total")

    def __init__(self) -> None:
        #: In the order of SUMS.
        self.sums = [0] * len(SUMS)
        #: Durations to the first byte and to the end, as histograms.
        self.first = 0
        self.total = 0

    def count(
        self, requests: int, columns: Sequence[Iterable[int | None]], firsts: Iterable[float], totals: Iterable[float]
    ) -> None:
        """Add requests. columns: errors, estimated, unpriced, …, cost as in SUMS, of each request, None for nothing.
        firsts, totals: microseconds to the first byte and to the end."""
        counted = (requests, *(sum(filter(None, column)) for column in columns))
        self.sums = [mine + more for mine, more in zip(self.sums, counted, strict=True)]
        self.first += buckets.build_histogram(firsts)
        self.total += buckets.build_histogram(totals)

    def add(self, other: "RollupSums") -> None:
        """Add the sums of other requests."""
        self.sums = [mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True)]
        self.first += other.first
        self.total += other.total


def add_up(db: "sqlite3.Connection", sums: Iterable[tuple[tuple[int, int, int], RollupSums]]) -> None:
    """Add these to the sums in the file, by hour (since 1970), role (its position in ROLES) and name."""
    rows: list[tuple[object, ...]] = []
    for key, rollup in sums:
        histograms = db.execute(_HISTOGRAMS, key).fetchone() or (b"", b"")
        first = buckets.pack(rollup.first + buckets.unpack(histograms[0]))
        rows.append((*key, *rollup.sums, first, buckets.pack(rollup.total + buckets.unpack(histograms[1]))))
    db.executemany(_ADD_UP, rows)
