"""A proxy that systemd runs: commands name what restarts it, and where its log is."""

import json
import os
import sys

import pytest
import trio

from router.cli.common.running_proxy import find_proxies
from router.cli.upgrade import proxies
from router.net.control.request import ControlError
from router.store.home import run_files
from router.store.home.home import Home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd")

# systemd says the number that the process has anyway; the control group is one that a test has written.
START = """
import os, sys
from pathlib import Path
from router.host.service import unit as service_unit
os.environ["SYSTEMD_EXEC_PID"] = str(os.getpid())
service_unit.find_service_unit.__kwdefaults__["proc"] = Path(sys.argv[1])
from router.cli import main
sys.exit(main(["proxy", "--port", "0"]))
"""


@pytest.fixture
def serve(fairlead, tmp_path, monkeypatch):
    """Starts a proxy in this control group."""

    def start(group):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"0::{group}\n")
        monkeypatch.setattr(fairlead, "_line", lambda arguments: [sys.executable, "-c", START, str(tmp_path / "proc")])
        monkeypatch.setattr(fairlead, "forks", False)
        fairlead.start()
        monkeypatch.undo()
        [path] = (fairlead.home / "run").glob("*.json")
        return json.loads(path.read_text())

    return start


@pytest.mark.parametrize(
    ("group", "mode", "again", "log"),
    [
        (
            "/user.slice/user@7.service/app.slice/fairlead.service",
            *("user unit", "systemctl --user restart fairlead", "journalctl --user -u fairlead"),
        ),
        (
            "/system.slice/fairlead@a.service",
            *("system unit", "sudo systemctl restart fairlead@a", "journalctl -u fairlead@a"),
        ),
    ],
    ids=["user", "system"],
)
def test_a_unit(fairlead, serve, group, mode, again, log):
    """`restart`, `config set` and the operator's request name the command of its manager; `status` says for which unit
    it runs and where its log is."""
    run = serve(group)
    unit = group.rpartition("/")[2]
    assert (run["mode"], run["unit"]) == (mode, unit)
    done = fairlead("restart")
    assert (done.code, done.out) == (1, "")
    assert f"runs for {unit}" in done.err
    assert f"Have systemd restart it:   {again}" in done.err
    assert f"Restart it:   {again}" in fairlead("config", "set", "port", "3999").out
    assert f"runs     for {unit}   log: {log}" in fairlead("status").out.splitlines()
    process = json.loads(fairlead("status", "--json").out)["process"]
    assert process == {"mode": mode, "unit": unit, "log": None}

    async def ask():
        [(_, proxy)], _ = await find_proxies(Home(fairlead.home))
        with pytest.raises(ControlError, match=f"{unit}.*{again}"):
            await proxy.restart()

    trio.run(ask)


def test_in_a_terminal(fairlead):
    """A proxy in the foreground has no such line."""
    fairlead.start("proxy", "--port", "0")
    assert not any(line.startswith("runs ") for line in fairlead("status").out.splitlines())
    assert json.loads(fairlead("status", "--json").out)["process"]["mode"] == "foreground"


def test_in_the_background(fairlead):
    """`status` names the log, which is there."""
    assert fairlead("proxy", "--detach", "--port", "0").code == 0
    try:
        assert "runs     in the background   log: ~/home/proxy.log" in fairlead("status").out.splitlines()
        process = json.loads(fairlead("status", "--json").out)["process"]
        assert process == {"mode": "detached", "unit": "", "log": str(fairlead.home / "proxy.log")}
        assert os.path.isfile(process["log"])
    finally:
        assert fairlead("stop").code == 0


def test_an_upgrade_names_the_unit(monkeypatch):
    """What it leaves as it is has the command that restarts it."""
    told = []
    run = run_files.Run(pid=1, url="", port=4, version="0.1.0", started=0, mode="user unit", unit="a b.service")
    left = proxies._leave(run, told.append, "systemd runs it")
    assert left["command"] == "systemctl --user restart 'a b'"
    assert told == [
        "The proxy on :4 still runs 0.1.0 (systemd runs it).",
        "Restart it:   systemctl --user restart 'a b'",
    ]
