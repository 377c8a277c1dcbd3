"""The tools on this machine: where their own files send them, what has precedence over these, and what they were told
of fairlead."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from router import __version__
from router.cli.doctor.checks.environment import find_url, is_loopback_url, is_ours
from router.cli.doctor.checks.program import ask_own_version
from router.cli.doctor.row import Row, Run
from router.cli.doctor.situation import Situation
from router.cli.setup.register import find_server, format_claude_code
from router.cli.subagent.status import list_found, name_row
from router.cli.subagent.target import find_project
from router.errors import CommandError
from router.settings.kinds import clean
from router.setup.agents.state import describe
from router.setup.record import SetupRecord, read_record
from router.setup.registrations import (
    CLAUDE_CODE,
    CLAUDE_CODE_TABLE,
    REGISTRATIONS,
    Server,
    find_claude_code,
    read_server,
)
from router.setup.state import (
    State,
    ask_version,
    find_program,
    is_too_old,
    list_conflicts,
    list_stronger,
    parse_file,
    read_state,
)
from router.setup.table import BY_NAME
from router.setup.tool import Tool
from router.store.home.permissions import shown


def make_run(tool: Tool) -> Run:
    """The check of one tool, as `Check.run`."""

    def run(situation: Situation) -> Sequence[Row]:
        return check_tool(situation, tool)

    return run


def check_tool(situation: Situation, tool: Tool) -> list[Row]:
    """Where it points; nothing for one that is not here."""
    place, name = situation.place, f"tool.{tool.name}"
    program = find_program(tool, place.environ)
    if tool.make_changes is None:
        # Its settings cannot be read; that it can reach this machine at all is all that is known.
        return [Row(name, "info", tool.obstacle)] if program and not tool.possible else []
    url = find_url(situation)
    try:
        record = read_record(situation.home, tool.name) if situation.home is not None else None
        state = read_state(tool, place, url, record)
    except CommandError as error:
        return [Row(name, "warn", str(error), error.hint)]
    if not program and state.kind == "not set":
        return []
    rows = [*_judge_state(tool, state, record, url)]
    if state.kind in ("here", "changed"):
        rows += [
            Row(name, "warn", clean(line, 400), "Remove it there, or for this project: fairlead run -- " + tool.program)
            for line in list_stronger(tool, place, url, situation.folder)
        ]
        rows += [Row(name, "warn", clean(line, 400), _setup(tool)) for line in list_conflicts(tool, place)]
    elif _is_overruled(situation, tool, state, url):
        text = f"this shell's variables point here, and its file has precedence: it uses {clean(state.url)}"
        rows.append(Row(name, "warn", text, _setup(tool)))
    version = ask_version(tool, program, place.environ) if program and tool.oldest else ""
    if is_too_old(tool, version):
        text = f"{tool.title} {version} is older than {tool.oldest}, which is the first that reads what setup writes"
        rows.append(Row(name, "info", text))
    return [row._replace(subject=tool.name) for row in rows]


def _setup(tool: Tool) -> str:
    return f"Point it here: fairlead setup {tool.name}"


def _judge_state(tool: Tool, state: State, record: SetupRecord | None, url: str) -> list[Row]:
    name = f"tool.{tool.name}"
    if state.kind == "unreadable":
        return [Row(name, "warn", clean(state.problem, 400), f"Correct the file, then: fairlead setup {tool.name}")]
    if state.kind == "changed":
        text = "its file was changed since fairlead wrote it"
        return [Row(name, "warn", text, f"See what differs: fairlead setup {tool.name} --print")]
    if state.kind == "here" or (state.kind == "elsewhere" and is_ours(state.url, url)):
        return [Row(name, "ok", f"{tool.title} points here")]
    if state.kind == "elsewhere" and record is not None:
        text = f"fairlead pointed it to {clean(state.url)}, and the proxy is at {url}"
        return [Row(name, "warn", text, _setup(tool))]
    if state.kind == "elsewhere" and is_loopback_url(state.url):
        return [Row(name, "info", f"{tool.title} points to {clean(state.url)}, which is not this proxy")]
    if state.kind == "elsewhere":
        return [Row(name, "info", f"{tool.title} points to {clean(state.url)}")]
    return [Row(name, "info", f"{tool.title} is here, and its file names no other place")]


def _is_overruled(situation: Situation, tool: Tool, state: State, url: str) -> bool:
    """True where a shell's variables that point here do not count, since the tool's own file has precedence."""
    if state.kind != "elsewhere" or tool.name != "claude-code" or is_ours(state.url, url):
        return False
    return is_ours(situation.environ.get("ANTHROPIC_BASE_URL", ""), url)


def check_registrations(situation: Situation) -> list[Row]:
    """Whether the agents that were told of `fairlead mcp` would start this program."""
    good: list[str] = []
    rows: list[Row] = []
    if situation.home_path is None:
        # It cannot be named, which is told by the home's own check.
        return []
    for name, server in _list_servers(situation):
        wrong = _judge_server(BY_NAME[name].title, server, situation)
        fix = _name_registration(name, situation)
        if wrong is None:
            good.append(BY_NAME[name].title)
        elif wrong.status == "warn":
            rows.append(wrong._replace(fix=fix, subject=name))
        else:
            rows.append(wrong._replace(text=f"{wrong.text}; `{fix}` registers this one", subject=name))
    return [*([Row("mcp", "ok", f"{', '.join(good)} would start this program")] if good else []), *rows]


def _list_servers(situation: Situation) -> Iterator[tuple[str, Server]]:
    """Each agent's name with what it would start."""
    place = situation.place
    found = [("claude-code", find_claude_code(place), CLAUDE_CODE_TABLE)]
    found += [(name, one.find(place), one.table) for name, one in REGISTRATIONS.items()]
    for name, (path, form), table in found:
        try:
            server = read_server(parse_file(path, form), table)
        except CommandError:
            # Whether a tool's file can be read is told by the tool's own check.
            continue
        if server is not None:
            yield name, server


