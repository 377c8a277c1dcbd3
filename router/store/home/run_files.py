"""Run files: which proxies of this home are running. A command finds a proxy by them, and then authenticates it.

`run/PORT.json` is written when a proxy listens and removed when it ends; a crash leaves one behind, so that each
reader removes those whose process is gone.
"""

import contextlib
import os
import shlex
import socket

import msgspec

from router.errors import CommandError
from router.store.home import processes
from router.store.home.home import Home


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One running proxy."""

    pid: int
    #: For tools.
    url: str
    port: int
    version: str
    #: Seconds since 1970.
    started: float
    #: For commands: with an address in the place of a name, so that they know whom they dialled; empty in the run files
    #: of older versions.
    literal_url: str = ""
    #: When the process began, in the system's own words (`processes`); empty where that is not known.
    born: str = ""
    #: Its host name, since a home may be shared with a container.
    machine: str = ""
    #: Why it keeps its previous configuration; empty when it uses the one in the home.
    refused: str = ""
    #: What to do about that.
    fix: str = ""
    #: How it was started: `foreground`; `detached` for one in the background; `tied` for one that serves the program of
    #: one `fairlead run` and ends with it; `user unit` or `system unit` for one that systemd runs, `launch agent` for
    #: one that launchd runs, `task` for one that the Task Scheduler runs.
    mode: str = "foreground"
    #: The name of that unit, agent or task, else empty.
    unit: str = ""
    #: The file that has what it would print at a terminal; empty where that goes elsewhere.
    log: str = ""
    #: The file that was started; empty in the run files of older versions.
    program: str = ""


#: What talks to the manager of a unit, by `Run.mode`.
MANAGERS = {"user unit": "systemctl --user", "system unit": "sudo systemctl"}


#: The modes of proxies that other managers run.
_OTHER_MANAGERS = ("launch agent", "task")


def format_unit_restart(run: Run) -> str:
    """The command that restarts a proxy that a service manager runs, '' for any other."""
    if run.mode in _OTHER_MANAGERS:
        return "fairlead service restart"
    manager = MANAGERS.get(run.mode)
    return f"{manager} restart {shlex.quote(run.unit.removesuffix('.service'))}" if manager and run.unit else ""


def write(home: Home, run: Run) -> None:
    """Write the run file of a proxy that listens. Raises CommandError."""
    home.write(_format_name(run.port), msgspec.json.encode(msgspec.structs.replace(run, machine=socket.gethostname())))


def remove(home: Home, port: int) -> None:
    """Remove this process's run file; one that another process has written since stays."""
    run = _read(home, str(port))
    if run is None or (run.pid == os.getpid() and run.machine == socket.gethostname()):
        home.remove(_format_name(port))


def list_shared(home: Home) -> list[Run]:
    """Those of `live` that serve all tools: not those that `fairlead run` has started for one program."""
    return [run for run in live(home) if run.mode != "tied"]


def live(home: Home) -> list[Run]:
    """The proxies whose process exists, newest first; the others' run files are removed. A process of another user, or
    one that began later and has the number of one that ended, is another process."""
    found: list[Run] = []
    for name in home.names("run", ".json"):
        run = _read(home, name)
        if run is not None and run.machine not in ("", socket.gethostname()):
            # On another host: its process number is not of this host, and its loopback address cannot be reached.
            continue
        if run is not None and processes.is_same(run.pid, run.born):
            found.append(run)
        else:
            # Only clean-up: a home that cannot be written must not make this fail.
            with contextlib.suppress(CommandError):
                home.remove(f"run/{name}.json")
    return sorted(found, key=lambda run: -run.started)


def present(home: Home, run: Run) -> bool:
    """True while the run file of this process exists."""
    now = _read(home, str(run.port))
    return now is not None and now.pid == run.pid


def _format_name(port: int) -> str:
    return f"run/{port}.json"


def _read(home: Home, name: str) -> Run | None:
    data = home.read(f"run/{name}.json")
    try:
        return msgspec.json.decode(data, type=Run) if data else None
    except (msgspec.DecodeError, RecursionError):
        return None
