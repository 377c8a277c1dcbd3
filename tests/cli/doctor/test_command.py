"""`fairlead doctor`: which checks run, how they are printed, and the exit code."""

import json
import os
import subprocess
import sys

import pytest

from router import __version__
from router.cli.doctor.screen import LAST

from ..conftest import Command
from .conftest import look, run_all


def test_a_default_install_shows_no_warning(fairlead, examine, free_port):
    """Neither before there is a home, nor once a proxy serves; and twice the same."""
    for _ in range(2):
        report = examine(FAIRLEAD_PORT=free_port)
        assert (report.code, report.wrong()) == (0, [])
    assert not fairlead.home.exists()
    fairlead.start("proxy", "--port", "0")
    for _ in range(2):
        report = examine(FAIRLEAD_PORT=free_port)
        assert (report.code, report.wrong()) == (0, [])
        assert report.get("proxy.round")["status"] == "ok"


def test_only_a_failure_counts(fairlead, examine):
    """A warning is not worth an exit code."""
    fairlead.home.mkdir(mode=0o700)
    config = fairlead.home / "config.toml"
    config.write_text("prot = 3456\n")
    config.chmod(0o600)
    report = examine("config")
    assert (report.code, report.wrong()) == (0, [("config", "warn")])
    config.write_text("port = \n")
    assert examine("config").code == 1


def test_the_text_ends_with_the_sum(fairlead):
    """How many are wrong, and that the text can be pasted."""
    fairlead.home.mkdir(mode=0o700)
    done = fairlead("doctor", "home", "config")
    assert done.out.splitlines()[-3:] == ["", "No problems.", LAST]
    (fairlead.home / "config.toml").write_text("port = \n")
    (fairlead.home / "config.toml").chmod(0o644)
    done = fairlead("doctor", "home", "config")
    assert done.code == 1
    assert "2 problems" in done.out.splitlines()[-2]


def test_rows_are_for_programs(fairlead):
    """Each has its check, its verdict, what to do and how long it took; null is for nothing."""
    report = json.loads(fairlead("doctor", "home", "--json").out)
    assert {**report, "rows": []} == {
        "schema": 1,
        "version": __version__,
        "ok": True,
        "problems": 0,
        "warnings": 0,
        "rows": [],
    }
    (row,) = report["rows"]
    assert isinstance(row.pop("ms"), int)
    assert row.pop("text").endswith("is not there yet; the first command that keeps something makes it")
    assert row == {"id": "home", "status": "info", "fix": None, "subject": None}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("proxy",), {"proxy", "proxy.localhost", "proxy.reach"}),
        (("proxy.localhost",), {"proxy.localhost"}),
        (("home", "config"), {"home", "config"}),
        (("build",), {"build"}),
    ],
)
def test_checks_can_be_named(examine, free_port, names, found):
    """By their name or the part before a dot."""
    rows = examine(*names, FAIRLEAD_PORT=free_port).rows
    assert rows
    assert {row["id"] for row in rows} <= found


def test_names_of_one_home(fairlead, examine):
    """Backends are checks of their own, in the order in which they were added."""
    for name in ("groq", "openai"):
        assert fairlead("backend", "add", name, "--base-url", "http://127.0.0.1:1", "--key-env", "NOT_SET").code == 0
    assert {row["id"] for row in examine("backend.groq").rows} == {"backend.groq", "backend.groq.key"}
    assert {row["subject"] for row in examine("backend").rows} == {"groq", "openai"}


@pytest.mark.parametrize(
    ("name", "hint"), [("proxi", "Did you mean proxy?"), ("xyz", "Known: build, clock, fds, home, config, history,")]
)
def test_unknown_names_are_refused(fairlead, name, hint):
    """With a similar one, or all."""
    done = fairlead("doctor", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: there is no check {name} here.\n       {hint}")


def test_probe_needs_the_network(fairlead):
    """The two options contradict each other."""
    done = fairlead("doctor", "--probe", "--offline")
    assert (done.code, done.err) == (2, "error: --probe and --offline cannot be used together.\n")


def test_nothing_is_written(fairlead, examine):
    """A home, and one that is not there, are as they were before."""
    examine()
    assert not fairlead.home.exists()
    fairlead("backend", "add", "groq", "--base-url", "http://127.0.0.1:1", "--key-env", "NOT_SET")

    def read():
        return {path: path.stat().st_mtime_ns for path in fairlead.home.rglob("*")}

    before = read()
    examine()
    assert read() == before


def test_no_check_is_a_bug(fairlead, provider):
    """On a home with all there is, every check comes to an end of its own."""
    fairlead(
        "backend",
        "add",
        "box",
        "--base-url",
        f"{provider.url}/v1",
        "--protocols",
        "chat",
        "--key-stdin",
        stdin="sk-good",
    )
    fairlead.start("proxy", "--port", "0")
    rows = run_all(look(fairlead, probe=True))
    assert [row for row in rows if "a bug in" in row.text or "skipped" in row.text] == []
    assert len({row.id.partition(".")[0] for row in rows}) > 8


def test_with_no_folder_of_its_own(tmp_path):
    """A user without a folder, as in some containers, gets a report all the same."""
    command = Command(tmp_path)
    environ = {"PATH": os.defpath, "HOME": "relative"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "router", "doctor", "home", "config"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    command.close()
    assert (done.returncode, done.stderr) == (1, "")
    assert "fail   home     this user has no home folder." in done.stdout