def _judge_server(title: str, server: Server, situation: Situation) -> Row | None:
    """What is to be said of a server, None for nothing."""
    program, home = server.words[0], server.environ.get("FAIRLEAD_HOME", "")
    if shutil.which(program, path=situation.environ.get("PATH")) is None:
        return Row("mcp", "warn", f"{title} would start {clean(shown(Path(program)))}, which is not there")
    if home and situation.home_path is not None and os.path.realpath(home) != os.path.realpath(situation.home_path):
        return Row("mcp", "info", f"{title} asks about another home, {clean(shown(Path(home)))}")
    if [*server.words] == [*find_server(situation.place).words]:
        return None
    # What else it may be is not started here.
    named = os.path.basename(program) in ("fairlead", "fairlead.exe")
    version = ask_own_version(program, situation) if named else ""
    if version == __version__:
        return None
    return Row("mcp", "info", f"{title} starts {clean(shown(Path(program)))} ({version or 'version not known'})")


def _name_registration(name: str, situation: Situation) -> str:
    """The command that registers this program."""
    if name == "claude-code":
        return f"{CLAUDE_CODE[1]}; {format_claude_code(find_server(situation.place))}"
    return f"fairlead setup {name} --mcp"


def check_subagents(situation: Situation) -> list[Row]:
    """Which hosts have the sub-agent or the skill, and of which version; nothing where none has."""
    if situation.home_path is None:
        return []
    try:
        found = list_found(situation.home, situation.place, find_project(situation.folder))
    except CommandError as error:
        return [Row("subagent", "warn", str(error), error.hint)]
    if all(one.kind == "absent" for _, one in found):
        return []
    text = "; ".join(f"{name_row(target, one)}: {describe(one)}" for target, one in found)
    anew = next((target for target, one in found if one.kind == "older"), None)
    if anew is not None:
        text += f"; `fairlead subagent install{anew.flags}` writes it anew"
    return [Row("subagent", "info", text)]
