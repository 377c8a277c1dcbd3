"""Client keys over a team: a key that was made at one proxy is accepted by all, and one that was ended by none.

Rules of this file: each key has one home, which has its file; the others know its digest and what it may use. A key is
ended where its file is removed, or by a mark of another home; a row says so for as long as the table keeps it. What was
read last is valid for STALE_SECONDS without the server; then the keys of other homes are refused, and those that were
ended stay so. A home keeps a copy of the rows, from which a server that lost its data gets them again.
"""

import secrets
import socket
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec

from router.errors import CommandError
from router.store.home.home import Home
from router.store.keys import client_keys as stored
from router.store.keys.shared_keys import SharedKey
from router.store.team.state.tables import KEYS, LOOK_SECONDS, SharedTables
from router.store.team.thread import TeamThread

STALE_SECONDS = 600.0
_COPY = stored.SHARED_COPY


class _Copy(msgspec.Struct):
    """The file of a home."""

    #: The name of this home among those of the team, and what shows that it is not a copy of another.
    origin: str
    place: str
    rows: dict[str, SharedKey] = {}


class TeamKeys:
    """The client keys of one process. Its methods are for the event loop, and do not block."""

    def __init__(self, home: Home, tables: SharedTables, thread: TeamThread):
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
        if answered is None:
            return None
        stale: bool = time.monotonic() - answered > STALE_SECONDS
        if not self._changed and stale == self._stale:
            return None
        self._changed, self._stale = False, stale
        return {name: row for name, row in self._rows.items() if row.revoked or not stale}

    # The team's thread

    def _load(self) -> None:
        place = _find_place(self._home)
        copy = None
        with suppress(CommandError, msgspec.DecodeError):
            data = self._home.read(_COPY)
            copy = None if data is None else msgspec.json.decode(data, type=_Copy)
        self._origin = copy.origin if copy is not None and copy.place == place else secrets.token_hex(8)
        self._copied = {} if copy is None else copy.rows

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
        for name, key in self._own.items():
            row = self._rows.get(name)
            if row is not None and row.revoked and row.sha256 == key.sha256:
                stored.revoke_key(self._home, name)
            elif row is None or row.revoked or (row.origin == self._origin and row.content != key.content):
                self._put(name, key, row)
        for name, row in [*self._rows.items()]:
            gone = self._complete and row.origin == self._origin and name not in self._own
            if not row.revoked and (name in self._revoked or (gone and stored.read_key(self._home, name) is None)):
                self._put(name, msgspec.structs.replace(row, revoked=True), row)
            if row.revoked and name in self._revoked:
                stored.remove_mark(self._home, name)
        self._save()

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
        version = 1 if before is None else before.version + 1
        row = msgspec.structs.replace(key, origin=key.origin or self._origin, version=version)
        self._rows = {**self._rows, name: row}
        self._changed = True
        self._tables.put(KEYS, name, msgspec.json.encode(row))

    def _save(self) -> None:
        if self._saved is not self._rows:
            self._home.write(_COPY, msgspec.json.encode(_Copy(self._origin, _find_place(self._home), self._rows)))
            self._saved = self._rows


def _find_place(home: Home) -> str:
    """What differs between a home and a copy of it."""
    with suppress(OSError):
        return f"{socket.gethostname()} {home.path.stat().st_ino}"
    return ""
