"""Which path a service starts: one that an upgrade keeps."""

import sys
from pathlib import Path

import pytest

from router import __version__
from router.errors import CommandError
from router.installation.detect import OWN, Copy, Installation
from router.service.program import choose_program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links")


@pytest.fixture
def make(tmp_path):
    """Makes a program at a path, and links to it."""

    def make(name, *links):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        for link in links:
            place = tmp_path / link
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path)
        return path

    return make


def choose(program, called, *, prefix=None, path=(), kind="receipt", form="folder", words=None):
    copy = Copy(program.resolve(), Path("/package/router"), form, {}, "linux")
    # Both of these upgrade themselves.
    installation = Installation(kind, OWN if kind in ("receipt", "folder") else "brew upgrade", prefix=prefix)
    environ = {"PATH": ":".join(map(str, path))}
    return choose_program(words or (str(called),), copy, installation, environ)


def test_the_link_that_an_upgrade_points_elsewhere(make, tmp_path):
    """Called by its version's folder or by a link past `current`, it is started by `current` all the same."""
    program = make(f"p/versions/{__version__}/fairlead", "bin/fairlead")
    (tmp_path / "p/current").symlink_to(f"versions/{__version__}")
    wanted = (str(tmp_path / "p/current/fairlead"),)
    assert choose(program, program, prefix=tmp_path / "p").words == wanted
    assert choose(program, tmp_path / "bin/fairlead", prefix=tmp_path / "p").words == wanted


def test_homebrew(make, tmp_path):
    """Its link in bin, though it was called in the Cellar."""
    program = make(f"brew/Cellar/fairlead/{__version__}/bin/fairlead", "brew/bin/fairlead")
    assert choose(program, program, kind="brew").words == (str(tmp_path / "brew/bin/fairlead"),)


def test_who_restarts_it(make):
    """Where another program upgrades it, it is said that the service has to be started anew, and only there."""
    program = make("usr/lib/fairlead/fairlead")
    notes = {kind: " ".join(choose(program, program, kind=kind).notes) for kind in ("deb", "receipt", "source")}
    assert [kind for kind, said in notes.items() if "fairlead service restart" in said] == ["deb"]


def test_scoop(make, tmp_path):
    """The link `current` that Scoop points elsewhere."""
    program = make(f"apps/fairlead/{__version__}/fairlead")
    (tmp_path / "apps/fairlead/current").symlink_to(__version__)
    assert choose(program, program, kind="scoop").words == (str(tmp_path / "apps/fairlead/current/fairlead"),)


def test_what_path_has(make, tmp_path):
    """A link on PATH to the same program is found; another program of that name is not taken."""
    program = make(f"fairlead-{__version__}/fairlead", "bin/fairlead")
    make("other/fairlead")
    found = choose(program, program, kind="folder", path=[tmp_path / "other", tmp_path / "bin"])
    assert found.words == (str(tmp_path / "bin/fairlead"),)


@pytest.mark.parametrize("folder", [f"fairlead-{__version__}", f"v{__version__}", "Cellar/fairlead/x/bin"])
def test_only_a_version_has_it(make, tmp_path, folder):
    """Then it is refused, and what to do is said."""
    program = make(f"{folder}/fairlead")
    with pytest.raises(CommandError, match="folder of one version") as raised:
        choose(program, program, kind="folder", path=[program.parent])
    assert "link" in raised.value.hint


def test_another_version_in_a_name_is_none(make):
    """Python's or the user's own numbers do not matter."""
    program = make(f"1{__version__}/{__version__}9/fairlead")
    assert choose(program, program, kind="folder").words == (str(program),)


def test_a_script_of_an_environment(make, tmp_path):
    """pip's script names its interpreter; that the environment must stay is said, but of uv's and pipx's own."""
    script, python = make("venv/bin/fairlead"), make("venv/bin/python")
    (tmp_path / "venv/pyvenv.cfg").touch()
    words = (str(python), str(script))
    found = choose(python, script, form="", words=words, kind="pip")
    assert found.words == (str(script),)
    assert "Python environment" in found.notes[0]
    assert not [line for line in choose(python, script, form="", words=words, kind="uv tool").notes if "Python" in line]


def test_a_module_of_the_sources(make):
    """Started as `python -m router`, it is started so."""
    python = make("usr/bin/python")
    found = choose(python, python, form="", words=(str(python), "-m", "router"), kind="source")
    assert found.words == (str(python), "-m", "router")
    assert "sources" in found.notes[0]
