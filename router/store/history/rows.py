"""Writes a batch of finished requests into history.db: rows, attempts, and their sums.

Rules of this file: it runs in the ledger's thread, yet holds the interpreter's lock, which the requests need too, so
each step is as short as possible; values that the requests of a batch share are computed once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from router.store.history.derive import STORED, SUMMED, compile_lists, compile_row, compile_sum
from router.store.history.name_table import NameTable
from router.store.history.rollups import HOUR_MS, ROLE_COLUMNS, RollupSums, add_up
from router.store.history.storage import MOST, NONE, clean

if TYPE_CHECKING:
    import sqlite3

    from router.store.history.entry import HistoryEntry, Priced

#: Attempts of one request that are written; a request makes fewer.
ATTEMPTS_LIMIT = 32
# The columns that the requests of a group share, those computed here, other columns of each request, and those that few
# requests have.
_SHARED = [one for one in STORED if one[0].shared]
_COMPUTED = [one for one in STORED if not one[0].path]
_OWN = [one for one in STORED if one[0].path and not one[0].shared and not one[0].rare]
_RARE = [one for one in STORED if one[0].rare]
_key = attrgetter(*(column.field for column, _ in _SHARED))
_shared_values = compile_row(_SHARED)
_own_values = compile_row([*_OWN, *_COMPUTED], "cost, price, cache_lost_cost, cache_longer_cost, sent_ms")
_rare_values = compile_row(_RARE)
# The fields of the rare columns, and their values in a request that has none of them.
_RARE_FIELDS = tuple(dict.fromkeys(column.path.partition(".")[0] for column, _ in _RARE))
_rare_fields = attrgetter(*_RARE_FIELDS)
_NOTHING_RARE = (None,) * len(_RARE_FIELDS)
_COUNTS = [column.path for column, storage in STORED if storage.bounded]
_sum_counts = compile_sum(_COUNTS)
# The columns whose sums are kept; the cost is computed apart.
_SUMMED = [column for column, _ in STORED if column.summed and column.path]
_summed_values = compile_lists(column.path for column in _SUMMED)
_ROLES_AT = [[column.name for column, _ in _SHARED].index(name) for name in ROLE_COLUMNS]
# Rows in one statement, if it may have so many values. Neither row by row nor all at once: SQLite releases the
# interpreter's lock at each statement, and taking it back from a busy event loop costs both threads (55 µs a request);
# a whole batch would delay requests. Of few sizes, since each statement is compiled, which takes as long as inserting
# its rows ten times, and is cached, 1.5 KB a row.
_TOGETHER = (100, 25, 5, 1)
# https://sqlite.org/c3ref/c_limit_attached.html; named by the module, which is loaded late.
_VALUES = 9
_ATTEMPT = f"INSERT INTO attempts VALUES ({', '.join('?' * 10)})"  # noqa: S608 - no values in it
_ATTEMPT_ERROR = "INSERT INTO attempt_errors VALUES (?, ?, ?, ?)"


class _Group:
    """Requests of one hour that share all their names."""

    __slots__ = ("costs", "entries", "hour", "losses", "roles", "shared")

    def __init__(self, hour: int, shared: Sequence[object], roles: Sequence[int]):
        self.hour = hour
        #: The values of _SHARED in their rows.
        self.shared = shared
        #: The numbers of their names, in the order of rollups.ROLE_COLUMNS.
        self.roles = roles
        self.entries: list[HistoryEntry] = []
        self.costs: list[int | None] = []
        #: What each lost by a cache.
        self.losses: list[int | None] = []

    def sum_up(self) -> RollupSums:
        """Add up the requests of the group."""
        entries, costs = self.entries, self.costs
        summed: dict[str, Iterable[int | None]] = {"cost": costs, "cache_lost_cost": self.losses}
        for column, values in zip(_SUMMED, _summed_values(entries), strict=True):
            summed[column.name] = values
        columns: list[Iterable[int | None]] = [
            [entry.error != "" or entry.status >= 400 for entry in entries],
            [entry.estimated for entry in entries],
            [
                cost is None and (entry.tokens_in is not None or entry.tokens_out is not None)
                for cost, entry in zip(costs, entries, strict=True)
            ],
            *(summed[name] for name in SUMMED),
        ]
        firsts = [entry.first_byte * 1e6 for entry in entries if entry.first_byte is not None]
        rollup = RollupSums()
        rollup.count(len(entries), columns, firsts, [entry.total * 1e6 for entry in entries])
        return rollup


class Batch:
    """The requests of one transaction. price: computes what each cost. pause: called between two pieces of the work."""

    def __init__(
        self,
        db: "sqlite3.Connection",
        names: NameTable,
        price: "Callable[[HistoryEntry], Priced]",
        pause: Callable[[], None],
    ):
        self._db = db
        self._pause = pause
        self._number = names.number
        self._price = price
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._attempts: list[tuple[object, ...]] = []
        self._attempt_errors: list[tuple[object, ...]] = []

    def insert(self, entries: "Sequence[HistoryEntry]") -> None:
        """Write the rows, in this order."""
        most = self._db.getlimit(_VALUES) // len(STORED)
        at = 0
        while at < len(entries):
            if at:
                self._pause()
            size = next(size for size in _TOGETHER if size <= min(most, len(entries) - at))
            piece = entries[at : at + size]
            at += size
            rare = any(_rare_fields(entry) != _NOTHING_RARE for entry in piece)
            groups, own = self._note_piece(piece)
            # Values that all rows of the statement share are passed once: passing one takes as long as computing it.
            one = groups.count(groups[0]) == len(groups)
            values: list[object] = [*groups[0].shared] if one else []
            for entry, group, mine in zip(piece, groups, own, strict=True):
                if not one:
                    values += group.shared
                values += mine
                if rare:
                    values += _rare_values(entry, self._number)
            self._db.execute(_build_insertion(len(piece), rare=rare, one=one), values)
        if self._attempts:
            self._db.executemany(_ATTEMPT, self._attempts)
        if self._attempt_errors:
            self._db.executemany(_ATTEMPT_ERROR, self._attempt_errors)

    def add_up(self) -> None:
        """Add what was inserted to the sums of its hours."""
        sums: dict[tuple[int, int, int], RollupSums] = {}
        nothing = self._number("")
        for group in self._groups.values():
            rollup = group.sum_up()
            for role, name in enumerate((nothing, *group.roles)):
                if name == NONE:
                    continue
                sums.setdefault((group.hour, role, name), RollupSums()).add(rollup)
        add_up(self._db, sums.items())

    def _note_piece(self, piece: "Sequence[HistoryEntry]") -> tuple[list[_Group], list[tuple[object, ...]]]:
        """Add requests to their groups; returns the group of each, and the values of its row that are neither shared
        nor in _RARE."""
        groups: list[_Group] = []
        own: list[tuple[object, ...]] = []
        number, price = self._number, self._price
        for entry in piece:
            if _sum_counts(entry) > MOST:
                entry = _bound(entry)
            ms = int(entry.started * 1000)
            group = self._find_group(entry, ms // HOUR_MS)
            cost, source = price(entry)
            if cost is not None and cost > MOST:
                cost = MOST
            lost = None if entry.cache_lost is None else _price_loss(entry, price)
            longer = None if entry.cache_longer is None else _price_longer(entry, entry.cache_longer, price)
            group.entries.append(entry)
            group.costs.append(cost)
            group.losses.append(lost)
            groups.append(group)
            own.append(_own_values(entry, number, cost, source, lost, longer, self._note_attempts(entry, ms)))
        return groups, own

    def _find_group(self, entry: "HistoryEntry", hour: int) -> _Group:
        key = (hour, _key(entry))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._new_group(entry, hour)
        return group

    def _new_group(self, entry: "HistoryEntry", hour: int) -> _Group:
        shared = _shared_values(entry, self._number)
        roles: list[Any] = [shared[index] for index in _ROLES_AT]
        return _Group(hour, shared, roles)

    def _note_attempts(self, entry: "HistoryEntry", ms: int) -> int | None:
        """Note the attempts of a request. A single one is stored in the request's own row: returns when it was made, in
        ms. Several get rows of their own; a row for every single attempt would cost a fifth of the time and space."""
        tries = entry.tries
        if not tries:
            return None
        only = tries[0]
        if (
            len(tries) == 1
            and not (only.done or only.note)
            and only.status == entry.status
            and (not only.text or only.text == entry.error_text)
        ):
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
            if one.text:
                self._attempt_errors.append((ms, entry.id, index, clean(one.text)))
        return None


def _bound(entry: "HistoryEntry") -> "HistoryEntry":
    """Bound the counts of tokens so that they can be stored and added up."""
    bounded = {name: min(count, MOST) for name in _COUNTS if (count := getattr(entry, name)) is not None}
    return msgspec.structs.replace(entry, **bounded)


def _price_loss(entry: "HistoryEntry", price: "Callable[[HistoryEntry], Priced]") -> int | None:
    """What the tokens that a cache did not give cost more than it would have taken for them; None without a price."""
    lost, written = entry.cache_lost or 0, entry.cache_write or 0
    paid = min(lost, written)
    hour = None if entry.cache_write_1h is None else max(0, entry.cache_write_1h - paid)
    found = msgspec.structs.replace(
        entry,
        charge=None,
        tokens_in=max(0, (entry.tokens_in or 0) - (lost - paid)),
        cache_write=written - paid,
        cache_write_1h=hour,
        cache_read=(entry.cache_read or 0) + lost,
    )
    cost, least = price(msgspec.structs.replace(entry, charge=None))[0], price(found)[0]
    return None if cost is None or least is None else min(max(0, cost - least), MOST)


def _price_longer(entry: "HistoryEntry", tokens: int, price: "Callable[[HistoryEntry], Priced]") -> int | None:
    """What it costs more to write tokens to a cache for the longer time; None without a price for that."""
    written = msgspec.structs.replace(
        entry,
        charge=None,
        extras=None,
        tokens_in=0,
        tokens_out=0,
        cache_read=0,
        cache_write=tokens,
        cache_write_1h=None,
    )
    usual, longer = price(written)[0], price(msgspec.structs.replace(written, cache_write_1h=tokens))[0]
    return None if usual is None or longer is None or longer <= usual else min(longer - usual, MOST)


@lru_cache(maxsize=4 * len(_TOGETHER))
def _build_insertion(rows: int, *, rare: bool, one: bool) -> str:
    """Build the statement for so many rows. one: their shared values are the first values, and are given once."""
    columns = [*_SHARED, *_OWN, *_COMPUTED, *(_RARE if rare else ())]
    names = ", ".join(column.name for column, _ in columns)
    # A plain `?` has the number after the highest so far.
    places = [f"?{number + 1}" if one and number < len(_SHARED) else "?" for number in range(len(columns))]
    row = ", ".join(
        f"nullif({place}, {NONE})" if storage.null else place
        for place, (_, storage) in zip(places, columns, strict=True)
    )
    return f"INSERT INTO requests ({names}) VALUES {', '.join([f'({row})'] * rows)}"  # noqa: S608 - no values in it
