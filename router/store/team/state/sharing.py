"""Shares the state of a home besides its budgets with its team: accounts, sessions, ids, logins and client keys."""

from collections.abc import Callable

from router.store.home.home import Home
from router.store.interfaces import Store
from router.store.team.state.accounts import TeamAccountStates
from router.store.team.state.client_keys import TeamKeys
from router.store.team.state.logins import TeamLogins
from router.store.team.state.owners import TeamResourceOwners
from router.store.team.state.rates import SharedRates
from router.store.team.state.settings import TeamSettings
from router.store.team.state.tables import SharedTables
from router.store.team.team import Team


def share_state(
    team: Team, home: Home, store: Store, tables: SharedTables, say: Callable[[str], None], identity: str
) -> Store:
    """The store of a home with what its team shares in the place of its own. tables: those of this process. say: logs a
    line for the user. identity: names the home among those of the team."""
    accounts = TeamAccountStates(team.secret, tables, SharedRates(tables))
    owners = TeamResourceOwners(store.resource_owners, team.client, team.names, team.thread, accounts.names)
    return store._replace(
        resource_owners=owners,
        account_states=accounts,
        shared_logins=TeamLogins(team.client, team.names, team.secret),
        shared_keys=TeamKeys(home, tables, team.thread, say),
        shared_settings=TeamSettings(team.secret, tables, team.thread, identity),
    )
