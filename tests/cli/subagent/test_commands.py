"""`fairlead subagent`: files come and go byte for byte, and what is not fairlead's own is left."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from router import __version__
from router.setup.agents import mark
from router.setup.agents.mark import MARKDOWN, sign

FILES = {
    "claude-code": ".claude/agents/fairlead.md",
    "codex": ".codex/agents/fairlead.toml",
    "opencode": ".config/opencode/agent/fairlead.md",
}
SKILLS = (".claude/skills/fairlead/SKILL.md", ".agents/skills/fairlead/SKILL.md")
FOREIGN = b"\xef\xbb\xbf---\r\nname: fairlead\r\n---\r\nmine\r\nno end"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")


def flags(tool):
    """The options that name a target."""
    return ("--skill",) if tool is None else ("--tool", tool)


def paths(fairlead, tool):
    """The files of a target."""
    return [Path(fairlead.folder, one) for one in (SKILLS if tool is None else (FILES[tool],))]


def tree(folder):
    """Every file and folder beside fairlead's home, with its bytes."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith((".fairlead", "home")):
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def states(fairlead):
    """Path -> state."""
    files = json.loads(fairlead("subagent", "status", "--json").out)["files"]
    return {(one["kind"], one["host"], one["scope"]): (one["state"], one["version"]) for one in files}


def ended(done, code=0):
    """The command, after it ended so."""
    assert done.code == code, done
    return done


@pytest.mark.parametrize("tool", [*FILES, None])
def test_files_come_and_go(fairlead, tool):
    """With the folders that were made for them; a second time changes nothing."""
    before = tree(fairlead.folder)
    ended(fairlead("subagent", "install", *flags(tool), "--yes"))
    assert all(path.read_text("utf-8").count("sha256:") == 1 for path in paths(fairlead, tool))
    again = ended(fairlead("subagent", "install", *flags(tool), "--yes"))
    assert "nothing to change" in again.out
    assert ended(fairlead("subagent", "remove", *flags(tool), "--yes")).out.rstrip().endswith("is removed.")
    assert tree(fairlead.folder) == before
    assert "is not installed" in ended(fairlead("subagent", "remove", *flags(tool), "--yes"), 1).err


@pytest.mark.parametrize("tool", [*FILES, None])
def test_a_foreign_file_is_left(fairlead, tool):
    """With --force it is replaced, a copy goes to the home, and `remove` brings it back."""
    for path in paths(fairlead, tool):
        path.parent.mkdir(parents=True)
        path.write_bytes(FOREIGN + os.fsencode(path.parts[-4]))
    before = tree(fairlead.folder)
    refused = ended(fairlead("subagent", "install", *flags(tool), "--yes"), 1)
    assert "was not written by fairlead" in refused.err
    assert "was not written by fairlead" in ended(fairlead("subagent", "remove", *flags(tool), "--yes"), 1).err
    assert tree(fairlead.folder) == before
    forced = ended(fairlead("subagent", "install", *flags(tool), "--force", "--yes"))
    assert "backups" in forced.err
    copies = sorted(path.read_bytes() for path in (Path(fairlead.home) / "backups").iterdir())
    assert copies == sorted(data for name, data in before.items() if data is not None)
    assert {state for state, _ in states(fairlead).values()} == {"current", "absent"}
    ended(fairlead("subagent", "remove", *flags(tool), "--yes"))
    assert tree(fairlead.folder) == before


def test_an_edited_file_is_left(fairlead):
    """`install` and `remove` refuse, the latter shows what was changed; --force goes on from the beginning."""
    before = tree(fairlead.folder)
    [path] = paths(fairlead, "claude-code")
    ended(fairlead("subagent", "install", "--yes"))
    path.write_text(path.read_text().replace('model: "inherit"', "model: haiku"))
    changed = tree(fairlead.folder)
    assert "was changed since" in ended(fairlead("subagent", "install", "--yes"), 1).err
    refused = ended(fairlead("subagent", "remove", "--yes"), 1)
    assert '- model: "inherit"' in refused.err
    assert "+ model: haiku" in refused.err
    assert tree(fairlead.folder) == changed
    assert states(fairlead)["subagent", "claude-code", "user"] == ("edited", None)
    ended(fairlead("subagent", "install", "--force", "--yes"))
    ended(fairlead("subagent", "remove", "--yes"))
    assert tree(fairlead.folder) == before


