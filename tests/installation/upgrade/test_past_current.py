"""A program on PATH that leads past `current` is found, and named after an upgrade with what mends it."""

import subprocess
import sys

import pytest

from router.installation.upgrade.past_current import find_bypasses

from .conftest import NEW, OLD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts, and links need rights")


@pytest.fixture
def path(installed):
    """Makes folders of PATH with a link `fairlead` in each, and returns their names joined."""

    def make(**links):
        folders = []
        for name, target in links.items():
            folder = installed.folder / name
            folder.mkdir()
            (folder / "fairlead").symlink_to(target)
            folders.append(str(folder))
        return ":".join(folders)

    return make


def test_links(installed, path):
    """A link to a version's folder is one, also over other links; those that come by `current`, and programs of others,
    are none."""
    version, current = installed.prefix / "versions" / OLD, installed.prefix / "current"
    (installed.folder / "there").symlink_to(version)
    other = installed.folder / "other"
    installed.write_program(other, b"#!/bin/sh\n")
    text = path(
        past=version / "fairlead",
        far=installed.folder / "past/fairlead",
        folder=installed.folder / "there/fairlead",
        by=current / "fairlead",
        relative="../data/fairlead/current/fairlead",
        alien=other,
        nothing=installed.folder / "gone",
        circle=installed.folder / "circle/fairlead",
    )
    found = find_bypasses(installed.prefix, {"PATH": f":relative/folder:{text}:{text}:{version}:{current}"})
    names = [(one.place.parent.name, one.version, one.link) for one in found]
    assert names == [("past", OLD, True), ("far", OLD, True), ("folder", OLD, True), (OLD, OLD, False)]


def test_a_prefix_behind_a_link(installed, path):
    """The folder of the installation may be reached by a link itself."""
    way = installed.folder / "way"
    way.symlink_to(installed.prefix)
    text = path(past=way / "versions" / OLD / "fairlead", by=way / "current/fairlead")
    assert [one.place.parent.name for one in find_bypasses(way, {"PATH": text})] == ["past"]


def test_it_is_named_after_an_upgrade(installed, server, path, monkeypatch):
    """With the command that links it anew; after that nothing is said."""
    monkeypatch.setenv("PATH", path(mine=installed.prefix / "versions" / OLD / "fairlead") + ":/usr/bin:/bin")
    server.publish()
    code, _, err = installed.run()
    assert code == 0
    place = installed.folder / "mine/fairlead"
    lines = err.splitlines()
    assert f"{place} starts {OLD} whatever is installed: it leads past {installed.prefix}/current." in lines[0]
    subprocess.run(["sh", "-c", lines[1].partition(":   ")[2]], check=True)
    assert subprocess.check_output([place, "--version"], text=True) == f"fairlead {NEW}\n"
    code, _, err = installed.run("--rollback", "--json")
    assert (code, err) == (0, "")
