"""Follows the history: the requests that were written since the last look, those of all proxies of the home.

A look costs two calls of `stat` while nothing is written, so that it can be made often. The files change before what is
written can be read, after a sync of the disk: so they are also read in the looks after a change, and now and then.
"""

import os
import sqlite3
from collections.abc import Iterator

from router.store.database.location import locate
from router.store.history import read_requests, reader
from router.store.history.read_requests import RecordedRequest
from router.store.home.home import Home

#: Requests of one look; the rest comes with the next one.
_MOST = 1000
#: Looks after a change, and between two that read in any case.
_AFTER_CHANGE, _IN_ANY_CASE = 10, 20


class Follower:
    """Follows the history of a home."""

    def __init__(self, home: Home):
        self._home = home
        self._path = locate(home).path
        #: The number and the id of the last request that was seen.
        self._last, self._id = 0, ""
        self._marks: object = None
        #: Looks since the files changed last.
        self._quiet = 0

    def begin(self, count: int) -> list[RecordedRequest]:
        """The newest requests, at most so many, oldest first; what comes after is followed. Raises CommandError."""
        self._marks = self._read_marks()
        with reader.open_reader(self._home) as db:
            if db is None:
                return []
            self._last = read_requests.find_last_number(db)
            self._id = read_requests.find_id(db, self._last)
            return read_requests.read_latest(db, count)[::-1] if count else []

    def look(self) -> list[RecordedRequest]:
        """The requests that were written since the last look, oldest first. Raises CommandError."""
        marks, before = self._read_marks(), self._marks
        self._marks = marks
        self._quiet = self._quiet + 1 if marks == before else 0
        if self._quiet > _AFTER_CHANGE and self._quiet % _IN_ANY_CASE:
            return []
        with reader.open_reader(self._home) as db:
            found = list(self._read_new(db)) if db is not None else []
        if len(found) == _MOST:
            # There may be more than one look gives: the next one reads on.
            self._quiet = 0
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
