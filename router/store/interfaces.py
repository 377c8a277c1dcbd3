"""What a proxy asks of a store, as small Protocols, and the values that pass between them.

A proxy keeps more than its own memory in five places: the ledger with its requests, the owners of ids, answers that may
be named again, what processes share of their budgets, and the state of accounts. Each is a Protocol with what its
callers need, so that another store is an argument of the function that composes a runtime. Rules for every
implementation: a method neither blocks nor waits unless it says so, and a store that cannot be used is no error: it
says so in `problem`, and the proxy goes on with what it has in memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from router.policy.accounts.pool import Member
from router.policy.budget.budgets import BudgetView, Rates
from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim, Model
from router.settings import Settings
from router.store.history.entry import HistoryEntry, Priced
from router.store.home.home import Home

Json = dict[str, object]
#: What a request cost. May load the price data: for a thread.
Price = Callable[[HistoryEntry], Priced]


class StoreWriter(Protocol):
    """The writer of a store, as a thread of its own, and what operators see of it."""

    #: Rows that were lost since the start.
    dropped: int
    #: Why nothing is kept, None while all is well.
    problem: str | None
    #: Of the file; it may not be there yet.
    path: Path
    #: Why the file does not lie in the home, None when it does.
    elsewhere: str | None

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        ...

    def start(self) -> None:
        """Start the writer; again without effect."""
        ...

    def close(self) -> None:
        """Write what is left, waiting for a bounded time. Blocks."""
        ...

    def add_preparation(self, preparation: Callable[[], None]) -> None:
        """Have the writer's thread do this before it writes; to be called before `start`."""
        ...

    def wake(self) -> None:
        """There is something to write or to prepare: do it soon."""
        ...

    def flush_soon(self) -> None:
        """Prepare and write now rather than soon."""
        ...

    def flush(self, seconds: float = 2.0) -> bool:
        """Write what waits; False when that took longer than `seconds`. Blocks."""
        ...

    def pause(self) -> None:
        """Leave the interpreter to the requests for a moment. Blocks: for the writer's thread."""
        ...


class EntryWriter(Protocol):
    """The history of requests, as it is written."""

    def extend(self, entries: Sequence[HistoryEntry]) -> None:
        """Hand over requests that have ended, in a preparation of the ledger's thread."""
        ...


class Owner(NamedTuple):
    """The account that issued an id."""

    backend: str
    account: str
    #: The collection that the id is of, as in its path.
    kind: str
    #: When it was issued or last asked for, give or take a day: seconds since 1970.
    used: int


class ResourceOwners(Protocol):
    """The accounts that issued ids of responses, files and the like, so that later requests go to them."""

    @property
    def attached(self) -> bool:
        """False when no id is known that stands deep in bodies: then none need be searched."""
        ...

    def remember(self, name: str, backend: str, account: str, kind: str) -> None:
        """Remember the account that issued an id."""
        ...

    def cache(self, name: str, owner: Owner) -> None:
        """Keep an entry that `find` found in memory, as the latest."""
        ...

    def known(self, names: Iterable[str]) -> tuple[str, Owner] | None:
        """The first of the ids that memory holds, with its owner."""
        ...

    def find(self, names: Sequence[str]) -> tuple[str, Owner] | None:
        """The first of the ids that the store holds, with its owner. Blocks: for a thread."""
        ...


class StoredResponses(Protocol):
    """Answers that were translated for Responses callers, which later requests may name."""

    def store(self, name: str, previous: str, items: list[Json], size: int) -> None:
        """Store an answer: its id, the id of the answer it continues, and what the conversation gained, about `size`
        bytes of it."""
        ...

    def find(self, names: Iterable[str]) -> dict[str, Json]:
        """What is stored under these ids: an item, or an answer together with all those before it. Blocks."""
        ...


class SyncMessage(msgspec.Struct, frozen=True):
    """What one process tells the others of its budgets."""

    #: Counts the messages of the process.
    sequence: int
    #: By budget key.
    claims: Mapping[str, Claim]
    #: Requests that ended, each with the keys of the budgets it counts in.
    finished: Sequence[tuple[Sequence[str], HistoryEntry]] = ()
    halts: Sequence[Halt] = ()
    #: Those whose rates are asked for.
    models: Sequence[Model] = ()
    #: End all halts.
    lift: bool = False


class SharedState(NamedTuple):
    """What the store holds of the budgets of all processes."""

    #: Of the last message of this process that is in it.
    sequence: int
    #: By budget key.
    budgets: Mapping[str, BudgetView]
    halts: tuple[Halt, ...]
    #: None for a model without a price.
    rates: Mapping[Model, Rates | None]


class SharedBudgets(Protocol):
    """Spend, shares of budgets and halts, as the processes of a home have them in common.

    A message is on the disk, or as safe as the store makes it, before a state that holds it is given out.
    """

    @property
    def problem(self) -> str | None:
        """Why nothing can be shared, None while all is well."""
        ...

    def subscribe(self, receive: Callable[[SharedState], None]) -> None:
        """Have the state given to `receive` after every message and every `look`, in any thread; to be called once,
        before the first message."""
        ...

    def publish(self, message: SyncMessage) -> None:
        """Write a message at once, and give out the state that holds it."""
        ...

    def look(self) -> None:
        """Give out the state as it is now."""
        ...

    def leave(self) -> None:
        """Give everything back that this process holds, since it ends."""
        ...


class AccountStates(Protocol):
    """What is known of accounts beyond a reload: parked, cooling, revoked, headroom, by backend, alias and the
    fingerprint of the key, so that an account with a new key begins as ready."""

    def load(self, backend: str, alias: str, fingerprint: str) -> Member | None:
        """The state of an account, None when nothing is known of it."""
        ...

    def save(self, accounts: Mapping[str, Sequence[Member]]) -> None:
        """Keep these, by backend, and nothing else."""
        ...


class OpenStore(Protocol):
    """Opens a store for the proxy of a home."""

    def __call__(
        self, home: Home, say: Callable[[str], None], *, price: Price, settings: Callable[[], Settings]
    ) -> "Store":
        """say: where a line for the user goes; it must not wait. settings: those in use."""
        ...


class Store(NamedTuple):
    """The parts of one store, as a proxy uses them."""

    ledger: StoreWriter
    history: EntryWriter
    resource_owners: ResourceOwners
    stored_responses: StoredResponses
    shared_budgets: SharedBudgets
    account_states: AccountStates
