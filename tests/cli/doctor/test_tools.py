"""The checks of tools: where their own files send them, and what has precedence."""

import json

import pytest

from router import __version__
from router.setup.agents import mark

HERE = "http://localhost:3456"


@pytest.fixture
def settings(fairlead):
    """Writes the settings of Claude Code."""

    def write(value, path=".claude/settings.json"):
        file = fairlead.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value if isinstance(value, str) else json.dumps(value))

    return write


def to(url):
    return {"env": {"ANTHROPIC_BASE_URL": url}}


def judge(examine, name="claude-code", **environ):
    identity = f"tool.{name}"
    return [(row["status"], row["text"], row["fix"]) for row in examine(identity, **environ).find(identity)]


def test_no_tools(examine):
    """Nothing is said of what is not here."""
    assert examine("tool").rows == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (to(HERE), ("ok", "Claude Code points here", None)),
        (to("http://127.0.0.1:3456"), ("ok", "Claude Code points here", None)),
        (to("https://gw.example"), ("info", "Claude Code points to https://gw.example", None)),
        (
            to("http://localhost:9999"),
            ("info", "Claude Code points to http://localhost:9999, which is not this proxy", None),
        ),
    ],
)
def test_where_a_file_points(settings, examine, value, found):
    """Elsewhere is no fault by itself."""
    settings(value)
    assert judge(examine) == [found]


def test_a_tool_without_a_file(put_program, examine):
    """It is here, and free."""
    put_program("claude", "2.1.332 (Claude Code)")
    assert judge(examine) == [("info", "Claude Code is here, and its file names no other place", None)]


def test_a_file_that_cannot_be_read(settings, examine):
    """The tool drops it as a whole."""
    settings("{")
    ((status, _, fix),) = judge(examine)
    assert (status, fix) == ("warn", "Correct the file, then: fairlead setup claude-code")


def test_a_file_that_has_precedence_over_the_shell(settings, examine):
    """The variables point here, and count for nothing."""
    settings(to("https://gw.example"))
    rows = judge(examine, ANTHROPIC_BASE_URL=HERE, ANTHROPIC_AUTH_TOKEN="fairlead")
    assert rows[1] == (
        "warn",
        "this shell's variables point here, and its file has precedence: it uses https://gw.example",
        "Point it here: fairlead setup claude-code",
    )


def test_a_project_that_has_precedence(settings, fairlead, examine):
    """In the working directory or above it; nothing of it is shown but the URL."""
    settings(to(HERE))
    project = {**to("https://gw.example"), "secret": "sk-abcdefghijklmnop"}
    settings(project, "shop/.claude/settings.json")
    fairlead_folder = fairlead.folder
    fairlead.folder = fairlead_folder / "shop"
    rows = judge(examine)
    fairlead.folder = fairlead_folder
    assert [status for status, _, _ in rows] == ["ok", "warn"]
    assert "~/shop/.claude/settings.json belongs to a project and has precedence" in rows[1][1]
    assert "sk-" not in rows[1][1]


def test_keys_that_contradict(settings, examine):
    """They would be used in the place of fairlead."""
    settings({**to(HERE), "apiKeyHelper": "/bin/print-key"})
    rows = judge(examine)
    assert [status for status, _, _ in rows] == ["ok", "warn"]
    assert "has apiKeyHelper." in rows[1][1]


def test_a_port_of_before(fairlead, put_program, examine):
    """What setup wrote is of another port."""
    put_program("claude", "2.1.332 (Claude Code)")
    assert fairlead("setup", "claude-code", "--yes").code == 0
    assert judge(examine)[0][0] == "ok"
    rows = judge(examine, FAIRLEAD_PORT="3999")
    assert rows[0] == (
        "warn",
        f"fairlead pointed it to {HERE}, and the proxy is at http://localhost:3999",
        "Point it here: fairlead setup claude-code",
    )
    (fairlead.folder / ".claude" / "settings.json").write_text("{}")
    assert judge(examine)[0] == (
        "warn",
        "its file was changed since fairlead wrote it",
        "See what differs: fairlead setup claude-code --print",
    )


def test_a_tool_that_cannot_be_pointed_here(put_program, examine):
    """Cursor's requests come from its own servers."""
    put_program("cursor")
    ((status, text, fix),) = judge(examine, "cursor")
    assert (status, fix) == ("info", None)
    assert "Cursor" in text


def test_a_version_that_reads_nothing_of_it(put_program, examine, fairlead):
    """It is told which one does."""
    from router.setup.table import TOOLS

    tool = next(one for one in TOOLS if one.oldest and one.program)
    put_program(tool.program, "0.0.1")
    rows = judge(examine, tool.name)
    assert rows[-1][0] == "info"
    assert f"0.0.1 is older than {tool.oldest}" in rows[-1][1]


def register(fairlead, program, **more):
    """Tell Codex of a server that this program starts."""
    path = fairlead.folder / ".codex" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    lines = [f"[mcp_servers.fairlead]\ncommand = {json.dumps(str(program))}\nargs = ['mcp']\n"]
    lines += [f"[mcp_servers.fairlead.env]\n{name} = {json.dumps(value)}\n" for name, value in more.items()]
    path.write_text("".join(lines))


def test_agents_that_were_told_of_the_server(fairlead, put_program, examine):
    """As `setup --mcp` does it; nothing is said where none was."""
    assert examine("mcp").rows == []
    (fairlead.folder / ".codex").mkdir()
    put_program("fairlead", f"fairlead {__version__}")
    assert fairlead("setup", "codex", "--mcp", "--yes").code == 0
    assert examine("mcp").get("mcp")["text"] == "Codex would start this program"


