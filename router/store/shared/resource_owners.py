"""The backend and account that issued each id: the table `owners`, and its latest entries in memory.

Bounded in both places: ids that no request named in 30 days are deleted, and the oldest of too many.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from router.store.database.writer import Ledger
from router.store.interfaces import Owner

if TYPE_CHECKING:
    import sqlite3

MAX_AGE_SECONDS = 30 * 86_400
MAX_ROWS = 100_000
ENTRIES = 10_000
BYTES = 2 << 20
ID_LIMIT = 256
_ENTRY_BYTES = 100
_DAY = 86_400
_TRIM_SECONDS, _TRIM_ROWS = 3600.0, 1000

_INSERT = """INSERT INTO owners (id, backend, account, kind, used, key) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE
    SET backend = excluded.backend, account = excluded.account, kind = excluded.kind, used = excluded.used,
    key = excluded.key"""
_TOO_OLD = "DELETE FROM owners WHERE used < ?"
_TOO_MANY = """DELETE FROM owners WHERE id IN (
    SELECT id FROM owners ORDER BY used LIMIT max(0, (SELECT count(*) FROM owners) - ?))"""

#: Kinds whose ids occur deep in request bodies, which must be searched for them.
ATTACHED = ("files", "vector_stores", "containers")


class SqliteResourceOwners:
    """The ids of one home. Its methods do not block, except `find`, which reads the file."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.time, max_rows: int = MAX_ROWS):
        self._ledger = ledger
        self._clock = clock
        self._max_rows = max_rows
        #: Called with each id that is new, and its owner.
        self.on_remembered: Callable[[str, Owner], None] = lambda name, owner: None
        self._known: OrderedDict[str, Owner] = OrderedDict()
        self._bytes = 0
        self._trimmed = -_TRIM_SECONDS
        self._added = 0
        self._attached_here = False
        # None until the file was searched. Set by the writer's thread; `_attached_here` by the event loop.
        self._attached_stored: bool | None = None
        ledger.add_maintenance(self._maintain)

    @property
    def attached(self) -> bool:
        """False when no known id is of a kind that occurs deep in bodies: then bodies need not be searched."""
        return self._attached_here or self._attached_stored is not False

    def remember(self, name: str, backend: str, account: str, kind: str, key: str = "") -> None:
        """Remember the account that issued an id, unless the id is longer than ID_LIMIT bytes."""
        if not name or len(name) > ID_LIMIT or not name.isascii() or not name.isprintable():
            return
        owner = Owner(backend, account, kind, int(self._clock()), key)
        before = self._known.get(name)
        if before is not None and before._replace(used=0) == owner._replace(used=0) and owner.used - before.used < _DAY:
            # An id such as a batch's is requested often until the batch is done: its use is written once a day.
            self._known.move_to_end(name)
            return
        self._ledger.add(_INSERT, (name, *owner))
        self._added += 1
        self.cache(name, owner)
        self.on_remembered(name, owner)

    def cache(self, name: str, owner: Owner) -> None:
        """Put an entry into memory as the latest, and drop the oldest when there are too many."""
        before = self._known.pop(name, None)
        if before is not None:
            self._bytes -= _measure(name, before)
        self._known[name] = owner
        self._bytes += _measure(name, owner)
        while len(self._known) > ENTRIES or self._bytes > BYTES:
            self._bytes -= _measure(*self._known.popitem(last=False))
        if owner.kind in ATTACHED:
            self._attached_here = True

    def known(self, names: Iterable[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is in memory, with its owner."""
        for name in names:
            owner = self._known.get(name)
            if owner is not None:
                return name, owner
        return None

    def find(self, names: Sequence[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is in the file, with its owner. For threads, since it blocks."""
        found = self._read(names)
        return next(((name, found[name]) for name in names if name in found), None)

    def find_all(self, names: Sequence[str]) -> dict[str, Owner]:
        """Those of the ids that are in memory or in the file, with their owners. For threads, since it blocks."""
        known = {name: owner for name in names if (owner := self._known.get(name)) is not None}
        rest = [name for name in names if name not in known]
        return {**known, **(self._read(rest) if rest else {})}

    def _read(self, names: Sequence[str]) -> dict[str, Owner]:
        self._ledger.start()
        marks = ", ".join("?" * len(names))
        query = f"SELECT id, backend, account, kind, used, key FROM owners WHERE id IN ({marks})"  # noqa: S608 - marks only
        return {row[0]: Owner(*row[1:]) for row in self._ledger.read(query, names)}

    def _maintain(self, db: "sqlite3.Connection") -> None:
        """Read whether another process stored an attached id, and delete rows that are too old or too many."""
        if not self._attached_stored:
            marks = ", ".join("?" * len(ATTACHED))
            query = f"SELECT 1 FROM owners WHERE kind IN ({marks}) LIMIT 1"  # noqa: S608 - marks only
            self._attached_stored = db.execute(query, ATTACHED).fetchone() is not None
        if self._added < _TRIM_ROWS and time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return
        self._trimmed, self._added = time.monotonic(), 0
        db.execute(_TOO_OLD, (int(self._clock()) - MAX_AGE_SECONDS,))
        db.execute(_TOO_MANY, (self._max_rows,))


def _measure(name: str, owner: Owner) -> int:
    return _ENTRY_BYTES + len(name) + len(owner.backend) + len(owner.account) + len(owner.kind) + len(owner.key)
