"""`fairlead env`: the lines that point tools at the proxy. Imports no network module: shells run it at each start."""

import os
import sys
from typing import NoReturn

from router.cli.common.layout import note, print_json
from router.cli.common.parser import Parser, find_nearest
from router.cli.env.shells import SHELLS, format_assignment, format_evaluation, format_removal, format_wrapper
from router.cli.env.target import Target, find_target
from router.cli.env.tools import BY_NAME, SDK, TOOLS, Tool
from router.cli.env.variables import (
    Changes,
    build_arguments,
    build_changes,
    fill_remedy,
    lacks_key,
    list_overwritten_keys,
)
from router.errors import CommandError, UsageError
from router.store.home.home import Home, open_home


def run(argv: list[str]) -> int:
    """Print one line per variable, or all as JSON."""
    parser = Parser(
        "env",
        "Print the lines that point a tool at the running proxy, for a shell to evaluate.",
        examples=[
            'eval "$(fairlead env)"',
            'eval "$(fairlead env --tool codex)"',
            "fairlead env --shell fish | source",
        ],
    )
    default = "powershell" if sys.platform == "win32" else "sh"
    names = ", ".join(tool.name for tool in TOOLS)
    parser.add_argument("--tool", metavar="NAME", help=f"the lines for one tool: {names}; or what helps another one")
    parser.add_argument(
        "--shell", choices=[*SHELLS], default=default, metavar="SHELL", help=f"{', '.join(SHELLS)} (default {default})"
    )
    parser.add_argument("--json", action="store_true", help="print the variables as JSON; null: unset it")
    options = parser.read(argv)
    tool = SDK if options.tool is None else _find_tool(options.tool)
    home = open_home(os.environ)
    if tool.obstacle:
        _refuse(home, tool)
    target = find_target(home)
    changes = build_changes(tool, target, os.environ, windows=sys.platform == "win32")
    arguments = build_arguments(tool, target)
    if options.json:
        _print_json(changes, arguments if options.tool else None)
    else:
        _print_lines(options.shell, tool, changes, arguments)
    _note_conflicts(tool, target, changes)
    if sys.stdout.isatty() and not options.json:
        _note_use(options.shell, options.tool)
    if options.tool is not None:
        for line in tool.notes:
            note(f"note: {line}")
    return 0


def _find_tool(name: str) -> Tool:
    if name.lower() in BY_NAME:
        return BY_NAME[name.lower()]
    # Late: shells run this command at each start, and most without a tool's name.
    from router.cli.env import by_file

    found = by_file.BY_NAME.get(name.lower())
    if found is None:
        near = find_nearest(name, [*BY_NAME, *by_file.BY_NAME])
        known = f"Tools: {', '.join(tool.name for tool in (*TOOLS, *by_file.TOOLS))}"
        raise UsageError(f"unknown tool: {name}", f"Did you mean {near}?\n{known}" if near else known)
    return found


def _refuse(home: Home, tool: Tool) -> NoReturn:
    """Raise CommandError for a tool that no line helps. What keeps the proxy from being reached is for those that are
    told its URL."""
    told = list[str]()
    target = find_target(home, told.append)
    lines = fill_remedy(tool.remedy, target)
    named = any(target.url in line for line in lines)
    raise CommandError(tool.obstacle, "\n".join([*lines, *(told if named else ())]))


def _print_json(changes: Changes, arguments: list[str] | None) -> None:

    # Without a tool, the variables alone.
    print_json(changes if arguments is None else {"variables": changes, "arguments": arguments})


def _print_lines(shell: str, tool: Tool, changes: Changes, arguments: list[str]) -> None:
    for name, value in changes.items():
        print(format_removal(shell, name) if value is None else format_assignment(shell, name, value))
    if arguments:
        print(format_wrapper(shell, tool.name, arguments))


def _note_conflicts(tool: Tool, target: Target, changes: Changes) -> None:
    """Say where the lines are not enough, or take something away."""
    for variable, names in list_overwritten_keys(changes, target.sources):
        done = "remove" if changes[variable] is None else "replace"
        note(f"warning: these lines {done} ${variable}, which {' and '.join(names)} takes its key from.")
        note("         Start `fairlead proxy` from a shell without them, or store the key:")
        note(f"         fairlead backend add {names[0]} --key-stdin")
    if lacks_key(tool, target):
        note("note: a tool that uses its own OpenAI login must also send fairlead's key, in the header x-fairlead-key.")


def _note_use(shell: str, tool: str | None) -> None:
    """Say how to use the lines; for someone who sees them on a terminal."""
    command = "fairlead env" if tool is None else f"fairlead env --tool {tool}"
    note(f"note: to use these lines:   {format_evaluation(shell, command)}")
    if tool is None:
        note("      Codex reads none of them, and other tools need more or less:   fairlead env --tool NAME")
