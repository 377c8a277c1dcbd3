"""Secrets of client keys stay where they are used: real processes, whose arguments, output and files are searched."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.cli import main
from router.cli.keys import commands
from tests.host.scripted_program import ask

from ..conftest import Done

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
PROGRAM = str(Path(__file__).parents[2] / "host/scripted_program.py")


def list_processes(home):
    """The numbers of the processes whose environment has this home."""
    mark = f"FAIRLEAD_HOME={home}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield entry
        except OSError:
            continue


def find_secrets(secrets, data):
    return [secret for secret in secrets if secret.encode() in data or secret[4:-2].encode() in data]


def wait_for(path):
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text().count("\n")):
        assert time.monotonic() < until
        time.sleep(0.05)
    return json.loads(path.read_text().splitlines()[0])[1]


def test_no_secret_is_in_arguments_files_or_output(fairlead):
    """Keys with names, a tool's and a started program's, used rightly and wrongly, in texts and as credentials, with a
    proxy that logs and keeps all it can and is killed at the end: none is in an argument of a process or in what
    anything says; of files only the one that the tool reads has its own."""
    fairlead.environ |= {"FAIRLEAD_VERBOSE": "2", "FAIRLEAD_HISTORY_CAPTURE": "on", "FAIRLEAD_REQUIRE_KEY": "on"}
    fairlead.forks = False
    said = [proxy := fairlead.start("proxy", "--port", "0", "--log-file", str(fairlead.folder / "log"))]
    named = fairlead("keys", "add", "laptop", "--rpm", "600").out.strip()
    renewed = fairlead("keys", "rotate", "laptop", "--grace", "1h").out.strip()
    (fairlead.folder / ".codex").mkdir()
    said.append(fairlead("setup", "codex", "--yes"))
    tool = fairlead("keys", "print", "codex").out.strip()
    lines = fairlead.folder / "lines"
    program = subprocess.Popen(
        fairlead._line(["run", "--", sys.executable, PROGRAM, str(lines), "wait"]),
        env=fairlead.environ,
        cwd=fairlead.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = wait_for(lines)
    url, child = found["environ"]["OPENAI_BASE_URL"], found["environ"]["OPENAI_API_KEY"]
    secrets = [named, renewed, tool, child]
    assert len(set(secrets)) == 4
    assert all(secret.startswith("flk_") for secret in secrets)
    for secret in secrets:
        assert [ask(url, secret, model)[0] for model in ("demo", "demo-500", f"see {secret}")] == [200, 500, 404]
        assert ask(url, secret[:-1], "demo")[0] == ask(url, f"{secret}x", "demo")[0] == 401
    told = [("status", "--json"), ("keys", "list"), ("keys", "list", "--json"), ("config", "show"), ("why", "-")]
    told += [
        ("history", "export"),
        ("usage", "--by", "key"),
        ("setup", "codex", "--print"),
        ("keys", "revoke", "laptop"),
    ]
    said += [fairlead(*command) for command in told]
    started = [*list_processes(fairlead.home)]
    assert len(started) >= 3
    for entry in started:
        assert not find_secrets(secrets, (entry / "cmdline").read_bytes()), entry
    os.kill(proxy.pid, signal.SIGQUIT)
    proxy.kill()
    program.kill()
    os.kill(found["pid"], signal.SIGKILL)
    program.wait()
    said += [*proxy.lines, proxy.stdout.read()]
    lines.unlink()
    for one in said:
        assert not find_secrets(secrets, str(one).encode()), one
    for path in fairlead.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            own = [tool] if path == fairlead.home / "keys/tools/codex" else []
            assert find_secrets(secrets, path.read_bytes()) == own, path


@pytest.mark.parametrize("command", [("keys", "add", "laptop"), ("keys", "rotate", "laptop")])
def test_a_crash_does_not_show_the_key(fairlead, monkeypatch, capsys, command):
    """A defect right after a key was made, whose error quotes it, ends the command without it."""
    if command[1] == "rotate":
        fairlead("keys", "add", "laptop")
    shown = []

    def fail(home, name, key, **_):
        shown.append(key.reveal())
        raise RuntimeError(key, f"{key}", {"key": key})

    monkeypatch.setattr(commands, "_show", fail)
    for name, value in fairlead.environ.items():
        monkeypatch.setenv(name, value)
    done = Done(main([*command]), *capsys.readouterr())
    assert (done.code, len(shown)) == (1, 1)
    assert not find_secrets(shown, f"{done.out}{done.err}".encode())
