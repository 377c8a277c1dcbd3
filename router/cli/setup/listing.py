"""`fairlead setup` without a tool: which are here, and where they point."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from router.cli.common.layout import NONE, find_width, format_table, note, print_json, say
from router.cli.env.target import find_target
from router.errors import CommandError
from router.setup.record import SetupRecord, read_record
from router.setup.state import State, ask_version, find_program, is_too_old, read_state
from router.setup.table import TOOLS
from router.setup.tool import Place, Tool
from router.store.home.home import Home


class Row(NamedTuple):
    """One tool."""

    tool: Tool
    program: str
    version: str
    state: State
    record: SetupRecord | None


def list_tools(home: Home, place: Place, *, as_json: bool) -> int:
    """Print the table."""
    url = find_target(home).url
    with ThreadPoolExecutor(4) as pool:
        # Some take a second to say their version.
        asked = [pool.submit(_read_row, home, place, tool, url) for tool in TOOLS]
    rows = [one.result() for one in asked]
    if as_json:
        print_json({"url": url, "tools": [_to_json(row) for row in rows]})
        return 0
    cells = [(row.tool.name, row.version or ("found" if row.program else NONE), _describe(row)) for row in rows]
    print("\n".join(format_table(cells, header=("tool", "version", "points"), width=find_width())))
    for row in rows:
        if row.state.problem:
            note(f"error: {row.state.problem}")
    next_step = _name_next(rows)
    if next_step:
        say(next_step)
    return 0


def _name_next(rows: Sequence[Row]) -> str:
    """What to do next, "" where all is done."""
    able = [row for row in rows if row.tool.make_changes is not None and row.state.kind != "unreadable"]
    found = [row for row in able if row.program and not is_too_old(row.tool, row.version)]
    if not found:
        return "None that can be set up is on PATH. What would be written:   fairlead setup TOOL --print"
    away = next((row for row in found if row.state.kind != "here"), None)
    if away is not None:
        return f"Point one at the proxy:   fairlead setup {away.tool.name}"
    able_to_check = next((row for row in found if row.tool.check), None)
    return "" if able_to_check is None else f"Check one:   fairlead setup {able_to_check.tool.name} --check"


def _read_row(home: Home, place: Place, tool: Tool, url: str) -> Row:
    program = find_program(tool, place.environ)
    version = ask_version(tool, program, place.environ) if program else ""
    try:
        record = read_record(home, tool.name)
    except CommandError as error:
        return Row(tool, program, version, State("unreadable", problem=str(error)), None)
    return Row(tool, program, version, read_state(tool, place, url, record), record)


def _describe(row: Row) -> str:
    state, name = row.state, row.tool.name
    if row.tool.make_changes is None:
        return "see:   fairlead setup " + name if row.tool.possible else "cannot be pointed here"
    if is_too_old(row.tool, row.version):
        return f"too old: {row.tool.oldest} or newer can be pointed here"
    if state.kind == "here":
        return "here" if state.ours else "here (not by setup)"
    if state.kind == "changed":
        return "changed since fairlead wrote it"
    if state.kind == "elsewhere":
        return f"elsewhere: {state.url}"
    if state.kind == "unreadable":
        return "its file cannot be read"
    return "not set" if row.program else NONE


def _to_json(row: Row) -> dict[str, object]:
    return {
        "tool": row.tool.name,
        "program": row.program or None,
        "version": row.version or None,
        "too_old": is_too_old(row.tool, row.version),
        "state": row.state.kind if row.tool.make_changes is not None else "no file",
        "url": row.state.url or None,
        "by_setup": row.state.ours,
        "problem": row.state.problem or None,
    }
