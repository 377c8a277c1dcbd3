"""`fairlead service` with systemd: what it writes, asks and says, for each state of a manager."""

import json

import pytest

from router.cli.service import install
from router.host.foreground import Ended

UNIT = ".config/systemd/user/fairlead.service"


def test_install_status_restart_uninstall(site):
    """Its whole life: shown, written, enabled and started; then shown as running; started anew; gone without a rest."""
    done = site("install", "--yes")
    assert (done.code, done.err) == (0, "")
    unit = site.folder / UNIT
    text = unit.read_text()
    assert f"ExecStart={site.folder}/bin/fairlead proxy" in text
    assert f"Environment=PATH={site.folder}/fake/bin:{site.folder}/bin:/usr/bin:/bin\n" in text
    assert "StandardOutput" not in text
    assert unit.stat().st_mode & 0o777 == 0o644
    assert done.out.splitlines()[0] == f"~/{UNIT}  (new)"
    assert all(f"  {line}".rstrip() in done.out.splitlines() for line in text.splitlines())
    assert "The service runs: fairlead 0.1.0 serves on http://localhost:3456" in done.out
    assert site.fake.take_calls() == [
        "systemctl daemon-reload",
        "systemctl enable fairlead.service",
        "systemctl reset-failed fairlead.service",
        "systemctl restart fairlead.service",
    ]

    done = site("status")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"service    running (systemd: active)   pid {site.fake.state['pid']}   for ")
    assert f"installed  ~/{UNIT}   current\n" in done.out
    assert "starts     ~/bin/fairlead   0.1.0" in done.out.replace(str(site.folder), "~")
    assert "note" not in done.out

    before = site.fake.state["pid"]
    done = site("restart")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"Restarted the service: version 0.1.0 serves on http://localhost:3456 (pid {site.fake.state['pid']}).\n"
    )
    assert site.fake.state["pid"] != before

    site.fake.take_calls()
    done = site("uninstall")
    assert (done.code, done.out, done.err) == (0, f"The service is stopped and removed (~/{UNIT}).\n", "")
    assert not unit.exists()
    assert site.fake.take_calls() == [
        "systemctl disable --now fairlead.service",
        "systemctl daemon-reload",
        "systemctl reset-failed fairlead.service",
    ]
    assert site("uninstall").out == "The service is not installed.\n"
    assert site("status").code == 1
    assert json.loads(site("status", "--json").out) == {"installed": False, "running": False}


def test_again(site):
    """Where nothing differs and it runs, nothing is written or started; a stopped one is started."""
    site("install", "--yes")
    site.fake.take_calls()
    assert site("install").out == "The service is installed and running already; nothing to change.\n"
    assert site.fake.take_calls() == []
    site.fake.close()
    (site.home / "run/3456.json").unlink()
    assert site("install", "--yes").code == 0
    assert "systemctl restart fairlead.service" in site.fake.take_calls()


@pytest.mark.parametrize(("flag", "path"), [("--print", None), ("--dry-run", None), ("--print", "bin")])
def test_print_writes_nothing(site, flag, path):
    """The text alone on standard output, also where there is no manager, or not even its commands."""
    site.fake.set(bus="missing")
    done = site("install", flag, **({"PATH": str(site.folder / path)} if path else {}))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("[Unit]\n")
    assert not (site.folder / ".config").exists()
    assert site.fake.take_calls() == []


def test_without_a_terminal_nothing_is_written(site):
    """It is shown, and --yes is named."""
    done = site("install")
    assert done.code == 2
    assert "(new)" in done.out
    assert "Write it without a question: --yes" in done.err
    assert not (site.folder / ".config").exists()


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_the_question(site, monkeypatch, answer, written):
    """Only yes writes."""
    monkeypatch.setattr(install.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda text: answer)
    assert site("install").code == 0
    assert (site.folder / UNIT).exists() is written


def test_an_edited_unit(site):
    """It is overwritten and removed with --force alone, and `status` says that it is one."""
    site("install", "--yes")
    path = site.folder / UNIT
    edited = path.read_text().replace("WatchdogSec=60", "WatchdogSec=600")
    path.write_text(edited)
    for words in (["install", "--yes"], ["uninstall"]):
        done = site(*words)
        assert done.code == 1
        assert f"~/{UNIT} was changed by hand" in done.err
        assert path.read_text() == edited
    assert json.loads(site("status", "--json").out)["definition"] == "edited"
    done = site("install", "--yes", "--force")
    assert (done.code, done.err) == (0, "")
    assert "  - WatchdogSec=600\n  + WatchdogSec=60\n" in done.out
    path.write_text(edited)
    assert site("uninstall", "--force").code == 0
    assert not path.exists()


def test_another_s_unit(site):
    """One that fairlead did not write is left alone too."""
    path = site.folder / UNIT
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    site.fake.set(loaded=True)
    assert "was not written by fairlead" in site("install", "--yes").err
    report = json.loads(site("status", "--json").out)
    assert (report["definition"], report["program"], report["program_version"]) == ("foreign", "/bin/true", "")


def test_the_unit_of_a_package(site):
    """It is shown as such; `uninstall` disables it and leaves it; `install` writes the user's own."""
    package = site.folder / "usr.service"
    package.write_text("[Service]\nExecStart=/usr/bin/fairlead proxy\n")
    site.fake.set(package=str(package), enabled=True)
    report = json.loads(site("status", "--json").out)
    assert (report["definition"], report["place"], report["enabled"]) == ("package", str(package), True)
    done = site("uninstall")
    assert "is of a package and stays" in done.out
    assert package.exists()
    assert site("install", "--yes").code == 0
    assert (site.folder / UNIT).exists()


