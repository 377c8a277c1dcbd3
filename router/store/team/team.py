"""The connection of one process to the server of its team, as the parts of a store are given it."""

from typing import NamedTuple

from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.secrets import TeamSecret
from router.store.team.thread import TeamThread


class Team(NamedTuple):
    """What every part of a team's store is made with."""

    client: TeamClient
    names: KeyNames
    secret: TeamSecret
    thread: TeamThread
