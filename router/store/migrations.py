"""The schema of history.db, as the steps that lead to it.

Rules of this file: steps are only added at the end, and one that was released is never changed; a step leaves tables
that older versions write to usable for them, since they may still run on the same home.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

#: Each step is the statements that lead from one version (`PRAGMA user_version`) to the next.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # used: seconds since 1970 when the id was issued or last asked for, give or take a day.
        """CREATE TABLE owners (
            id TEXT PRIMARY KEY, backend TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, used INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX owners_by_use ON owners (used)",
        "CREATE INDEX owners_by_kind ON owners (kind)",
    ),
)


class NewerSchema(Exception):
    """The file was written by a newer version. found: its number."""

    def __init__(self, found: int):
        super().__init__(f"version {found}")
        self.found = found


def migrate(db: "sqlite3.Connection", steps: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Take the database from its version to the last one: all steps, or none. Raises NewerSchema, sqlite3.Error.

    db: in autocommit mode, so that the transaction here is the only one.
    """
    if _version(db, len(steps)) == len(steps):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        for step in steps[_version(db, len(steps)) :]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: "sqlite3.Connection", last: int) -> int:
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > last:
        raise NewerSchema(found)
    return found
