"""Opens history.db for queries: a connection that never writes and never blocks the writer."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from router.errors import CommandError
from router.store.database.location import check_folders, locate
from router.store.database.migrations import MIGRATIONS, SEEN_AS_NEWEST
from router.store.database.open import BUSY_SECONDS, COMPANIONS
from router.store.home.home import Home
from router.store.home.permissions import check_data_file, shown, word

if TYPE_CHECKING:
    import sqlite3

#: The version of the file that has requests.
_SINCE = 2


@contextmanager
def open_reader(home: Home) -> Generator["sqlite3.Connection | None"]:
    """Open a connection that only reads; None when nothing was ever recorded. Raises CommandError for a file that
    cannot be read: a damaged one, or one of a newer version."""
    import sqlite3

    location = locate(home)
    path = location.path
    check_folders(location)
    for companion in COMPANIONS:
        check_data_file(path.with_name(path.name + companion))
    if not path.exists():
        yield None
        return
    uri = f"{path.resolve().as_uri()}?mode=ro"
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        found = int(db.execute("PRAGMA user_version").fetchone()[0])
        if found > len(MIGRATIONS):
            raise CommandError(
                f"{shown(path)} was written by a newer fairlead (its version is {found}).",
                f"Use that version, or move the file away:   mv {word(path)} {word(path)}.newer",
            )
        if found < _SINCE:
            yield None
            return
        for statement in SEEN_AS_NEWEST.get(found, ()):
            db.execute(statement)
        # All queries see the same state.
        db.execute("BEGIN")
        yield db
    except sqlite3.DatabaseError as error:
        raise _explain(path, error) from None
    finally:
        if db is not None:
            db.close()


def _explain(path: Any, error: "sqlite3.DatabaseError") -> CommandError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (11, 26):
        return CommandError(
            f"{shown(path)} is damaged: {error}.",
            f"A proxy that finds it damaged starts a new one; or move it away:   mv {word(path)} {word(path)}.damaged",
        )
    return CommandError(f"{shown(path)} cannot be read: {error}.")
