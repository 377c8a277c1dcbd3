"""The interfaces of a store as small Protocols, and the values that pass through them.

A store has six parts: the ledger with the history of requests, the owners of ids, answers that later requests may name,
the budgets that processes share, the state of accounts, and the limits of models that errors told. Each is a Protocol
with what its callers need, so that another store is an argument of the function that composes a runtime. Rules for
every implementation: a method neither blocks nor waits unless its docstring says so, and a store that cannot be used
raises nothing: it gives the reason in `problem`, and the proxy goes on with what it has in memory.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from router.policy.accounts.pool import Member
from router.policy.accounts.rate_limit import RateLimit
from router.policy.accounts.session_affinity import SessionAffinity
from router.policy.budget.budgets import Allowance, BudgetView, Rates
from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim, Model
from router.policy.facts.learned import ReadLimits
from router.policy.facts.lifetimes import ReadLifetimes
from router.settings import Secret, Settings
from router.store.history.entry import HistoryEntry, Priced
from router.store.home.home import Home
from router.store.keys.logins import Tokens
from router.store.keys.shared_keys import NoSharedKeys, SharedKey
from router.store.peers import NoSharedSettings, SharedServer, SharedSettings

Json = dict[str, object]
#: Computes what a request cost. For threads, as it may load the price data.
Price = Callable[[HistoryEntry], Priced]


class StoreWriter(Protocol):
    """The writer of a store, which has a thread of its own, and its state for operators."""

    #: Rows that were lost since the start.
    dropped: int
    #: Why nothing is stored, None while the store can be used.
    problem: str | None
    #: The path of the file, which may not exist yet.
    path: Path
    #: Why the file is not in the home, None when it is.
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
        """Have the writer's thread call this before it writes. To be called before `start`."""
        ...

    def wake(self) -> None:
        """Have the writer's thread prepare and write soon."""
        ...

    def flush_soon(self) -> None:
        """Have the writer's thread prepare and write now."""
        ...

    def flush(self, seconds: float = 2.0) -> bool:
        """Write what waits; False when that takes longer than `seconds`. Blocks."""
        ...

    def pause(self) -> None:
        """Sleep for a moment, so that requests get the interpreter. For the writer's thread, since it blocks."""
        ...


class EntryWriter(Protocol):
    """The writing side of the history of requests."""

    def extend(self, entries: Sequence[HistoryEntry]) -> None:
        """Queue requests that have ended, in a preparation of the ledger's thread."""
        ...


class Owner(NamedTuple):
    """The account that issued an id."""

    backend: str
    account: str
    #: The collection of the id, as in its path.
    kind: str
    #: When the id was issued or last requested, within a day: seconds since 1970.
    used: int
    #: The client key that it was issued to (`Grant.owner`).
    key: str = ""


