"""`fairlead setup`: what it shows, writes, refuses and takes back."""

import json
import os
import stat
import subprocess
import sys
import tomllib

import pytest

from ...e2e.wire import ask
from ..terminals import on_terminal

SETTINGS = '{\n  "env": {\n    "FOO": "1"\n  }\n}\n'


@pytest.fixture
def claude(fairlead):
    """Claude Code's settings, in a user's folder."""
    path = fairlead.folder / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text(SETTINGS)
    return path


def add_program(fairlead, name, script):
    """A program on PATH; returns that PATH."""
    folder = fairlead.folder / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return f"{folder}{os.pathsep}{fairlead.environ.get('PATH', '')}"


def test_set_up_and_undo(fairlead, claude, free_port):
    """The changes are shown, written, found by the list, and taken back to the byte; a copy of each state is kept."""
    fairlead.environ["FAIRLEAD_PORT"] = free_port
    code, out, err = fairlead("setup", "claude-code", "--yes")
    assert code == 0
    assert out.splitlines()[:3] == ["~/.claude/settings.json", '  -     "FOO": "1"', '  +     "FOO": "1",']
    assert f'  +     "ANTHROPIC_BASE_URL": "http://localhost:{free_port}",' in out
    assert "Undo:    fairlead setup claude-code --undo" in out
    assert "no proxy is running" in err
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"] == "fairlead"
    code, out, _ = fairlead("setup", "claude-code", "--yes")
    assert (code, out) == (0, "Claude Code uses fairlead already; nothing to change.\n")
    code, out, _ = fairlead("setup", "claude-code", "--undo", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "Claude Code is as it was before.")
    assert claude.read_text() == SETTINGS
    copies = sorted((fairlead.home / "backups").iterdir())
    assert copies[0].read_text() == SETTINGS
    assert {stat.S_IMODE(one.stat().st_mode) for one in copies} == {0o600}
    code, _, err = fairlead("setup", "claude-code", "--undo", "--yes")
    assert (code, "has written nothing for Claude Code" in err) == (1, True)


def test_asks_on_a_terminal(fairlead, claude):
    """A no leaves everything as it is."""
    code, said = on_terminal(fairlead, ["setup", "claude-code"], ["n"])
    assert (code, "Write this? [y/N]" in said, "Nothing was written." in said) == (0, True, True)
    assert claude.read_text() == SETTINGS
    assert not (fairlead.home / "setup").exists()
    code, said = on_terminal(fairlead, ["setup", "claude-code"], ["y"])
    assert (code, claude.read_text() != SETTINGS) == (0, True)


def test_needs_yes_without_a_terminal(fairlead, claude):
    """Shown, not written, and told how."""
    code, out, err = fairlead("setup", "claude-code")
    assert (code, "--yes" in err, "ANTHROPIC_BASE_URL" in out) == (2, True, True)
    assert claude.read_text() == SETTINGS


def test_only_shown(fairlead, claude):
    """--print writes nothing, also for a tool that is not here, and makes no key."""
    for tool in ("claude-code", "codex"):
        code, out, _ = fairlead("setup", tool, "--print", FAIRLEAD_REQUIRE_KEY="on")
        assert code == 0
        assert "http://localhost:3456" in out
        assert "flk_" not in out
    assert claude.read_text() == SETTINGS
    assert not (fairlead.folder / ".codex").exists()
    assert not (fairlead.home / "keys").exists()


def test_json(fairlead, claude):
    """What would be written, what was, and that nothing was left to do."""
    found = json.loads(fairlead("setup", "claude-code", "--json", "--print").out)
    assert (found["tool"], found["written"], len(found["files"])) == ("claude-code", False, 1)
    found = json.loads(fairlead("setup", "claude-code", "--json", "--yes").out)
    assert (found["written"], found["files"][0]["path"]) == (True, str(claude))
    assert json.loads(fairlead("setup", "claude-code", "--json", "--yes").out)["files"] == []
    rows = {row["tool"]: row for row in json.loads(fairlead("setup", "--json").out)["tools"]}
    assert (rows["claude-code"]["state"], rows["claude-code"]["by_setup"]) == ("here", True)
    assert rows["cursor"]["state"] == "no file"


