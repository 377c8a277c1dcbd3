"""After the switch: a proxy in the background runs the new version, one in the foreground is named."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from router.cli.upgrade import proxies
from router.net.control.request import ControlError

from .conftest import NEW, OLD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")


@pytest.fixture
def foreground(installed):
    """A proxy of the home in the foreground; its port."""
    environ = {**os.environ, "FAIRLEAD_REQUIRE_KEY": "off", "HOME": str(installed.folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "router", "proxy", "--port", "0"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("Serving."):
            break
    [name] = os.listdir(installed.home / "run")
    yield int(name.removesuffix(".json"))
    process.kill()
    process.communicate()


def test_a_proxy_in_the_foreground_goes_on(installed, server, foreground):
    """It is told how it gets the new version; the exit code is 0, and the version that it runs is kept."""
    server.publish("0.2.0")
    assert installed.run()[0] == 0
    server.publish()
    code, out, _ = installed.run()
    assert code == 0
    assert f"The proxy on :{foreground} still runs {OLD} (it runs in the foreground)." in out
    assert f"Restart it:   fairlead stop --port {foreground}, then fairlead proxy" in out
    assert installed.left == [OLD, "0.2.0", NEW]


class Detached:
    """A proxy in the background. version: that it has after its restart, '' when it fails."""

    def __init__(self, version):
        self.version = version

    async def restart(self):
        if not self.version:
            raise ControlError("the new program failed")
        return SimpleNamespace(version=self.version)


@pytest.fixture
def detached(monkeypatch):
    """Lets these be the running proxies, on the ports from 4001."""

    def put(*versions):
        found = [
            (SimpleNamespace(port=port, version=OLD, mode="detached"), Detached(version))
            for port, version in enumerate(versions, 4001)
        ]

        async def find(home):
            return found, []

        monkeypatch.setattr(proxies, "find_proxies", find)
        monkeypatch.setattr(proxies, "list_running_versions", lambda home: {OLD})

    return put


def test_proxies_in_the_background_restart(installed, server, detached):
    """Each is asked; one that fails goes on and is named, and the exit code is 0."""
    detached(NEW, "")
    server.publish()
    code, out, _ = installed.run()
    assert code == 0
    assert f"The proxy on :4001 is {NEW} now; the old one ends once its requests have ended." in out
    assert f"The proxy on :4002 still runs {OLD} (the new program failed)." in out
    assert "Restart it:   fairlead stop --port 4002, then fairlead proxy --detach" in out


def test_a_restart_into_another_version_is_told(installed, server, detached):
    """As where the path of the old version's folder started the proxy."""
    detached(OLD)
    server.publish()
    code, out, _ = installed.run()
    assert code == 0
    assert f"The proxy on :4001 still runs {OLD} (it was restarted, and what started it is {OLD})." in " ".join(
        out.split()
    )
    assert json.loads(installed.run("--rollback", "--json")[1])["proxies"] == []


def test_what_became_of_them_in_json(installed, server, detached):
    """One entry each."""
    detached(NEW, "")
    server.publish()
    told = json.loads(installed.run("--json")[1])["proxies"]
    assert told[0] == {"port": 4001, "version": NEW, "restarted": True}
    assert {**told[1], "command": ""} == {"port": 4002, "version": OLD, "restarted": False, "command": ""}
