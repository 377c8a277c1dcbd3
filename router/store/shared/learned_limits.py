"""The limits of models that errors told: the table `learned_limits`."""

import time
from collections.abc import Callable, Sequence

from router.policy.facts.learned import ENTRIES, MAX_AGE_SECONDS, LearnedLimit, LearnedLimits
from router.store.database.writer import Ledger, Row
from router.store.shared.learned_table import LearnedTable


class SqliteLearnedLimits:
    """The learned limits of one home. Its methods do not block."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.time):
        self._known = LearnedLimits()
        self._table = LearnedTable(
            ledger,
            "learned_limits",
            ("window", "max_input"),
            self._take_over,
            entries=ENTRIES,
            max_age=MAX_AGE_SECONDS,
            clock=clock,
        )

    def learned(self, backend: str, model: str) -> LearnedLimit | None:
        """What errors told of a model, None for nothing. model: as the backend names it."""
        return self._known.learned(backend, model)

    def learn(self, backend: str, model: str, *, window: int | None, max_input: int | None) -> None:
        """Store what an error told, in tokens; None for what it did not tell."""
        found = self._known.learn(backend, model, window=window, max_input=max_input, at=self._table.clock())
        if found is not None:
            self._table.put((backend, model, *found))

    def taken(self, backend: str, model: str) -> int:
        """The most input tokens that an answer has shown a model to take since the start, 0 where none has."""
        return self._known.taken(backend, model)

    def note_taken(self, backend: str, model: str, tokens: int) -> None:
        """Note how many input tokens an answer shows a model to take, and forget its limit if that was less."""
        if self._known.note_taken(backend, model, tokens):
            self._table.delete(backend, model)

    def _take_over(self, rows: Sequence[Row], since: float) -> None:
        self._known.replace_all([(row[0], row[1], LearnedLimit(*row[2:])) for row in rows], since=since)
