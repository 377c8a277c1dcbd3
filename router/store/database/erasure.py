"""Notices in each process that the history was erased, also by another one, so that no copy in memory outlives it.

Erasing the history leaves a row in the table `kept` that differs each time. It has the form of a deleted answer, since
older versions may run on the same home, and goes with the answers of its age: by then all of memory is younger.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from router.store.database.writer import Ledger

if TYPE_CHECKING:
    import sqlite3

#: The id of the row; no answer has such an id.
MARK = "(erased)"
_FIND = "SELECT body FROM kept WHERE id = ?"
_INSERT = "INSERT OR REPLACE INTO kept (id, body, used) VALUES (?, ?, ?)"


def leave_mark(db: "sqlite3.Connection") -> None:
    """Leave the mark, within the transaction that erases."""
    body = json.dumps({"deleted": True, "answer": "", "mark": secrets.token_hex(8)})
    db.execute(_INSERT, (MARK, body.encode("ascii"), int(time.time())))


class Erasure:
    """Watches for the mark in the history of one home. To be made before the ledger is started."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._forget: list[Callable[[], None]] = []
        self._checking = threading.Lock()
        #: The mark as it was last seen; None until the file was read.
        self._seen: bytes | None = None
        ledger.add_maintenance(self._look)

    def add(self, forget: Callable[[], None]) -> None:
        """Have this called after an erasure, in any thread, within MAINTENANCE_SECONDS; sooner where `check` is."""
        self._forget.append(forget)

    def check(self) -> None:
        """Look now. Blocks."""
        if self._seen is not None:
            self._compare([row[0] for row in self._ledger.read(_FIND, (MARK,))])

    def _look(self, db: "sqlite3.Connection") -> None:
        self._compare([row[0] for row in db.execute(_FIND, (MARK,))])

    def _compare(self, found: list[bytes]) -> None:
        with self._checking:
            before, self._seen = self._seen, found[0] if found else self._seen or b""
            erased = before is not None and before != self._seen
        if erased:
            for forget in self._forget:
                forget()
