"""`fairlead resume`: end the halts of the guard, in a team those of all its proxies; none need run here."""

import os
import time

import msgspec

from router.cli.common.layout import print_json, say
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import proven
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.operator_api.guard import HaltReport, report_halt
from router.policy.budget.guard import Halt
from router.settings.kinds import clean
from router.store.config import toml
from router.store.database.open import Busy, Unusable, open_history
from router.store.history.reader import open_reader
from router.store.home.home import Home, open_home
from router.store.shared import budgets

#: Seconds for one answer of the team's server: nobody's request waits for it.
_DEADLINE = 3.0


def run(argv: list[str]) -> int:
    """Lift all halts and print them."""
    parser = Parser(
        "resume",
        "Resume traffic after a budget halt. A budget that was used up starts again from zero, until its day or month "
        "ends.",
        examples=["fairlead resume"],
    )
    parser.add_argument("--json", action="store_true", help="print the halts that were ended as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    lifted = lift_halts(home)
    if options.json:
        print_json({"lifted": msgspec.to_builtins(lifted)})
        return 0
    for halt in lifted:
        say(f"Halt ended: {clean(halt.reason, 400)}.")
    say("Traffic continues." if lifted else "Nothing was halted.")
    return 0


def lift_halts(home: Home) -> list[HaltReport]:
    """End all halts of a home, and of its team; those that were in force. Raises CommandError."""
    lifted = run_async(_ask_proxy, home)
    if lifted is not None:
        return lifted
    # The team's first: when its server does not answer, nothing has changed.
    found = {halt.scope: halt for halt in (*_lift_team(home), *_lift_own(home))}
    return [report_halt(halt) for halt in found.values()]


async def _ask_proxy(home: Home) -> list[HaltReport] | None:
    """Have a running proxy do it, which tells the others; None when there is none. Raises CommandError."""
    for run, proxy in await proven(home):
        try:
            return (await proxy.resume()).lifted
        except ControlError as error:
            raise CommandError(f"the proxy on :{run.port} did not end the halt: {error}") from None
    return None


def _lift_team(home: Home) -> list[Halt]:
    """End those that a team's server and the copy of this home have; none without `shared.url`."""
    settings = toml.load(home, os.environ).settings
    if settings.shared_url is None:
        return []
    from router.store.team.client import Refused, Unreachable
    from router.store.team.lifting import lift_team_halts
    from router.store.team.opening import connect_team

    team = connect_team(settings, lambda text: None, os.environ)
    client = team.client.with_deadline(_DEADLINE)
    try:
        found = lift_team_halts(team._replace(client=client), home)
    except (Unreachable, Refused) as error:
        raise CommandError(
            f"the halts of the team cannot be ended: {clean(str(error), 300)}.",
            "What is wrong:   fairlead doctor shared\nThen again:      fairlead resume",
        ) from None
    finally:
        client.close()
    now = time.time()
    return [halt for halt in found if halt.holds(now)]


def _lift_own(home: Home) -> list[Halt]:
    """End those in history.db."""
    with open_reader(home) as db:
        now = time.time()
        held = [halt for halt in budgets.read_halts(db) if halt.holds(now)] if db is not None else []
    if not held:
        return []
    try:
        writer, _ = open_history(home)
    except Unusable as error:
        raise CommandError(f"history.db cannot be written: {error}") from None
    except Busy:
        raise CommandError("history.db is held by another process.", "Try again in a moment.") from None
    try:
        writer.execute("BEGIN IMMEDIATE")
        budgets.lift_halts(writer)
        writer.execute("COMMIT")
    finally:
        writer.close()
    return held
