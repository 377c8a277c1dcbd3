"""The question of `fairlead init` on the tool: which of those on this machine to point at the proxy."""

from collections.abc import Sequence
from typing import NamedTuple

from router.cli.common.layout import find_width, format_table, say
from router.cli.common.parser import find_nearest
from router.cli.init.backends import NONE
from router.cli.init.questions import Asker, InvalidAnswer, Question, read_number
from router.errors import CommandError, UsageError
from router.setup.record import read_record
from router.setup.state import State, find_program, read_state
from router.setup.table import BY_NAME, TOOLS
from router.setup.tool import Place, Tool
from router.store.home.home import Home

_FLAG = f"--tool NAME      a tool to point at fairlead, or {NONE}"
_WRITE_FLAG = "--write          write the configuration of the tool without asking"


class FoundTool(NamedTuple):
    """A tool that is installed here."""

    tool: Tool
    state: State


def find_tools(home: Home, place: Place, url: str) -> list[FoundTool]:
    """The tools that are installed, and whose file can be written and does not lead to the proxy yet."""
    found: list[FoundTool] = []
    for tool in TOOLS:
        if not _is_installed(tool, place):
            continue
        try:
            state = read_state(tool, place, url, read_record(home, tool.name))
        except CommandError:
            # `fairlead setup` says what is wrong with its record.
            continue
        if state.kind not in ("here", "unreadable"):
            found.append(FoundTool(tool, state))
    return found


def _is_installed(tool: Tool, place: Place) -> bool:
    """True where the tool's program is on PATH, or its folder is there: not all have a program."""
    if tool.make_changes is None or tool.find_main is None:
        return False
    folder = tool.find_main(place)[0].parent
    return bool(find_program(tool, place.environ)) or (folder != place.home and folder.exists())


def choose(named: str | None, place: Place, found: Sequence[FoundTool], asker: Asker, *, write: bool) -> Tool | None:
    """The tool that is to be pointed at the proxy, None for none. named: by a flag. write: its
    configuration is written without a question. Raises CommandError, UsageError."""
    if named is not None:
        try:
            tool = _read_named(named.strip().lower(), place)
        except InvalidAnswer as wrong:
            raise UsageError(f"--tool: {wrong}") from None
    elif not found:
        return None
    else:
        if asker.asks:
            _show(found)
        question = Question(f"Point which at fairlead? Its change is shown first (a number, or {NONE})", NONE, _FLAG)
        tool = asker.ask(question, lambda text: _read_answer(text.lower(), place, found))
    if tool is not None and not write and not asker.terminal:
        asker.leave_open(_WRITE_FLAG)
    return tool


def _show(found: Sequence[FoundTool]) -> None:
    say("Tools here:")
    rows = [(str(number), one.tool.name, _describe(one)) for number, one in enumerate(found, 1)]
    print("\n".join(format_table(rows, "  ", right={0}, width=find_width())))


def _describe(one: FoundTool) -> str:
    if one.state.kind == "elsewhere":
        return f"{one.tool.title}, which points at {one.state.url} now"
    return f"{one.tool.title}, changed since fairlead wrote it" if one.state.kind == "changed" else one.tool.title


def _read_answer(text: str, place: Place, found: Sequence[FoundTool]) -> Tool | None:
    if text.isdecimal():
        return found[read_number(text, len(found), NONE) - 1].tool
    return _read_named(text, place)


def _read_named(name: str, place: Place) -> Tool | None:
    if name == NONE:
        return None
    tool = BY_NAME.get(name)
    if tool is None:
        able = [one.name for one in TOOLS if one.make_changes is not None]
        near = find_nearest(name, BY_NAME)
        meant = f"Did you mean {near}? " if near else ""
        raise InvalidAnswer(f"{name[:60]} is not a tool fairlead knows. {meant}One, or {NONE}: {', '.join(able)}.")
    if tool.make_changes is None:
        raise InvalidAnswer(f"{tool.title} has no file that could be written. What helps:   fairlead setup {tool.name}")
    if not _is_installed(tool, place):
        raise InvalidAnswer(
            f"{tool.title} was not found on this machine. What would be written:   fairlead setup {tool.name} --print"
        )
    return tool
