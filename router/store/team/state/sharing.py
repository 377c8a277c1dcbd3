"""Puts together the store of a home whose accounts, sessions, ids, answers and logins are its team's too."""

from collections.abc import Callable

from router.settings import Settings
from router.store.home.home import Home
from router.store.interfaces import Price, Store
from router.store.shared.sqlite import open_sqlite
from router.store.team.state.accounts import TeamAccountStates
from router.store.team.state.client_keys import TeamKeys
from router.store.team.state.logins import TeamLogins
from router.store.team.state.owners import TeamResourceOwners
from router.store.team.state.rates import SharedRates
from router.store.team.state.responses import TeamStoredEntries
from router.store.team.state.tables import SharedTables
from router.store.team.team import Team


def share_state(
    team: Team, home: Home, say: Callable[[str], None], *, price: Price, settings: Callable[[], Settings]
) -> Store:
    """Open the store of a home, with the state that the team shares. Arguments as of `open_sqlite`."""
    tables = SharedTables(team.client, team.names, team.thread)
    entries = TeamStoredEntries(team.client, team.names, team.secret, team.thread, tables)
    store = open_sqlite(home, say, price=price, settings=settings, entries=entries)
    rates = SharedRates(tables)
    accounts = TeamAccountStates(team.secret, tables, rates)
    owners = TeamResourceOwners(store.resource_owners, team.client, team.names, team.thread, accounts.names)
    keys = TeamKeys(home, tables, team.thread)
    logins = TeamLogins(team.client, team.names, team.secret)
    return store._replace(resource_owners=owners, account_states=accounts, shared_logins=logins, shared_keys=keys)
