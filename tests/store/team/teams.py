"""The parts of a team's process on a real server, for tests that need no proxy."""

from router.settings import Secret
from router.settings.declaring.shared import parse_address
from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.secrets import TeamSecret
from router.store.team.state.tables import SharedTables
from router.store.team.team import Team
from router.store.team.thread import TeamThread

SECRET = Secret("the-secret-of-a-team-0123456789abcdef")


def connect(server, said=None):
    """What one process of the team has."""
    say = (said if said is not None else []).append
    client = TeamClient(parse_address(server.url), None, say)
    return Team(client, KeyNames("team"), TeamSecret(SECRET, "team"), TeamThread(say))


def tables_of(team):
    """The tables of one process, whose exchanges a test calls itself."""
    return SharedTables(team.client, team.names, team.thread)