def test_list(fairlead, claude):
    """Version, and where each points: here, elsewhere, changed since, an unreadable file."""
    path = add_program(fairlead, "claude", "print('2.1.332 (Claude Code)')")
    (fairlead.folder / ".codex").mkdir()
    (fairlead.folder / ".codex" / "config.toml").write_text('openai_base_url = "http://other:1/v1"\n')
    (fairlead.folder / ".pi" / "agent").mkdir(parents=True)
    (fairlead.folder / ".pi" / "agent" / "models.json").write_text("{")
    fairlead("setup", "claude-code", "--yes", PATH=path)
    _, out, err = fairlead("setup", PATH=path)
    rows = {line.split()[0]: line.split(None, 2) for line in out.splitlines()}
    assert rows["claude-code"] == ["claude-code", "2.1.332", "here"]
    assert rows["codex"][2] == "elsewhere: http://other:1/v1"
    assert rows["pi"][2] == "its file cannot be read"
    assert "models.json" in err
    claude.write_text(claude.read_text().replace("localhost:3456", "elsewhere"))
    _, out, _ = fairlead("setup", PATH=path)
    assert "changed since fairlead wrote it" in out


def test_what_the_list_says_next(fairlead, claude):
    """The tool that is here and does not point here; once all do, the check; without a tool, what would be written."""
    alone = add_program(fairlead, "claude", "print('2.1.332')").partition(os.pathsep)[0]
    said = [fairlead("setup", PATH="").out.splitlines()[-1], fairlead("setup", PATH=alone).out.splitlines()[-1]]
    fairlead("setup", "claude-code", "--yes", PATH=alone)
    said.append(fairlead("setup", PATH=alone).out.splitlines()[-1])
    assert said == [
        "None that can be set up is on PATH. What would be written:   fairlead setup TOOL --print",
        "Point one at the proxy:   fairlead setup claude-code",
        "Check one:   fairlead setup claude-code --check",
    ]


def test_changed_since(fairlead, claude):
    """Undo is refused with the lines that changed, and so is writing again; what stands elsewhere does not matter."""
    fairlead("setup", "claude-code", "--yes")
    changed = claude.read_text().replace("http://localhost:3456", "http://other")
    claude.write_text(changed)
    for arguments in (["--undo"], []):
        code, _, err = fairlead("setup", "claude-code", "--yes", *arguments)
        assert code == 1
        assert "~/.claude/settings.json was changed since fairlead wrote it" in err
        assert "env.ANTHROPIC_BASE_URL" in err
        assert '- "http://localhost:3456"' in err
        assert '+ "http://other"' in err
    assert claude.read_text() == changed
    claude.write_text(changed.replace("http://other", "http://localhost:3456").replace('"FOO": "1"', '"FOO": "2"'))
    assert fairlead("setup", "claude-code", "--undo", "--yes").code == 0
    assert claude.read_text() == SETTINGS.replace('"1"', '"2"')


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"env": {}, // no\n}', "line 1, column 13: a comment"),
        ('{"env": {},\n "env": {}}', 'line 2, column 2: the name "env" stands twice'),
        ('{"env"\n', "line 2, column 1: expected a colon"),
        ('{"env": "x"}', "cannot be changed"),
        ("[]", "cannot be changed"),
    ],
)
def test_invalid_file(fairlead, claude, text, where):
    """Refused with the place; the file stays as it is."""
    claude.write_text(text)
    code, _, err = fairlead("setup", "claude-code", "--yes")
    assert code == 1
    assert f"~/.claude/settings.json {where}" in err
    assert claude.read_text() == text
    assert not (fairlead.home / "setup").exists()


def test_hard_link(fairlead, claude):
    """Not written; the changes are shown for the hand, without a record."""
    os.link(claude, claude.with_name("other"))
    code, _, err = fairlead("setup", "claude-code", "--yes")
    assert code == 1
    assert "nothing was written: it is a hard link" in err
    assert '+     "ANTHROPIC_BASE_URL": "http://localhost:3456",' in err
    assert claude.read_text() == SETTINGS
    assert not (fairlead.home / "setup" / "claude-code.json").exists()


def test_second_file_that_cannot_be_written(fairlead):
    """The first one is as it was before, too: all files or none."""
    folder = fairlead.folder / ".pi" / "agent"
    folder.mkdir(parents=True)
    (folder / "models.json").write_text("{}\n")
    (folder / "settings.json").write_text("{}\n")
    os.link(folder / "settings.json", folder / "other")
    code, _, err = fairlead("setup", "pi", "--yes")
    assert (code, "hard link" in err) == (1, True)
    assert (folder / "models.json").read_text() == "{}\n"


def test_tool_that_is_not_here(fairlead):
    """Refused: neither its program nor its folder is there. --print shows what would be written."""
    code, _, err = fairlead("setup", "codex", "--yes", PATH="")
    assert (code, "Codex was not found: `codex` is not on PATH" in err) == (1, True)
    assert not (fairlead.folder / ".codex").exists()