def test_a_file_without_its_mark_is_known_by_the_record(fairlead):
    """It is no foreign one."""
    [path] = paths(fairlead, "codex")
    ended(fairlead("subagent", "install", "--tool", "codex", "--yes"))
    path.write_text(path.read_text().rpartition("# fairlead agent file")[0])
    assert states(fairlead)["subagent", "codex", "user"] == ("edited", None)


@pytest.mark.parametrize(("version", "state"), [("0.0.1", "older"), ("99.0.0", "newer")])
def test_a_file_of_another_version(fairlead, monkeypatch, version, state):
    """It is said, and written anew without a question about its origin; `remove` leaves what was there before."""
    before = tree(fairlead.folder)
    [path] = paths(fairlead, "claude-code")
    with monkeypatch.context() as patch:
        patch.setattr(mark, "__version__", version)
        path.parent.mkdir(parents=True)
        path.write_text(sign("---\nname: fairlead\n---\n", MARKDOWN))
    assert states(fairlead)["subagent", "claude-code", "user"] == (state, version)
    assert f"{state}: of fairlead {version}" in fairlead("subagent", "status").out
    said = ended(fairlead("subagent", "install", "--yes")).err
    assert ("which is newer than this one" in said) is (state == "newer")
    assert states(fairlead)["subagent", "claude-code", "user"] == ("current", __version__)
    ended(fairlead("subagent", "remove", "--yes"))
    assert not path.exists()
    # There was no record of its folder.
    path.parent.rmdir()
    assert tree(fairlead.folder) == before


def test_a_file_without_a_record_is_removed(fairlead):
    """As on another machine to which the user's files were copied."""
    [path] = paths(fairlead, "claude-code")
    ended(fairlead("subagent", "install", "--yes"))
    for record in (Path(fairlead.home) / "setup").iterdir():
        record.unlink()
    ended(fairlead("subagent", "remove", "--yes"))
    assert not path.exists()


def test_a_project(fairlead):
    """At the top of its checkout; its file starts fairlead by name, and each project is undone for itself."""
    roots = [Path(fairlead.folder, name) for name in ("one", "two")]
    for root in roots:
        (root / ".git").mkdir(parents=True)
        (root / "src").mkdir()
    before = tree(fairlead.folder)
    own, home = fairlead.folder, fairlead.home
    for root in roots:
        fairlead.folder = root / "src"
        ended(fairlead("subagent", "install", "--project", "--yes"))
        text = (root / ".claude/agents/fairlead.md").read_text()
        assert '"command": "fairlead"' in text
        assert str(home) not in text
        assert states(fairlead)["subagent", "claude-code", "project"][0] == "current"
        assert states(fairlead)["subagent", "claude-code", "user"][0] == "absent"
    for root in roots:
        fairlead.folder = root
        ended(fairlead("subagent", "remove", "--project", "--yes"))
    fairlead.folder = own
    assert tree(own) == before


@POSIX
def test_links_and_modes_stay(fairlead):
    """The files of people who keep them elsewhere: the link's target is written."""
    [path] = paths(fairlead, "claude-code")
    target = Path(fairlead.folder, "dotfiles", "agent.md")
    target.parent.mkdir()
    target.write_bytes(FOREIGN)
    target.chmod(0o644)
    path.parent.mkdir()
    path.symlink_to(target)
    ended(fairlead("subagent", "install", "--force", "--yes"))
    assert path.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert b"mcp__fairlead__why" in target.read_bytes()
    ended(fairlead("subagent", "remove", "--yes"))
    assert (path.is_symlink(), target.read_bytes()) == (True, FOREIGN)


