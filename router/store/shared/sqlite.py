"""The default store of a proxy: history.db in its home, and the state of accounts in memory."""

from collections.abc import Callable, Mapping, Sequence

from router.policy.accounts.pool import Member
from router.policy.accounts.rate_limit import RateLimit
from router.policy.accounts.session_affinity import SessionAffinity
from router.settings import Secret, Settings
from router.store.database.writer import Ledger
from router.store.history.record import History
from router.store.home.home import Home
from router.store.interfaces import Price, Store, StoredEntries
from router.store.shared.budgets import SqliteSharedBudgets
from router.store.shared.learned_limits import SqliteLearnedLimits
from router.store.shared.resource_owners import SqliteResourceOwners
from router.store.shared.seen_lifetimes import SqliteSeenLifetimes
from router.store.shared.stored_responses import SqliteStoredResponses


def open_sqlite(
    home: Home,
    say: Callable[[str], None],
    *,
    price: Price,
    settings: Callable[[], Settings],
    ledger: Ledger | None = None,
    entries: StoredEntries | None = None,
) -> Store:
    """Open the store of a home. say: logs a line for the user; it must not wait. ledger: that of the home, made here by
    default. entries: of stored answers that several homes share. Nothing is read or written before the ledger is
    started."""
    ledger = Ledger(home, say) if ledger is None else ledger
    # The order is that of their maintenance, which the ledger's thread runs.
    owners = SqliteResourceOwners(ledger)
    responses = SqliteStoredResponses(ledger, others=entries)
    history = History(ledger, price, lambda: settings().history_retention, lambda: settings().history_max_size << 20)
    budgets = SqliteSharedBudgets(ledger, price)
    limits, lifetimes = SqliteLearnedLimits(ledger), SqliteSeenLifetimes(ledger)
    return Store(ledger, history, owners, responses, budgets, LocalAccountStates(), limits, lifetimes)


class LocalAccountStates:
    """The state of accounts in this process alone: after a restart all of them are ready."""

    interval: float | None = None

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str, str], Member] = {}
        self._sessions: dict[str, SessionAffinity] = {}

    def step(self, now: float) -> bool:
        """Nothing is to be kept in step."""
        return False

    def share_limits(self, list_limits: Callable[[], Mapping[str, RateLimit]]) -> None:
        """Nothing is to be kept in step."""

    def join_port(self, port: str) -> None:
        """Nothing is told."""

    def find_sessions(self, backend: str) -> SessionAffinity:
        """The sessions of a backend."""
        found = self._sessions.get(backend)
        if found is None:
            found = self._sessions[backend] = SessionAffinity()
        return found

    def load(self, backend: str, alias: str, fingerprint: str, key: Secret | None = None) -> Member | None:
        """The state of an account, None when nothing is known of it."""
        return self._accounts.get((backend, alias, fingerprint))

    def save(self, accounts: Mapping[str, Sequence[Member]]) -> None:
        """Save the state of these accounts, by backend, and forget all others."""
        self._accounts = {
            (backend, member.alias, member.fingerprint): member
            for backend, members in accounts.items()
            for member in members
        }
        self._sessions = {name: sessions for name, sessions in self._sessions.items() if name in accounts}
