"""Answers that were translated for Responses callers, stored because later requests may name them.

OpenAI stores an answer unless the caller forbids it, and the next request may name it instead of repeating the
conversation (`previous_response_id`), or name one of its items (`item_reference`). A backend of another protocol stores
nothing, so answers are stored here: in the table `kept`, and the latest in memory. Bounded in both places by count,
bytes and age; an answer over ENTRY_LIMIT is not stored. The thread that writes entries encodes them.

Entries of earlier versions have no `inputs` and `response`: such answers can be continued and not shown. In the place
of a deleted one stands an entry that says so, so that its id is not taken for somebody else's.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec

from router.store.database.erasure import Erasure
from router.store.database.writer import Ledger
from router.store.interfaces import Json, StoredEntries

if TYPE_CHECKING:
    import sqlite3

MAX_AGE_SECONDS = 30 * 86_400
MAX_BYTES = 64 << 20
MAX_ROWS = 20_000
MEMORY_BYTES = 8 << 20
ENTRY_LIMIT = 1 << 20
CHAIN_LIMIT = 1000
_TRIM_SECONDS = 60.0
_OVERHEAD = 200
# The entry of a deleted answer. Older versions, which may run on the same home, take it for that of an item whose
# answer is not stored.
_DELETED = "deleted"
_TOMBSTONE: Json = {_DELETED: True, "answer": ""}

_INSERT = "INSERT OR REPLACE INTO kept (id, body, used) VALUES (?, ?, ?)"
_TOO_OLD = "DELETE FROM kept WHERE used < ?"
_SIZE = "SELECT count(*), coalesce(sum(length(body)), 0) FROM kept"
_OLDEST = "DELETE FROM kept WHERE id IN (SELECT id FROM kept ORDER BY used LIMIT ?)"


class SqliteStoredResponses:
    """The answers of one home. `store` and `delete` do not block; the others read the file, so they are for threads."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.time,
        max_bytes: int = MAX_BYTES,
        others: StoredEntries | None = None,
    ):
        """others: where the entries of other homes are, None for this home alone."""
        self._ledger = ledger
        self._others = others
        self._clock = clock
        self._max_bytes = max_bytes
        self._latest: OrderedDict[str, tuple[Json, int]] = OrderedDict()
        self._bytes = 0
        # Held while what is in memory changes.
        self._changing = threading.Lock()
        self._erasure = Erasure(ledger)
        self._erasure.add(self._forget_all)
        self._trimmed = -_TRIM_SECONDS
        ledger.add_maintenance(self._maintain)
        if others is not None:
            others.on_deleted(self._forget_deleted)

    def store(self, name: str, previous: str, items: list[Json], size: int, about: Json | None = None) -> None:
        """Store an answer: its id, the id of the answer it continues, and the new items of the conversation, of about
        `size` bytes. about: `inputs` and `response` of the entry, None for an answer that can only be continued."""
        if size > ENTRY_LIMIT:
            return
        self._put(name, {"previous": previous, "items": items, **(about or {})}, size)
        for item in items:
            item_id = item.get("id")
            if isinstance(item_id, str) and 0 < len(item_id) <= 256:
                self._put(item_id, {"answer": name}, 0)

    def find(self, names: Iterable[str], key: str = "") -> dict[str, Json]:
        """The stored values of these ids: an item, or an answer together with all those before it; without those of
        another client key. Blocks."""
        found: dict[str, Json] = {}
        self._erasure.check()
        for name in names:
            entry = self._find_entry(name)
            if entry is None:
                continue
            holder = entry.get("answer")
            if isinstance(holder, str):
                answer = self._find_entry(holder) or {}
                item = _find_item(answer, name) if is_of_key(answer, key) else None
                found |= {name: item} if item is not None else {}
                continue
            while entry is not None and is_of_key(entry, key) and name not in found and len(found) < CHAIN_LIMIT:
                found[name] = entry
                name = str(entry.get("previous") or "")
                entry = self._find_entry(name) if name else None
        return found

    def delete(self, name: str) -> None:
        """Forget an answer. The rows of its items point to it, so that they are found no more."""
        self._put(name, _TOMBSTONE, 0, shared=False)
        if self._others is not None:
            self._others.delete(name, _TOMBSTONE)

    def read(self, name: str) -> Json | None:
        """The entry of an answer: {} for a deleted one, None for an unknown id. Another process may have deleted what
        is in the memory of this one. Blocks."""
        self._erasure.check()
        latest = self._latest.get(name)
        entry = latest[0] if latest is not None else None
        if entry is None or _DELETED not in entry:
            written = self._read_row(name)
            entry = written if entry is None or (written is not None and _DELETED in written) else entry
            if entry is None and self._others is not None:
                entry = self._others.read(name)
        if entry is not None and _DELETED in entry:
            return {}
        return None if entry is None or "answer" in entry else entry

    def on_erased(self, forget: Callable[[], None]) -> None:
        """Have this called, in any thread, soon after any process has erased the history of the home."""
        self._erasure.add(forget)

    def _forget_all(self) -> None:
        with self._changing:
            self._latest, self._bytes = OrderedDict(), 0

    def _forget_deleted(self, name: str) -> None:
        """Forget an answer that was deleted elsewhere, if it is here."""
        known = self._latest.get(name)
        entry = known[0] if known is not None else self._read_row(name)
        if entry is not None and _DELETED not in entry:
            self._put(name, _TOMBSTONE, 0, shared=False)

    def _put(self, name: str, entry: Json, size: int, *, shared: bool = True) -> None:
        self._ledger.add(_write, (name, entry, int(self._clock())))
        if shared and self._others is not None:
            self._others.put(name, entry)
        with self._changing:
            before = self._latest.pop(name, None)
            self._bytes += size + _OVERHEAD - (before[1] if before else 0)
            self._latest[name] = (entry, size + _OVERHEAD)
            while self._bytes > MEMORY_BYTES:
                self._bytes -= self._latest.popitem(last=False)[1][1]

    def _find_entry(self, name: str) -> Json | None:
        """The entry of an id; None for an unknown or deleted one."""
        latest = self._latest.get(name)
        entry = latest[0] if latest is not None else self._read_row(name)
        if entry is None and self._others is not None:
            entry = self._others.read(name)
        return None if entry is None or _DELETED in entry else entry

    def _read_row(self, name: str) -> Json | None:
        self._ledger.start()
        rows = self._ledger.read("SELECT body FROM kept WHERE id = ?", (name,))
        return msgspec.json.decode(rows[0][0]) if rows else None

    def _maintain(self, db: "sqlite3.Connection") -> None:
        """Delete rows that are too old, and the oldest of too many."""
        if time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return
        self._trimmed = time.monotonic()
        db.execute(_TOO_OLD, (int(self._clock()) - MAX_AGE_SECONDS,))
        rows, size = db.execute(_SIZE).fetchone()
        while rows > MAX_ROWS or size > self._max_bytes:
            db.execute(_OLDEST, (max(1, rows // 10),))
            rows, size = db.execute(_SIZE).fetchone()


def is_of_key(entry: Json, key: str) -> bool:
    """True for an answer that belongs to a client key, '' for the default one."""
    return (entry.get("key") or "") == key


def _write(db: "sqlite3.Connection", rows: list[tuple[str, Json, int]]) -> None:
    """Write rows, in the writer's thread; those that cannot be encoded as JSON are left out."""
    for name, entry, used in rows:
        with suppress(msgspec.EncodeError, UnicodeEncodeError):
            db.execute(_INSERT, (name, msgspec.json.encode(entry), used))


def _find_item(entry: Json, name: str) -> Json | None:
    items = cast("list[Json]", entry.get("items") or [])
    return next((item for item in items if item.get("id") == name), None)
