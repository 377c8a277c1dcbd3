"""The check of the home: who can read it, and where it lies."""

import os
import sys
import threading
from pathlib import Path

import pytest

from router.cli.doctor import situation
from router.cli.doctor.checks import home as checks
from router.cli.doctor.checks.home import _judge_place

from .conftest import needs_modes, run_shell


def test_a_private_home(fairlead, examine):
    """Its mode is told."""
    fairlead("config", "set", "port", "3999")
    row = examine("home").get("home")
    assert (row["status"], row["text"]) == ("ok", f"~/home{'' if sys.platform == 'win32' else ' (0700)'}")


@needs_modes
@pytest.mark.parametrize("name", ["config.toml", "backends/groq.json", "operator.token"])
def test_a_file_that_others_can_read(fairlead, examine, name):
    """It fails, and the command that is told closes it."""
    fairlead("backend", "add", "groq", "--base-url", "http://127.0.0.1:1", "--key-env", "NOT_SET")
    fairlead("config", "set", "port", "3999")
    path = fairlead.home / name
    path.touch()
    path.chmod(0o644)
    report = examine("home")
    row = report.get("home")
    assert (report.code, row["status"]) == (1, "fail")
    assert row["text"] == f"others can read ~/home/{name} (mode 0644)"
    run_shell(row["fix"].partition(": ")[2], fairlead.folder)
    assert examine("home").get("home")["status"] == "ok"


@needs_modes
def test_a_path_with_spaces(fairlead, examine):
    """What is told can be pasted all the same."""
    home = fairlead.folder / "my own home"
    home.mkdir(mode=0o700)
    (home / "config.toml").touch()
    (home / "config.toml").chmod(0o644)
    fix = examine("home", FAIRLEAD_HOME=str(home)).get("home")["fix"]
    assert "find ~/'my own home' -type f" in fix
    run_shell(fix.partition(": ")[2], fairlead.folder)
    assert examine("home", FAIRLEAD_HOME=str(home)).get("home")["status"] == "ok"


@needs_modes
def test_several_files(fairlead, examine):
    """The first is named, the others are counted."""
    fairlead.home.mkdir(mode=0o700)
    for name in ("a", "b", "c"):
        (fairlead.home / name).touch(mode=0o640)
        (fairlead.home / name).chmod(0o640)
    assert examine("home").get("home")["text"] == "others can read ~/home/a (mode 0640) and 2 more files"


@needs_modes
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_home_that_others_can_write(fairlead, examine, mode):
    """It is refused as everywhere, and nothing in it is read."""
    fairlead("config", "set", "port", "3999")
    (fairlead.home / "config.toml").write_text("nonsense\n")
    fairlead.home.chmod(mode)
    report = examine("home", "config")
    assert report.code == 1
    row = report.get("home")
    assert (row["status"], row["fix"].partition(":")[0]) == ("fail", "Close it")
    assert report.get("config")["status"] == "ok"
    run_shell(row["fix"].partition(": ")[2].strip(), fairlead.folder)
    assert examine("home").get("home")["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_another_user(fairlead, examine):
    """It is refused."""
    fairlead.home.mkdir(mode=0o700)
    os.chown(fairlead.home, 1, 1)
    row = examine("home").get("home")
    assert row["status"] == "fail"
    assert "belongs to" in row["text"]


def test_a_file_in_its_place(fairlead, examine):
    """It is told, with what moves it away."""
    fairlead.home.write_text("")
    row = examine("home").get("home")
    assert (row["status"], row["text"]) == ("fail", "~/home is not a folder.")


@pytest.mark.parametrize("path", ["relative", ""])
def test_a_name_that_names_none(fairlead, examine, path):
    """A relative one fails; none at all is the usual one."""
    row = examine("home", FAIRLEAD_HOME=path).get("home")
    assert row["status"] == ("fail" if path else "info")


@pytest.mark.parametrize("folder", ["Dropbox", "OneDrive - Example", "Library/Mobile Documents/x", "Nextcloud"])
def test_a_folder_that_is_copied(fairlead, examine, folder):
    """Its keys would be on other machines too."""
    home = fairlead.folder / folder / ".fairlead"
    home.mkdir(mode=0o700, parents=True)
    row = examine("home", FAIRLEAD_HOME=str(home)).get("home")
    assert row["status"] == "warn"
    assert row["text"].endswith("is in a folder that is copied to other machines")
    assert row["fix"] == "Use a local folder: export FAIRLEAD_HOME=/absolute/path"


@pytest.mark.parametrize(
    ("path", "release", "system", "warns"),
    [
        ("/mnt/c/Users/x/.fairlead", "5.15.153.1-microsoft-standard-WSL2", "linux", True),
        ("/home/x/.fairlead", "5.15.153.1-microsoft-standard-WSL2", "linux", False),
        ("/mnt/c/Users/x/.fairlead", "6.1.0-18-amd64", "linux", False),
        ("/mnt/c/Users/x/.fairlead", "23.1.0", "darwin", False),
    ],
)
def test_a_drive_of_windows(path, release, system, warns):
    """Permissions there are none."""
    rows = _judge_place(Path(path), release, system)
    assert ["Windows drive" in row.text for row in rows] == [True] * warns


def test_a_network_file_system(fairlead, examine, monkeypatch):
    """Its kind is told."""
    fairlead.home.mkdir(mode=0o700)
    monkeypatch.setattr(checks, "network_type", lambda path: "nfs4")
    row = examine("home").get("home")
    assert (row["status"], row["text"]) == ("warn", "~/home is on a network file system (nfs4): its keys travel")


def test_a_file_system_that_does_not_answer(examine, monkeypatch):
    """It is told, and the rest goes on."""
    done = threading.Event()
    monkeypatch.setattr(situation, "_HOME_SECONDS", 0.1)
    monkeypatch.setattr(situation, "_find_home", lambda environ: done.wait(60) and (None, None, None))
    try:
        report = examine("home", "config", "proxy")
    finally:
        done.set()
    row = report.get("home")
    assert (report.code, row["status"]) == (1, "fail")
    assert row["text"] == "the home could not be read within 0.1 s; does its file system answer?"
    assert report.get("config")["status"] == "ok"
