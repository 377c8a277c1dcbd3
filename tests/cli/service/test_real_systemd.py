"""`fairlead service` with the real systemd of this user: it starts, restarts, and stays down as it should.

Only where FAIRLEAD_TEST_SYSTEMD=1 says that this user's service may be installed and removed.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from router.store.home.home import open_home

UNIT = "fairlead.service"
WANTED = os.environ.get("FAIRLEAD_TEST_SYSTEMD") == "1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WANTED or shutil.which("systemctl") is None, reason="FAIRLEAD_TEST_SYSTEMD is not 1"),
]


def ask(*words):
    """What systemctl says."""
    command = ["systemctl", "--user", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def look(*names):
    """Properties of the unit."""
    lines = ask("show", UNIT, f"--property={','.join(names)}").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return tuple(found[name] for name in names)


def wait_for(check):
    """Wait until that is true."""
    end = time.monotonic() + 40
    while not check():
        assert time.monotonic() < end, ask("status", UNIT)
        time.sleep(0.1)


class User:
    """This user, with a home of fairlead's in a folder of the test."""

    def __init__(self, folder):
        self.home = open_home({"FAIRLEAD_HOME": str(folder / "home")})
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.configure("")

    def configure(self, more):
        self.home.write("config.toml", f"port = {self.port}\nrequire_key = 'off'\n{more}".encode())

    def __call__(self, *words, code=0):
        command = [sys.executable, "-W", "error", "-m", "router", *words]
        environ = {**os.environ, "FAIRLEAD_HOME": str(self.home.path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=120)
        assert done.returncode == code, (words, done)
        return done

    def report(self, code=0):
        return json.loads(self("service", "status", "--json", code=code).stdout)

    @property
    def pid(self):
        return int(look("MainPID")[0])


@pytest.fixture
def user(tmp_path):
    """The user; nothing is left of the service afterwards."""
    assert look("LoadState") == ("not-found",), "this user has a service of that name"
    one = User(tmp_path)
    yield one
    one("service", "uninstall", "--force")
    shutil.rmtree(find_folder() / f"{UNIT}.d", ignore_errors=True)
    ask("daemon-reload")
    assert look("LoadState") == ("not-found",)


def find_folder():
    """Where the user's units are."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "systemd/user"


def test_its_life(user):
    """Installed, it serves and is enabled; SIGKILL has it started again, SIGHUP has it read its configuration, a
    restart gives it another process; a stop is not undone; uninstalled, nothing is left."""
    user("service", "install", "--yes")
    report = user.report()
    assert (report["running"], report["enabled"], report["definition"], report["restarts"]) == (
        True,
        True,
        "current",
        0,
    )
    assert report["pid"] == user.pid
    assert report["url"] == f"http://localhost:{user.port}"
    assert "serves on" in look("StatusText")[0]
    assert user("status").stdout.startswith("fairlead")

    first = user.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: look("ActiveState", "NRestarts") == ("active", "1") and user.pid != first)
    assert user.report()["restarts"] == 1

    second = user.pid
    user.configure("aliases.x = 'demo'\n")
    ask("reload", UNIT)
    assert look("ActiveState") == ("active",)
    assert user.pid == second

    user("service", "restart")
    assert user.pid not in (first, second)
    assert re.search("serves on", user("service", "logs", "-n", "3").stdout)

    user("stop")
    wait_for(lambda: look("ActiveState") == ("inactive",))
    assert user.report(1)["last_exit"] == "exit code 0"
    user("service", "restart")
    user("service", "uninstall")
    assert user.report(1) == {"installed": False, "running": False}
    user("status", code=1)


def list_children(pid):
    """The processes that a process has started."""
    # Those of each of its threads.
    return {int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()}


def test_workers(user):
    """With several workers the service is one: a worker that is killed is replaced without a restart of the service, a
    reload reaches all, a restart hands over to new ones, and a stop leaves none."""
    user.configure("workers = 2\n")
    user("service", "install", "--yes")
    first = user.pid
    before = list_children(first)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: len(list_children(first) - {min(before)}) == 2)
    assert (user.pid, user.report()["restarts"]) == (first, 0)
    assert user("status").stdout.startswith("fairlead")
    ask("reload", UNIT)
    assert look("ActiveState") == ("active",)
    workers = list_children(first)
    user("service", "restart")
    second = user.pid
    assert second != first
    wait_for(lambda: len(list_children(second)) == 2)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    workers = list_children(second)
    user("stop")
    wait_for(lambda: look("ActiveState") == ("inactive",))
    assert user.report(1)["last_exit"] == "exit code 0"
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_broken_configuration_does_not_loop(user):
    """It ends with 78, once."""
    user("service", "install", "--yes")
    user.configure("port = 'x'\n")
    done = user("service", "restart", code=1)
    assert "the service did not start: exit code 78." in done.stderr
    time.sleep(5)
    assert look("ActiveState", "Result", "ExecMainStatus", "NRestarts") == ("failed", "exit-code", "78", "0")
    user.configure("")
    user("service", "restart")
    assert user.report()["running"] is True


def test_a_wedged_proxy_is_started_again(user):
    """One that gives no signs of life is ended; one that does is left alone for longer than that."""
    user("service", "install", "--yes")
    folder = find_folder() / f"{UNIT}.d"
    folder.mkdir()
    (folder / "test.conf").write_text("[Service]\nWatchdogSec=2\n")
    ask("daemon-reload")
    user("service", "restart")
    first = user.pid
    time.sleep(5)
    assert user.pid == first
    os.kill(first, signal.SIGSTOP)
    wait_for(lambda: look("NRestarts", "ActiveState") == ("1", "active"))
    assert user.pid != first
    assert str(folder) in str(user.report()["notes"])


def test_an_upgrade_restarts_it(user):
    """The end of an upgrade finds it by its run file and has systemd start it anew."""
    user("service", "install", "--yes")
    first = user.pid
    name = f"run/{user.port}.json"
    run = json.loads(user.home.read(name))
    user.home.write(name, json.dumps({**run, "version": "0.0.1"}).encode())
    script = (
        "import os, trio\nfrom router import __version__\nfrom router.cli.upgrade.proxies import restart_proxies\n"
        "from router.store.home.home import open_home\n"
        "trio.run(restart_proxies, open_home(os.environ), __version__, print)"
    )
    environ = {**os.environ, "FAIRLEAD_HOME": str(user.home.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("The service was restarted: ")
    assert user.pid != first
