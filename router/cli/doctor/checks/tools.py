"""The tools on this machine: where their own files send them, and what has precedence over these."""

from collections.abc import Sequence

from router.cli.doctor.checks.environment import find_url, is_loopback_url, is_ours
from router.cli.doctor.row import Row, Run
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.settings.kinds import clean
from router.setup.record import SetupRecord, read_record
from router.setup.state import (
    State,
    ask_version,
    find_program,
    is_too_old,
    list_conflicts,
    list_stronger,
    read_state,
)
from router.setup.tool import Tool


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
