"""`fairlead upgrade` on an installation with version folders: what it does when all is well, and how it goes back."""

import datetime
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from router import __version__
from router.cli import main
from router.installation.upgrade import release_keys
from router.store.home.home import open_home

from .conftest import NEW, NEXT, OLD, SCHEMA, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")


def test_the_newest_release_is_installed(installed, server):
    """Downloaded, verified, tried, switched to; the version before is kept."""
    path = server.publish()
    code, out, err = installed.run()
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith(f"{OLD} -> {NEW}   ")
    assert "signature ok   sha256 ok   starts ok" in out
    assert f"Done: {NEW} is installed." in out
    assert f"Back to {OLD}:   fairlead upgrade --rollback" in out
    assert installed.current == NEW
    assert installed.left == [OLD, NEW]
    inner = installed.prefix / "versions" / NEW / "_internal"
    assert (inner / "link").readlink().name == "library"
    assert (inner / "library").stat().st_mode & 0o777 == 0o644
    base = "/releases/latest/download/release.json"
    assert [asked for asked, _ in server.asked] == [base, f"{base}.minisig", path]
    for _, fields in server.asked:
        lower = {name.lower(): value for name, value in fields.items()}
        assert lower["user-agent"] == f"fairlead/{__version__}"
        assert not {"cookie", "authorization", "referer"} & {*lower}


def test_again_there_is_nothing_to_do(installed, server):
    """And nothing but the description is fetched."""
    server.publish()
    assert installed.run()[0] == 0
    del server.asked[:]
    assert f"{NEW} is installed already, the newest." in installed.run()[1]
    assert len(server.asked) == 2
    assert installed.left == [OLD, NEW]


def test_check_only_looks(installed, server):
    """Two requests, exit code 0 either way, and nothing is written."""
    server.publish()
    before = installed.left
    code, out, _ = installed.run("--check")
    assert (code, "Upgrade:   fairlead upgrade" in out) == (0, True)
    assert json.loads(installed.run("--check", "--json")[1]) == {
        "current": OLD,
        "latest": NEW,
        "newer": True,
        "command": "fairlead upgrade",
    }
    server.publish(OLD)
    code, out, _ = installed.run("--check")
    assert (code, "Nothing to upgrade" in out) == (0, True)
    assert json.loads(installed.run("--check", "--json")[1])["newer"] is False
    assert (installed.left, installed.current) == (before, OLD)
    assert all("/latest/download/release.json" in path for path, _ in server.asked)
    assert not (installed.prefix / "upgrade.lock").exists()


