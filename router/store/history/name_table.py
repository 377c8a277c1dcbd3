"""Names in history.db are stored once; rows hold their numbers.

Rules of this file: the number of a name from a transaction that may still be rolled back is not cached beyond it, and
names are looked up anew after another process changed the file. Names that callers choose are bounded in number and in
bytes: those beyond a bound are stored as OTHER.
"""

from typing import TYPE_CHECKING

from router.policy.grants.key_form import hide_keys
from router.store.history.derive import STORED

if TYPE_CHECKING:
    import sqlite3

OTHER = "(other)"
#: Distinct names in one file, and bytes of all of them.
LIMIT = 20_000
BYTES_LIMIT = 2 << 20

#: The columns that hold numbers of names, by table.
_HOLDERS = {
    "requests": [column.name for column, storage in STORED if storage.named],
    "rollups": ["name"],
    "attempts": ["backend", "account", "error", "done"],
}
_USED = " UNION ".join(
    f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - names of ours
    for table, columns in _HOLDERS.items()
    for column in columns
)
_DELETE_UNUSED = f"DELETE FROM names WHERE id NOT IN ({_USED})"  # noqa: S608 - names of ours


class NameTable:
    """The numbers of names, for one thread. `begin` is called at the start of each transaction."""

    def __init__(self, limit: int = LIMIT, size: int = BYTES_LIMIT):
        self._limit = limit
        self._size = size
        self._known: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._db: sqlite3.Connection | None = None
        self._version = -1
        # Of all names in the file, once they were measured since it was changed by another process.
        self._count = self._bytes = 0
        self._measured = False

    def begin(self, db: "sqlite3.Connection") -> None:
        """Forget names of a rolled-back transaction, and all names when another process changed the file."""
        self._fresh = {}
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if db is not self._db or version != self._version:
            self._db, self._version = db, version
            self._known = {}
            self._measured = False

    def number(self, text: str, *, chosen: bool = False) -> int:
        """Look up or create the number of a name. chosen: callers choose it, so there may be any number of names. A
        client key that a caller has put into one, as the name of a model, is not kept."""
        found = self._known.get(text) or self._fresh.get(text)
        if found is not None:
            return found
        text = hide_keys(text)
        db = self._require_db()
        row = db.execute("SELECT id FROM names WHERE text = ?", (text,)).fetchone()
        if row is not None:
            if len(self._known) < self._limit:
                self._known[text] = row[0]
            return row[0]
        self._measure(db)
        if chosen and (self._count >= self._limit or self._bytes >= self._size):
            return self.number(OTHER)
        self._count += 1
        self._bytes += len(text.encode("utf-8", "replace"))
        cursor = db.execute("INSERT INTO names (text) VALUES (?)", (text,))
        # 0 is no number of a row: SQLite gives one to each row that it has inserted.
        number = self._fresh[text] = cursor.lastrowid or 0
        return number

    def _measure(self, db: "sqlite3.Connection") -> None:
        """Count the names of the file: it reads all of them, so that is done where one is to be added."""
        if not self._measured:
            summed = "SELECT count(*), ifnull(sum(length(CAST(text AS BLOB))), 0) FROM names"
            self._count, self._bytes = db.execute(summed).fetchone()
            self._measured = True

    def _require_db(self) -> "sqlite3.Connection":
        if self._db is None:
            raise RuntimeError("a name was asked for outside a transaction")
        return self._db

    def forget_unused(self, db: "sqlite3.Connection") -> None:
        """Delete the names that no row uses any more, once half of what there may be is taken."""
        if self._count * 2 > self._limit or self._bytes * 2 > self._size:
            db.execute(_DELETE_UNUSED)
            self._db = None
