"""Ends the halts of a team where no proxy of a home runs that could do it: on the server, and on the home's disk."""

from router.errors import CommandError
from router.policy.budget.guard import Halt
from router.store.home.home import Home
from router.store.team.kept_halts import KeptHalts
from router.store.team.opening import name_home
from router.store.team.round import Round, Rounds
from router.store.team.team import Team


def lift_team_halts(team: Team, home: Home) -> tuple[Halt, ...]:
    """End all halts of the team; the budgets that were used up count from here. Returns those that there were, also the
    ones that are over. What this home keeps goes once the server has told that it ended them. Blocks. Raises
    Unreachable, Refused, CommandError; of the first two a repetition does no harm."""
    rounds = Rounds(team.client, team.names, team.secret.identify("home", name_home(home)))
    said: list[str] = []
    kept = KeptHalts(home, said.append)
    kept.load()
    # It claims nothing, so that no share is handed out to a process that ends at once.
    look = Round(turn=0, claims={}, keys=(), spent={}, history={}, halts=(), lift=0, looks=True)
    before = rounds.run(look).halts
    rounds.run(look._replace(turn=1, lift=1, looks=False))
    found = {halt.scope: halt for halt in (*kept.halts, *before)}
    kept.halts = ()
    kept.write()
    if said:
        raise CommandError(said[0])
    return tuple(found.values())
