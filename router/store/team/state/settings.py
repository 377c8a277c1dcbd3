"""The settings on which the homes of a team must agree, such as limits of budgets: each tells its own, and hears of
changes.

Rules of this file: a home that changes one tells all, who hear of it with their next look at the server; a row is told
again while its home runs, and counts no more KEPT_SECONDS after it was told last. Rows are sealed. Where the server
cannot be reached each home goes on with what it has.
"""

import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from router.settings.kinds import clean
from router.store.peers import TeamNews
from router.store.team.secrets import TeamSecret
from router.store.team.state.sealing import Sealer, Unreadable
from router.store.team.state.tables import SETTINGS, SharedTables
from router.store.team.thread import TeamThread

AGAIN_SECONDS, KEPT_SECONDS = 300.0, 900.0
_RECEIVED = 1000


class _Row(msgspec.Struct, frozen=True):
    """What a home tells."""

    host: str
    values: dict[str, str]
    #: By the server's clock, in seconds.
    at: float


class TeamSettings:
    """The settings of one process. home: names its home among those of the team. clock: seconds that never go back."""

    def __init__(
        self,
        secret: TeamSecret,
        tables: SharedTables,
        thread: TeamThread,
        home: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._sealer = Sealer(secret.derive("settings"))
        self._tables = tables
        self._thread = thread
        self._home = home
        self._clock = clock
        self._values: dict[str, str] | None = None
        self._told = -1e9
        self._others: dict[str, _Row] = {}
        # Filled by the team's thread, emptied by the event loop.
        self._received: deque[tuple[str, _Row]] = deque(maxlen=_RECEIVED)
        tables.subscribe(SETTINGS, self._receive, self._restate)

    def tell(self, values: Mapping[str, str]) -> None:
        """Tell the others those of this home."""
        if values != self._values:
            self._values, self._told = dict(values), -1e9

    def step(self) -> TeamNews | None:
        """What is new of the others; None where nothing is."""
        shift = self._tables.shift
        if shift is None:
            return None
        now = self._clock()
        if self._values is not None and now - self._told >= AGAIN_SECONDS:
            self._told = now
            self._thread.submit(partial(self._put, _Row(socket.gethostname(), self._values, now + shift)))
        gone = [home for home, row in self._others.items() if now + shift - row.at > KEPT_SECONDS]
        for home in gone:
            del self._others[home]
        changes: list[str] = []
        news = bool(gone)
        for _ in range(len(self._received)):
            home, row = self._received.popleft()
            before = self._others.get(home)
            if now + shift - row.at > KEPT_SECONDS:
                continue
            self._others[home] = row
            if before is None or before.values != row.values:
                news = True
            if before is not None and (names := _list_changed(before.values, row.values)):
                changes.append(f"shared: {clean(row.host)} changed {', '.join(names)}.")
        if not news:
            return None
        others: dict[str, Mapping[str, str]] = {}
        for row in self._others.values():
            count = sum(name.partition(" (")[0] == row.host for name in others)
            others[f"{row.host} ({count + 1})" if count else row.host] = row.values
        return TeamNews(changes, others)

    # The team's thread

    def _put(self, row: _Row) -> None:
        self._tables.put(SETTINGS, self._home, self._sealer.seal(self._home, msgspec.json.encode(row)))

    def _receive(self, rows: Mapping[str, bytes]) -> None:
        for home, value in rows.items():
            if home == self._home:
                continue
            try:
                self._received.append((home, msgspec.json.decode(self._sealer.open(home, value), type=_Row)))
            except (Unreadable, msgspec.DecodeError):
                continue  # of another secret: `doctor` is where that shows

    def _restate(self) -> None:
        self._told = -1e9


def _list_changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What was changed, as `guard.day_usd (5 to 7)`."""
    return [
        f"{clean(name)} ({clean(before.get(name, 'not set'))} to {clean(after.get(name, 'not set'))})"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
