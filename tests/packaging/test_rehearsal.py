"""The rehearsal of a release: its host, its versions, its report, and all of it where that is asked for."""

import contextlib
import http.client
import importlib
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "packaging" / "rehearse.py"


@pytest.fixture
def load(monkeypatch):
    """Imports a file of packaging/rehearsal, as packaging/rehearse.py does."""
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    return lambda name: importlib.import_module(f"rehearsal.{name}")


@pytest.fixture
def host(load, tmp_path):
    """A release host with version 0.2.0, whose file `a` holds `bytes of a`, and a function that gets a URL of it."""
    authority, certificate = load("stage").make_certificate(tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    (files / "a").write_bytes(b"bytes of a")
    context = ssl.create_default_context(cafile=str(authority))
    with contextlib.closing(load("host").ReleaseHost(certificate, {"0.2.0": files}, "0.2.0")) as made:

        def get(path):
            with urllib.request.urlopen(f"{made.url}/{path}", context=context, timeout=20) as answer:
                return answer.read()

        yield made, get


def rehearse(*options):
    """Run packaging/rehearse.py to its end."""
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_host_redirects(host):
    """The newest release leads to its version's files, and those to where the bytes are, as on the real host."""
    made, get = host
    assert get("latest/download/a") == b"bytes of a"
    below = "/fairlead/fairlead/releases"
    assert made.asked == [f"{below}/latest/download/a", f"{below}/download/v0.2.0/a", "/stored/v0.2.0/a?expires=1"]


@pytest.mark.parametrize("path", ["download/v0.3.0/a", "download/v0.2.0/b", "latest/download/b", "latest/a"])
def test_host_missing(host, path):
    """What was not released is a 404."""
    _, get = host
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(path).close()


def test_host_faults(host):
    """A file is changed, cut off, sent elsewhere or missing, as the play says."""
    made, get = host
    made.faults.changed["a"] = lambda data: data.replace(b"bytes", b"other")
    assert get("download/v0.2.0/a") == b"other of a"
    made.faults.cut["a"] = 4
    with pytest.raises(http.client.IncompleteRead):
        get("download/v0.2.0/a")
    made.faults.elsewhere["a"] = "https://localhost:1/a"
    with pytest.raises(urllib.error.URLError, match="refused"):
        get("download/v0.2.0/a")
    made.faults.missing.add("a")
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get("download/v0.2.0/a")
    caught.value.close()


def test_changed_sources(load, tmp_path):
    """A version's sources differ in their number, keys, notes and, in the newer one, one more step of the schema."""
    versions = load("versions")
    old, new = tmp_path / "old", tmp_path / "new"
    versions.copy_sources(old, "0.91.0", ["KEY1", "KEY2"], newer=False)
    versions.copy_sources(new, "0.92.0", ["KEY1", "KEY2"], newer=True)
    code = (
        "from router import __version__ as v; from router.installation.upgrade.release_keys import PUBLIC_KEYS as k; "
    )
    code += "from router.store.database.migrations import MIGRATIONS as m; print(v, *k, len(m))"
    said = [subprocess.check_output([sys.executable, "-c", code], cwd=tree, text=True).split() for tree in (old, new)]
    assert said[0][:-1] == ["0.91.0", "KEY1", "KEY2"]
    assert said[1][:-1] == ["0.92.0", "KEY1", "KEY2"]
    assert int(said[1][-1]) == int(said[0][-1]) + 1
    assert "## 0.92.0" in (new / "packaging" / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("at_once", [1, 3])
def test_outcomes(load, at_once):
    """A play that fails is FAIL with what was seen, one that cannot be played is named with what it needs, and neither
    counts as ok."""
    plays = load("plays")

    def play_well(stage):
        """all is well"""

    def play_badly(stage):
        """this does not hold"""
        plays.expect(False, "seen: nothing")

    def play_nowhere(stage):
        """needs what nobody has"""
        raise plays.NotHere("a moon")

    def play_broken(stage):
        """has a defect"""
        raise KeyError("x")

    everything = (play_well, play_badly, play_nowhere, play_broken)
    outcomes = list(plays.perform(everything, lambda: contextlib.nullcontext(None), at_once=at_once))
    assert [outcome.word for outcome in outcomes] == ["ok", "FAIL", "not here", "FAIL"]
    assert "seen: nothing" in outcomes[1].format()
    assert "needs a moon" in outcomes[2].format()
    assert "KeyError" in outcomes[3].format()


def test_list():
    """--list names every play once, each with its sentence."""
    done = rehearse("--list")
    assert done.returncode == 0, done.stderr
    lines = [re.fullmatch(r"(\S+) +(\S.*)", line) for line in done.stdout.splitlines()]
    assert all(lines)
    names = [line[1] for line in lines]
    assert len(names) == len(set(names)) > 25


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", "nothing-such"), "no play is named"),
        (("--short",), "--program"),
        (("--program", "."), "is not a built folder"),
    ],
)
def test_misuse(options, said):
    """What cannot be rehearsed is a mistake with exit code 2, and nothing is played."""
    done = rehearse(*options)
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


@pytest.mark.slow
def test_whole():
    """The whole rehearsal holds; what this machine lacks is named."""
    done = rehearse()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ok ", done.stdout, re.MULTILINE)