class ResourceOwners(Protocol):
    """The accounts that issued ids of responses, files and the like, so that later requests go to them."""

    @property
    def attached(self) -> bool:
        """False when no known id is of a kind that occurs deep in bodies: then bodies need not be searched."""
        ...

    def remember(self, name: str, backend: str, account: str, kind: str, key: str = "") -> None:
        """Remember the account that issued an id, and the client key that it was issued to."""
        ...

    def cache(self, name: str, owner: Owner) -> None:
        """Put an entry that `find` returned into memory, as the latest."""
        ...

    def known(self, names: Iterable[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is in memory, with its owner."""
        ...

    def find(self, names: Sequence[str]) -> tuple[str, Owner] | None:
        """The first of the ids that is in the store, with its owner. For threads, since it blocks."""
        ...

    def find_all(self, names: Sequence[str]) -> Mapping[str, Owner]:
        """Those of the ids that are in memory or in the store, with their owners. For threads, since it blocks."""
        ...


class StoredResponses(Protocol):
    """Answers that were translated for Responses callers, which later requests may name."""

    def store(self, name: str, previous: str, items: list[Json], size: int, about: Json | None = None) -> None:
        """Store an answer: its id, the id of the answer it continues, and the new items of the conversation, of about
        `size` bytes. about: what its entry holds besides: `inputs`, how many of the items are the request's, and
        `response`, the response object without its output; None for an answer that can only be continued; and `key`,
        the client key that it belongs to."""
        ...

    def delete(self, name: str) -> None:
        """Forget an answer and its items. Its id stays known as that of a deleted one for as long as it would have been
        stored."""
        ...

    def read(self, name: str) -> Json | None:
        """The entry of an answer, as `find` returns it: {} for a deleted one, None for an unknown id. Blocks."""
        ...

    def find(self, names: Iterable[str], key: str = "") -> dict[str, Json]:
        """The stored values of these ids: an item, or an answer together with all those before it; without those that
        belong to another client key, as the entry's `key` says. Blocks."""
        ...

    def on_erased(self, forget: Callable[[], None]) -> None:
        """Have this called, in any thread, soon after any process has erased the history of the home."""
        ...


class StoredEntries(Protocol):
    """The entries of stored answers that several homes share, beside the copy of each."""

    def on_deleted(self, forget: Callable[[str], None]) -> None:
        """Have this called with the id of an answer that another process deleted, in a thread."""
        ...

    def put(self, name: str, entry: Json, size: int) -> None:
        """Store the entry of an id soon, of about so many bytes. Never waits."""
        ...

    def delete(self, name: str, tombstone: Json) -> None:
        """Store that an answer was deleted. Never waits."""
        ...

    def read(self, name: str) -> Json | None:
        """The entry of an id, None for an unknown one and while none can be read. Blocks for a bounded time."""
        ...


class SyncMessage(msgspec.Struct, frozen=True):
    """A message of one process to the others about budgets."""

    #: Counts the messages of the process.
    sequence: int
    #: By budget key.
    claims: Mapping[str, Claim]
    #: Requests that have ended, each with the keys of the budgets it counts in.
    finished: Sequence[tuple[Sequence[str], HistoryEntry]] = ()
    halts: Sequence[Halt] = ()
    #: The models whose rates are requested.
    models: Sequence[Model] = ()
    #: True to end all halts.
    lift: bool = False


class SharedState(NamedTuple):
    """The state of the budgets of all processes in the store."""

    #: The sequence number of the last message of this process that the state includes.
    sequence: int
    #: By budget key.
    budgets: Mapping[str, BudgetView]
    halts: tuple[Halt, ...]
    #: None for a model without a price.
    rates: Mapping[Model, Rates | None]


class SharedBudgets(Protocol):
    """Spend, shares of budgets and halts that the processes of a home share.

    A message is on the disk, or as safe as the store makes it, before a state that includes it is given out.
    """

    @property
    def problem(self) -> str | None:
        """Why nothing can be shared, None while the store can be used."""
        ...

    @property
    def server(self) -> SharedServer | None:
        """The server that holds them, None for a file of the home."""
        ...

    @property
    def allowance(self) -> Allowance:
        """What a process may use of budgets while the store cannot be used."""
        ...

    @property
    def kept_halts(self) -> Sequence[Halt]:
        """The halts that are kept at home for the time in which the store cannot be used."""
        ...

    @property
    def pause(self) -> float:
        """The seconds from one message or `look` to the next, but for a few at once; 0.0 where they cost nobody
        else."""
        ...

    def subscribe(self, receive: Callable[[SharedState], None]) -> None:
        """Have `receive` called with the state after every message and every `look`, in any thread. To be called once,
        before the first message."""
        ...

    def publish(self, message: SyncMessage) -> None:
        """Write a message at once, and give out the state that includes it."""
        ...

    def look(self) -> None:
        """Give out the state as it is now."""
        ...

    def find_rates(self, model: Model) -> Rates | None:
        """The rates of a model; None when it has no price. Works without the store. For threads, since it blocks."""
        ...

    def keep_halts(self, halts: Sequence[Halt]) -> None:
        """Keep the halts that this process decides by while the store cannot be used. Never waits."""
        ...

    def leave(self) -> None:
        """Give back all shares that this process holds, since it ends."""
        ...


class AccountStates(Protocol):
    """The state of accounts that stays over a reload: parked, cooling, revoked, headroom, by backend, alias and the
    fingerprint of the key, so that an account with a new key begins as ready; and the sessions bound to them."""

    @property
    def interval(self) -> float | None:
        """Seconds between two calls of `step`; None where there is nothing to keep in step with."""
        ...

    def step(self, now: float) -> bool:
        """Take over what other processes know of accounts and sessions, and tell them what is new here; True when the
        state of an account may have changed. now: on the clock of the accounts. Never waits."""
        ...

    def share_limits(self, list_limits: Callable[[], Mapping[str, RateLimit]]) -> None:
        """Keep these limits a minute in step too, by names that all processes have for them."""
        ...

    def join_port(self, port: str) -> None:
        """This process serves a port with others, which keep those limits together by portions: what they count is not
        counted here. port: names it, as for no other one. To be called before a request is counted."""
        ...

    def find_sessions(self, backend: str) -> SessionAffinity:
        """The sessions of a backend, which stay over a reload."""
        ...

    def load(self, backend: str, alias: str, fingerprint: str, key: Secret | None = None) -> Member | None:
        """The state of an account, None when nothing is known of it. key: its provider's key, by which other processes
        know it; None while it is not known."""
        ...

    def save(self, accounts: Mapping[str, Sequence[Member]]) -> None:
        """Save the state of these accounts, by backend, and forget all others."""
        ...


class SharedLogins(Protocol):
    """Logins that several homes have, each with a copy of the tokens, which are renewed once for all. Both methods
    block."""

    def take(self, tokens: Tokens) -> Tokens | None:
        """The tokens that another home got in the place of these; None when this one is to ask the issuer, and then
        to call `give`. Waits while another asks, for a bounded time."""
        ...

    def give(self, before: Tokens, after: Tokens | None) -> None:
        """Tell the others the tokens that the issuer gave in the place of `before`, None for none."""
        ...


class SharedKeys(Protocol):
    """Client keys that several homes share. Its methods never wait."""

    def tell(self, keys: Mapping[str, SharedKey], *, complete: bool, revoked: Collection[str] = ()) -> None:
        """Tell the others the keys of this home. complete: there are no others, which could not be read. revoked: names
        of keys of other homes that are to end."""
        ...

    def step(self) -> Mapping[str, SharedKey] | None:
        """The keys of other homes, and those that were ended, by name; None where nothing has changed."""
        ...


class LearnedLimitStore(ReadLimits, Protocol):
    """The limits of models that upstreams told in their errors. They are no history of requests, and stay when that is
    erased."""

    def learn(self, backend: str, model: str, *, window: int | None, max_input: int | None) -> None:
        """Store what an error told, in tokens; None for what it did not tell."""
        ...

    def note_taken(self, backend: str, model: str, tokens: int) -> None:
        """Note how many input tokens an answer shows a model to take, and forget its limit if that was less."""
        ...


class SeenLifetimeStore(ReadLifetimes, Protocol):
    """For how long the caches of models were seen to keep a prompt. It is no history of requests, and stays when that
    is erased."""

    def note_kept(self, backend: str, model: str, seconds: int) -> None:
        """Note that a prompt was still in a model's cache after a pause."""
        ...

    def note_dropped(self, backend: str, model: str, seconds: int) -> None:
        """Note that a prompt was gone from a model's cache after a pause though nothing had changed."""
        ...


class OpenStore(Protocol):
    """Opens a store for the proxy of a home."""

    def __call__(
        self, home: Home, say: Callable[[str], None], *, price: Price, settings: Callable[[], Settings]
    ) -> "Store":
        """Open a store. say: logs a line for the user; it must not wait. settings: returns those in use."""
        ...


class Store(NamedTuple):
    """The parts of one store, as a proxy uses them."""

    ledger: StoreWriter
    history: EntryWriter
    resource_owners: ResourceOwners
    stored_responses: StoredResponses
    shared_budgets: SharedBudgets
    account_states: AccountStates
    learned_limits: LearnedLimitStore
    seen_lifetimes: SeenLifetimeStore
    #: None where each home renews its logins by itself.
    shared_logins: SharedLogins | None = None
    shared_keys: SharedKeys = NoSharedKeys()
    shared_settings: SharedSettings = NoSharedSettings()
