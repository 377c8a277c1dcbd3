"""The user's manager of systemd, asked by `systemctl --user`: systemctl(1), loginctl(1), journalctl(1)."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.host.service.managed import UNIT
from router.service import unit
from router.service.definition import Wanted, judge, remove_file, write_file
from router.service.manager import OTHERWISE, Call, Definition, Manager, State, require, say_briefly
from router.setup.files import ConfigFile, read_config
from router.store.home.permissions import shown
from router.wire.raw.whole_numbers import parse_whole

_PROPERTIES = (
    *("LoadState", "FragmentPath", "DropInPaths", "UnitFileState", "ActiveState", "MainPID", "NRestarts", "Result"),
    *("ExecMainCode", "ExecMainStatus", "ActiveEnterTimestampMonotonic"),
)
_LOG = "proxy.log"
_MOST = 1 << 31
_LINE = 4096
_EXITED = "1"


class Systemd(Manager):
    """The manager of this user."""

    name = "systemd"
    ends_gently = True

    def __init__(self, call: Call, environ: Mapping[str, str], *, documentation: str, root: Path = Path("/")):
        self._call = call
        self._environ = environ
        self._documentation = documentation
        self._root = root
        folder = environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(folder):
            folder = os.path.join(os.path.expanduser("~"), ".config")
        self.path = Path(folder) / "systemd" / "user" / UNIT
        self.place = shown(self.path)
        self._variables = _find_runtime(environ, root)

    def check(self) -> None:
        """Refuse where there is no manager of this user."""
        if shutil.which("systemctl", path=self._environ.get("PATH")) is None:
            raise CommandError("this system has no systemd, so that there is no user service here.", OTHERWISE)
        asked = self._ask("show", "--property=Version")
        if asked.code:
            raise CommandError(
                f"systemd's manager of this user cannot be reached: {say_briefly(asked)}.", self._explain_absence()
            )

    def _explain_absence(self) -> str:
        if not (self._root / "run/systemd/system").is_dir():
            try:
                kernel = (self._root / "proc/version").read_text("utf-8", "replace").lower()
            except OSError:
                kernel = ""
            why = "This system was not started by systemd."
            if "microsoft" in kernel:
                why = "WSL runs systemd once /etc/wsl.conf has `systemd=true` below `[boot]`, after `wsl --shutdown`."
            return f"{why}\n{OTHERWISE}"
        why = "It runs for a user who has logged in, also by ssh, but not after `su` or `sudo`."
        return f"{why}\n{OTHERWISE}"

    def choose_log(self, home: Path) -> Path | None:
        """The journal, where this user can read it."""
        if shutil.which("journalctl", path=self._environ.get("PATH")) is not None:
            asked = self._call(["journalctl", "--user", "--no-pager", "-n", "1"], self._variables)
            said = (asked.out[:_LINE] + asked.err[:_LINE]).decode("utf-8", "replace")
            if asked.code == 0 and "No journal files" not in said:
                return None
        return home / _LOG

    def list_variables(self) -> frozenset[str]:
        """Those of the manager, as environment.d(5) sets them; none where there is no manager."""
        if shutil.which("systemctl", path=self._environ.get("PATH")) is None:
            return frozenset()
        asked = self._ask("show-environment")
        lines = asked.out.decode("utf-8", "replace").splitlines() if not asked.code else []
        return frozenset(line.partition("=")[0] for line in lines if "=" in line)

    def make(self, wanted: Wanted) -> str:
        """The text of the unit."""
        return unit.make_unit(wanted, documentation=self._documentation)

    def read(self) -> Definition | None:
        """The user's own unit, else the one of a package."""
        own = self.read_own()
        if own is not None:
            return own
        place = self._show().get("FragmentPath", "")
        if not place or place == str(self.path):
            return None
        return _read_definition(read_config(Path(place)), place)

    def read_own(self) -> Definition | None:
        """The user's own unit."""
        file = read_config(self.path)
        return None if file.data is None else _read_definition(file)

    def install(self, text: str) -> None:
        """Write the unit, and have systemd read it."""
        before = read_config(self.path)
        write_file(before, text)
        require(self._ask("daemon-reload"), "was written, but systemd did not read it")
        taken = self._show().get("FragmentPath", "")
        if os.path.realpath(taken or "/") != os.path.realpath(self.path):
            if before.data is None:
                self._remove_file()
            raise CommandError(
                f"systemd of this user does not read {self.place}" + (f", but {taken}." if taken else "."),
                "HOME and XDG_CONFIG_HOME of this shell may not be those of your systemd. Nothing was started.",
            )

    def start(self) -> None:
        """Enable it and start it anew."""
        require(self._ask("enable", UNIT), "could not be enabled")
        self.restart()

    def restart(self) -> None:
        """Start it anew; waits until it serves."""
        # A count of failed starts would refuse this one.
        self._ask("reset-failed", UNIT)
        asked = self._ask("restart", UNIT)
        if asked.code:
            # What systemctl says of it is where to look, which is said below in fewer words.
            raise CommandError(f"the service did not start: {_describe_end(self._show()) or say_briefly(asked)}.")

    def remove(self) -> None:
        """Stop and disable it, and remove the unit where it is the user's own."""
        require(self._ask("disable", "--now", UNIT), "could not be stopped and disabled")
        self._remove_file()
        self._ask("reset-failed", UNIT)

    def _remove_file(self) -> None:
        remove_file(read_config(self.path))
        self._ask("daemon-reload")

    def read_state(self) -> State:
        """How the unit is."""
        found = self._show()
        if found.get("LoadState", "not-found") == "not-found":
            return State(lingering=self._read_linger())
        word = found.get("ActiveState", "")
        running = word in ("active", "reloading")
        drop_ins = found.get("DropInPaths", "")
        return State(
            enabled=found.get("UnitFileState") == "enabled",
            word=word,
            running=running,
            pid=parse_whole(found.get("MainPID", ""), 0, _MOST) or 0,
            since=_to_time(found.get("ActiveEnterTimestampMonotonic", "")) if running else 0.0,
            restarts=parse_whole(found.get("NRestarts", ""), 0, _MOST),
            last_exit="" if running else _describe_end(found),
            lingering=self._read_linger(),
            notes=(f"changed by {drop_ins}",) if drop_ins else (),
        )

    def make_log_command(self, lines: int, *, follow: bool = False, bare: bool = False) -> tuple[str, ...]:
        """journalctl."""
        words = (
            "journalctl",
            "--user",
            f"--user-unit={UNIT}",
            f"--lines={lines}",
            f"--output={'cat' if bare else 'short-iso'}",
            "--no-hostname",
        )
        return (*words, *(("--follow",) if follow else ("--no-pager",)))

    @property
    def variables(self) -> Mapping[str, str]:
        """What a command needs in its environment to reach the manager."""
        return self._variables

    def _read_linger(self) -> bool | None:
        if sys.platform == "win32" or shutil.which("loginctl", path=self._environ.get("PATH")) is None:
            return None
        asked = self._call(["loginctl", "show-user", str(os.getuid()), "--property=Linger"], self._variables)
        said = asked.out.decode("utf-8", "replace").strip()
        return {"Linger=yes": True, "Linger=no": False}.get(said)

    def _show(self) -> dict[str, str]:
        asked = self._ask("show", UNIT, f"--property={','.join(_PROPERTIES)}")
        require(asked, "could not be looked at")
        pairs = (line.partition("=") for line in asked.out.decode("utf-8", "replace").splitlines())
        return {name: value for name, _, value in pairs}

    def _ask(self, *words: str) -> CompletedProgram:
        return self._call(["systemctl", "--user", "--no-pager", *words], self._variables)