@pytest.mark.parametrize(
    ("version", "refused"), [("0.117.0", True), ("0.99", True), ("0.118.0", False), ("1.0", False), ("dev", False)]
)
def test_a_tool_that_is_too_old(fairlead, version, refused):
    """One that would not read what is written is refused before anything is, with the version that does, and told in
    the list. One that does not say its version is taken as it is."""
    path = add_program(fairlead, "codex", f"print('codex-cli {version}')")
    code, _, err = fairlead("setup", "codex", "--yes", PATH=path, FAIRLEAD_REQUIRE_KEY="on")
    assert (code == 1, (fairlead.folder / ".codex").exists()) == (refused, not refused)
    assert (f"Codex {version} is too old" in err, "Update it to 0.118.0 or newer" in err) == (refused, refused)
    assert (fairlead.home / "keys" / "tools" / "codex").exists() is not refused
    assert fairlead("setup", "codex", "--print", PATH=path).code == 0
    assert ("too old" in fairlead("setup", PATH=path).out) is refused


def test_all_that_are_here(fairlead, claude):
    """Each tool on PATH is set up, those that cannot be are told, and the others are all the same; each that was set up
    is taken back."""
    text = claude.read_text()
    add_program(fairlead, "claude", "print('2.1.332 (Claude Code)')")
    add_program(fairlead, "codex", "print('codex-cli 0.99.0')")
    path = add_program(fairlead, "pi", "print('1.6.0')").partition(os.pathsep)[0]
    code, out, err = fairlead("setup", "--all", "--yes", PATH=path)
    assert (code, "Claude Code uses fairlead now" in out, "pi uses fairlead now" in out) == (1, True, True)
    assert "error: codex: Codex 0.99.0 is too old" in err
    assert not (fairlead.folder / ".codex").exists()
    code, out, _ = fairlead("setup", "--all", "--undo", "--yes", PATH=path)
    assert (code, "Claude Code is as it was before" in out, "pi is as it was before" in out) == (0, True, True)
    assert (claude.read_text(), (fairlead.folder / ".pi").exists()) == (text, False)
    for arguments, code, said in (
        (["--all", "--undo"], 1, "has written nothing for any tool"),
        (["--all", "codex"], 2, "--all goes without TOOL"),
        (["--all", "--json"], 2, "--all goes without --json"),
    ):
        done = fairlead("setup", *arguments, PATH=path)
        assert (done.code, said in done.err) == (code, True)
    assert "no tool that can be set up is on PATH" in fairlead("setup", "--all", PATH="").err


