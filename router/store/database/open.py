"""Opens history.db: a private file, in a mode several processes can share, at the newest schema.

Rules of this file: nothing a user could still read is deleted: a damaged file is renamed and a new one begun. A message
about a file names it and, where there is one, the command that mends it. sqlite3 is imported by the first call, so that
it does not delay the start.
"""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from router.errors import CommandError
from router.store.database.location import locate, make_folders
from router.store.database.migrations import MIGRATIONS, NewerSchema, migrate, version
from router.store.home.home import Home
from router.store.home.permissions import check_data_file, make_private, shown, word

if TYPE_CHECKING:
    import sqlite3

BUSY_SECONDS = 5.0
# The write-ahead log may grow while a reader keeps it from being reset; the next reset cuts it to this size.
_WAL_BYTES = 4 << 20
#: The suffixes of the files of a database.
COMPANIONS = ("", "-wal", "-shm")
# With more damaged files than these, the disk is likely damaged.
_ASIDE_LIMIT = 9

# Primary result codes, https://sqlite.org/rescode.html; the module names them only since Python 3.11.
_BUSY, _LOCKED, _CORRUPT, _NOTADB = 5, 6, 11, 26
_BROKEN = {
    8: "it is read-only",
    10: "the disk failed, or is full",
    13: "the disk is full",
    14: "it cannot be opened",
    23: "access was denied",
}


class Unusable(Exception):
    """The file cannot be used. The text says why, and what mends it."""

    def __init__(self, text: str, *, lasting: bool = False):
        super().__init__(text)
        #: True when trying again later is useless.
        self.lasting = lasting


class Busy(Exception):
    """Another process held the file for longer than BUSY_SECONDS."""


class Corrupt(Exception):
    """The file is no database, or a damaged one."""


def open_history(
    home: Home, *, suspect: bool = False, say: Callable[[str], None] = lambda _: None
) -> tuple["sqlite3.Connection", Path | None]:
    """A connection that may write, and where a damaged file was moved to, None when there was none.

    suspect: the file was found damaged in use, so check all of it. No connection of this thread to it may be open.
    say: called before a file of an older version is converted. Raises Unusable and Busy.
    """
    location = locate(home)
    path = location.path
    if location.problem:
        raise Unusable(location.problem, lasting=True)
    try:
        make_folders(location)
        # One process at a time may create, migrate or rename the file.
        with home.lock():
            return _open_or_replace(path, say, suspect=suspect)
    except CommandError as error:
        raise Unusable(f"{str(error).rstrip('.')}. {error.hint}".strip()) from None
    except NewerSchema as newer:
        raise Unusable(
            f"{shown(path)} was written by a newer fairlead (its version is {newer.found}); use that version, or move "
            f"the file away: mv {word(path)} {word(path)}.newer",
            lasting=True,
        ) from None


def _open_or_replace(
    path: Path, say: Callable[[str], None], *, suspect: bool
) -> tuple["sqlite3.Connection", Path | None]:
    make_private(path)
    for companion in COMPANIONS:
        # SQLite opens these by their paths, and follows links.
        check_data_file(path.with_name(path.name + companion))
    try:
        if suspect:
            _check_whole(path)
        return _open_migrated(path, say), None
    except Corrupt:
        aside = _set_aside(path)
    make_private(path)
    try:
        return _open_migrated(path, say), aside
    except Corrupt:
        raise Unusable(f"{shown(path)} is damaged as soon as it is written") from None


def _open_migrated(path: Path, say: Callable[[str], None]) -> "sqlite3.Connection":
    with translate_errors(path):
        db = connect(path)
        try:
            # Before anything is changed: a newer file stays as it is.
            found = version(db)
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise Unusable(f"{shown(path)} cannot be shared between processes on this file system", lasting=True)
            # Each commit reaches the disk: a power cut loses no more than a crash does.
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            if 0 < found < len(MIGRATIONS):
                say(
                    f"{shown(path)} is converted from version {found} to {len(MIGRATIONS)}: an older fairlead that is "
                    "started from now on will not use it."
                )
            migrate(db)
        except BaseException:
            db.close()
            raise
    return db


def connect(path: Path) -> "sqlite3.Connection":
    """A connection in autocommit mode; several threads may use it, one at a time. Raises sqlite3.Error."""
    import sqlite3

    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextmanager
def translate_errors(path: Path) -> Generator[None]:
    """Turn SQLite's errors about the file into Busy, Corrupt and Unusable; errors about a statement are raised as they
    are."""
    import sqlite3

    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (_BUSY, _LOCKED):
            raise Busy from None
        if code in (_CORRUPT, _NOTADB):
            raise Corrupt from None
        if code in _BROKEN:
            raise Unusable(f"{shown(path)} cannot be used: {_BROKEN[code]}") from None
        raise


def _check_whole(path: Path) -> None:
    """Raise Corrupt if the file is damaged. It may be whole: another process may have begun a new one."""
    with translate_errors(path):
        db = connect(path)
        try:
            if db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                raise Corrupt
        finally:
            db.close()


def _set_aside(path: Path) -> Path:
    for number in range(1, _ASIDE_LIMIT + 1):
        aside = path.with_name(f"{path.name}.corrupt-{number}")
        if not aside.exists():
            break
    else:
        raise Unusable(
            f"{shown(path)} is damaged, and {_ASIDE_LIMIT} damaged files are beside it already", lasting=True
        )
    for companion in COMPANIONS:
        try:
            os.rename(f"{path}{companion}", f"{aside}{companion}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unusable(f"{shown(path)} is damaged and cannot be moved away: {error.strerror or error}") from None
    return aside
