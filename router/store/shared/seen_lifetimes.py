"""For how long the caches of models were seen to keep a prompt: the table `seen_lifetimes`."""

import time
from collections.abc import Callable, Sequence

from router.backends.cache_rules import SeenLifetime
from router.policy.facts.lifetimes import ENTRIES, MAX_AGE_SECONDS, SeenLifetimes
from router.store.database.writer import Ledger, Row
from router.store.shared.learned_table import LearnedTable


class SqliteSeenLifetimes:
    """The lifetimes of one home. Its methods do not block."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.time):
        self._known = SeenLifetimes()
        self._table = LearnedTable(
            ledger,
            "seen_lifetimes",
            ("kept", "dropped"),
            self._take_over,
            entries=ENTRIES,
            max_age=MAX_AGE_SECONDS,
            clock=clock,
        )

    def seen(self, backend: str, model: str) -> SeenLifetime | None:
        """What was seen of a model, None for nothing. model: as the backend names it."""
        return self._known.seen(backend, model)

    def note_kept(self, backend: str, model: str, seconds: int) -> None:
        """Note that a prompt was still in a model's cache after a pause."""
        self._store(backend, model, self._known.note_kept(backend, model, seconds, at=self._table.clock()))

    def note_dropped(self, backend: str, model: str, seconds: int) -> None:
        """Note that a prompt was gone from a model's cache after a pause though nothing had changed."""
        self._store(backend, model, self._known.note_dropped(backend, model, seconds, at=self._table.clock()))

    def _store(self, backend: str, model: str, found: SeenLifetime | None) -> None:
        if found is not None:
            self._table.put((backend, model, *found))

    def _take_over(self, rows: Sequence[Row], since: float) -> None:
        self._known.replace_all([(row[0], row[1], SeenLifetime(*row[2:])) for row in rows], since=since)
