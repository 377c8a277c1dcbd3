"""`fairlead service` with launchd, acted out: its commands, its states, and what it refuses for a while."""

import json
import os
import plistlib

import pytest

from .conftest import use

PLIST = "Library/LaunchAgents/dev.fairlead.proxy.plist"
LABEL = "dev.fairlead.proxy"


@pytest.fixture
def mac(site, monkeypatch):
    """A user of a Mac."""
    use(monkeypatch, "darwin")
    site.fake.set(log=str(site.folder / "Library/Logs/fairlead.log"))
    return site


def target(site, kind="gui"):
    return f"{kind}/{os.getuid()}"


def test_install_status_restart_uninstall(mac):
    """Written, enabled, loaded; shown; told to end before it is started anew; taken out and removed."""
    domain = target(mac)
    done = mac("install", "--yes")
    assert (done.code, done.err) == (0, "")
    agent = plistlib.loads((mac.folder / PLIST).read_bytes())
    assert agent["ProgramArguments"] == [f"{mac.folder}/bin/fairlead", "proxy"]
    assert agent["StandardOutPath"] == f"{mac.folder}/Library/Logs/fairlead.log"
    assert (mac.folder / "Library/Logs/fairlead.log").stat().st_mode & 0o777 == 0o600
    assert mac.fake.take_calls() == [
        f"launchctl enable {domain}/{LABEL}",
        f"launchctl bootout {domain}/{LABEL}",
        f"launchctl bootstrap {domain} {mac.folder}/{PLIST}",
    ]
    report = json.loads(mac("status", "--json").out)
    assert (report["running"], report["enabled"], report["restarts"], report["lingering"]) == (True, True, 0, None)
    assert (report["pid"], report["definition"]) == (mac.fake.state["pid"], "current")

    mac.fake.take_calls()
    assert mac("restart").code == 0
    assert mac.fake.take_calls() == [
        f"launchctl kill SIGTERM {domain}/{LABEL}",
        f"launchctl kickstart -k {domain}/{LABEL}",
    ]
    assert json.loads(mac("status", "--json").out)["restarts"] == 1

    done = mac("uninstall")
    assert (done.code, done.out) == (0, f"The service is stopped and removed (~/{PLIST}).\n")
    assert mac.fake.take_calls() == [f"launchctl bootout {domain}/{LABEL}"]
    assert not (mac.folder / PLIST).exists()


def test_the_one_before_is_on_its_way_out(mac):
    """launchd refuses another one with `5: Input/output error` until then: it is tried again."""
    mac.fake.set(busy=3)
    assert mac("install", "--yes").code == 0
    assert len([line for line in mac.fake.take_calls() if "bootstrap" in line]) == 4


def test_what_is_refused_for_good(mac):
    """After some tries its words are said."""
    mac.fake.set(busy=1000)
    done = mac("install", "--yes")
    assert done.code == 1
    assert "the service could not be loaded: Bootstrap failed: 5: Input/output error." in done.err


def test_over_ssh(mac):
    """Without a desktop the domain is that of the user alone; without any it is refused."""
    mac.fake.set(domains=["user"])
    assert mac("install", "--yes").code == 0
    assert f"launchctl bootstrap {target(mac, 'user')} {mac.folder}/{PLIST}" in mac.fake.take_calls()
    mac.fake.set(domains=["none"])
    done = mac("status")
    assert done.code == 1
    assert "launchd has no domain of this user here" in done.err


def test_switched_off_by_the_user(mac):
    """System Settings outlast an installation: `status` says so, and `install` switches it on again."""
    mac("install", "--yes")
    mac.fake.close()
    (mac.home / "run/3456.json").unlink()
    mac.fake.set(disabled="disabled")
    out = mac("status").out
    assert "switched off in System Settings" in out
    assert "it does not start at login: fairlead service install" in out
    assert mac("install", "--yes").code == 0
    assert mac.fake.state["disabled"] == "enabled"


def test_an_edited_agent(mac):
    """It is left alone without --force."""
    mac("install", "--yes")
    path = mac.folder / PLIST
    path.write_text(path.read_text().replace("<integer>15</integer>", "<integer>5</integer>"))
    assert "was changed by hand" in mac("uninstall").err
    assert "was changed by hand" in mac("install", "--yes").err
    assert mac("install", "--yes", "--force").code == 0


def test_logs(mac):
    """The file in ~/Library/Logs."""
    mac("install", "--yes")
    (mac.folder / "Library/Logs/fairlead.log").write_text("a\nb\n")
    assert mac("logs", "-n", "1").out == "b\n"


def test_variables_of_a_file(mac):
    """launchd reads none: the proxy is told the file's name."""
    keys = mac.folder / "keys.env"
    keys.write_text("A=1\n")
    keys.chmod(0o600)
    assert mac("install", "--yes", "--env-file", str(keys)).code == 0
    agent = plistlib.loads((mac.folder / PLIST).read_bytes())
    assert agent["EnvironmentVariables"]["FAIRLEAD_SERVICE_ENV"] == str(keys)