def test_a_server_that_is_gone(fairlead, put_program, examine):
    """As after the program was moved; the fix mends it."""
    (fairlead.folder / ".codex").mkdir()
    put_program("fairlead", f"fairlead {__version__}").rename(fairlead.folder / "bin" / "kept")
    program = put_program("fairlead", f"fairlead {__version__}", "elsewhere")
    fairlead("setup", "codex", "--mcp", "--yes", PATH=str(program.parent))
    program.unlink()
    (fairlead.folder / "bin" / "kept").rename(fairlead.folder / "bin" / "fairlead")
    row = examine("mcp").get("mcp")
    assert (row["status"], row["text"]) == ("warn", "Codex would start ~/elsewhere/fairlead, which is not there")
    assert row["fix"] == "fairlead setup codex --mcp"
    assert fairlead("setup", "codex", "--mcp", "--yes").code == 0
    assert examine("mcp").get("mcp")["status"] == "ok"


def test_a_server_of_another_version(fairlead, put_program, examine):
    """It works, and is not this one; what has another name is not started to ask."""
    put_program("fairlead", f"fairlead {__version__}")
    register(fairlead, put_program("fairlead", "fairlead 0.0.9", "old"))
    row = examine("mcp").get("mcp")
    assert row["status"] == "info"
    assert row["text"] == "Codex starts ~/old/fairlead (0.0.9); `fairlead setup codex --mcp` registers this one"
    other = put_program("other", "", "old")
    other.write_text(f"#!/bin/sh\ntouch {fairlead.folder}/was-started\n")
    register(fairlead, other)
    assert "~/old/other (version not known)" in examine("mcp").get("mcp")["text"]
    assert not (fairlead.folder / "was-started").exists()


def test_a_server_of_another_home(fairlead, put_program, examine):
    """Its answers would be about that one."""
    program = put_program("fairlead", f"fairlead {__version__}")
    register(fairlead, program, FAIRLEAD_HOME=str(fairlead.folder / "other"))
    assert examine("mcp").get("mcp")["text"].startswith("Codex asks about another home, ~/other; ")
    register(fairlead, program, FAIRLEAD_HOME=str(fairlead.home))
    assert examine("mcp").get("mcp")["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".claude.json", {"mcpServers": {"fairlead": {"type": "stdio", "command": "/no/fairlead", "args": ["mcp"]}}}),
        (
            ".config/opencode/opencode.json",
            {"mcp": {"fairlead": {"type": "local", "command": ["/no/fairlead", "mcp"]}}},
        ),
    ],
)
def test_other_forms_of_a_registration(fairlead, settings, examine, path, value):
    """Of Claude Code, which keeps them in its own file, and with one list of words; the fix is each one's own."""
    settings(value, path)
    row = examine("mcp").get("mcp")
    assert row["text"].endswith(" would start /no/fairlead, which is not there")
    fix = "claude mcp remove --scope user fairlead; claude mcp add" if "claude" in path else "fairlead setup opencode"
    assert row["fix"].startswith(fix)


@pytest.mark.parametrize("value", ["{", "[]", '{"mcpServers": 1}', '{"mcpServers": {"fairlead": {"command": 7}}}'])
def test_registrations_that_cannot_be_read(settings, examine, value):
    """They are not fairlead's to judge."""
    settings(value, ".claude.json")
    assert examine("mcp").rows == []


def test_files_for_agents(fairlead, examine, monkeypatch):
    """One row with all hosts, which asks for nothing; none where nothing is installed."""
    assert examine("subagent").rows == []
    (fairlead.folder / ".claude").mkdir()
    (fairlead.folder / ".codex").mkdir()
    fairlead("subagent", "install", "--yes")
    fairlead("subagent", "install", "--tool", "codex", "--yes")
    row = examine("subagent").get("subagent")
    assert row["status"] == "info"
    assert row["text"].startswith("Claude Code: current; Codex: current; opencode: absent; ")
    path = fairlead.folder / ".codex" / "agents" / "fairlead.toml"
    with monkeypatch.context() as patch:
        patch.setattr(mark, "__version__", "0.0.9")
        path.write_text(mark.sign("name = 'fairlead'\n", mark.TOML))
    claude = fairlead.folder / ".claude" / "agents" / "fairlead.md"
    claude.write_text(claude.read_text() + "more\n")
    text = examine("subagent").get("subagent")["text"]
    assert text.startswith("Claude Code: changed since; Codex: older: of fairlead 0.0.9; opencode: absent; ")
    assert text.endswith("; `fairlead subagent install --tool codex` writes it anew")
    claude.write_text("mine\n")
    assert "Claude Code: changed since" in examine("subagent").get("subagent")["text"]
    for record in (fairlead.home / "setup").iterdir():
        record.unlink()
    assert "Claude Code: not of fairlead" in examine("subagent").get("subagent")["text"]


def test_a_home_that_cannot_be_named_or_read(fairlead, examine, settings):
    """The other checks say why; a record of agents' files that is damaged is told of here."""
    settings({"mcpServers": {"fairlead": {"command": "/no/fairlead"}}}, ".claude.json")
    assert examine("mcp", "subagent", FAIRLEAD_HOME="relative").rows == []
    (fairlead.folder / ".claude").mkdir()
    fairlead("subagent", "install", "--yes")
    record = fairlead.home / "setup" / "subagent-claude-code.json"
    record.write_bytes(b"{")
    row = examine("subagent").get("subagent")
    assert (row["status"], "cannot be read" in row["text"], bool(row["fix"])) == ("warn", True, True)