def test_a_start_that_fails(site):
    """Its exit code and the end of the log are said; `status` has them too, and what to do."""
    site.fake.set(fails=True)
    done = site("install", "--yes")
    assert done.code == 1
    assert done.err == (
        "error: the service did not start: exit code 78.\n       The end of its log:\n"
        "         line 1\n         line 2\n         line 3\n       See:   fairlead service logs\n"
    )
    done = site("status")
    assert done.code == 1
    assert "service    not running (systemd: failed)" in done.out
    assert "last exit  exit code 78" in done.out
    assert "says       line 3" in done.out
    assert "note       it does not run. Start it: fairlead service restart" in done.out


def test_what_status_notes(site):
    """Starts by itself, an older program, no lingering, drop-ins, a program that is gone."""
    site("install", "--yes")
    site.fake.set(restarts=3, linger="no", drop_ins="/x/w.conf")
    path = site.folder / "bin/fairlead"
    path.write_text("#!/bin/sh\necho fairlead 0.2.0\n")
    out = site("status").out
    assert "restarts   3 by itself since it was started" in out
    assert "lingers    no" in out
    assert "note       it runs 0.1.0, and 0.2.0 is installed. Start it anew: fairlead service restart" in out
    assert "note       it ends with your last session. Have it go on: loginctl enable-linger" in out
    assert "note       changed by /x/w.conf" in out
    report = json.loads(site("status", "--json").out)
    assert (report["restarts"], report["lingering"], report["running_version"]) == (3, False, "0.1.0")
    path.unlink()
    assert f"{path} is not there" in site("status").out


def test_lingering(site):
    """Without it the service ends with the last session, which `install` says; with it, nothing is said."""
    site.fake.set(linger="no")
    assert "loginctl enable-linger" in site("install", "--yes").err
    site("uninstall")
    site.fake.set(linger="yes")
    assert site("install", "--yes").err == ""


@pytest.mark.parametrize("words", [["install", "--yes"], ["uninstall"], ["status"], ["logs"], ["restart"]])
def test_no_manager(site, words):
    """A container, WSL, `su`: what is wrong and what there is instead, and nothing written."""
    site.fake.set(bus="missing")
    done = site(*words)
    assert (done.code, done.out) == (1, "")
    assert "systemd's manager of this user cannot be reached: Failed to connect to bus: No medium found." in done.err
    assert "fairlead proxy --detach" in done.err
    assert not (site.folder / ".config").exists()


def test_no_systemd(site):
    """As on Alpine."""
    done = site("install", "--yes", PATH=str(site.folder / "bin"))
    assert done.code == 1
    assert "this system has no systemd" in done.err
    assert "fairlead proxy --detach" in done.err


def test_another_runtime_folder(site):
    """After `su` XDG_RUNTIME_DIR is another user's, or there is none: the user's own is tried."""
    assert site("status", XDG_RUNTIME_DIR="/root/none").code == 1


@pytest.mark.parametrize("words", [["install", "--yes"], ["uninstall"], ["status"], ["restart"], ["logs"]])
def test_root(site, monkeypatch, words):
    """root's own service would serve with root's rights: refused, and under sudo the user is named."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    done = site(*words, SUDO_USER="ann")
    assert done.code == 1
    assert "Run it as ann, without sudo." in done.err
    assert site.fake.take_calls() == []


def test_a_manager_that_reads_elsewhere(site):
    """HOME or XDG_CONFIG_HOME may differ: the file is taken back, and nothing is started."""
    site.fake.set(fragment="")
    done = site("install", "--yes")
    assert done.code == 1
    assert "does not read" in done.err
    assert not (site.folder / UNIT).exists()
    assert not [line for line in site.fake.take_calls() if "enable" in line or "restart" in line]


def test_logs_of_the_journal(site, monkeypatch):
    """So many lines, by the manager's own command in this terminal, whose exit code counts."""
    ran = []

    def run(path, words, environ):
        ran.append((path, words[3:], environ["XDG_RUNTIME_DIR"]))
        return Ended(3)

    monkeypatch.setattr("router.host.foreground.run_in_foreground", run)
    site("install", "--yes")
    assert site("logs", "-n", "2").code == 3
    assert site("logs", "-f").code == 3
    where = (f"{site.fake.folder}/bin/journalctl", str(site.folder))
    assert ran == [
        (where[0], ("--lines=2", "--output=short-iso", "--no-hostname", "--no-pager"), where[1]),
        (where[0], ("--lines=50", "--output=short-iso", "--no-hostname", "--follow"), where[1]),
    ]


def test_logs_of_a_file(site):
    """Where this user cannot read the journal, the output goes to a file of the home, and `logs` reads it."""
    site.fake.set(journal=None)
    site("install", "--yes")
    log = site.home / "proxy.log"
    text = (site.folder / UNIT).read_text()
    assert f"StandardOutput=append:{log}\n" in text
    assert f"Environment=FAIRLEAD_SERVICE_LOG={log}\n" in text
    assert "there is no log yet" in site("logs").err
    log.write_text("a\nb\x1b[2J\nc\n")
    assert site("logs", "-n", "2").out == "b\\u001b[2J\nc\n"
    assert json.loads(site("status", "--json").out)["log"] == str(log)


@pytest.mark.parametrize("number", ["x", "-1", "", "1e3", "9" * 30])
def test_a_number_of_lines(site, number):
    """What is none is a usage error."""
    assert site("logs", f"--lines={number}").code == 2


def test_not_installed(site):
    """`logs` and `restart` say what to do."""
    for words in (["logs"], ["restart"]):
        done = site(*words)
        assert done.code == 1
        assert "fairlead service install" in done.err
