"""Follows the history: the requests that were written since the last look, those of all proxies of the home.

A look costs two calls of `stat` while nothing was written lately, so that it can be made often.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator

from router.store.database.location import locate
from router.store.history import read_requests, reader
from router.store.history.read_requests import RecordedRequest
from router.store.home.home import Home

#: Requests of one look; the rest comes with the next one.
_MOST = 1000
# Seconds for which the file is read again after it has changed: SQLite writes a row to the log before it is committed,
# and the commit changes neither time nor size. It may come later still where the disk is slow to take it: so there are
# also the seconds after which the file is read in any case.
_UNSETTLED_SECONDS, _IN_ANY_CASE_SECONDS = 2.0, 5.0


class Follower:
    """Follows the history of a home. clock: seconds, of a clock that does not go back."""

    def __init__(self, home: Home, clock: Callable[[], float] = time.monotonic):
        self._home = home
        self._clock = clock
        self._path = locate(home).path
        #: The number and the id of the last request that was seen.
        self._last, self._id = 0, ""
        self._marks: object = None
        self._changed = self._read = 0.0

    def begin(self, count: int) -> list[RecordedRequest]:
        """The newest requests, at most so many, oldest first; what comes after is followed. Raises CommandError."""
        self._marks, self._changed = self._read_marks(), self._clock()
        with reader.open_reader(self._home) as db:
            if db is None:
                return []
            self._last = read_requests.find_last_number(db)
            self._id = read_requests.find_id(db, self._last)
            return read_requests.read_latest(db, count)[::-1] if count else []

    def look(self) -> list[RecordedRequest]:
        """The requests that were written since the last look, oldest first. Raises CommandError."""
        marks, now = self._read_marks(), self._clock()
        if marks != self._marks:
            self._changed = now
        elif now - self._changed > _UNSETTLED_SECONDS and now - self._read < _IN_ANY_CASE_SECONDS:
            return []
        self._read = now
        with reader.open_reader(self._home) as db:
            found = list(self._read_new(db)) if db is not None else []
        # There may be more than one look gives: the next one reads on.
        self._marks = marks if len(found) < _MOST else None
        return found

    def _read_new(self, db: sqlite3.Connection) -> Iterator[RecordedRequest]:
        there = read_requests.find_id(db, self._last)
        if there != self._id and (there or read_requests.find_last_number(db) < self._last):
            # It was cleared, and its numbers begin anew.
            self._last = 0
        for number, request in read_requests.read_after(db, self._last, _MOST):
            self._last, self._id = number, request.id
            yield request

    def _read_marks(self) -> object:
        """What changes with each write: the times and sizes of the file and of its log."""
        return [_read_mark(name) for name in (self._path, f"{self._path}-wal")]


def _read_mark(name: "os.PathLike[str] | str") -> object:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
