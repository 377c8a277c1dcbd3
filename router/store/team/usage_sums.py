"""What the homes of a team have used: the hourly sums of each history on the server, for whoever asks for all of them.

Rules of this file: each home writes its own sums of an hour, whole, as often as they have changed: to write them twice
counts nothing twice, and a server that lost its data gets those of KEPT_DAYS again. They are sealed: names of models,
accounts, clients, tags and client keys, counts and times, no texts. Nothing here is on the path of a request.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from router.policy.budget.budgets import Budget, Term, budget_key, find_budget_term
from router.store.database.writer import Ledger
from router.store.history.histogram import pack, unpack
from router.store.history.read_usage import UsageSums, make_sums
from router.store.history.rollups import ROLES, SUMS, RollupSums
from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.round import name_book
from router.store.team.secrets import TeamSecret
from router.store.team.state.sealing import Sealer, Unreadable
from router.store.team.team import Team

_Item = TypeVar("_Item")
#: Seconds between two looks at the history, and at whether the server still has what it was told.
TELL_SECONDS, CHECK_SECONDS = 10.0, 60.0
#: For how many days the server keeps them.
KEPT_DAYS = 40
#: What they are by, and how many names of each there are at most in an hour; the rest are added up as OTHERS.
SHARED_ROLES = ("all", "model", "account", "client", "tag", "key")
NAMES, OTHERS = 100, "(others)"
HOME = "home"
_HOUR = 3600
_BATCH = 50
_FLUSH_SECONDS = 1.0
# After a start: what ended late in an earlier process.
_LATE_HOURS = 48
_NUMBERS = ", ".join(str(ROLES.index(one)) for one in SHARED_ROLES)
# The name of the whole is 0, which no row of `names` has.
_ROWS = (
    f"SELECT hour, role, coalesce(names.text, ''), {', '.join(SUMS)}, first, total FROM rollups "  # noqa: S608 - ours
    f"LEFT JOIN names ON names.id = name WHERE hour >= ? AND role IN ({_NUMBERS}) "
    "ORDER BY hour, role, requests DESC, names.text"
)


class _Row(msgspec.Struct, array_like=True):
    role: str
    name: str
    sums: list[int]
    #: Histograms.
    first: bytes
    total: bytes


class _Hour(msgspec.Struct, omit_defaults=True):
    """The sums of an hour of a home."""

    host: str
    #: What the numbers of a row are, in their order: another version may have others.
    columns: list[str]
    rows: list[_Row]


class TeamUsage(NamedTuple):
    """What a team has used."""

    total: UsageSums
    #: By role, and by HOME; most requests first.
    groups: Mapping[str, Sequence[UsageSums]]
    #: Hours of homes that could not be read, since they were sealed with another secret.
    unreadable: int


class TeamBudget(NamedTuple):
    """A budget of a team in its term."""

    budget: Budget
    term: Term
    #: In the budget's unit.
    spent: int


class UsageTeller:
    """Tells the sums of one home. home: names it among those of the team. clock: seconds since 1970."""

    def __init__(self, ledger: Ledger, team: Team, home: str, *, clock: Callable[[], float] = time.time):
        self._ledger = ledger
        self._client = team.client
        self._thread = team.thread
        self._names = team.names
        self._sealer = _make_sealer(team.secret)
        self._home = home
        self._clock = clock
        self._told: dict[int, bytes] = {}
        self._checked: float | None = None
        team.thread.repeat(TELL_SECONDS, self.tell)

    def tell(self) -> None:
        """Write what has changed. Blocks; for the team's thread. Raises Unreachable, Refused."""
        now = self._clock()
        hour = int(now // _HOUR)
        known = self._names.name("sums", "homes")
        first, lost = self._checked is None, False
        if self._checked is None or not 0 <= now - self._checked < CHECK_SECONDS:
            lost = self._client.execute("HGET", known, self._home) is None
            self._told = {} if lost else self._told
        found = self._read(hour - (KEPT_DAYS * 24 if lost else _LATE_HOURS if first else 1))
        changed = {at: value for at, value in found.items() if self._told.get(at) != value}
        for batch in _split(list(changed.items())):
            self._client.pipeline([command for at, value in batch for command in self._make_commands(at, value)])
            self._told |= dict(batch)
        if lost:
            self._client.execute("HSET", known, self._home, hour)
            self._client.execute("EXPIRE", known, KEPT_DAYS * 86_400)
        if first or lost or now - (self._checked or 0.0) >= CHECK_SECONDS:
            self._checked = now
        self._told = {at: value for at, value in self._told.items() if at >= hour - 1}

    def end(self) -> None:
        """Have what is left told, since the process ends. Never waits."""
        if self._checked is not None:
            self._thread.submit(self._finish)

    def _finish(self) -> None:
        if self._ledger.flush(_FLUSH_SECONDS):
            self.tell()

    def _read(self, since: int) -> dict[int, bytes]:
        """By hour since 1970, what is told of it."""
        hours: dict[int, list[_Row]] = {}
        rows: Sequence[Any] = self._ledger.read(_ROWS, (since,))
        for hour, role, name, *sums, first, total in rows:
            hours.setdefault(hour, []).append(_Row(ROLES[int(role)], name, sums, first, total))
        host = socket.gethostname()
        return {hour: msgspec.msgpack.encode(_Hour(host, list(SUMS), _bound(rows))) for hour, rows in hours.items()}

    def _make_commands(self, hour: int, value: bytes) -> Sequence[Sequence[str | bytes | int]]:
        key, field = _name_day(self._names, hour), f"{self._home}|{hour}"
        return (
            ("HSET", key, field, self._sealer.seal(f"{key}|{field}", value)),
            ("EXPIRE", key, KEPT_DAYS * 86_400),
        )


def read_team_usage(team: Team, since: float, until: float) -> TeamUsage:
    """What all homes have told of the hours from that of `since` on (seconds since 1970). Blocks. Raises Unreachable,
    Refused."""
    sealer, client = _make_sealer(team.secret), team.client
    sums: dict[tuple[str, str], RollupSums] = {}
    unreadable = 0
    first, last = int(since // _HOUR), int(until // _HOUR)
    for key in dict.fromkeys(_name_day(team.names, hour) for hour in (*range(first, last, 24), last)):
        for field, value in _read_day(client, key):
            hour = int(field.rpartition("|")[2])
            if not first <= hour <= last:
                continue
            try:
                told = msgspec.msgpack.decode(sealer.open(f"{key}|{field}", value), type=_Hour)
            except (Unreadable, msgspec.DecodeError):
                unreadable += 1
                continue
            for row in told.rows:
                _add(sums, (row.role, row.name), told.columns, row)
                if row.role == "all":
                    _add(sums, (HOME, told.host), told.columns, row)
    whole = sums.get(("all", ""), RollupSums())
    groups: dict[str, list[UsageSums]] = {role: [] for role in (*SHARED_ROLES[1:], HOME)}
    for (role, name), rollup in sums.items():
        if role in groups and name:
            groups[role].append(make_sums(name, rollup, whole.sums[0]))
    for group in groups.values():
        group.sort(key=lambda one: (-one.requests, one.name))
    return TeamUsage(make_sums("", whole, whole.sums[0]), groups, unreadable)


def read_team_budgets(team: Team, budgets: Iterable[Budget], now: float) -> list[TeamBudget]:
    """What the team has spent of these budgets in their terms. Blocks. Raises Unreachable, Refused."""
    found = [(budget, find_budget_term(budget, now)) for budget in budgets]
    keys = [team.names.name("book", name_book(budget_key(budget, term), budget)) for budget, term in found]
    values = team.client.pipeline([("HMGET", key, "spent", "base") for key in keys]) if keys else []
    return [
        TeamBudget(budget, term, max(0, int(spent or 0) - int(base or 0)))
        for (budget, term), (spent, base) in zip(found, values, strict=True)
    ]


def _make_sealer(secret: TeamSecret) -> Sealer:
    return Sealer(secret.derive("usage"))


def _name_day(names: KeyNames, hour: int) -> str:
    """The key with the hours of a day in UTC."""
    return names.name("sums", f"{datetime.fromtimestamp(hour * _HOUR, UTC):%Y-%m-%d}")


def _read_day(client: TeamClient, key: str) -> Iterable[tuple[str, bytes]]:
    """The fields of a day, some at a time."""
    fields = [field.decode() for field in client.execute("HKEYS", key)]
    for batch in _split(fields):
        values = client.execute("HMGET", key, *batch)
        yield from ((field, value) for field, value in zip(batch, values, strict=True) if value is not None)


def _split(items: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


def _bound(rows: Sequence[_Row]) -> list[_Row]:
    """At most NAMES rows of each role, and one with the rest."""
    kept: list[_Row] = []
    for role in SHARED_ROLES:
        of_role = [row for row in rows if row.role == role]
        kept += of_role[:NAMES]
        rest = RollupSums()
        for row in of_role[NAMES:]:
            rest.add(_to_rollup(SUMS, row))
        if of_role[NAMES:]:
            kept.append(_Row(role, OTHERS, rest.sums, pack(rest.first), pack(rest.total)))
    return kept


def _add(sums: dict[tuple[str, str], RollupSums], key: tuple[str, str], columns: Sequence[str], row: _Row) -> None:
    sums.setdefault(key, RollupSums()).add(_to_rollup(columns, row))


def _to_rollup(columns: Sequence[str], row: _Row) -> RollupSums:
    """The sums of a row by the columns of this version."""
    values, found = dict(zip(columns, row.sums, strict=False)), RollupSums()
    found.sums = [values.get(name, 0) for name in SUMS]
    found.first, found.total = unpack(row.first), unpack(row.total)
    return found
