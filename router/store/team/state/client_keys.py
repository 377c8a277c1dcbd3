"""Client keys over a team: a key that was made at one proxy is accepted by all, and one that was ended by none.

Rules of this file: each key has one home, which has its file; the others know its digest and what it may use. A home in
which a key of another is changed gets the file, with a version above the row's: it writes the row, and the former home
gives its file up. A change that follows a row which is no longer the latest is given up too, so that no secret comes
back that was replaced. A key is ended where its file is removed, or by a mark of another home; a row says so for as
long as the table keeps it. What was read last is valid for STALE_SECONDS without the server; then the keys of other
homes are refused, and those that were ended stay so. A home keeps a copy of the rows, from which a server that lost its
data gets them again.
"""

import secrets
import socket
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import msgspec

from router.store.home.home import Home
from router.store.keys import client_keys as stored
from router.store.keys.shared_copy import SharedCopy, read_copy, write_copy
from router.store.keys.shared_keys import SharedKey
from router.store.team.state.tables import KEYS, LOOK_SECONDS, SharedTables
from router.store.team.thread import TeamThread

STALE_SECONDS = 600.0


class TeamKeys:
    """The client keys of one process. Its methods are for the event loop, and do not block. say: logs a line for the
    user."""

    def __init__(self, home: Home, tables: SharedTables, thread: TeamThread, say: Callable[[str], None]):
        self._say = say
        self._said: set[tuple[str, str]] = set()
        self._home = home
        self._tables = tables
        self._thread = thread
        self._origin = ""
        self._rows: dict[str, SharedKey] = {}
        self._own: Mapping[str, SharedKey] = {}
        self._complete = False
        self._revoked: Collection[str] = ()
        self._changed = False
        self._stale: bool = False
        self._due = False
        # What the copy of this home has, until it was compared with the rows.
        self._copied: Mapping[str, SharedKey] = {}
        self._saved: dict[str, SharedKey] | None = None
        tables.subscribe(KEYS, self._receive, self._restate)
        thread.repeat(LOOK_SECONDS, self._compare)

    def tell(self, keys: Mapping[str, SharedKey], *, complete: bool, revoked: Collection[str] = ()) -> None:
        """Tell the others the keys of this home. complete: there are no others, which could not be read. revoked: names
        of keys of other homes that are to end."""
        self._own, self._complete, self._revoked, self._due = keys, complete, revoked, True
        self._thread.submit(self._compare)

    def step(self) -> Mapping[str, SharedKey] | None:
        """The keys of other homes, and those that were ended, by name; None where nothing has changed."""
        answered = self._tables.answered
        if answered is None or not self._origin:
            return None
        stale: bool = time.monotonic() - answered > STALE_SECONDS
        if not self._changed and stale == self._stale:
            return None
        self._changed, self._stale = False, stale
        return {
            name: row for name, row in self._rows.items() if row.revoked or (not stale and row.origin != self._origin)
        }

    # The team's thread

    def _load(self) -> None:
        place = _find_place(self._home)
        copy = read_copy(self._home)
        self._origin = copy.origin if copy is not None and copy.place == place else secrets.token_hex(8)
        self._copied = {} if copy is None else copy.rows
        self._changed = True

    def _receive(self, rows: Mapping[str, bytes]) -> None:
        for name, value in rows.items():
            try:
                row = msgspec.json.decode(value, type=SharedKey)
            except msgspec.DecodeError:
                continue
            known = self._rows.get(name)
            if known is not None and (known.version, known.revoked) > (row.version, row.revoked):
                self._tables.put(KEYS, name, msgspec.json.encode(known))
            elif known != row:
                self._rows = {**self._rows, name: row}
                self._changed = self._due = True

    def _restate(self) -> None:
        for name, row in self._rows.items():
            self._tables.put(KEYS, name, msgspec.json.encode(row))

    def _compare(self) -> None:
        """Write what this home has that the rows do not, and end here what was ended elsewhere."""
        if not self._due or not self._tables.complete:
            return
        if not self._origin:
            self._load()
        self._due = False
        self._restore()
        given_up = [(name, key) for name, key in self._own.items() if self._is_given_up(name, key)]
        for name, row in [*self._rows.items()]:
            gone = self._complete and row.origin == self._origin and name not in self._own
            if not row.revoked and (name in self._revoked or (gone and stored.read_key(self._home, name) is None)):
                self._put(name, msgspec.structs.replace(row, revoked=True), row)
            if row.revoked and name in self._revoked:
                stored.remove_mark(self._home, name)
        self._save()
        for name, key in given_up:
            present = stored.read_key(self._home, name)
            # A command may have taken it back meanwhile.
            if present is not None and (present.sha256, present.version) == (key.sha256, key.version):
                stored.revoke_key(self._home, name)

    def _is_given_up(self, name: str, key: SharedKey) -> bool:
        """Write a key of this home where the rows do not have it; True when its file is to go, since it was ended or
        changed elsewhere."""
        row = self._rows.get(name)
        same = row is not None and row.identity == key.identity
        if row is None or (row.revoked and not same):
            self._put(name, key, row)
        elif row.revoked:
            return True
        elif row.origin == self._origin:
            if row.content != key.content:
                self._put(name, key, row)
        elif not same:
            self._say_once(name, row, "is a key of another home of the team too; that of this home is valid here alone")
        elif key.version > row.version:
            self._put(name, key, row)
        elif row.replaces(key) and row.content != key.content:
            self._say_once(name, row, "was changed at another proxy of the team, which has it from now on")
            return True
        return False

    def _say_once(self, name: str, row: SharedKey, text: str) -> None:
        if (name, row.sha256) not in self._said:
            self._said.add((name, row.sha256))
            self._say(f"keys: {name} {text}.")

    def _restore(self) -> None:
        """Write what a server that lost its data while no proxy ran does not have."""
        copied, self._copied = self._copied, {}
        for name, row in copied.items():
            known = self._rows.get(name)
            if known is None or known.version < row.version:
                self._rows = {**self._rows, name: row}
                self._changed = True
                self._tables.put(KEYS, name, msgspec.json.encode(row))

    def _put(self, name: str, key: SharedKey, before: SharedKey | None) -> None:
        version = max(key.version, 1 if before is None else before.version + 1)
        row = msgspec.structs.replace(key, origin=key.origin or self._origin, version=version)
        self._rows = {**self._rows, name: row}
        self._changed = True
        self._tables.put(KEYS, name, msgspec.json.encode(row))

    def _save(self) -> None:
        if self._saved is not self._rows:
            write_copy(self._home, SharedCopy(self._origin, _find_place(self._home), self._rows))
            self._saved = self._rows


def _find_place(home: Home) -> str:
    """What differs between a home and a copy of it."""
    with suppress(OSError):
        return f"{socket.gethostname()} {home.path.stat().st_ino}"
    return ""
