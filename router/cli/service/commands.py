"""`fairlead service`: a proxy that the system starts at login, restarts after a crash, and keeps the log of."""

import os
from typing import NamedTuple

from router.cli import stop
from router.cli.common.group import run_group
from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.service.control import find_serving, make_manager, refuse_root, restart_service
from router.errors import CommandError
from router.service.manager import Definition, Manager
from router.store.home.home import Home, open_home

_COMMANDS = {
    "install": ("router.cli.service.install:run", "have the system run the proxy, now and at every login"),
    "uninstall": ("router.cli.service.commands:run_uninstall", "stop it, and take that back"),
    "status": ("router.cli.service.status:run", "show whether it is installed, current and running"),
    "logs": ("router.cli.service.logs:run", "show its log"),
    "restart": ("router.cli.service.commands:run_restart", "start it anew, as after an upgrade"),
}
_EXAMPLES = ("fairlead service install", "fairlead service status", "fairlead service logs -f")


class Installed(NamedTuple):
    """A service that there is."""

    home: Home
    manager: Manager
    definition: Definition


def run(argv: list[str]) -> int:
    """Run one of the service commands."""
    return run_group("service", _COMMANDS, argv, examples=_EXAMPLES)


def find_installed() -> Installed | None:
    """The service of this user. Raises CommandError where there can be none."""
    refuse_root()
    manager = make_manager(os.environ)
    manager.check()
    definition = manager.read()
    if definition is None:
        return None
    # Its own, which may be another than this shell's.
    home = open_home({"FAIRLEAD_HOME": definition.home})
    return Installed(home, manager, definition)


def require_installed() -> Installed:
    """As `find_installed`. Raises CommandError where there is none."""
    found = find_installed()
    if found is None:
        raise CommandError("the service is not installed.", "Install it:   fairlead service install")
    return found


def run_uninstall(argv: list[str]) -> int:
    """Stop the service, and remove what was installed."""
    parser = Parser(
        "service uninstall",
        "Stop the service and remove what `fairlead service install` has written. Open answers have drain.time to end. "
        "Configuration, history and log stay.",
        examples=["fairlead service uninstall"],
    )
    parser.add_argument("--force", action="store_true", help="also when it was changed by hand, or is not of fairlead")
    options = parser.read(argv)
    found = find_installed()
    if found is None:
        say("The service is not installed.")
        return 0
    home, manager, definition = found
    if definition.verdict in ("edited", "foreign") and not definition.package and not options.force:
        was = "was changed by hand" if definition.verdict == "edited" else "was not written by fairlead"
        raise CommandError(
            f"{manager.place} {was}; it was left as it is.",
            "Remove it nonetheless:   fairlead service uninstall --force",
        )
    for line in manager.read_state().notes:
        note(f"note: {line}, which stays")
    serving = find_serving(home)
    if serving is not None and not manager.ends_gently:
        stop.run(["--port", str(serving.port)])
    manager.remove()
    if definition.package:
        say(f"The service is stopped and disabled. Its unit {definition.package} is of a package and stays.")
    else:
        say(f"The service is stopped and removed ({manager.place}).")
    return 0


def run_restart(argv: list[str]) -> int:
    """Start the service anew."""
    parser = Parser(
        "service restart",
        "Start the service anew: it stops, with drain.time for open answers, and starts the program that is installed "
        "now.",
        examples=["fairlead service restart"],
    )
    parser.read(argv)
    found = require_installed()
    serving = restart_service(found.home, found.manager, found.definition)
    say(f"Restarted the service: version {serving.version} serves on {serving.url} (pid {serving.pid}).")
    return 0
