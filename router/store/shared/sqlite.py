"""The default store of a proxy: history.db in its home, and the state of accounts in memory."""

from collections.abc import Callable, Mapping, Sequence

from router.policy.accounts.pool import Member
from router.settings import Settings
from router.store.database.writer import Ledger
from router.store.history.record import History
from router.store.home.home import Home
from router.store.interfaces import Price, Store
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
) -> Store:
    """Open the store of a home. say: logs a line for the user; it must not wait. ledger: that of the home, made here by
    default. Nothing is read or written before the ledger is started."""
    ledger = Ledger(home, say) if ledger is None else ledger
    # The order is that of their maintenance, which the ledger's thread runs.
    owners = SqliteResourceOwners(ledger)
    responses = SqliteStoredResponses(ledger)
    history = History(ledger, price, lambda: settings().history_retention, lambda: settings().history_max_size << 20)
    budgets = SqliteSharedBudgets(ledger, price)
    limits, lifetimes = SqliteLearnedLimits(ledger), SqliteSeenLifetimes(ledger)
    return Store(ledger, history, owners, responses, budgets, LocalAccountStates(), limits, lifetimes)


class LocalAccountStates:
    """The state of accounts in this process alone: after a restart all of them are ready."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str, str], Member] = {}

    def load(self, backend: str, alias: str, fingerprint: str) -> Member | None:
        """The state of an account, None when nothing is known of it."""
        return self._accounts.get((backend, alias, fingerprint))

    def save(self, accounts: Mapping[str, Sequence[Member]]) -> None:
        """Save the state of these accounts, by backend, and forget all others."""
        self._accounts = {
            (backend, member.alias, member.fingerprint): member
            for backend, members in accounts.items()
            for member in members
        }