def _read_definition(file: ConfigFile, package: str = "") -> Definition:
    text = file.text
    found = unit.find_program(text), unit.find_log(text), unit.find_home(text)
    return Definition(text, judge(text), *found, package)


def _find_runtime(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """XDG_RUNTIME_DIR, where this environment has none, or another user's: after `su` it does."""
    if sys.platform == "win32":
        return {}
    named, mine = environ.get("XDG_RUNTIME_DIR", ""), root / f"run/user/{os.getuid()}"
    for folder in (named, mine):
        try:
            if folder and os.stat(folder).st_uid == os.getuid():
                return {"XDG_RUNTIME_DIR": str(folder)}
        except OSError:
            continue
    return {}


def _to_time(monotonic: str) -> float:
    """Seconds since 1970, of microseconds on the clock that begins with the machine."""
    moment = parse_whole(monotonic, 1, 1 << 60)
    return 0.0 if moment is None else time.time() - (time.monotonic_ns() / 1e9 - moment / 1e6)


def _describe_end(found: Mapping[str, str]) -> str:
    code, status = found.get("ExecMainCode", "0"), found.get("ExecMainStatus", "0")
    number = parse_whole(status, 0, 255)
    if code in ("", "0") or number is None:
        return ""
    if code == _EXITED:
        return f"exit code {number}"
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    result = found.get("Result", "")
    return name if result in ("", "signal") else f"{name} ({result})"
