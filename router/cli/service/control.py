"""Asking the service manager of this system, and waiting until what it has started serves."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from router.cli import stop
from router.errors import CommandError
from router.host.child_process import CompletedProgram, OutputLimitExceeded, ProgramTimeout, run_program
from router.host.event_loop import run_async
from router.host.service.managed import LABEL, TASK, UNIT
from router.installation.project import REPOSITORY
from router.service.log_file import read_end
from router.service.manager import OTHERWISE, Definition, Manager
from router.store.home import run_files
from router.store.home.home import Home

#: Longer than managers wait for a start and an end.
_SECONDS, _LIMIT = 150.0, 1 << 20
_START_SECONDS, _BETWEEN = 30.0, 0.05
_TAIL = 5
_UNITS = {"user unit": UNIT, "launch agent": LABEL, "task": TASK}


def refuse_root() -> None:
    """Raise CommandError for root: its service would serve all users with its rights."""
    if sys.platform != "win32" and os.geteuid() == 0:
        user = os.environ.get("SUDO_USER", "")
        raise CommandError(
            "a service is installed for the user who runs the command, and that is root.",
            f"Run it as {user}, without sudo." if user else "Run it as the user who has the configuration.",
        )


def make_manager(environ: Mapping[str, str]) -> Manager:
    """The manager of this system. Raises CommandError where none is known."""
    if sys.platform == "darwin":
        from router.service.launchd import Launchd

        return Launchd(call)
    if sys.platform == "win32":
        from router.service.scheduler import Scheduler

        return Scheduler(call, environ)
    if sys.platform == "linux":
        from router.service.systemd import Systemd

        return Systemd(call, environ, documentation=f"https://github.com/{REPOSITORY}")
    raise CommandError("there is no service for this system.", OTHERWISE)


def call(words: Sequence[str], variables: Mapping[str, str], seconds: float = _SECONDS) -> CompletedProgram:
    """Run a manager's command. Raises CommandError."""

    async def run() -> CompletedProgram:
        return await run_program(words, {**os.environ, **variables}, seconds=seconds, limit=_LIMIT)

    try:
        return run_async(run)
    except ProgramTimeout:
        raise CommandError(f"{words[0]} did not end within {seconds:g} s.") from None
    except OutputLimitExceeded:
        raise CommandError(f"{words[0]} printed more than can be read.") from None


def find_serving(home: Home) -> run_files.Run | None:
    """The proxy of this home that the service runs."""
    for entry in run_files.live(home):
        if is_service(entry):
            return entry
    return None


def is_service(entry: run_files.Run) -> bool:
    """True for a proxy that the service runs."""
    return entry.mode in _UNITS and _UNITS[entry.mode] == entry.unit


def restart_service(home: Home, manager: Manager, definition: Definition) -> run_files.Run:
    """Start the service anew; returns the proxy that serves then. Raises CommandError."""
    return start_service(home, manager, definition.log, manager.restart)


def restart_installed(home: Home) -> run_files.Run:
    """As `restart_service`, for the service that there is. Raises CommandError."""
    manager = make_manager(os.environ)
    manager.check()
    definition = manager.read()
    if definition is None:
        raise CommandError("the service is not installed.")
    return restart_service(home, manager, definition)


def start_service(home: Home, manager: Manager, log: str, start: Callable[[], None]) -> run_files.Run:
    """Start it by one of the manager's ways, and wait until it serves. log: its file, if any. Raises CommandError with
    what the log says."""
    before = find_serving(home)
    if before is not None and not manager.ends_gently:
        # Not among what the command prints, which may be JSON.
        with contextlib.redirect_stdout(sys.stderr):
            stop.run(["--port", str(before.port)])
    try:
        start()
    except CommandError as error:
        raise CommandError(str(error), f"{error.hint}\n{_explain(manager, log)}".strip()) from None
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        now = find_serving(home)
        if now is not None and (before is None or now.pid != before.pid):
            return now
        time.sleep(_BETWEEN)
    raise CommandError(
        f"the service was started, but did not serve within {_START_SECONDS:g} s.", _explain(manager, log)
    )


def _explain(manager: Manager, log: str) -> str:
    lines = read_log(manager, log, _TAIL)
    head = ["The end of its log:", *(f"  {line}" for line in lines)] if lines else []
    return "\n".join([*head, "See:   fairlead service logs"])


def read_log(manager: Manager, log: str, lines: int) -> list[str]:
    """The last lines of the log, none where it cannot be read."""
    if log:
        return read_end(Path(log), lines)
    try:
        printed = call(manager.make_log_command(lines, bare=True), manager.variables)
    except CommandError:
        return []
    return [] if printed.code else printed.out.decode("utf-8", "replace").splitlines()[-lines:]
