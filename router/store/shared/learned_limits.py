"""The limits of models that errors told: the table `learned_limits`, which is held in memory as a whole.

Both are bounded (policy/facts/learned.py). What another process learned is read within a few seconds.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from router.policy.facts.learned import ENTRIES, MAX_AGE_SECONDS, LearnedLimit, LearnedLimits
from router.store.database.writer import Ledger

if TYPE_CHECKING:
    import sqlite3

_INSERT = """INSERT INTO learned_limits (backend, model, window, max_input, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (backend, model) DO UPDATE
    SET window = excluded.window, max_input = excluded.max_input, at = excluded.at"""
_DELETE = "DELETE FROM learned_limits WHERE backend = ? AND model = ?"
_TOO_OLD = "DELETE FROM learned_limits WHERE at < ?"
_TOO_MANY = """DELETE FROM learned_limits WHERE (backend, model) NOT IN (
    SELECT backend, model FROM learned_limits ORDER BY at DESC LIMIT ?)"""
_READ = "SELECT backend, model, window, max_input, at FROM learned_limits ORDER BY at DESC LIMIT ?"


class SqliteLearnedLimits:
    """The learned limits of one home. Its methods do not block."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.time):
        self._ledger = ledger
        self._clock = clock
        self._known = LearnedLimits()
        # What was learned after this moment may be missing in the file: its rows still waited when that was read.
        self._written_at = 0.0
        # What the file's counter of changes by other connections was at that; None before.
        self._seen: int | None = None
        self._changed = False
        ledger.add_maintenance(self._maintain)

    def learned(self, backend: str, model: str) -> LearnedLimit | None:
        """What errors told of a model, None for nothing. model: as the backend names it."""
        return self._known.learned(backend, model)

    def learn(self, backend: str, model: str, *, window: int | None, max_input: int | None) -> None:
        """Store what an error told, in tokens; None for what it did not tell."""
        found = self._known.learn(backend, model, window=window, max_input=max_input, at=self._clock())
        if found is not None:
            self._changed = True
            self._ledger.add(_INSERT, (backend, model, *found))

    def taken(self, backend: str, model: str) -> int:
        """The most input tokens that an answer has shown a model to take since the start, 0 where none has."""
        return self._known.taken(backend, model)

    def note_taken(self, backend: str, model: str, tokens: int) -> None:
        """Note how many input tokens an answer shows a model to take, and forget its limit if that was less."""
        if self._known.note_taken(backend, model, tokens):
            self._changed = True
            self._ledger.add(_DELETE, (backend, model))

    def _maintain(self, db: "sqlite3.Connection") -> None:
        """Read what other processes changed, and delete rows that are too old or too many."""
        seen: int = db.execute("PRAGMA data_version").fetchone()[0]
        if seen == self._seen and not self._changed:
            return
        now = self._clock()
        self._changed = self._ledger.waiting > 0
        db.execute(_TOO_OLD, (now - MAX_AGE_SECONDS,))
        db.execute(_TOO_MANY, (ENTRIES,))
        rows = db.execute(_READ, (ENTRIES,)).fetchall()
        self._known.replace_all([(row[0], row[1], LearnedLimit(*row[2:])) for row in rows], since=self._written_at)
        self._seen = seen
        if not self._changed:
            self._written_at = now
