"""answer_cache.db: where it is, what it holds, and how it is opened.

The file stands beside history.db, is readable by its user alone, and holds answers; of requests only a keyed hash. Its
header says that it is fairlead's, so that no other file is ever written to or emptied.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from router.errors import CommandError
from router.store.database.location import locate_cache, make_folders
from router.store.database.open import COMPANIONS, Busy, Corrupt, Unusable, connect, translate_errors
from router.store.home.home import Home
from router.store.home.permissions import check_data_file, make_private, shown

if TYPE_CHECKING:
    import sqlite3

_MARK, _VERSION = 0x666C6163, 1
_ASIDE_LIMIT = 9
# A request does not wait for longer where another process writes: it then has no answer in the cache.
_BUSY_MS = 500
# part: the rule or model of the configuration whose bound counts. at, used, until: seconds since 1970 when the answer
# came, was given last, and is too old then. size: bytes that it takes. cost: what it cost, in billionths of a dollar,
# null for an unknown price. about: the rest of the answer's description, as JSON. body: compressed with zstd.
_SCHEMA = (
    "PRAGMA auto_vacuum = FULL",
    """CREATE TABLE answers (
        key BLOB PRIMARY KEY, part TEXT NOT NULL, at REAL NOT NULL, used REAL NOT NULL, until REAL NOT NULL,
        size INTEGER NOT NULL, hits INTEGER NOT NULL, cost INTEGER, about BLOB NOT NULL, body BLOB NOT NULL
    )""",
    "CREATE INDEX answers_by_use ON answers (part, used)",
    "CREATE INDEX answers_by_end ON answers (until)",
    f"PRAGMA application_id = {_MARK}",
    f"PRAGMA user_version = {_VERSION}",
)


class Foreign(Exception):
    """The file is a database of something else, or of a newer fairlead."""


def open_cache(home: Home) -> "sqlite3.Connection":
    """A connection that may write; the file is made when there is none. Raises Unusable, Busy, Corrupt, Foreign."""
    location = locate_cache(home)
    if location.problem:
        raise Unusable(location.problem, lasting=True)
    path = location.path
    try:
        make_folders(location)
        # One process at a time makes the file.
        with home.lock():
            make_private(path, "it holds answers")
            for companion in COMPANIONS:
                # SQLite opens these by their paths, and follows links.
                check_data_file(path.with_name(path.name + companion))
            with translate_errors(path):
                return _open(path)
    except CommandError as error:
        raise Unusable(f"{str(error).rstrip('.')}. {error.hint}".strip()) from None


def _open(path: Path) -> "sqlite3.Connection":
    db = connect(path)
    try:
        mark = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if (mark, version) != (_MARK, _VERSION):
            if mark or version or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Foreign
            for statement in _SCHEMA:
                db.execute(statement)
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        db.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last answers, which can be asked for again.
        db.execute("PRAGMA synchronous = NORMAL")
        # Else what was deleted would remain in free pages.
        db.execute("PRAGMA secure_delete = ON")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def read_cache(home: Home) -> Generator["sqlite3.Connection | None"]:
    """A connection for a command that reads; None where there is no file. Raises CommandError."""
    if not locate_cache(home).path.exists():
        yield None
        return
    try:
        db = open_cache(home)
    except (Unusable, Busy, Corrupt, Foreign) as error:
        fix = "Begin a new one:   fairlead cache clear" if isinstance(error, Corrupt | Foreign) else ""
        raise CommandError(f"{explain_problem(home, error)}.", fix) from None
    try:
        yield db
    finally:
        db.close()


def cache_notice(home: Home) -> str:
    """The text for users that answers are kept."""
    return (
        f"A cache of answers is on: they are kept in {shown(locate_cache(home).path)}, readable only by you, for as "
        "long as cache.ttl of their rule or model says. Delete them:   fairlead cache clear"
    )


def explain_problem(home: Home, error: Exception) -> str:
    """Why the file cannot be used, in words that name it."""
    name = shown(locate_cache(home).path)
    if isinstance(error, Busy):
        return f"{name} is held by another process"
    if isinstance(error, Foreign):
        return f"{name} is not a file of this fairlead's cache of answers"
    if isinstance(error, Corrupt):
        return f"{name} is damaged"
    return str(error).rstrip(".")


def clear_cache(home: Home) -> int:
    """Delete all answers, also while proxies run; returns how many there were. A file that is damaged, or of something
    else, is renamed. Raises CommandError."""
    path = locate_cache(home).path
    if not path.exists():
        return 0
    try:
        db = open_cache(home)
        try:
            with translate_errors(path):
                count: int = db.execute("SELECT count(*) FROM answers").fetchone()[0]
                db.execute("DELETE FROM answers")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
    except (Corrupt, Foreign):
        _set_aside(path)
        return 0
    except (Busy, Unusable) as error:
        raise CommandError(f"the cache of answers was not cleared: {explain_problem(home, error)}.") from None
    return count


def _set_aside(path: Path) -> None:
    for number in range(1, _ASIDE_LIMIT + 1):
        aside = path.with_name(f"{path.name}.aside-{number}")
        if not aside.exists():
            break
    else:
        raise CommandError(f"{_ASIDE_LIMIT} files that were moved away are beside {shown(path)}.", "Remove some.")
    for companion in COMPANIONS:
        try:
            os.rename(f"{path}{companion}", f"{aside}{companion}")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CommandError(f"{shown(path)} cannot be moved away: {error.strerror or error}.") from None
