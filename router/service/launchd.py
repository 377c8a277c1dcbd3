"""launchd, asked by `launchctl`: launchctl(1).

Its domain is that of the user's desktop, else, as over ssh, that of the user alone.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.host.service.managed import LABEL
from router.service import agent
from router.service.definition import Wanted, judge, remove_file, write_file
from router.service.manager import OTHERWISE, Call, Definition, Manager, State, require, say_briefly
from router.setup.files import read_config
from router.store.home.permissions import shown
from router.wire.raw.whole_numbers import parse_whole

#: A service that is being taken out is there for a while, and another one is refused until then.
_TRIES, _BETWEEN = 20, 0.25
_MOST, _LONGEST = 1 << 31, 80


class Launchd(Manager):
    """The manager of this user."""

    name = "launchd"
    ends_gently = True

    def __init__(self, call: Call, *, sleep: Callable[[float], None] = time.sleep):
        self._call = call
        self._sleep = sleep
        own = Path(os.path.expanduser("~"))
        self.path = own / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self.place = shown(self.path)
        self._log = own / "Library" / "Logs" / "fairlead.log"
        self._domain = ""

    def check(self) -> None:
        """Refuse where there is no domain of this user."""
        if not self._find_domain():
            raise CommandError("launchd has no domain of this user here.", f"Log in at the Mac.\n{OTHERWISE}")

    def choose_log(self, home: Path) -> Path | None:
        """Where the programs of a user have their logs; Console shows them."""
        return self._log

    def make(self, wanted: Wanted) -> str:
        """The text of the agent."""
        return agent.make_agent(wanted)

    def read(self) -> Definition | None:
        """The user's agent."""
        file = read_config(self.path)
        if file.data is None:
            return None
        program, log, home = agent.find_entries(file.text)
        return Definition(file.text, judge(file.text), program, log, home)

    def install(self, text: str) -> None:
        """Write the agent, and make the log, so that only its user can read it."""
        try:
            write_file(read_config(self.path), text)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            # Opening a FIFO would wait for its reader.
            flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            os.close(os.open(self._log, os.O_WRONLY | os.O_CREAT | flags, 0o600))
        except OSError as error:
            raise CommandError(f"{shown(self._log)} cannot be written: {error.strerror}.") from None

    def start(self) -> None:
        """Load it, which starts it."""
        self._ask("enable", self._target)
        self._take_out()
        for number in range(_TRIES):
            loaded = self._ask("bootstrap", self._find_domain(), str(self.path))
            if not loaded.code:
                return
            if number + 1 == _TRIES or not self._is_retried(loaded):
                require(loaded, "could not be loaded")
            self._sleep(_BETWEEN)

    def restart(self) -> None:
        """Start it anew: it is told to end first, for `kickstart -k` gives no time for that."""
        if self._ask("print", self._target).code:
            self.start()
            return
        self._ask("kill", "SIGTERM", self._target)
        for _ in range(_TRIES * 4):
            if not self.read_state().running:
                break
            self._sleep(_BETWEEN)
        require(self._ask("kickstart", "-k", self._target), "did not start")

    def remove(self) -> None:
        """Take it out, which stops it, and remove the agent."""
        self._take_out()
        remove_file(read_config(self.path))

    def read_state(self) -> State:
        """How the agent is."""
        if self._is_disabled():
            return State(enabled=False, word="switched off in System Settings, Login Items")
        asked = self._ask("print", self._target)
        if asked.code:
            return State(enabled=False if self.path.exists() else None)
        found = _read_entries(asked.out)
        pid, runs = parse_whole(found.get("pid", ""), 0, _MOST), parse_whole(found.get("runs", ""), 0, _MOST)
        word = found.get("state", "")
        return State(
            enabled=True,
            word=word,
            running=word == "running" and bool(pid),
            pid=pid or 0,
            restarts=None if runs is None else max(0, runs - 1),
            last_exit=_describe_end(found),
        )

    @property
    def _target(self) -> str:
        return f"{self._find_domain()}/{LABEL}"

    def _find_domain(self) -> str:
        if not self._domain and sys.platform != "win32":
            for kind in ("gui", "user"):
                domain = f"{kind}/{os.getuid()}"
                if not self._ask("print", domain).code:
                    self._domain = domain
                    break
        return self._domain

    def _is_disabled(self) -> bool:
        """True where the user has switched it off, which outlasts its removal."""
        said = self._ask("print-disabled", self._find_domain()).out.decode("utf-8", "replace")
        for line in said.splitlines():
            name, _, value = line.partition("=>")
            if name.strip() == f'"{LABEL}"':
                return value.strip() in ("disabled", "true")
        return False

    def _take_out(self) -> None:
        """Have launchd forget the service, and wait until it has: what runs has time to end its answers."""
        self._ask("bootout", self._target)
        for _ in range(_TRIES * 4):
            if self._ask("print", self._target).code:
                return
            self._sleep(_BETWEEN)
        raise CommandError(
            "the service was told to stop, but launchd still has it.", f"Look:   launchctl print {self._target}"
        )

    @staticmethod
    def _is_retried(ended: CompletedProgram) -> bool:
        """True for what it says while the one before is on its way out: `5: Input/output error`, `37: Operation already
        in progress`."""
        return ended.code in (5, 37) or say_briefly(ended).startswith(("Bootstrap failed: 5:", "Bootstrap failed: 37:"))

    def _ask(self, *words: str) -> CompletedProgram:
        return self._call(["launchctl", *words], {})


def _read_entries(data: bytes) -> dict[str, str]:
    """The `name = value` lines of what launchctl prints of a service, of which the first of a name is its own."""
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, sign, value = line.strip().partition(" = ")
        if sign and len(value) < _LONGEST:
            found.setdefault(name, value.strip())
    return found


def _describe_end(found: Mapping[str, str]) -> str:
    ended = found.get("last terminating signal", "")
    code = found.get("last exit code", "").partition(":")[0]
    return ended or (f"exit code {code}" if code.lstrip("-").isdecimal() else "")
