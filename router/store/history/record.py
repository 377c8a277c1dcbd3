"""The history: a row a request, and hourly sums, in history.db.

Rules of this file: `add` costs the request one append to a bounded queue; the ledger's thread computes names, prices
and sums, and writes rows and their sums in one transaction, so that they never disagree. No text of a request or an
answer is stored, only names, numbers, fairlead's own notes, and the short text of an error.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from router.store.database.erasure import leave_mark
from router.store.database.writer import Ledger, Writing
from router.store.history.entry import HistoryEntry, Priced
from router.store.history.name_table import NameTable
from router.store.history.rows import Batch

if TYPE_CHECKING:
    import sqlite3

#: How long sums are kept; rows are kept as history.retention says.
SUMS_DAYS = 400
_TRIM_SECONDS, _TRIM_ROWS = 600.0, 5000


class History:
    """The history of one home. price: looks up what a request cost, in the ledger's thread. days: returns for how many
    days rows are kept."""

    def __init__(self, ledger: Ledger, price: Callable[[HistoryEntry], Priced], days: Callable[[], int]):
        self._ledger = ledger
        self._price = price
        self._days = days
        self._names = NameTable()
        # The same bound method each time: the ledger writes successive rows of the same function together.
        self._writing: Writing = self._write
        self._trimmed = -_TRIM_SECONDS
        ledger.add_maintenance(self._trim)

    def add(self, entry: HistoryEntry) -> None:
        """Queue one request. Never waits."""
        self._ledger.add(self._writing, entry)

    def extend(self, entries: Sequence[HistoryEntry]) -> None:
        """Queue requests from within a preparation (Ledger.extend)."""
        self._ledger.extend(self._writing, entries)

    def _write(self, db: "sqlite3.Connection", entries: list[HistoryEntry]) -> None:
        self._names.begin(db)
        batch = Batch(db, self._names, self._price, self._ledger.pause)
        batch.insert(entries)
        batch.add_up()

    def _trim(self, db: "sqlite3.Connection") -> None:
        """Delete what is too old, a bounded piece at a time."""
        if time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return
        now = time.time()
        oldest = int((now - self._days() * 86400) * 1000)
        query = f"DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE time < ? LIMIT {_TRIM_ROWS})"  # noqa: S608
        if db.execute(query, (oldest,)).rowcount >= _TRIM_ROWS:
            return
        self._trimmed = time.monotonic()
        db.execute("DELETE FROM attempts WHERE time < ?", (oldest,))
        db.execute("DELETE FROM attempt_errors WHERE time < ?", (oldest,))
        db.execute("DELETE FROM rollups WHERE hour < ?", (int(now / 3600) - SUMS_DAYS * 24,))
        self._names.forget_unused(db)


def clear(db: "sqlite3.Connection") -> int:
    """Erase the whole history, and free the disk space unless another connection reads. Running proxies then forget
    what they have of it in memory. Returns the number of requests that were erased."""
    import sqlite3

    # Else deleted rows would remain in free pages.
    db.execute("PRAGMA secure_delete = ON")
    db.execute("BEGIN IMMEDIATE")
    try:
        count: int = db.execute("SELECT count(*) FROM requests").fetchone()[0]
        for table in ("requests", "attempts", "attempt_errors", "rollups", "names", "kept"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
        leave_mark(db)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    with contextlib.suppress(sqlite3.OperationalError):
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count
