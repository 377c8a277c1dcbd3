"""The manager of systemd where there is none, and what it says in passing."""

import os
import sys

import pytest

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.service.systemd import Systemd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd")


@pytest.fixture
def make(tmp_path):
    """Makes the manager of a system below a folder, that answers each command so; the variables it was asked with."""
    (tmp_path / "bin").mkdir()
    for name in ("systemctl", "loginctl", "journalctl"):
        (tmp_path / "bin" / name).touch(mode=0o755)
    asked = []

    def make(code=0, out=b"", err=b"", **environ):
        def call(words, variables):
            asked.append((words, variables))
            return CompletedProgram(code, out, err)

        given = {"PATH": str(tmp_path / "bin"), **environ}
        return Systemd(call, given, documentation="https://x.example", root=tmp_path), asked

    return make


@pytest.mark.parametrize(
    ("kernel", "booted", "said"),
    [
        ("Linux version 6.6 (Microsoft@x)", False, "wsl --shutdown"),
        ("Linux version 6.6", False, "not started by systemd"),
        (None, False, "not started by systemd"),
        ("Linux version 6.6", True, "not after `su` or `sudo`"),
    ],
)
def test_why_there_is_none(make, tmp_path, kernel, booted, said):
    """WSL, a container, a shell of `su`: each has its own next step, and all the plain alternative."""
    if kernel is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/version").write_text(kernel)
    if booted:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    manager, _ = make(1, err=b"Failed to connect to bus: No such file or directory\n")
    with pytest.raises(CommandError, match="cannot be reached: Failed to connect to bus: No such file") as raised:
        manager.check()
    assert said in raised.value.hint
    assert "fairlead proxy --detach" in raised.value.hint


@pytest.mark.parametrize("named", ["", "own", "/", "/nowhere"])
def test_the_runtime_folder(make, tmp_path, named, monkeypatch):
    """The one that is named, if it is this user's, as after `su` it is not; else the usual one."""
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid or 4711)
    if tmp_path.stat().st_uid == 0:
        monkeypatch.setattr(os, "stat", _as_user(os.stat))
    usual = tmp_path / f"run/user/{os.getuid()}"
    usual.mkdir(parents=True)
    named = str(tmp_path) if named == "own" else named
    manager, asked = make(out=b"Version=252\n", XDG_RUNTIME_DIR=named)
    manager.check()
    assert asked[-1][1] == {"XDG_RUNTIME_DIR": named if named == str(tmp_path) else str(usual)}


def _as_user(look):
    """For root, whose own files are in the test's folder: those are user 4711's."""

    def stat(path, **options):
        found = look(path, **options)
        if "pytest" not in str(path):
            return found
        return os.stat_result((*found[:4], 4711, *found[5:10]))

    return stat


def test_odd_answers(make):
    """What is no number is none; the highest number of a signal is one."""
    manager, _ = make(
        out=b"LoadState=loaded\nMainPID=[not set]\nNRestarts=\nActiveState=failed\nExecMainCode=2\n"
        b"ExecMainStatus=6\nResult=watchdog\nActiveEnterTimestampMonotonic=18446744073709551615\n"
    )
    state = manager.read_state()
    assert (state.pid, state.restarts, state.since, state.last_exit) == (0, None, 0.0, "SIGABRT (watchdog)")
    manager, _ = make(out=b"LoadState=loaded\nExecMainCode=2\nExecMainStatus=64\nResult=signal\n")
    assert manager.read_state().last_exit in ("SIGRTMAX", "signal 64")


@pytest.mark.parametrize(
    ("code", "said", "kept"),
    [
        (0, b"a line\n", True),
        (0, b"", True),
        (0, b"No journal files were found.\n-- No entries --\n", False),
        (1, b"No journal files were opened due to insufficient permissions.\n", False),
    ],
)
def test_where_the_log_is(make, tmp_path, code, said, kept):
    """In the journal where this user can read it, else in a file of the home."""
    manager, _ = make(code, out=said)
    assert manager.choose_log(tmp_path) == (None if kept else tmp_path / "proxy.log")