@POSIX
@pytest.mark.parametrize("link", [".claude", ".claude/agents", ".claude/agents/fairlead.md"])
def test_a_link_out_of_a_project(fairlead, link):
    """It may be of somebody else, and is not followed, also where nothing is at its end; one inside is."""
    project, own = Path(fairlead.folder, "project"), fairlead.folder
    (project / ".git").mkdir(parents=True)
    (project / link).parent.mkdir(parents=True, exist_ok=True)
    (project / link).symlink_to(own / "outside")
    fairlead.folder = project
    assert "leads out of the project" in ended(fairlead("subagent", "install", "--project", "--force", "--yes"), 1).err
    assert not (own / "outside").exists()
    (project / link).unlink()
    (project / link).symlink_to(project / "inside")
    ended(fairlead("subagent", "install", "--project", "--yes"))
    assert (project / "inside").exists()
    fairlead.folder = own


@POSIX
def test_a_folder_that_cannot_be_written(fairlead):
    """Nothing is written, and the text is shown for the hand."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = Path(fairlead.folder, ".claude")
    folder.chmod(0o500)
    done = ended(fairlead("subagent", "install", "--yes"), 1)
    folder.chmod(0o700)
    assert "read-only" in done.err
    assert "mcp__fairlead__why" in done.err


@pytest.mark.parametrize("tool", [*FILES, None])
def test_print_gives_the_text_alone(fairlead, tool):
    """It can be piped into a file; nothing is written."""
    before = tree(fairlead.folder)
    text = ended(fairlead("subagent", "install", *flags(tool), "--print")).out
    assert tree(fairlead.folder) == before
    ended(fairlead("subagent", "install", *flags(tool), "--yes"))
    assert {path.read_text("utf-8") for path in paths(fairlead, tool)} == {text}
    assert f"fairlead {__version__}, sha256:" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("install", "--skill", "--tool", "codex", "--yes"), 2),
        (("install", "--tool", "cursor", "--yes"), 2),
        (("install",), 2),
        (("install", "--json"), 2),
        (("remove",), 1),
        (("status", "--tool", "codex"), 2),
        (("instal",), 2),
        ((), 2),
    ],
)
def test_what_is_refused(fairlead, arguments, code):
    """Unknown hosts, contradictions, a question without a terminal; nothing is written."""
    before = tree(fairlead.folder)
    assert fairlead("subagent", *arguments).code == code
    assert tree(fairlead.folder) == before


def test_a_host_that_is_not_here(fairlead):
    """Nothing is written for it, unless it is for a project, which others share."""
    Path(fairlead.folder, ".claude").rmdir()
    done = ended(fairlead("subagent", "install", "--yes", PATH=""), 1)
    assert "Claude Code was not found" in done.err
    assert "fairlead subagent install --print" in done.err
    done = ended(fairlead("subagent", "install", "--project", "--yes", PATH=""))
    assert "not on PATH" in done.err


def test_codex_is_told_of_the_server(fairlead):
    """Its sub-agents have the servers of their session; once it is registered nothing is said."""
    install = ("subagent", "install", "--tool", "codex", "--yes")
    assert "For fairlead's tools:   fairlead setup codex --mcp" in ended(fairlead(*install)).err
    ended(fairlead("subagent", "remove", "--tool", "codex", "--yes"))
    ended(fairlead("setup", "codex", "--mcp", "--yes"))
    assert "setup codex --mcp" not in ended(fairlead(*install)).err


def test_a_file_that_cannot_be_read(fairlead):
    """It is a state of its own, and the other rows are there."""
    [path] = paths(fairlead, "codex")
    path.parent.mkdir()
    path.write_bytes(b"\xff")
    done = ended(fairlead("subagent", "status"))
    assert "cannot be read" in done.out
    assert "not UTF-8" in done.err
    ended(fairlead("subagent", "install", "--tool", "codex", "--yes"), 1)
    ended(fairlead("subagent", "remove", "--tool", "codex", "--yes"), 1)
    assert path.read_bytes() == b"\xff"


def test_the_result_for_programs(fairlead):
    """As JSON, before and after."""
    planned = json.loads(fairlead("subagent", "install", "--print", "--json").out)
    assert planned["written"] is False
    written = json.loads(fairlead("subagent", "install", "--yes", "--json").out)
    assert (written["written"], written["files"]) == (True, planned["files"])
    removed = json.loads(fairlead("subagent", "remove", "--yes", "--json").out)
    assert removed["written"] is True
    assert [one["path"] for one in removed["files"]] == [str(path) for path in paths(fairlead, "claude-code")]
