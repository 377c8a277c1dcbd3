"""After an upgrade: the service runs the new version, whichever manager has it."""

import pytest
import trio

from router.cli.upgrade import proxies
from router.store.home import run_files
from router.store.home.home import open_home

from .conftest import use

NAMES = {"linux": "systemctl --user restart fairlead", "darwin": "fairlead service restart"}


@pytest.fixture(params=["linux", "darwin", "win32"])
def upgrade(site, monkeypatch, request):
    """Runs what `upgrade` does at its end, where a service runs 0.1.0; what it told and returned."""
    use(monkeypatch, request.param)
    stopped = []
    for name in ("control", "install", "commands"):
        monkeypatch.setattr(f"router.cli.service.{name}.stop.run", stopped.append)
    site.fairlead.environ |= {"USERNAME": "ann"}
    assert site("install", "--yes").code == 0
    home = open_home({"FAIRLEAD_HOME": str(site.home)})

    async def find(home):
        return [(run, None) for run in run_files.live(home)], []

    monkeypatch.setattr(proxies, "find_proxies", find)
    for name, value in site.fairlead.environ.items():
        monkeypatch.setenv(name, value)

    def run(version):
        told = []
        return told, trio.run(proxies.restart_proxies, home, version, told.append), stopped

    run.system = request.param
    run.site = site
    return run


def test_it_is_restarted(upgrade):
    """It serves the new version afterwards, which is said; where the manager gives no time, it is told to end first."""
    upgrade.site.fake.set(serves="0.2.0")
    told, results, stopped = upgrade("0.2.0")
    assert told == ["The service was restarted: the proxy on :3456 is 0.2.0 now."]
    assert results == [{"port": 3456, "version": "0.2.0", "restarted": True}]
    assert stopped == ([["--port", "3456"]] if upgrade.system == "win32" else [])
    assert upgrade("0.2.0")[:2] == ([], [])


def test_it_starts_something_else(upgrade):
    """As where it starts another installation: that is said, with the command."""
    told, results, _ = upgrade("0.2.0")
    again = NAMES.get(upgrade.system, NAMES["darwin"])
    assert told == [
        "The proxy on :3456 still runs 0.1.0 (the service was restarted, and what it starts is 0.1.0).",
        f"Restart it:   {again}",
    ]
    assert results == [{"port": 3456, "version": "0.1.0", "restarted": False, "command": again}]


def test_it_cannot_be_restarted(upgrade):
    """The upgrade goes on, and says so."""
    upgrade.site.fake.set(bus="missing", domains=["none"], task=None)
    told, results, _ = upgrade("0.2.0")
    assert told[0].startswith("The proxy on :3456 still runs 0.1.0 (")
    assert results[0]["restarted"] is False
