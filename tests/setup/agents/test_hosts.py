"""The files of sub-agents and skills, as the hosts' own formats have them."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from router.cli import COMMANDS
from router.cli.completions.tables import commands
from router.cli.subagent.target import list_tools
from router.setup.agents.hosts import AGENTS, SKILLS
from router.setup.agents.texts import COMMANDS as LOOKING
from router.setup.agents.texts import QUESTIONS
from router.setup.registrations import Server
from router.setup.tool import Place

PLACE = Place({}, Path("/home/me"), "linux")
SERVER = Server(("/opt/a b/'fair\"lead'", "mcp"), {"FAIRLEAD_HOME": "/home/me/ä\\n"})
PROJECT = Path("/srv/app")


def write(host):
    """The text of a host's file."""
    return host.write(SERVER, list_tools())


def split(text):
    """The head and the body of a Markdown file."""
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def test_claude_code():
    """Name and description are required; the tools are listed one by one, and there is no shell among them."""
    head, body = split(write(AGENTS["claude-code"]))
    assert head["name"] == "fairlead"
    assert head["tools"].split(", ") == [f"mcp__fairlead__{name}" for name in list_tools()]
    entry = {"type": "stdio", "command": SERVER.words[0], "args": ["mcp"], "env": dict(SERVER.environ)}
    assert head["mcpServers"] == [{"fairlead": entry}]
    assert (head["model"], head["maxTurns"]) == ("inherit", 12)
    assert "never change backends" in " ".join(body.split())


def test_codex():
    """The three fields that it wants, its own server, and a sandbox that cannot write, for versions that heed these."""
    value = tomllib.loads(write(AGENTS["codex"]))
    assert {*value} == {"name", "description", "developer_instructions", "sandbox_mode", "mcp_servers"}
    assert value["sandbox_mode"] == "read-only"
    server = value["mcp_servers"]["fairlead"]
    assert (server["command"], server["args"], server["env"]) == (SERVER.words[0], ["mcp"], dict(SERVER.environ))
    assert server["enabled_tools"] == list_tools()


def test_opencode():
    """All is denied but the commands that look."""
    head, _ = split(write(AGENTS["opencode"]))
    assert head["mode"] == "subagent"
    assert next(iter(head["permission"].items())) == ("*", "deny")
    bash = head["permission"]["bash"]
    assert next(iter(bash.items())) == ("*", "deny")
    assert {name for name, verdict in bash.items() if verdict == "allow"} == {f"{name}*" for name in LOOKING}


@pytest.mark.parametrize("name", AGENTS)
def test_each_tool_is_explained(name):
    """And none that the server does not have; the commands where there may be no tools."""
    assert list(QUESTIONS) == list_tools()
    text = write(AGENTS[name])
    assert all(f"- `{tool}`:" in text for tool in list_tools())
    assert all((f"- `{command}`:" in text) is (name != "claude-code") for command in LOOKING)


def list_named(text):
    """The commands of fairlead that stand in code, with their options; none goes over the end of a line."""
    assert all(line.count("`") % 2 == 0 for line in text.splitlines())
    pieces = [piece for line in text.splitlines() for piece in line.split("`")[1::2]]
    return [piece.partition(' "$(')[2].rstrip(')"') or piece for piece in pieces if "fairlead " in piece]


@pytest.mark.parametrize("host", [*AGENTS.values(), SKILLS[0]], ids=lambda host: host.title)
def test_commands_that_are_named_exist(host):
    """With each option that stands beside them."""
    named = list_named(write(host))
    assert named
    for piece in named:
        words = piece.split()
        assert words[0] == "fairlead", piece
        if words[1].startswith("--"):
            assert words[1] == "--version"
            continue
        assert words[1] in COMMANDS, piece
        entry = commands.COMMANDS.get(" ".join(words[1:3])) or commands.COMMANDS[words[1]]
        known = {spelling for option in entry.options for spelling in option.names}
        options = words[: words.index("--")] if "--" in words else words
        assert {word for word in options if word.startswith("--")} <= known, piece


def test_the_skill():
    """Its name is that of its folder, and the description says what and when within the bounds of the standard."""
    text = write(SKILLS[0])
    head, body = split(text)
    assert text == write(SKILLS[1])
    assert head["name"] == "fairlead"
    assert 0 < len(head["description"]) <= 1024
    assert "Use when" in head["description"]
    for part in ("## Install", "## Set up", "## Find out what is wrong"):
        assert part in body


def test_where_the_files_are():
    """In the user's folder, where variables say, and in a project."""
    assert [host.find(PLACE, None).as_posix() for host in (*AGENTS.values(), *SKILLS)] == [
        "/home/me/.claude/agents/fairlead.md",
        "/home/me/.codex/agents/fairlead.toml",
        "/home/me/.config/opencode/agent/fairlead.md",
        "/home/me/.claude/skills/fairlead/SKILL.md",
        "/home/me/.agents/skills/fairlead/SKILL.md",
    ]
    named = Place({"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "OPENCODE_CONFIG_DIR": "/o"}, PLACE.home, "linux")
    assert [host.find(named, None).as_posix() for host in (*AGENTS.values(), SKILLS[0])] == [
        "/c/agents/fairlead.md",
        "/x/agents/fairlead.toml",
        "/o/agent/fairlead.md",
        "/c/skills/fairlead/SKILL.md",
    ]
    assert [host.find(named, PROJECT).as_posix() for host in (*AGENTS.values(), *SKILLS)] == [
        "/srv/app/.claude/agents/fairlead.md",
        "/srv/app/.codex/agents/fairlead.toml",
        "/srv/app/.opencode/agent/fairlead.md",
        "/srv/app/.claude/skills/fairlead/SKILL.md",
        "/srv/app/.agents/skills/fairlead/SKILL.md",
    ]


@pytest.mark.parametrize("host", [*AGENTS.values(), SKILLS[0]], ids=lambda host: host.title)
def test_nothing_secret_and_nothing_of_this_machine_but_the_program(host):
    """The home is named only where it is not the usual one."""
    bare = host.write(Server(("/opt/fairlead", "mcp"), {}), list_tools())
    assert "FAIRLEAD_HOME=" not in bare
    assert json.dumps(str(Path.home())) not in bare
