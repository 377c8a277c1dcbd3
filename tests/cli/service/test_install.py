"""What `fairlead service install` looks at before it writes: keys, variables, proxies that run."""

import json
import os

import pytest

from router.backends import Account, Backend
from router.cli.service import control, install
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import open_home

UNIT = ".config/systemd/user/fairlead.service"


@pytest.fixture
def add(site):
    """Stores a backend whose accounts have these keys."""

    def add(*keys):
        home = open_home({"FAIRLEAD_HOME": str(site.home)})
        accounts = tuple(Account(f"a{number}", key) for number, key in enumerate(keys))
        backends.save(home, Backend(name="groq", root="https://x.example/v1", protocols=("chat",), accounts=accounts))

    return add


def test_keys_in_variables(site, add):
    """Each account is named with both ways out, and nothing is written; --print shows it as a note."""
    add("sk-literal", "env:GROQ_KEY", "env:OTHER_KEY")
    done = site("install", "--yes", GROQ_KEY="sk-secret")
    assert done.code == 1
    assert "account groq/a1 takes its key from $GROQ_KEY." in done.err
    assert "account groq/a2 takes its key from $OTHER_KEY." in done.err
    assert "fairlead accounts add groq a1 --key-stdin" in done.err
    assert "fairlead service install --env-file PATH" in done.err
    assert "sk-" not in done.err
    assert not (site.folder / ".config").exists()
    done = site("install", "--print")
    assert done.code == 0
    assert "account groq/a1 takes its key from $GROQ_KEY, which the service does not have." in done.err


def test_keys_of_the_manager(site, add):
    """A variable that every service of the user has (environment.d) is no trouble."""
    add("env:GROQ_KEY")
    site.fake.set(variables=["GROQ_KEY"])
    assert site("install", "--yes").code == 0


def test_a_file_of_keys(site, add):
    """It is named in the unit, and its values nowhere; it must hold every key, and be closed to others."""
    add("env:GROQ_KEY", "env:OTHER_KEY")
    keys = site.folder / "keys.env"
    keys.write_text("GROQ_KEY=sk-1\n")
    keys.chmod(0o600)
    done = site("install", "--yes", "--env-file", "keys.env")
    assert done.code == 1
    assert "~/keys.env has no OTHER_KEY." in done.err
    keys.write_text("GROQ_KEY=sk-1\nOTHER_KEY=sk-2\n")
    done = site("install", "--yes", "--env-file", "keys.env")
    assert (done.code, done.err) == (0, "")
    text = (site.folder / UNIT).read_text()
    assert f"EnvironmentFile={keys}\n" in text
    assert "sk-" not in text + done.out
    assert not json.loads(site("status", "--json").out)["notes"]
    keys.chmod(0o644)
    assert "chmod 600" in site("install", "--yes", "--env-file", "keys.env").err


def test_status_repeats_it(site, add):
    """An account that is added later, with its key in a variable."""
    site("install", "--yes")
    add("env:GROQ_KEY")
    assert "account groq/a0 takes its key from $GROQ_KEY, which the service may not have" in site("status").out


def test_settings_of_the_shell(site):
    """They are not passed on, which is said."""
    done = site("install", "--yes", FAIRLEAD_VERBOSE="1")
    assert done.code == 0
    assert "note: FAIRLEAD_VERBOSE of this shell is not passed on to the service" in done.err


def test_a_home_of_its_own(site):
    """It is named in the unit; the usual one is not. Other shells find the service's own home by that."""
    home = site.folder / "elsewhere"
    site.fake.set(home=str(home))
    assert site("install", "--yes", FAIRLEAD_HOME=str(home)).code == 0
    assert f"Environment=FAIRLEAD_HOME={home}\n" in (site.folder / UNIT).read_text()
    out = site("status").out
    assert "running" in out
    assert "note       it serves another home than this shell's: ~/elsewhere" in out
    assert site("restart").code == 0


def test_a_command_with_rights_of_its_own(site, add):
    """Hardening would take them away, so the unit has none, which is said."""
    (site.folder / "bin/op").write_text("")
    (site.folder / "bin/op").chmod(0o2755)
    add('cmd:["op", "read", "x"]')
    done = site("install", "--yes")
    assert "op needs rights of its own to give a key, so that the service is not hardened" in done.err
    assert "NoNewPrivileges" not in (site.folder / UNIT).read_text()


def test_a_broken_configuration(site):
    """Nothing is installed that could not start."""
    open_home({"FAIRLEAD_HOME": str(site.home)}).write("config.toml", b'port = "x"\n')
    done = site("install", "--yes")
    assert done.code == 1
    assert "port is" in done.err
    assert not (site.folder / ".config").exists()


@pytest.mark.parametrize(
    ("mode", "unit", "said"),
    [
        ("foreground", "", "a proxy of this home serves on :3456 already, in a terminal"),
        ("user unit", "mine.service", "a proxy of this home serves on :3456 already, for mine.service"),
    ],
)
def test_a_proxy_that_runs(site, monkeypatch, mode, unit, said):
    """One that is not to be ended from here has the port: nothing is written."""
    run = run_files.Run(pid=4, url="http://localhost:3456", port=3456, version="0", started=0, mode=mode, unit=unit)
    monkeypatch.setattr(run_files, "live", lambda home: [run])
    done = site("install", "--yes")
    assert done.code == 1
    assert said in done.err
    assert not (site.folder / ".config").exists()


def test_a_proxy_in_the_background(site, monkeypatch):
    """It is stopped first, which is said before."""
    run = run_files.Run(pid=4, url="http://localhost:3456", port=3456, version="0", started=0, mode="detached")
    live, stopped = run_files.live, []
    monkeypatch.setattr(run_files, "live", lambda home: live(home) if stopped else [run])
    monkeypatch.setattr(install.stop, "run", stopped.append)
    done = site("install", "--yes")
    assert done.code == 0
    assert "note: the proxy in the background on :3456 (pid 4) is stopped first." in done.err
    assert stopped == [["--port", "3456"]]


def test_one_that_does_not_serve(site, monkeypatch):
    """The manager says that it runs, and no proxy of this home serves: that is said after a while."""
    monkeypatch.setattr(control, "_START_SECONDS", 0.1)
    monkeypatch.setattr(control, "find_serving", lambda home: None)
    done = site("install", "--yes")
    assert done.code == 1
    assert "was started, but did not serve within 0.1 s" in done.err


@pytest.mark.parametrize("make", ["folder", "hard link", "read-only", "link"])
def test_what_stands_in_its_place(site, make):
    """A folder or a hard link in the unit's place is left alone; a link is followed, and its target is written."""
    path = site.folder / UNIT
    path.parent.mkdir(parents=True)
    other = site.folder / "other"
    if make == "folder":
        path.mkdir()
    elif make == "hard link":
        site("install", "--yes")
        other.hardlink_to(path)
        path.write_text(path.read_text().replace("# fairlead", "#  fairlead"))
    elif make == "read-only":
        path.parent.chmod(0o500)
    else:
        path.symlink_to(other)
    done = site("install", "--yes", "--force")
    path.parent.chmod(0o700)
    if make == "link":
        assert done.code == 0
        assert path.is_symlink()
        assert other.read_text().startswith("[Unit]")
    elif make != "read-only" or os.getuid():
        assert done.code == 1
        assert done.err.startswith("error: ")
