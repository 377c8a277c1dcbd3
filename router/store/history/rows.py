"""A batch of finished requests on its way into history.db: rows, attempts, and what they add up to.

Rules of this file: it runs in the ledger's thread, yet on a core and under a lock that the requests need too, so each
step is as short as it can be; what the requests of a batch share is worked out once.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from router.store.history.name_table import Names, clean
from router.store.history.rollups import HOUR_MS, Tally, add_up

if TYPE_CHECKING:
    import sqlite3

    from router.policy.accounts.attempt import BindingRecord
    from router.store.history.entry import Entry, Priced
    from router.wire.headers.rate_limits import Windows

_NOTES_LIMIT = 512
#: Attempts of one request; whoever fills them in has a lower bound.
ATTEMPTS_LIMIT = 32
# SQLite's integers have 64 bits; sums of hours must fit too.
_MOST = 10**13

# What the requests of a group share, what each has of its own, and what it may lack.
_SHARED = (
    *("method", "client", "protocol", "path", "model", "served", "backend", "account", "error", "billing", "tag"),
    *("stream", "estimated"),
)
_OWN = ("id", "time", "status", "attempts", "queue_ms", "total_us", "price", "losses", "notes")
_PERHAPS = (
    *("first_byte_us", "tokens_in", "tokens_out", "cache_read", "cache_write", "reasoning", "cost", "utilisation"),
    "sent_ms",
)
# What only pools and subscriptions have: it is left out of a statement whose requests all lack it.
_POOLED = ("given_up", "bound", "session", "turns", "used_5h", "resets_5h", "used_7d", "resets_7d")
# Rows in one statement, where it may have so many values. Neither row by row nor all at once: SQLite lets go of the
# interpreter at each statement, and taking it back from a busy loop costs both threads (55 µs a request); a whole batch
# would keep requests waiting. Of the statements for what is left over there are not many: each is kept, 1.5 KB a row.
_TOGETHER, _LEFT_OVER = 100, 25
# Stands for NULL on the way to SQLite, as nothing here is below zero: Python's module takes 0.25 µs to hand over a
# None, and a quarter of that for a number.
_NONE = -1
_COLUMNS = len(_SHARED + _OWN + _PERHAPS + _POOLED)
# https://sqlite.org/c3ref/c_limit_attached.html; named by the module, which is loaded late.
_VALUES = 9
_NO_BINDING = (_NONE, _NONE, _NONE)
_NO_WINDOWS = (_NONE, _NONE, _NONE, _NONE)
_ATTEMPT = f"INSERT INTO attempts VALUES ({', '.join('?' * 10)})"  # noqa: S608 - no values in it


class _Group:
    """Requests that share all their names. shared: as in their rows. roles: as in ROLES, without `all`."""

    __slots__ = ("costs", "entries", "hour", "roles", "shared")

    def __init__(self, hour: int, shared: tuple[object, ...], roles: Sequence[int]):
        self.hour = hour
        self.shared = shared
        self.roles = roles
        self.entries: list[Entry] = []
        self.costs: list[int | None] = []

    def tally(self) -> Tally:
        """What they add up to."""
        entries, costs = self.entries, self.costs
        columns: list[list[int | None]] = [
            [entry.error != "" or entry.status >= 400 for entry in entries],
            [entry.estimated for entry in entries],
            [
                cost is None and (entry.tokens_in is not None or entry.tokens_out is not None)
                for cost, entry in zip(costs, entries, strict=True)
            ],
            [entry.tokens_in for entry in entries],
            [entry.tokens_out for entry in entries],
            [entry.cache_read for entry in entries],
            [entry.cache_write for entry in entries],
            [entry.reasoning for entry in entries],
            costs,
        ]
        firsts = [entry.first_byte * 1e6 for entry in entries if entry.first_byte is not None]
        tally = Tally()
        tally.count(len(entries), columns, firsts, [entry.total * 1e6 for entry in entries])
        return tally


class Batch:
    """The requests of one transaction. price: what each cost. pause: between two pieces of the work."""

    def __init__(
        self, db: "sqlite3.Connection", names: Names, price: "Callable[[Entry], Priced]", pause: Callable[[], None]
    ):
        self._db = db
        self._pause = pause
        self._number = names.number
        self._price = price
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._attempts: list[tuple[object, ...]] = []

    def insert(self, entries: "Sequence[Entry]") -> None:
        """Write the rows, in this order."""
        whole = min(_TOGETHER, self._db.getlimit(_VALUES) // _COLUMNS)
        at = 0
        while at < len(entries):
            if at:
                self._pause()
            size = whole if len(entries) - at >= whole else _LEFT_OVER
            piece = entries[at : at + size]
            at += size
            pooled = any(_is_pooled(entry) for entry in piece)
            values: list[object] = []
            for entry in piece:
                self._note(entry, values)
                if pooled:
                    self._note_pool(entry, values)
            self._db.execute(_insertion(len(piece), pooled=pooled), values)
        if self._attempts:
            self._db.executemany(_ATTEMPT, self._attempts)

    def add_up(self) -> None:
        """Add what was inserted to the sums of its hours."""
        sums: dict[tuple[int, int, int], Tally] = {}
        nothing = self._number("")
        for group in self._groups.values():
            tally = group.tally()
            for role, name in enumerate((nothing, *group.roles)):
                sums.setdefault((group.hour, role, name), Tally()).add(tally)
        add_up(self._db, sums.items())

    def _note(self, entry: "Entry", values: list[object]) -> None:
        """Add the values of a row, and the request to its group."""
        ms = int(entry.started * 1000)
        group = self._group(entry, ms // HOUR_MS)
        tokens = (entry.tokens_in, entry.tokens_out, entry.cache_read, entry.cache_write, entry.reasoning)
        held = [_NONE if count is None else count for count in tokens]
        if sum(held) > _MOST:
            entry = _bounded(entry)
            held = [min(count, _MOST) for count in held]
        cost, source = self._price(entry)
        if cost is not None and cost > _MOST:
            cost = _MOST
        group.entries.append(entry)
        group.costs.append(cost)
        first = _NONE if entry.first_byte is None else max(0, int(entry.first_byte * 1e6))
        values += group.shared
        values += (entry.id, ms, entry.status, entry.attempts, int(entry.queued * 1000), max(0, int(entry.total * 1e6)))
        values += (self._number(source), entry.losses and clean(entry.losses, 1024))
        values += (entry.notes and clean(entry.notes, _NOTES_LIMIT), first, *held)
        values += (_NONE if cost is None else cost, _NONE if entry.utilisation is None else entry.utilisation)
        values.append(self._sent(entry, ms))

    def _note_pool(self, entry: "Entry", values: list[object]) -> None:
        """Add the values of _POOLED."""
        values.append(_NONE if entry.given_up is None else entry.given_up)
        values += _NO_BINDING if entry.binding is None else self._bound(entry.binding)
        values += _NO_WINDOWS if entry.windows is None else _told(entry.windows)

    def _group(self, entry: "Entry", hour: int) -> _Group:
        key = (
            *(hour, entry.model, entry.served, entry.backend, entry.account, entry.client, entry.tag, entry.billing),
            *(entry.error, entry.method, entry.protocol, entry.path, entry.stream, entry.estimated),
        )
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._new(entry, hour)
        return group

    def _new(self, entry: "Entry", hour: int) -> _Group:
        number = self._number
        model = number(clean(entry.model), chosen=True)
        served = number(clean(entry.served), chosen=True) if entry.served else model
        backend = number(entry.backend)
        account = number(f"{entry.backend}/{entry.account}" if entry.backend else "")
        client, error = number(entry.client), number(entry.error)
        tag = number(clean(entry.tag), chosen=True)
        billing = number(clean(entry.billing, 64), chosen=True)
        called = (number(entry.method), client, number(entry.protocol), clean(entry.path))
        flags = (int(entry.stream), int(entry.estimated))
        shared = (*called, model, served, backend, account, error, billing, tag, *flags)
        return _Group(hour, shared, (served, backend, account, client, tag, billing, error))

    def _sent(self, entry: "Entry", ms: int) -> int:
        """When the only attempt was made, in ms: the rest of it is the request's own row. Several get rows of theirs:
        one for each of them always would cost a fifth of the time and of the space."""
        tries = entry.tries
        if not tries:
            return _NONE
        only = tries[0]
        if len(tries) == 1 and not only.done and not only.note and only.status == entry.status:
            return int(only.at * 1000)
        number = self._number
        for index, one in enumerate(tries[:ATTEMPTS_LIMIT]):
            names = (one.backend, f"{one.backend}/{one.account}")
            self._attempts.append(
                (
                    *(ms, entry.id, index, int(one.at * 1000), *map(number, names), one.status),
                    *(number(clean(one.error, 64)), number(clean(one.done, 64)), clean(one.note)),
                )
            )
        return _NONE

    def _bound(self, binding: "BindingRecord") -> tuple[object, ...]:
        return self._number(binding.account), clean(binding.session, 16), binding.turns


def _is_pooled(entry: "Entry") -> bool:
    return entry.binding is not None or entry.windows is not None or entry.given_up is not None


def _bounded(entry: "Entry") -> "Entry":
    """With counts of tokens that can be stored and added up."""
    names = ("tokens_in", "tokens_out", "cache_read", "cache_write", "reasoning")
    told = {name: min(count, _MOST) for name in names if (count := getattr(entry, name)) is not None}
    return msgspec.structs.replace(entry, **told)


def _told(windows: "Windows") -> tuple[object, ...]:
    told = (windows.used_5h, windows.resets_5h, windows.used_7d, windows.resets_7d)
    return tuple(_NONE if value is None else value for value in told)


@lru_cache(maxsize=2 * (_LEFT_OVER + 2))
def _insertion(rows: int, *, pooled: bool) -> str:
    """The statement for so many rows."""
    perhaps = (*_PERHAPS, *_POOLED) if pooled else _PERHAPS
    columns = ", ".join((*_SHARED, *_OWN, *perhaps))
    row = ", ".join([*["?"] * len(_SHARED + _OWN), *[f"nullif(?, {_NONE})"] * len(perhaps)])
    return f"INSERT INTO requests ({columns}) VALUES {', '.join([f'({row})'] * rows)}"  # noqa: S608 - no values in it
