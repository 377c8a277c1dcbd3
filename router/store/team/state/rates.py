"""The limits a minute of accounts and client keys, over a team: each process tells what it counted, and counts what the
others tell.

A limit is exceeded by at most what the other proxies let pass within two exchanges, about a second. While the server
cannot be reached each proxy counts alone. Workers of one port have portions of what is left of a limit for their port.
"""

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from router.policy.accounts.rate_limit import RateLimit
from router.store.team.state.tables import RATES, SharedTables

_MARK, _PORT_MARK = "|", "."
_RECEIVED = 20_000
#: Lists the limits that are shared, by their names over the team.
ListLimits = Callable[[], Mapping[str, RateLimit]]


class _Counts(msgspec.Struct, frozen=True, array_like=True):
    requests: int
    tokens: int


class _Told(NamedTuple):
    name: str
    process: str
    counts: _Counts


_decoder = msgspec.json.Decoder(_Counts)


class SharedRates:
    """The counts of one process, and what it knows of those of others."""

    def __init__(self, tables: SharedTables):
        self._tables = tables
        self._process = secrets.token_hex(8)
        # How the names of processes of this port begin, '' where it is the only one.
        self._port = ""
        self._lists: list[ListLimits] = []
        self._told: dict[str, _Counts] = {}
        # Filled by the team's thread, emptied by the event loop.
        self._received: deque[_Told] = deque(maxlen=_RECEIVED)
        # name and process -> what was counted here of it.
        self._known: dict[str, _Counts] = {}
        self._primed = False
        tables.subscribe(RATES, self._receive, self._told.clear)

    def add(self, list_limits: ListLimits) -> None:
        """Share these limits too."""
        self._lists.append(list_limits)

    def join_port(self, port: str) -> None:
        """Count nothing that processes of this port tell: their portions of the limits see to it. To be called before
        the first step that tells anything."""
        self._port = port + _PORT_MARK
        self._process = self._port + self._process

    def step(self, now: float) -> bool:
        """Tell what was counted since the last step, and count what others told; True when that was any. now: on the
        clock of the limits. For the event loop."""
        limits = {name: limit for one in self._lists for name, limit in one().items()}
        for name, limit in limits.items():
            counts = _Counts(limit.counted_requests, limit.counted_tokens)
            if counts != self._told.get(name, _Counts(0, 0)):
                self._told[name] = counts
                self._tables.put(RATES, name + _MARK + self._process, msgspec.json.encode(counts))
        changed = False
        for _ in range(len(self._received)):
            told = self._received.popleft()
            key = told.name + _MARK + told.process
            before = self._known.pop(key, None)
            self._known[key] = told.counts
            if len(self._known) > _RECEIVED:
                del self._known[next(iter(self._known))]
            limit = limits.get(told.name)
            if limit is None or (before is None and not self._primed):
                continue
            before = before or _Counts(0, 0)
            limit.count_elsewhere(
                now, max(0, told.counts.requests - before.requests), told.counts.tokens - before.tokens
            )
            changed = True
        self._primed = self._primed or self._tables.answered is not None
        return changed

    def _receive(self, rows: Mapping[str, bytes]) -> None:
        for key, value in rows.items():
            name, _, process = key.rpartition(_MARK)
            if process != self._process and not (self._port and process.startswith(self._port)):
                self._received.append(_Told(name, process, _decoder.decode(value)))
