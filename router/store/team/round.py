"""One process's side of the rounds: what it sends, what it takes from the reply, and what it remembers of all.

Rules of this file: for one thread. Times go over the wire by the server's clock, in milliseconds, and are translated by
an offset that stays until the clocks have moved by OFFSET_MS, so that a time read twice is the same. Amounts are below
2**53, as Lua counts in floating point.
"""

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from router.policy.budget.budgets import Budget, BudgetView, Term
from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim
from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.round_script import LEASE_SECONDS, LEAVE, ROUND

OFFSET_MS = 200.0
#: No amount is larger: Lua counts whole numbers exactly up to here.
MOST = 2**53 - 1
#: A share is used no longer than this after the round that confirmed it was sent: less than its lease.
HELD_SECONDS = LEASE_SECONDS - 2.0
#: How long a book stays after its term.
KEPT_SECONDS = 40 * 86_400.0
#: What all have spent is read so often for each process that there is, so that one of them has read it within that
#: time; and by each this often at least.
READ_SECONDS = 0.05
_READ_MOST_SECONDS = 5.0
#: The keys of a budget on the server.
_SHARE = ("share", "lease", "wait")
_BOOK = ("book", "part", "when", *_SHARE)


class Round(NamedTuple):
    """What a process tells in one round."""

    #: Of the last message that it includes.
    turn: int
    #: By key of the budget.
    claims: Mapping[str, Claim]
    #: The budgets to be told and shown besides those.
    keys: Collection[str]
    #: What this process has spent in all, by key of the budget.
    spent: Mapping[str, int]
    #: What its home had spent before, by key of a budget that it claims for the first time.
    history: Mapping[str, int]
    #: Each with the number of its message.
    halts: Sequence[tuple[int, Halt]]
    #: The number of the last message that lifts all halts, 0 for none.
    lift: int
    #: It has nothing new to tell: its shares stay as they are.
    looks: bool


class Reply(NamedTuple):
    """What stands on the server after a round."""

    budgets: Mapping[str, BudgetView]
    halts: tuple[Halt, ...]
    #: Processes of the team that hold shares, this one included.
    processes: int
    #: No shares are handed out yet, since the server has lost data.
    settling: bool
    #: This process holds a share.
    holds: bool = False


class _Book(msgspec.Struct):
    """What is remembered of a budget."""

    budget: Budget
    term: Term
    name: str
    #: By process.
    parts: dict[str, int]
    base: int = 0
    stamp: int = 0
    held: int = 0
    claimed: bool = False


