"""Runs `fairlead service` in this process, with service managers that are acted out by scripts on PATH."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from router.cli.service import control, install
from router.service.launchd import Launchd
from router.service.program import Chosen
from router.service.scheduler import Scheduler
from router.service.systemd import Systemd

from ..setup.conftest import InProcess

FAKE = Path(__file__).with_name("fake_managers.py")
NAMES = ("systemctl", "loginctl", "journalctl", "launchctl", "schtasks")


class Fake:
    """An acted out manager."""

    def __init__(self, folder, home):
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        for name in NAMES:
            path = folder / "bin" / name
            path.write_text(f"#!{sys.executable} -IS\n" + FAKE.read_text("utf-8"), encoding="utf-8")
            path.chmod(0o755)
        self.state = {"home": str(home), "journal": ["line 1", "line 2", "line 3"]}

    @property
    def state(self):
        """What it knows."""
        return json.loads((self.folder / "state.json").read_text())

    @state.setter
    def state(self, state):
        (self.folder / "state.json").write_text(json.dumps(state))

    def set(self, **changes):
        """Have it know something else."""
        self.state = {**self.state, **changes}

    def take_calls(self, *but):
        """How it was called since the last time, each as one line, without those that only look."""
        path = self.folder / "calls"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.write_text("")
        looks = {"show", "show-environment", "print", "print-disabled", "/Query", *but}
        plain = [[word for word in line if word not in ("--user", "--no-pager")] for line in lines]
        return [" ".join(line) for line in plain if line[0] not in ("loginctl", "journalctl") and line[1] not in looks]

    def close(self):
        """End what it has started."""
        pid = self.state.get("pid")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            # It may stay as a zombie.
            self.set(pid=0)


class Site:
    """A home, the commands, and the manager."""

    def __init__(self, fairlead, fake, folder):
        self.fairlead = fairlead
        self.fake = fake
        self.home = fairlead.home
        self.folder = folder

    def __call__(self, *words, **environ):
        return self.fairlead("service", *words, **environ)


@pytest.fixture
def site(tmp_path, monkeypatch, capsys):
    """A user with a manager of systemd, who has no service yet."""
    if sys.platform == "win32":
        pytest.skip("the scripts are for POSIX")
    fake = Fake(tmp_path / "fake", tmp_path / ".fairlead")
    fairlead = InProcess(tmp_path, monkeypatch, capsys)
    fairlead.home = tmp_path / ".fairlead"
    units = tmp_path / ".config/systemd/user"
    fake.set(units=str(units))
    program = tmp_path / "bin/fairlead"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho fairlead 0.1.0\n")
    program.chmod(0o755)
    fairlead.environ |= {
        "PATH": f"{fake.folder}/bin:{program.parent}:/usr/bin:/bin",
        "FAKE_MANAGER": str(fake.folder),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    del fairlead.environ["FAIRLEAD_HOME"], fairlead.environ["FAIRLEAD_REQUIRE_KEY"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    # Which path is chosen has tests of its own.
    monkeypatch.setattr(install, "choose_program", lambda *_: Chosen((str(program),)))
    use(monkeypatch, "linux")
    yield Site(fairlead, fake, tmp_path)
    fake.close()


def use(monkeypatch, system):
    """Have this be another system, as far as the choice of its manager goes."""
    made = {
        "linux": lambda environ: Systemd(control.call, environ, documentation="https://x.example"),
        "darwin": lambda environ: Launchd(control.call, sleep=lambda _: None),
        "win32": lambda environ: Scheduler(control.call, environ),
    }[system]
    for name in ("router.cli.service.control", "router.cli.service.install", "router.cli.service.commands"):
        monkeypatch.setattr(f"{name}.make_manager", made)