def test_a_newer_release_is_told_of_later(installed, server, capsys):
    """By `doctor`, which makes no request for it; not before somebody looked, nor once there is none."""

    def find_told():
        """What `doctor` says of it."""
        assert main(["doctor", "build", "--offline", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        return [row["text"].partition(", as was seen ")[0] for row in rows if row["status"] == "info"]

    server.publish()
    assert find_told() == []
    assert installed.run("--check", "--to", NEW)[0] == 0
    assert find_told() == []
    assert installed.run("--check")[0] == 0
    del server.asked[:]
    assert find_told() == [f"{NEW} of {datetime.datetime.now(datetime.UTC).date().isoformat()} is there"]
    assert server.asked == []
    (installed.home / "newest_release.json").write_bytes(b"{")
    assert find_told() == []
    server.publish(OLD)
    assert installed.run("--check")[0] == 0
    assert find_told() == []


def test_json_is_one_object(installed, server):
    """And nothing on stderr."""
    server.publish()
    code, out, err = installed.run("--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "current": OLD,
        "latest": NEW,
        "newer": True,
        "installed": NEW,
        "proxies": [],
        "command": "fairlead upgrade",
    }


def test_the_next_key_signs_as_well(installed, server):
    """So that either can be replaced."""
    server.publish(key=NEXT)
    assert installed.run()[0] == 0
    assert installed.current == NEW


def test_there_and_back(installed, server):
    """--rollback needs no network, and goes to the version that was replaced last, in both directions."""
    server.publish()
    assert installed.run()[0] == 0
    del server.asked[:]
    code, out, _ = installed.run("--rollback")
    assert (code, f"Done: {OLD} is installed." in out, installed.current) == (0, True, OLD)
    assert installed.run("--rollback")[0] == 0
    assert (installed.current, server.asked) == (NEW, [])


def test_only_the_version_before_is_kept(installed, server):
    """Older ones are deleted, and what killed upgrades left."""
    (installed.prefix / "versions" / ".part-999999999").mkdir()
    for version in ("0.2.0", NEW):
        server.publish(version)
        assert installed.run()[0] == 0
    assert installed.left == ["0.2.0", NEW]
    assert (installed.run("--rollback")[0], installed.current) == (0, "0.2.0")


def test_a_version_that_runs_is_kept(installed, server):
    """A program started from a folder still finds its files there."""
    program = installed.prefix / "versions" / OLD / "program"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([program, "60"])
    try:
        for version in ("0.2.0", NEW):
            server.publish(version)
            assert installed.run()[0] == 0
        assert installed.left == ([OLD, "0.2.0", NEW] if sys.platform == "linux" else ["0.2.0", NEW])
    finally:
        process.kill()
        process.wait()


def test_a_kept_version_that_was_changed_is_refused(installed, server):
    """Its files are those that were recorded, or it is not switched to."""
    server.publish()
    assert installed.run()[0] == 0
    (installed.prefix / "versions" / OLD / "_internal" / "library").write_bytes(b"changed")
    code, _, err = installed.run("--rollback")
    assert (code, "is not as it was kept" in err, installed.current) == (1, True, NEW)


def test_nothing_is_kept_at_first(installed):
    """Said with the way to another version."""
    code, _, err = installed.run("--rollback")
    assert (code, f"no version before {OLD} is kept" in err) == (1, True)


def write_history(installed, schema):
    """A history.db of a version."""
    path = open_home({"FAIRLEAD_HOME": str(installed.home)}).at("history.db")
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {schema}")
    db.close()
    path.chmod(0o600)


def test_back_across_a_history_is_refused(installed, server):
    """The older version could not read it; the way out is told."""
    server.publish(history_schema=SCHEMA + 1)
    assert installed.run()[0] == 0
    write_history(installed, SCHEMA + 1)
    for words in (["--rollback"], ["--to", OLD]):
        server.publish(OLD, history_schema=SCHEMA, latest=False)
        code, _, err = installed.run(*words)
        assert (code, "history export" in err, installed.current) == (1, True, NEW), words
        assert f"history.db is of version {SCHEMA + 1}" in " ".join(err.split()), err


def test_another_version_by_name(installed, server):
    """--to takes older ones too, also with a v in front, and after their description expired."""
    server.publish()
    assert installed.run()[0] == 0
    server.publish("0.2.0", latest=False, expires="2020-01-01")
    code, out, _ = installed.run("--to", "v0.2.0")
    assert (code, installed.current) == (0, "0.2.0"), out
    assert f"Back to {NEW}" in out


@pytest.mark.parametrize(
    "words", [["--to", "newest"], ["--to", "1.2"], ["--rollback", "--check"], ["--rollback", "--to", "1.2.3"]]
)
def test_misuse(installed, words):
    """Exit code 2, and nothing is asked."""
    assert installed.run(*words)[0] == 2


def test_without_keys_nothing_is_installed(installed, server, monkeypatch):
    """A build without public keys says so."""
    server.publish()
    monkeypatch.setattr(release_keys, "PUBLIC_KEYS", ())
    code, _, err = installed.run()
    assert (code, "no public key" in err, installed.current) == (1, True, OLD)


def test_a_package_managers_copy_is_left_to_it(installed, server):
    """Its command for what was asked is printed, with exit code 0, and nobody is asked."""
    program = installed.folder / "apps" / "fairlead" / "0.1.0" / "fairlead.exe"
    program.parent.mkdir(parents=True)
    (program.parent / "install.json").touch()
    installed.use(program, "folder")
    for words, action, command in (
        ([], "Upgrade it", "scoop update fairlead"),
        (["--to", NEW], f"Install {NEW}", f"scoop install fairlead@{NEW}"),
        (["--rollback"], "Go back, with the version that you had for VERSION", "scoop reset fairlead@VERSION"),
    ):
        code, out, _ = installed.run(*words)
        assert (code, out.splitlines()[-1]) == (0, f"{action}:   {command}")
        assert json.loads(installed.run(*words, "--json")[1])["command"] == command
    assert server.asked == []
    server.publish()
    assert json.loads(installed.run("--check", "--json")[1])["command"] == "scoop update fairlead"
    assert json.loads(installed.run("--check", "--to", NEW, "--json")[1])["command"] == f"scoop install fairlead@{NEW}"


class TestOneFile:
    """A program in one file is replaced itself, by rename."""

    @pytest.fixture
    def program(self, installed):
        path = installed.folder / "bin" / "fairlead"
        path.parent.mkdir()
        installed.write_program(path, script(OLD))
        path.chmod(0o750)
        installed.use(path, "file")
        return path

    def test_there_and_back(self, installed, server, program):
        """Its mode stays; the version before is kept elsewhere."""
        server.publish()
        inode = program.stat().st_ino
        assert installed.run()[0] == 0
        assert (program.read_bytes(), program.stat().st_mode & 0o777) == (script(NEW), 0o750)
        assert program.stat().st_ino != inode
        assert os.listdir(program.parent) == ["fairlead"]

    def test_back(self, installed, server, program, monkeypatch):
        """The running version is that of the program."""
        server.publish()
        assert installed.run()[0] == 0
        monkeypatch.setattr("router.installation.upgrade.steps.__version__", NEW)
        monkeypatch.setattr("router.__version__", NEW)
        assert installed.run("--rollback")[0] == 0
        assert program.read_bytes() == script(OLD)
