"""What a command says first when the configuration in the home is not the one in use."""

import os

from router.cli.common.layout import note
from router.errors import CommandError
from router.store.config import toml
from router.store.home import run_files
from router.store.home.home import Home


def note_pending(home: Home) -> None:
    """Print on stderr why a running proxy keeps its previous configuration, and what to do; where none runs, why none
    would start. Prints nothing when all is well. Asks no proxy: each keeps this in its run file."""
    if note_refused(home):
        return
    for fault in _list_faults(home):
        _note_problem("`fairlead proxy` would not start", str(fault), fault.hint)


def note_refused(home: Home) -> bool:
    """The part of `note_pending` about running proxies, for commands that report an invalid configuration themselves;
    True when a proxy runs."""
    running = run_files.live(home)
    for run in running:
        if run.refused:
            which = "the running proxy" if len(running) == 1 else f"the proxy on :{run.port}"
            _note_problem(f"{which} keeps its previous configuration", run.refused, run.fix)
    return bool(running)


def _list_faults(home: Home) -> list[CommandError]:
    """What would keep a proxy from starting. Reads the home, and imports no network library."""
    if home.read(toml.NAME) is None:
        # All is default, or in variables of a shell; reading what could be wrong would cost each command 60 ms.
        return []
    from router.upstream.configuration import list_faults

    try:
        return list_faults(home, toml.load(home, os.environ), os.environ)
    except CommandError as error:
        return [error]


def _note_problem(what: str, message: str, fix: str) -> None:
    note(f"note: {what}: {message}")
    for line in fix.splitlines():
        note(f"      {line}")
