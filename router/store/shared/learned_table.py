"""A table of what the proxies of a home learned of models, by backend and model, which is held in memory as a whole.

Both are bounded. What another process learned is read within a few seconds.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from router.store.database.writer import Ledger, Row

if TYPE_CHECKING:
    import sqlite3

#: Takes over the rows of the table, the newest first, and keeps of the rest what was learned after a moment, in seconds
#: since 1970.
TakeOver = Callable[[Sequence[Row], float], None]


class LearnedTable:
    """One such table: its columns are backend, model, others, and `at`, in seconds since 1970. Its methods do not
    block."""

    def __init__(
        self,
        ledger: Ledger,
        name: str,
        columns: Sequence[str],
        take_over: TakeOver,
        *,
        entries: int,
        max_age: float,
        clock: Callable[[], float] = time.time,
    ):
        """columns: the others. entries: the most rows. max_age: seconds after which a row is deleted."""
        self._ledger = ledger
        self._take_over = take_over
        self._entries, self._max_age = entries, max_age
        self.clock = clock
        # What was learned after this moment may be missing in the file: its rows still waited when that was read.
        self._written_at = 0.0
        # What the file's counter of changes by other connections was at that; None before.
        self._seen: int | None = None
        self._changed = False
        of_key = "backend = ? AND model = ?"
        names = ("backend", "model", *columns, "at")
        listed = ", ".join(names)
        changes = ", ".join(f"{one} = excluded.{one}" for one in names[2:])
        # The names are of the code that makes the table.
        self._insert = (
            f"INSERT INTO {name} ({listed}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608
            f"ON CONFLICT (backend, model) DO UPDATE SET {changes}"
        )
        self._delete = f"DELETE FROM {name} WHERE {of_key}"  # noqa: S608
        self._too_old = f"DELETE FROM {name} WHERE at < ?"  # noqa: S608
        self._read = f"SELECT {listed} FROM {name} ORDER BY at DESC LIMIT ?"  # noqa: S608
        self._too_many = (
            f"DELETE FROM {name} WHERE (backend, model) NOT IN "  # noqa: S608
            f"(SELECT backend, model FROM {name} ORDER BY at DESC LIMIT ?)"
        )
        ledger.add_maintenance(self._maintain)

    def put(self, row: Row) -> None:
        """Store a row in place of the one of its backend and model."""
        self._changed = True
        self._ledger.add(self._insert, row)

    def delete(self, backend: str, model: str) -> None:
        """Delete the row of a model."""
        self._changed = True
        self._ledger.add(self._delete, (backend, model))

    def _maintain(self, db: "sqlite3.Connection") -> None:
        """Read what other processes changed, and delete rows that are too old or too many."""
        seen: int = db.execute("PRAGMA data_version").fetchone()[0]
        if seen == self._seen and not self._changed:
            return
        now = self.clock()
        self._changed = self._ledger.waiting > 0
        db.execute(self._too_old, (now - self._max_age,))
        db.execute(self._too_many, (self._entries,))
        self._take_over(db.execute(self._read, (self._entries,)).fetchall(), self._written_at)
        self._seen = seen
        if not self._changed:
            self._written_at = now
