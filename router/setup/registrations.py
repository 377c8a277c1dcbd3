"""How agents are told of `fairlead mcp`: the entry that each has for a server that it starts itself."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from router.setup.formats.document import Change
from router.setup.tool import ENTRY, FileChange, Place, dig
from router.setup.tools import codex, gemini_cli, opencode, qwen


class Server(NamedTuple):
    """How the server is started."""

    #: The program with its arguments.
    words: Sequence[str]
    #: Variables that it needs beside those of the agent.
    environ: Mapping[str, str]

    def split(self, **more: Any) -> dict[str, Any]:
        """The entry of most agents: program, arguments, and variables where there are any."""
        program, *arguments = self.words
        entry: dict[str, Any] = {**more, "command": program, "args": arguments}
        return entry | ({"env": dict(self.environ)} if self.environ else {})


class Registration(NamedTuple):
    """Where an agent has its servers."""

    #: The file, and its format.
    find: Callable[[Place], tuple[Path, str]]
    #: The table that has them by name.
    table: str
    make: Callable[[Server], dict[str, Any]]


def _find_copilot(place: Place) -> tuple[Path, str]:
    return place.find("COPILOT_HOME", ".copilot") / "mcp-config.json", "json"


def _find_vscode(place: Place) -> tuple[Path, str]:
    return place.find_application_data() / "Code" / "User" / "mcp.json", "jsonc"


def _make_copilot(server: Server) -> dict[str, Any]:
    return server.split(type="local") | {"tools": ["*"]}


def _make_vscode(server: Server) -> dict[str, Any]:
    return server.split(type="stdio")


def _make_opencode(server: Server) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "local", "command": [*server.words], "enabled": True}
    return entry | ({"environment": dict(server.environ)} if server.environ else {})


#: By the name of the tool. Claude Code is not among them: it rewrites its file while it runs, so that only its own
#: command changes it safely.
REGISTRATIONS = {
    "codex": Registration(codex.find_main, "mcp_servers", Server.split),
    "opencode": Registration(opencode.find_main, "mcp", _make_opencode),
    "gemini": Registration(gemini_cli.find_settings, "mcpServers", Server.split),
    "qwen": Registration(qwen.find_main, "mcpServers", Server.split),
    "copilot": Registration(_find_copilot, "mcpServers", _make_copilot),
    "vscode": Registration(_find_vscode, "servers", _make_vscode),
}
CLAUDE_CODE_TABLE = "mcpServers"
#: What adds it to Claude Code, and what takes it away; {words} starts the server, {env} gives it variables.
CLAUDE_CODE = ("claude mcp add --scope user fairlead {env}-- {words}", "claude mcp remove --scope user fairlead")


def find_claude_code(place: Place) -> tuple[Path, str]:
    """The file in which Claude Code keeps its servers, among much else."""
    named = place.environ.get("CLAUDE_CONFIG_DIR", "")
    return (Path(named).expanduser() if named else place.home) / ".claude.json", "json"


def read_server(value: Any, table: str) -> Server | None:
    """What starts fairlead's server by the file of an agent, in any agent's form; None where it has none. value: of the
    file. table: where it has its servers."""
    entry = dig(value, table, ENTRY)
    if not isinstance(entry, dict):
        return None
    found = cast("dict[str, Any]", entry)
    # One list, or the program and its arguments.
    words = [*_as_list(found.get("command")), *_as_list(found.get("args"))]
    texts = [one for one in words if isinstance(one, str)]
    given = found.get("env") or found.get("environment")
    variables = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    environ = {name: value for name, value in variables.items() if isinstance(value, str)}
    return Server(texts, environ) if texts else None


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def make_change(registration: Registration, server: Server, place: Place) -> FileChange:
    """The entry of fairlead's server in the file of an agent."""
    path, form = registration.find(place)
    return FileChange(path, form, (Change((registration.table, ENTRY), registration.make(server)),))
