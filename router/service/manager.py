"""What every system's service manager is to fairlead, and which one this system has.

A manager is asked by its own command (`systemctl`, `launchctl`, `schtasks`), which a caller runs: `Call`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.service.definition import Verdict, Wanted

#: Runs a command to its end: its words, and variables beside those of this process. Raises CommandError where it cannot
#: be started or does not end.
Call = Callable[[Sequence[str], Mapping[str, str]], CompletedProgram]

#: What there is without a service.
OTHERWISE = "In the background without one:   fairlead proxy --detach"
_SHOWN = 400


class State(NamedTuple):
    """How a service is, as its manager says."""

    #: None where the manager does not know it, as before it is installed.
    enabled: bool | None = None
    #: What the manager says, in its own word: `active`, `failed`.
    word: str = ""
    running: bool = False
    pid: int = 0
    #: Seconds since 1970, 0 where that is not known.
    since: float = 0.0
    #: How often it was started again by itself, None where the manager does not count.
    restarts: int | None = None
    #: How it ended the last time, '' where that is not known.
    last_exit: str = ""
    #: Whether it goes on after the last logout; None where that is not asked here.
    lingering: bool | None = None
    #: What a user should know beside that.
    notes: tuple[str, ...] = ()


class Definition(NamedTuple):
    """What the manager has been given."""

    text: str
    verdict: Verdict
    #: What starts the program, as far as it can be read.
    program: str
    #: '' where the manager keeps the log.
    log: str = ""
    #: The home that it names, '' for the usual one.
    home: str = ""
    #: Where it is when it came with a package of the system, '' else.
    package: str = ""


class Manager(Protocol):
    """A service manager. All methods block, and raise CommandError. Those that have a body are of one that needs no
    variables, has no packages, and keeps no log."""

    #: As a sentence names it.
    name: str
    #: Where the definition is, for a user.
    place: str
    #: True where open answers have time to end when the manager stops or restarts the service.
    ends_gently: bool

    @property
    def variables(self) -> Mapping[str, str]:
        """What its commands need beside this process's environment."""
        return {}

    def check(self) -> None:
        """Refuse where the manager cannot be reached."""
        ...

    def choose_log(self, home: Path) -> Path | None:
        """The file for the output, None where the manager keeps it."""
        ...

    def list_variables(self) -> frozenset[str]:
        """The variables that a service gets by itself."""
        return frozenset()

    def make(self, wanted: Wanted) -> str:
        """The text of the definition."""
        ...

    def read(self) -> Definition | None:
        """The definition that there is."""
        ...

    def read_own(self) -> Definition | None:
        """The definition that would be overwritten."""
        return self.read()

    def install(self, text: str) -> None:
        """Put a definition in place; nothing is started."""
        ...

    def start(self) -> None:
        """Have it started now, and at every login. What runs already is started anew."""
        ...

    def restart(self) -> None:
        """Start it anew."""
        ...

    def remove(self) -> None:
        """Stop it, and forget it."""
        ...

    def read_state(self) -> State:
        """How it is."""
        ...

    def make_log_command(self, lines: int, *, follow: bool = False, bare: bool = False) -> tuple[str, ...]:
        """What prints the log where the manager keeps it. bare: without the times."""
        return ()


def say_briefly(ended: CompletedProgram) -> str:
    """What a failed command said, for an error: its first lines, else its exit code."""
    said = (ended.err.strip() or ended.out.strip()).decode("utf-8", "replace")
    said = "; ".join(line.strip() for line in said.splitlines()[:3] if line.strip())[:_SHOWN]
    return said.rstrip(".") or f"exit code {ended.code}"


def require(ended: CompletedProgram, what: str) -> None:
    """Raise CommandError for a command that failed. what: as in `could not be started`."""
    if ended.code:
        raise CommandError(f"the service {what}: {say_briefly(ended)}.")
