"""The history: a row a request, and hourly sums, in history.db.

Rules of this file: `add` costs the request one append to a bounded queue; the ledger's thread computes names, prices
and sums, and writes rows and their sums in one transaction, so that they never disagree. No text of a request or an
answer is stored, only names, numbers, fairlead's own notes, and the short text of an error.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from router.store.database.erasure import leave_mark
from router.store.database.writer import Ledger, Writing
from router.store.history.entry import HistoryEntry, Priced
from router.store.history.name_table import NameTable
from router.store.history.rows import Batch
from router.store.history.trim import Trimmer

if TYPE_CHECKING:
    import sqlite3

#: Bytes of history.db where nothing else is said.
SIZE = 1 << 30


class History:
    """The history of one home. price: looks up what a request cost, in the ledger's thread. days, size: return for how
    many days rows are kept, and how many bytes the file may have."""

    def __init__(
        self,
        ledger: Ledger,
        price: Callable[[HistoryEntry], Priced],
        days: Callable[[], int],
        size: Callable[[], int] = lambda: SIZE,
    ):
        self._ledger = ledger
        self._price = price
        self._names = NameTable()
        # The same bound method each time: the ledger writes successive rows of the same function together.
        self._writing: Writing = self._write
        ledger.add_maintenance(Trimmer(self._names, days, size).trim)

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