class Rounds:
    """The rounds of one process. home: names the home it belongs to. clock: seconds since 1970."""

    def __init__(self, client: TeamClient, names: KeyNames, home: str, *, clock: Callable[[], float] = time.time):
        self.process = f"{home}.{secrets.token_hex(6)}"
        #: How often the server was found without what it had confirmed.
        self.losses = 0
        self._client = client
        self._names = names
        self._home = home
        self._clock = clock
        self._epoch = ""
        self._acked = 0
        self._lifts = 0
        self._count = 0
        self._reads = True
        self._read_at = -1e9
        self._offset: float | None = None
        self._books: dict[str, _Book] = {}
        self._processes: dict[str, int] = {}
        self._raw_halts: dict[str, str] = {}
        self._halts: dict[tuple[str, str], Halt] = {}
        self._sent: list[str] = []
        self._shares_until = (-1e9, -1e9)

    @property
    def holds_shares(self) -> bool:
        """True while the lease of the shares that it holds has not ended, by the slower of two clocks: one stands still
        while the machine sleeps, the other may be set back."""
        return time.monotonic() < self._shares_until[0] and self._clock() < self._shares_until[1]

    @property
    def shares_until(self) -> float:
        """When that lease ends, unless it is renewed: seconds since 1970."""
        return self._shares_until[1]

    def knows(self, key: str) -> bool:
        """True for a budget that was part of a round."""
        return key in self._books

    def run(self, told: Round) -> Reply:
        """Exchange once. Blocks. Raises Unreachable, Refused; then nothing is known to have been taken."""
        if self._offset is None:
            seconds, micros = self._client.execute("TIME")
            self._offset = int(seconds) * 1000 + int(micros) / 1000 - self._clock() * 1000
        self._take_claims(told)
        before, wall = time.monotonic(), self._clock()
        self._reads = before - self._read_at >= min(_READ_MOST_SECONDS, READ_SECONDS * self._count)
        answer = self._send(told, restore=False)
        if "again" in answer:
            self.losses += 1
            for book in self._books.values():
                book.stamp = 0
            self._reads = True
            answer = self._send(told, restore=True)
        self._note_offset(answer["now"], wall)
        if told.claims:
            self._shares_until = before + HELD_SECONDS, wall + HELD_SECONDS
        if self._reads:
            self._read_at = before
        self._acked = max(self._acked, told.turn)
        return self._receive(answer)

    def leave(self) -> None:
        """Give back all shares, since the process ends. Blocks. Raises Unreachable, Refused."""
        keys = [self._names.name(kind, book.name) for book in self._books.values() if book.claimed for kind in _SHARE]
        self._client.run(LEAVE, [self._names.name("procs"), *keys], [self.process])

    def _take_claims(self, told: Round) -> None:
        for key, claim in told.claims.items():
            book = self._books.get(key)
            if book is None:
                book = self._books[key] = _Book(claim.budget, claim.term, name_book(key, claim.budget), {})
            book.budget, book.term = claim.budget, claim.term
        oldest = self._clock() - 86_400
        for key in [key for key, book in self._books.items() if book.term.end < oldest and not book.claimed]:
            del self._books[key]

    def _send(self, told: Round, *, restore: bool) -> dict[str, Any]:
        keys = [self._names.name(kind) for kind in ("state", "procs", "reported", "halts")]
        keys.append(self._names.name("turn", self.process))
        books: list[dict[str, Any]] = []
        self._sent = [key for key in self._books if restore or key in told.claims or key in told.keys]
        for key in self._sent:
            book = self._books[key]
            keys += [self._names.name(kind, book.name) for kind in _BOOK]
            books.append(self._describe(key, book, told, restore=restore))
        dropped = [book for key, book in self._books.items() if book.claimed and key not in self._sent]
        keys += [self._names.name(kind, book.name) for book in dropped for kind in _SHARE]
        values: dict[str, Any] = {
            "process": self.process,
            "home": self._home,
            "prefix": self._names.prefix,
            "epoch": self._epoch,
            "fresh": secrets.token_hex(8),
            "acked": self._acked,
            "turn": told.turn,
            "claims": bool(told.claims),
            "reads": self._reads,
            "books": books,
            "halts": [self._write_halt(turn, halt) for turn, halt in told.halts],
            "lift": told.lift,
        }
        if restore:
            processes = [value for pair in self._processes.items() for value in pair]
            halts = [value for pair in self._raw_halts.items() for value in pair]
            values["restore"] = {"procs": processes, "lifts": self._lifts, "halts": halts}
        packed = self._client.run(ROUND, keys, [msgspec.msgpack.encode(values)])
        return _decode(packed)

    def _describe(self, key: str, book: _Book, told: Round, *, restore: bool) -> dict[str, Any]:
        claim = told.claims.get(key)
        found: dict[str, Any] = {
            "claimed": claim is not None,
            "own": min(MOST, told.spent.get(key, 0)),
            "history": min(MOST, told.history.get(key, 0)),
            "stamp": book.stamp,
            "ttl": self._find_lifetime(book.term),
            "since": 0,
        }
        if claim is not None:
            keep = book.held if told.looks else claim.keep
            since = max(1, int(claim.since * 1000 + (self._offset or 0))) if claim.needed else 0
            found |= {
                "limit": min(MOST, claim.budget.limit),
                "keep": min(MOST, keep),
                "running": min(MOST, claim.running),
                "needed": min(MOST, claim.needed),
                "goal": min(MOST, claim.keep + claim.needed),
                "since": since,
                "stays": told.looks,
            }
        if restore:
            found |= {"parts": [value for pair in book.parts.items() for value in pair], "base": book.base}
        return found

    def _find_lifetime(self, term: Term) -> int:
        """How many milliseconds a book stays from now on."""
        left = term.end - self._clock() if term.end < 1e11 else 0.0
        return int((max(0.0, left) + KEPT_SECONDS) * 1000)

    def _receive(self, answer: dict[str, Any]) -> Reply:
        self._epoch, self._lifts, self._count = answer["epoch"], answer["lifts"], answer["count"]
        told = answer["procs"]
        if told:
            self._processes = dict(zip(told[::2], told[1::2], strict=True))
        budgets: dict[str, BudgetView] = {}
        for book in self._books.values():
            book.claimed = False
        for key, row in zip(self._sent, answer["rows"], strict=True):
            book = self._books[key]
            spent, held, others, idle, wanted, book.base, book.stamp, parts = row
            book.parts |= dict(zip(parts[::2], parts[1::2], strict=True))
            book.held, book.claimed = held, held > 0
            budgets[key] = BudgetView(spent, held, others, idle, bool(wanted))
        halts, holds = self._read_halts(answer["halts"]), any(book.claimed for book in self._books.values())
        return Reply(budgets, halts, self._count, bool(answer["settling"]), holds)

    def _note_offset(self, now: int, wall: float) -> None:
        offset = now - (wall + self._clock()) * 500
        if self._offset is None or abs(offset - self._offset) > OFFSET_MS:
            self._offset, self._halts = offset, {}

    def _write_halt(self, turn: int, halt: Halt) -> dict[str, Any]:
        offset = self._offset or 0.0
        book = self._books.get(halt.budget_key)
        name = book.name if book is not None else halt.budget_key
        since, until = int(halt.since * 1000 + offset), int(halt.until * 1000 + offset)
        what = msgspec.json.encode([since, until, halt.reason, halt.request, halt.budget_key, name]).decode()
        return {"turn": turn, "scope": halt.scope, "what": what}

    def _read_halts(self, flat: Sequence[str]) -> tuple[Halt, ...]:
        self._raw_halts = dict(zip(flat[::2], flat[1::2], strict=True))
        offset = self._offset or 0.0
        found: dict[tuple[str, str], Halt] = {}
        for scope, raw in self._raw_halts.items():
            known = self._halts.get((scope, raw))
            if known is None:
                since, until, reason, request, key, _ = msgspec.json.decode(raw)
                known = Halt(scope, (since - offset) / 1000, (until - offset) / 1000, reason, request, key)
            found[scope, raw] = known
        self._halts = found
        return tuple(found.values())


def name_book(key: str, budget: Budget) -> str:
    """The name of a book on the server: of a run it has its beginning, since other machines have runs of that name."""
    return f"{key}|{int(budget.since * 1000)}" if budget.period == "run" else key


def _decode(packed: bytes) -> dict[str, Any]:
    return msgspec.msgpack.decode(packed)
