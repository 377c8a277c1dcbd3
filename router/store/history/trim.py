"""Keeps the history within its days and its bytes: the oldest requests go first.

Rules of this file: it runs in the ledger's thread, a bounded piece at a time, since other processes wait for the file
meanwhile. Rows that are deleted leave room in the file, which new rows take; so the file grows to its bound and stays
there. Only a file that is far over its bound (it was lowered, or an older version wrote the file) is written anew.
"""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from router.store.history.name_table import NameTable

if TYPE_CHECKING:
    import sqlite3

#: How long sums are kept; rows are kept as history.retention says.
SUMS_DAYS = 400
_TRIM_SECONDS, _TRIM_ROWS = 600.0, 5000
# Pieces that are deleted in one turn when the file is too large.
_PIECES = 20
# Of the bound: what is in use after a turn, which leaves room for what comes until the next one; and how large the file
# itself may be before it is written anew.
_AIM, _WRITE_ANEW = 0.9, 1.25
_ANEW_SECONDS = 3600.0


class Trimmer:
    """Deletes what is too old or too much. days, size: return for how many days rows are kept, and how many bytes the
    file may have."""

    def __init__(self, names: NameTable, days: Callable[[], int], size: Callable[[], int]):
        self._names = names
        self._days = days
        self._size = size
        self._trimmed = -_TRIM_SECONDS
        self._anew = -_ANEW_SECONDS

    def trim(self, db: "sqlite3.Connection") -> None:
        """Delete what is too old or too much, a bounded piece at a time."""
        if not self._trim_size(db):
            self._names.forget_unused(db)
        if time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return
        now = time.time()
        oldest = int((now - self._days() * 86400) * 1000)
        query = f"DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE time < ? LIMIT {_TRIM_ROWS})"  # noqa: S608
        if db.execute(query, (oldest,)).rowcount >= _TRIM_ROWS:
            return
        self._trimmed = time.monotonic()
        _delete_attempts(db, oldest)
        db.execute("DELETE FROM rollups WHERE hour < ?", (int(now / 3600) - SUMS_DAYS * 24,))
        self._names.forget_unused(db)

    def _trim_size(self, db: "sqlite3.Connection") -> bool:
        """Delete the oldest rows while the file holds too much; True when it did not."""
        bound = self._size()
        used, whole = _measure(db)
        if used <= bound and whole <= bound * _WRITE_ANEW:
            return True
        for _ in range(_PIECES):
            if used <= bound * _AIM or not _delete_oldest(db):
                break
            used, whole = _measure(db)
        self._write_anew(db, used, whole, bound)
        return False

    def _write_anew(self, db: "sqlite3.Connection", used: int, whole: int, bound: int) -> None:
        """Write a file anew whose free pages alone keep it over its bound."""
        if used > bound or whole <= bound * _WRITE_ANEW or time.monotonic() - self._anew < _ANEW_SECONDS:
            return
        import sqlite3

        self._anew = time.monotonic()
        # It needs as much room again, which the disk may not have, and nobody else at the file.
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _measure(db: "sqlite3.Connection") -> tuple[int, int]:
    """The bytes of the file that are in use, and all of them."""
    page, pages, free = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return page * (pages - free), page * pages


def _delete_oldest(db: "sqlite3.Connection") -> bool:
    """Delete the oldest requests with their attempts, or where none are left the oldest sums; False when there is
    nothing to delete."""
    last = f"SELECT max(seq), max(time) FROM (SELECT seq, time FROM requests ORDER BY seq LIMIT {_TRIM_ROWS})"  # noqa: S608
    seq, moment = db.execute(last).fetchone()
    if seq is not None:
        db.execute("DELETE FROM requests WHERE seq <= ?", (seq,))
        _delete_attempts(db, moment + 1)
        return True
    hour = db.execute("SELECT min(hour) FROM rollups").fetchone()[0]
    return hour is not None and db.execute("DELETE FROM rollups WHERE hour = ?", (hour,)).rowcount > 0


def _delete_attempts(db: "sqlite3.Connection", before: int) -> None:
    """Delete attempts that are older than a moment, in ms since 1970."""
    db.execute("DELETE FROM attempts WHERE time < ?", (before,))
    db.execute("DELETE FROM attempt_errors WHERE time < ?", (before,))
