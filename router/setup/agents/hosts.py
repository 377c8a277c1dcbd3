"""Where each host has its sub-agents and skills, and what is written there.

Rules of this file: a sub-agent can look and nothing else, as far as the host can be told so. Claude Code lets it have
a server of its own and no shell, so that the server's tools are not in every other session. opencode lets it run only
the commands that look. Codex reads a server and a sandbox in the file, and since 0.149 gives each sub-agent those of
its session all the same (tried with 0.171).
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from router.setup.agents.mark import MARKDOWN, TOML, sign
from router.setup.agents.skill import make_skill
from router.setup.agents.texts import COMMANDS, DESCRIPTION, write_instructions
from router.setup.registrations import Server
from router.setup.tool import ENTRY, Place

#: The folder of a project, None for the user's own configuration.
Project = Path | None
#: Rounds with the model; a diagnosis takes fewer.
_TURNS = 12


class Host(NamedTuple):
    """One program that reads such files."""

    #: As `--tool` names it.
    name: str
    title: str
    find: Callable[[Place, Project], Path]
    #: The file's text, without its mark. tools: the names of the server's.
    make: Callable[[Server, Sequence[str]], str]
    comment: tuple[str, str] = MARKDOWN
    #: It may start `fairlead` by its name.
    by_name: bool = False
    #: It asks a server that its session has: whether it is registered must be looked at.
    needs_registration: bool = False

    def write(self, server: Server, tools: Sequence[str]) -> str:
        """The whole text of the file."""
        return sign(self.make(server, tools), self.comment)


def _find_claude(place: Place, project: Project) -> Path:
    return place.find("CLAUDE_CONFIG_DIR", ".claude") if project is None else project / ".claude"


def _find_claude_agent(place: Place, project: Project) -> Path:
    return _find_claude(place, project) / "agents" / f"{ENTRY}.md"


def _find_codex(place: Place, project: Project) -> Path:
    folder = place.find("CODEX_HOME", ".codex") if project is None else project / ".codex"
    return folder / "agents" / f"{ENTRY}.toml"


def _find_opencode(place: Place, project: Project) -> Path:
    named = place.environ.get("OPENCODE_CONFIG_DIR", "")
    user = Path(named).expanduser() if named else place.find_config() / "opencode"
    return (user if project is None else project / ".opencode") / "agent" / f"{ENTRY}.md"


def _quote(text: str) -> str:
    """A string that JSON, YAML and TOML read alike."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _make_claude_agent(server: Server, tools: Sequence[str]) -> str:
    entry = {ENTRY: server.split(type="stdio")}
    head = {
        "name": ENTRY,
        "description": DESCRIPTION,
        # One by one: the agent has these and no others, no shell and no files.
        "tools": ", ".join(f"mcp__{ENTRY}__{name}" for name in tools),
        "mcpServers": [entry],
        "model": "inherit",
        "maxTurns": _TURNS,
        "color": "blue",
    }
    # A value of JSON is one of YAML.
    lines = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in head.items())
    return f"---\n{lines}---\n\n{write_instructions(commands=False)}"


def _make_codex_agent(server: Server, tools: Sequence[str]) -> str:
    program, *arguments = server.words
    lines = [
        f"name = {_quote(ENTRY)}",
        f"description = {_quote(DESCRIPTION)}",
        'sandbox_mode = "read-only"',
        f"developer_instructions = '''\n{write_instructions(commands=True)}'''",
        "",
        f"[mcp_servers.{ENTRY}]",
        f"command = {_quote(program)}",
        f"args = [{', '.join(map(_quote, arguments))}]",
        f"enabled_tools = [{', '.join(map(_quote, tools))}]",
    ]
    if server.environ:
        lines += ["", f"[mcp_servers.{ENTRY}.env]"]
        lines += [f"{name} = {_quote(value)}" for name, value in server.environ.items()]
    return "\n".join([*lines, ""])


def _make_opencode_agent(server: Server, tools: Sequence[str]) -> str:
    # The last pattern that fits counts.
    commands = {"*": "deny", **dict.fromkeys((f"{name}*" for name in COMMANDS), "allow")}
    commands |= dict.fromkeys(("*--probe*", "*--watch*", "*>*"), "deny")
    permission = {"*": "deny", f"{ENTRY}_*": "allow", "bash": commands}
    head = {"description": DESCRIPTION, "mode": "subagent", "permission": permission, "steps": _TURNS}
    lines = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in head.items())
    return f"---\n{lines}---\n\n{write_instructions(commands=True)}"


def _make_skill(server: Server, tools: Sequence[str]) -> str:
    return make_skill()


#: The hosts of the sub-agent, by name, the default first.
AGENTS = {
    host.name: host
    for host in (
        Host("claude-code", "Claude Code", _find_claude_agent, _make_claude_agent),
        Host("codex", "Codex", _find_codex, _make_codex_agent, TOML, by_name=True, needs_registration=True),
        Host("opencode", "opencode", _find_opencode, _make_opencode_agent, by_name=True),
    )
}


def _find_claude_skill(place: Place, project: Project) -> Path:
    return _find_claude(place, project) / "skills" / ENTRY / "SKILL.md"


def _find_shared_skill(place: Place, project: Project) -> Path:
    return (place.home if project is None else project) / ".agents" / "skills" / ENTRY / "SKILL.md"


#: Where the skill is read: by Claude Code, and by the others (Codex, opencode, crush, pi, Gemini CLI).
SKILLS = (
    Host("claude-code", "skill of Claude Code", _find_claude_skill, _make_skill),
    Host("agents", "skill of other agents", _find_shared_skill, _make_skill),
)
