"""`setup TOOL --mcp`: the entry that each agent has for fairlead's server comes and goes, and nothing else changes."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from router.setup.registrations import REGISTRATIONS
from router.setup.tool import Place

FILES = {
    "codex": b'# mine\nmodel = "gpt-5"\r\n\n[mcp_servers.other]\ncommand = "other" # kept\n',
    "opencode": b'\xef\xbb\xbf{\n  // mine\n  "mcp": {"other": {"type": "local", "command": ["o"]}},\n}\n',
    "gemini": b'{\n  // mine\n  "security": {"auth": {"selectedType": "gemini-api-key"}}\n}\n',
    "qwen": b'{"mcpServers": {}, "model": {"name": "m"}}',
    "copilot": b'{\n\t"mcpServers": {\n\t\t"other": {"type": "local", "command": "o", "tools": ["*"]}\n\t}\n}',
    "vscode": b'{\n  "servers": {},\n  // mine\n  "inputs": [],\n}\n',
}
SERVER = {
    "codex": ("command", "args", "env"),
    "opencode": ("command", None, "environment"),
    "gemini": ("command", "args", "env"),
    "qwen": ("command", "args", "env"),
    "copilot": ("command", "args", "env"),
    "vscode": ("command", "args", "env"),
}


def find_file(fairlead, tool):
    """The agent's file."""
    return REGISTRATIONS[tool].find(Place({}, Path(fairlead.folder), sys.platform))[0]


def read_entry(path, tool):
    """What the file has for fairlead; comments are only in what was there before."""
    text = path.read_text("utf-8")
    value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    return value[REGISTRATIONS[tool].table]["fairlead"]


@pytest.mark.parametrize("tool", REGISTRATIONS)
def test_a_server_is_registered_and_taken_back(fairlead, tool):
    """In a new file, which goes again with its folders; the entry starts this program on this home."""
    path = find_file(fairlead, tool)
    shown = fairlead("setup", tool, "--mcp", "--print")
    assert (shown.code, path.exists()) == (0, False)
    assert "fairlead" in shown.out
    done = fairlead("setup", tool, "--mcp", "--yes")
    assert done.code == 0, done.err
    entry = read_entry(path, tool)
    command, arguments, variables = SERVER[tool]
    words = entry[command] if arguments is None else [entry[command], *entry[arguments]]
    assert words[-1] == "mcp"
    assert Path(words[0]).is_absolute()
    assert entry[variables] == {"FAIRLEAD_HOME": str(fairlead.home)}
    assert "nothing to change" in fairlead("setup", tool, "--mcp", "--yes").out
    assert fairlead("setup", tool, "--mcp", "--undo", "--yes").code == 0
    assert not path.exists()
    assert "has registered nothing" in fairlead("setup", tool, "--mcp", "--undo", "--yes").err


@pytest.mark.parametrize("tool", REGISTRATIONS)
def test_the_rest_of_the_file_stays_byte_for_byte(fairlead, tool):
    """Comments, line ends, a byte order mark, other servers."""
    path = find_file(fairlead, tool)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FILES[tool])
    assert fairlead("setup", tool, "--mcp", "--yes").code == 0
    changed = path.read_bytes()
    assert b"fairlead" in changed
    assert changed != FILES[tool]
    assert fairlead("setup", tool, "--mcp", "--undo", "--yes").code == 0
    assert path.read_bytes() == FILES[tool]


def test_an_entry_that_was_changed_since_is_left(fairlead):
    """By hand, or by the agent: then undoing it would lose that."""
    path = find_file(fairlead, "qwen")
    fairlead("setup", "qwen", "--mcp", "--yes")
    path.write_text(path.read_text().replace('"mcp"', '"mcp", "--more"'))
    before = path.read_bytes()
    done = fairlead("setup", "qwen", "--mcp", "--undo", "--yes")
    assert done.code == 1
    assert "was changed since" in done.err
    assert path.read_bytes() == before


def test_claude_code_gets_its_own_command(fairlead):
    """It rewrites its file while it runs; nothing is written here."""
    done = fairlead("setup", "claude-code", "--mcp")
    assert done.code == 0
    assert "claude mcp add --scope user fairlead --env FAIRLEAD_HOME=" in done.out
    assert done.out.rstrip().endswith(" mcp")
    assert "claude mcp remove --scope user fairlead" in fairlead("setup", "claude", "--mcp", "--undo").out
    assert not list(Path(fairlead.folder).glob(".claude*"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("aider",), 1), ((), 2), (("--all",), 2), (("codex", "--model", "m"), 2), (("codex",), 2), (("nothing",), 2)],
)
def test_what_cannot_be_registered_is_refused(fairlead, arguments, code):
    """Tools without servers, all at once, other options, and a question without a terminal; nothing is written."""
    assert fairlead("setup", *arguments, "--mcp").code == code
    assert not (Path(fairlead.folder) / ".codex").exists()


def test_the_result_for_programs(fairlead):
    """As JSON, before and after."""
    planned = json.loads(fairlead("setup", "codex", "--mcp", "--print", "--json").out)
    assert planned["written"] is False
    written = json.loads(fairlead("setup", "codex", "--mcp", "--yes", "--json").out)
    assert (written["written"], written["files"]) == (True, planned["files"])