def test_key_where_one_is_required(fairlead, claude):
    """Made for the tool, private, shown nowhere, revoked with the undo; the file is closed to others meanwhile."""
    claude.chmod(0o644)
    code, out, err = fairlead("setup", "claude-code", "--yes", FAIRLEAD_REQUIRE_KEY="on")
    assert code == 0
    key = (fairlead.home / "keys" / "tools" / "claude-code").read_text().strip()
    assert json.loads(claude.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"] == key
    assert key not in out + err
    assert "mode 0644 becomes 0600" in out
    assert stat.S_IMODE(claude.stat().st_mode) == 0o600
    assert fairlead("keys", "print", "claude-code").out.strip() == key
    _, out, err = fairlead("setup", "claude-code", "--undo", "--yes", FAIRLEAD_REQUIRE_KEY="on")
    assert key not in out + err
    assert not list((fairlead.home / "keys").glob("**/*claude*"))
    assert (claude.read_text(), stat.S_IMODE(claude.stat().st_mode)) == (SETTINGS, 0o644)


def test_a_running_proxy_takes_the_key_at_once(fairlead, claude):
    """Its tool may ask before the proxy looks for changes by itself."""
    fairlead.start("proxy", "--port", "0", FAIRLEAD_REQUIRE_KEY="on")
    (run,) = (fairlead.home / "run").glob("*.json")
    port = json.loads(run.read_text())["port"]
    for path in fairlead.home.glob("keys/**/*"):
        assert "claude" not in path.name
    code, _, err = fairlead("setup", "claude-code", "--yes", FAIRLEAD_REQUIRE_KEY="on")
    assert (code, f"The running proxy on :{port} uses it now." in err) == (0, True)
    key = (fairlead.home / "keys" / "tools" / "claude-code").read_bytes().strip()
    assert ask(port, "/v1/models", None, (b"x-api-key", key)).status == 200


def test_key_that_was_not_needed_in_the_end(fairlead, claude):
    """A refusal, and a no, leave no key behind."""
    fairlead("setup", "claude-code", FAIRLEAD_REQUIRE_KEY="on")
    claude.write_text("{")
    fairlead("setup", "claude-code", "--yes", FAIRLEAD_REQUIRE_KEY="on")
    assert not list((fairlead.home / "keys").glob("**/*claude*"))


def test_codex_asks_a_command_for_its_key(fairlead):
    """So its file holds none, and stays open to those who could read it. The command finds the home also where the tool
    has nothing of this shell's variables."""
    path = fairlead.folder / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text('model = "gpt-5"\n')
    path.chmod(0o644)
    program = add_program(fairlead, "fairlead", "import sys; from router.__main__ import main; sys.exit(main())")
    fairlead("setup", "codex", "--yes", FAIRLEAD_REQUIRE_KEY="on", PATH=program)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    key = (fairlead.home / "keys" / "tools" / "codex").read_text().strip()
    assert key not in path.read_text()
    auth = tomllib.loads(path.read_text())["model_providers"]["fairlead"]["auth"]
    bare = {"PATH": program, "HOME": str(fairlead.folder)}
    told = subprocess.run([auth["command"], *auth["args"]], check=True, capture_output=True, text=True, env=bare)
    assert told.stdout == f"{key}\n"


def test_keys_of_others_are_masked(fairlead, claude):
    """A line beside the change may hold one."""
    claude.write_text('{"env": {"ANTHROPIC_API_KEY": "sk-ant-api03-abcdefghijklmnop"}}')
    code, out, err = fairlead("setup", "claude-code", "--yes")
    assert (code, "sk-ant" in out + err, "***" in out) == (0, False, True)
    assert "has env.ANTHROPIC_API_KEY" in err


def test_what_has_precedence(fairlead, claude):
    """A project's file that points elsewhere, and a variable: warned of. A proxy that hides this machine: seen to."""
    project = fairlead.folder / ".claude" / "settings.local.json"
    project.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://project:1"}}')
    _, _, err = fairlead("setup", "claude-code", "--yes", HTTPS_PROXY="http://corp:3128", NO_PROXY="intra")
    assert "settings.local.json belongs to a project and has precedence: there Claude Code uses http://project:1" in err
    assert json.loads(claude.read_text())["env"]["NO_PROXY"] == "intra,localhost,127.0.0.1,::1"
    (fairlead.folder / ".aider.conf.yml").write_text("model: x\n")
    path = add_program(fairlead, "aider", "print('aider 0.86.2')")
    _, _, err = fairlead("setup", "aider", "--yes", PATH=path, OPENAI_BASE_URL="http://x", HTTPS_PROXY="http://corp:1")
    assert "$OPENAI_BASE_URL has precedence over the file" in err
    assert "export NO_PROXY=localhost,127.0.0.1,::1" in err


def test_where_it_pointed_before(fairlead, claude):
    """Said before it is replaced, and brought back."""
    text = '{"env": {"ANTHROPIC_BASE_URL": "http://corp:1"}}'
    claude.write_text(text)
    _, _, err = fairlead("setup", "claude-code", "--yes")
    assert "points at http://corp:1 now; --undo will bring that back" in err
    fairlead("setup", "claude-code", "--undo", "--yes")
    assert claude.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["setup", "cursr"], 2, "Did you mean cursor?"),
        (["setup", "cursor"], 1, "cannot reach a proxy on your machine"),
        (["setup", "gemini"], 1, "What would be written:   fairlead setup gemini --print"),
        (["setup", "gemini", "--protocol", "chat", "--print"], 2, "Gemini CLI does not speak chat"),
        (["setup", "copilot"], 0, "fairlead env --tool copilot"),
        (["setup", "jetbrains"], 0, "URL http://localhost:3456/v1"),
        (["setup", "codex", "--protocol", "chat", "--print"], 2, "Codex does not speak chat"),
        (["setup", "codex", "--model", "nothing-of-it", "--print"], 1, "nothing serves the model nothing-of-it"),
        (["setup", "zed", "--check"], 1, "no run without its window"),
    ],
)
def test_answers(fairlead, arguments, code, said):
    """Tools that cannot be pointed here, those with another way, and wrong arguments."""
    done = fairlead(*arguments)
    assert done.code == code
    assert said in done.out + done.err


def test_models_of_the_backends(fairlead, provider):
    """Aliases first, then what the backends list, without models for other things than text; the user's choice is the
    first one."""
    provider.models = ["text-embedding-1", "model-a", "model-b"]
    fairlead(
        "backend", "add", "up", "--base-url", provider.url, "--key-stdin", "--protocols", "chat", stdin="sk-good\n"
    )
    fairlead("config", "set", "aliases.quick", "up:model-b")
    (fairlead.folder / ".pi" / "agent").mkdir(parents=True)
    for arguments, first in (([], "quick"), (["--model", "model-a"], "model-a")):
        assert fairlead("setup", "pi", "--yes", *arguments).code == 0
        found = json.loads((fairlead.folder / ".pi" / "agent" / "models.json").read_text())
        names = [one["id"] for one in found["providers"]["fairlead"]["models"]]
        assert sorted(names) == ["model-a", "model-b", "quick"]
        assert names[0] == first
        settings = json.loads((fairlead.folder / ".pi" / "agent" / "settings.json").read_text())
        assert settings == {"defaultProvider": "fairlead", "defaultModel": first}
