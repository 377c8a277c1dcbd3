"""The checks of the program: copies on PATH, where it unpacks itself, the clock, descriptors, scripts of shells."""

import json
import os
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from router import __version__
from router.cli.doctor.checks.program import judge_descriptors, judge_unpacking
from router.installation.detect import Copy

from ...local_servers import model_server


def test_the_build_is_named(examine):
    """Version, form, system and libraries, as a report needs them."""
    row = examine("build").get("build")
    assert row["status"] == "ok"
    assert row["text"].startswith(f"fairlead {__version__}, ")
    for part in (sys.platform[:3], f"Python {sys.version.split()[0]}", "SSL "):
        assert part in row["text"]


def test_one_copy_is_enough(examine, put_program):
    """Of this version; a link to it is no other copy."""
    path = put_program("fairlead", f"fairlead {__version__}")
    (path.parent / "link").mkdir()
    (path.parent / "link" / "fairlead").symlink_to(path)
    assert examine("build.twice", PATH=f"{path.parent}:{path.parent / 'link'}").rows == []
    assert examine("build.twice", PATH="").rows == []


def test_copies_of_other_versions(fairlead, examine, put_program):
    """They are listed in the order in which a shell finds them."""
    first, second = put_program("fairlead", f"fairlead {__version__}"), put_program("fairlead", "fairlead 0.0.9", "old")
    row = examine("build.twice", PATH=f"{first.parent}:{second.parent}").get("build.twice")
    assert row["status"] == "warn"
    assert row["text"] == f"PATH has several fairlead: ~/bin/fairlead ({__version__}), ~/old/fairlead (0.0.9)"
    assert row["fix"].endswith("command -v fairlead")


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "sleep 60"])
def test_a_copy_that_says_nothing(examine, put_program, monkeypatch, script):
    """It is another copy all the same."""
    monkeypatch.setattr("router.cli.doctor.checks.program._VERSION_SECONDS", 0.5)
    first, second = put_program("fairlead", "fairlead 0.0.8"), put_program("fairlead", "", "old")
    second.write_text(f"#!/bin/sh\nPATH={os.defpath}\n{script}\n")
    row = examine("build.twice", PATH=f"{first.parent}:{second.parent}").get("build.twice")
    assert "~/old/fairlead (version not known)" in row["text"]


def test_one_file_must_unpack_itself(tmp_path):
    """Where nothing may be started, it cannot start again; other forms do not unpack."""
    one = Copy(Path("/x/fairlead"), Path("/x"), "file", {}, "linux")
    assert judge_unpacking(one, tmp_path) == []
    (row,) = judge_unpacking(one, tmp_path / "none")
    assert (row.status, row.fix) == ("fail", "Use another folder: export TMPDIR=/absolute/path")
    assert judge_unpacking(one._replace(form="folder"), tmp_path / "none") == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no statvfs")
@pytest.mark.parametrize(
    ("free", "flags", "status", "text"),
    [
        (1 << 40, 0, None, ""),
        (1 << 40, getattr(os, "ST_NOEXEC", 0), "fail", "is mounted noexec: the program cannot start from there"),
        (50 << 20, 0, "warn", "has 50 MB left, and the program unpacks itself there"),
    ],
)
def test_the_file_system_of_that_folder(tmp_path, monkeypatch, free, flags, status, text):
    """It must start programs, and have room for one."""
    size = 4096
    system = os.statvfs_result((size, size, free // size, free // size, free // size, 9, 9, 9, flags, 255, 0))
    monkeypatch.setattr(os, "statvfs", lambda folder: system)
    rows = judge_unpacking(Copy(Path("/x/fairlead"), Path("/x"), "file", {}, "linux"), tmp_path)
    assert [(row.status, row.text) for row in rows] == ([(status, f"{tmp_path} {text}")] if status else [])


@pytest.mark.parametrize(
    ("seconds", "status", "text"),
    [
        (0, "ok", "agrees with the backends'"),
        (-30, "ok", "agrees with the backends'"),
        (120, "warn", "this clock is 2 min behind the backends'"),
        (-130, "warn", "this clock is 2 min ahead of the backends'"),
        (7200, "fail", "this clock is 2 h behind the backends'"),
    ],
)
def test_the_clock(fairlead, examine, seconds, status, text):
    """It is held against the answers of backends."""
    date = formatdate(time.time() + seconds, usegmt=True)
    with model_server("", answers={"/v1/models": (401, f"Date: {date}\r\n", b"{}")}) as (port, _):
        add = ("backend", "add", "box", "--base-url", f"http://127.0.0.1:{port}/v1", "--protocols", "chat")
        assert fairlead(*add, "--key-env", "NOT_SET").code == 0
        row = examine("clock").get("clock")
        assert examine("clock", "--offline").rows == []
    assert (row["status"], row["text"]) == (status, text)
    assert bool(row["fix"]) == (status != "ok")


@pytest.mark.parametrize("date", ["", "Date: soon\r\n", "Date: Mon, 99 Jan 2026 00:00:00 GMT\r\n"])
def test_backends_without_a_clock(fairlead, examine, date):
    """They tell nothing, as those that do not answer."""
    with model_server("", answers={"/v1/models": (200, date, b'{"data":[]}')}) as (port, _):
        add = ("backend", "add", "box", "--base-url", f"http://127.0.0.1:{port}/v1", "--protocols", "chat")
        assert fairlead(*add, "--no-key").code == 0
        assert examine("clock").rows == []
    assert examine("clock").rows == []


@pytest.mark.parametrize(("most", "warns"), [(None, False), (4096, False), (1024, False), (1023, True), (256, True)])
def test_descriptors(most, warns):
    """A proxy takes as many as it may, so that the hard limit counts."""
    rows = judge_descriptors(most)
    assert [row.status for row in rows] == ["warn"] * warns


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ulimit")
def test_the_limit_of_a_shell(tmp_path):
    """As `ulimit` has set it."""
    line = f'ulimit -n 200 && exec "{sys.executable}" -m router doctor fds --json'
    environ = {"PATH": os.defpath, "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", line], env=environ, cwd=tmp_path, capture_output=True, check=True)
    (row,) = json.loads(done.stdout)["rows"]
    assert row["text"] == "a process may open 200 files here; each stream needs two"


def test_scripts_of_another_version(fairlead, examine):
    """What `completions --install` wrote is held against what it would write now; other files are not looked at."""
    assert fairlead("completions", "fish", "--install").code == 0
    assert examine("completions").rows == []
    path = fairlead.folder / ".config" / "fish" / "completions" / "fairlead.fish"
    path.write_text(path.read_text() + "# more\n")
    row = examine("completions").get("completions")
    assert row["status"] == "info"
    assert "`fairlead completions fish --install` writes it anew" in row["text"]
    path.write_text("# by hand\n")
    assert examine("completions").rows == []
