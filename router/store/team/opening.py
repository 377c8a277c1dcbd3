"""Opens the store of a team: what its proxies share is on the server, all else in history.db of the home."""

import os
from collections.abc import Callable, Mapping

from router.errors import CommandError
from router.settings import Settings
from router.settings.declaring.shared import parse_address
from router.store.database.writer import Ledger
from router.store.home.home import Home
from router.store.interfaces import Price, Store
from router.store.shared.sqlite import open_sqlite
from router.store.team.budgets import TeamSharedBudgets
from router.store.team.client import TeamClient
from router.store.team.kept_halts import KeptHalts
from router.store.team.keys import KeyNames
from router.store.team.round import Rounds
from router.store.team.secrets import read_team_secret, resolve
from router.store.team.state.responses import TeamStoredEntries
from router.store.team.state.sharing import share_state
from router.store.team.state.tables import SharedTables
from router.store.team.team import Team
from router.store.team.thread import TeamThread
from router.store.team.usage_sums import UsageTeller

#: The file of the home with its name in the team.
HOME_NAME = "team.home"


def open_team(home: Home, say: Callable[[str], None], *, price: Price, settings: Callable[[], Settings]) -> Store:
    """Open the store of a home whose settings have `shared.url`. Arguments as of `open_sqlite`. Blocks while secrets
    are looked up. Raises CommandError."""
    ledger = Ledger(home, say)
    team = connect_team(settings(), say, os.environ)
    tables = SharedTables(team.client, team.names, team.thread)
    entries = TeamStoredEntries(team.client, team.names, team.secret, team.thread, tables)
    store = open_sqlite(home, say, price=price, settings=settings, ledger=ledger, entries=entries)
    identity = team.secret.identify("home", name_home(home))
    rounds, teller = Rounds(team.client, team.names, identity), UsageTeller(ledger, team, identity)
    halts = KeptHalts(home, say)
    budgets = TeamSharedBudgets(ledger, price, rounds, team.client, team.thread, settings, halts)
    ledger.add_ending(teller.end)
    ledger.add_ending(team.thread.close)
    return share_state(team, home, store._replace(shared_budgets=budgets), tables, say, identity)


def name_home(home: Home) -> str:
    """The name of a home that no other one has, made at its first use. Blocks. Raises CommandError."""
    return home.token(HOME_NAME).reveal()


def connect_team(settings: Settings, say: Callable[[str], None], environ: Mapping[str, str]) -> Team:
    """The connection that settings with `shared.url` describe; nothing is sent before the first call. Blocks while
    secrets are looked up. Raises CommandError."""
    if settings.shared_url is None:
        raise CommandError("shared.url is not set.", "Set it:   fairlead config set shared.url rediss://HOST:6379")
    secret = read_team_secret(settings, environ)
    stored = settings.shared_password
    password = None if stored is None else resolve(stored, environ, "shared.password")
    client = TeamClient(parse_address(settings.shared_url), password, say, ca_file=settings.tls_ca_file)
    return Team(client, KeyNames(settings.shared_team), secret, TeamThread(say))
