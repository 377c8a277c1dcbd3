"""The manager that runs this process as the service of `fairlead service`, and what it is told.

Rules of this file: the variables by which a manager tells a process about itself are taken out of the environment, so
that nothing that this process starts takes them for its own. A manager that does not listen is not waited for.
"""

import contextlib
import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Literal, NamedTuple

#: How the program is started for: `systemd`, `launchd`, `tasks`.
VARIABLE = "FAIRLEAD_SERVICE"
#: The file that is its standard output and error, which it keeps small; unset where its manager keeps the log.
LOG_VARIABLE = "FAIRLEAD_SERVICE_LOG"
#: A file with further variables, for managers that read none themselves.
ENV_VARIABLE = "FAIRLEAD_SERVICE_ENV"

#: The names by which the managers know the service.
UNIT, LABEL, TASK = "fairlead.service", "dev.fairlead.proxy", "fairlead"

#: EX_CONFIG of sysexits.h: starting it again does not help. The unit has this number too.
NO_RESTART = 78

Kind = Literal["", "systemd", "launchd", "tasks"]
_KINDS: dict[str, Kind] = {"systemd": "systemd", "launchd": "launchd", "tasks": "tasks"}
_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_LONGEST_ADDRESS = 107
# For the error events, and for what is written last.
_END_SECONDS = 4.0


class Service(NamedTuple):
    """What runs this process. Without a kind it is no service of `fairlead service`, but may have a socket too."""

    kind: Kind = ""
    log: Path | None = None
    #: Where to send notifications, '' for nowhere; with a leading `@` an abstract address (sd_notify(3)).
    socket: str = ""
    #: Seconds within which the manager wants a sign of life, 0 for none.
    watchdog: float = 0.0

    def choose_exit_code(self, code: int, *, lasting: bool) -> int:
        """The exit code of a start that failed. lasting: the cause does not go away by itself, so that the manager must
        not try again. launchd knows no codes: it leaves alone what ended with 0."""
        if not self.kind or not lasting:
            return code
        return 0 if self.kind == "launchd" else NO_RESTART

    def tell_ready(self, status: str) -> None:
        """Say that this process serves, or has read its configuration again. status: one line.

        Not MAINPID: where a loader has started this process, the manager would not learn how it ends, and take each end
        for a failure.
        """
        self.notify("READY=1", f"STATUS={status}")

    def tell_reloading(self) -> None:
        """Say that it reads its configuration again; `tell_ready` says when it has."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def tell_stopping(self, seconds: float) -> None:
        """Say that it ends its answers, and then itself, after so many seconds at most."""
        # Its unit's TimeoutStopSec is for the time that answers usually have.
        longer = f"EXTEND_TIMEOUT_USEC={round((seconds + _END_SECONDS) * 1e6)}"
        self.notify("STOPPING=1", "STATUS=Stopping.", longer)

    def tell_alive(self) -> None:
        """The sign of life."""
        self.notify("WATCHDOG=1")

    def notify(self, *assignments: str) -> None:
        """Send one datagram of assignments (sd_notify(3)); a manager that is gone, or takes no more, is not missed."""
        if sys.platform == "win32" or not self.socket:
            return
        import socket

        address = "\0" + self.socket[1:] if self.socket.startswith("@") else self.socket
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as sender,
        ):
            sender.setblocking(False)
            sender.sendto("\n".join(assignments).encode(), address)


def take_service(environ: MutableMapping[str, str]) -> Service:
    """What runs this process, by the variables that it was given; they are removed."""
    given = {name: environ.pop(name, "") for name in (VARIABLE, LOG_VARIABLE, *_MANAGER)}
    kind = _KINDS.get(given[VARIABLE], "")
    log = given[LOG_VARIABLE]
    address = given["NOTIFY_SOCKET"]
    known = address.startswith(("/", "@")) and len(os.fsencode(address)) <= _LONGEST_ADDRESS
    return Service(
        kind,
        Path(log) if kind and os.path.isabs(log) else None,
        address if known else "",
        _read_watchdog(given["WATCHDOG_USEC"], given["WATCHDOG_PID"]),
    )


def read_variables(environ: MutableMapping[str, str]) -> None:
    """Add the variables of the file that ENV_VARIABLE names; those that are there stay. Raises CommandError."""
    path = environ.pop(ENV_VARIABLE, "")
    if path:
        from router.host.service.env_file import read_env_file

        for name, value in read_env_file(Path(path)).items():
            environ.setdefault(name, value)


def _read_watchdog(microseconds: str, pid: str) -> float:
    """Seconds, as sd_watchdog_enabled(3) reads them; 0 where another process is meant."""
    # The loader of the single-file form is what systemd has started.
    ours = {str(os.getpid()), *([str(os.getppid())] if getattr(sys, "frozen", False) else [])}
    if not (microseconds.isascii() and microseconds.isdigit()) or len(microseconds) > 18 or (pid and pid not in ours):
        return 0.0
    return int(microseconds) / 1e6
