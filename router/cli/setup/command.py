"""`fairlead setup`: point a tool's own configuration at the proxy, and take that back."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from router.backends import PROTOCOLS
from router.cli.common.layout import note, print_json, say
from router.cli.common.parser import Parser, find_nearest
from router.cli.env.target import find_target
from router.cli.env.tools import SDK
from router.cli.env.variables import build_changes, fill_remedy
from router.cli.setup.listing import list_tools
from router.cli.setup.models import find_models
from router.cli.setup.tool_key import ToolKey, find_key_command, list_tool_keys, revoke_tool_key
from router.errors import CommandError, UsageError
from router.setup import plan as plans
from router.setup.apply import apply_plans
from router.setup.diff import format_diff
from router.setup.files import NotWritable
from router.setup.plan import FilePlan, list_changes
from router.setup.record import SCHEMA, SetupRecord, read_record
from router.setup.state import ask_version, find_program, is_too_old, list_conflicts, list_stronger, read_base
from router.setup.table import BY_NAME, TOOLS
from router.setup.tool import Place, Target, Tool
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown

# Lines of a file's changes that are shown before the question; --print shows all.
_SHOWN_LINES = 40


class _Command(NamedTuple):
    """One run of the command."""

    options: argparse.Namespace
    home: Home
    place: Place
    tool: Tool


def run(argv: list[str]) -> int:
    """List the tools, or set one up."""
    parser = Parser(
        "setup",
        "Point a tool's own configuration at the proxy: the changes are shown first, nothing else in the file is "
        "touched, and --undo takes back exactly these. Without TOOL, list the tools and where they point.",
        examples=["fairlead setup", "fairlead setup codex", "fairlead setup claude-code --check"],
    )
    parser.add_argument("tool", metavar="TOOL", nargs="?", help=f"one of {', '.join(tool.name for tool in TOOLS)}")
    parser.add_argument("--all", action="store_true", help="each tool on PATH; with --undo or --check, each set up")
    parser.add_argument("--model", metavar="NAME", help="the model that the tool begins with")
    parser.add_argument("--protocol", choices=[*PROTOCOLS], metavar="NAME", help="one of those that the tool speaks")
    parser.add_argument("--print", action="store_true", help="only show what would be written")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--check", action="store_true", help="run the tool once, and find its request in the history")
    parser.add_argument("--undo", action="store_true", help="take back what was written")
    parser.add_argument("--mcp", action="store_true", help="register `fairlead mcp` in it, for questions to the router")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.read(argv)
    place = Place(os.environ, Path(os.path.expanduser("~")), sys.platform)
    home = open_home(os.environ)
    if options.mcp:
        if options.all or options.tool is None:
            raise UsageError("--mcp needs the name of one tool.", "fairlead setup codex --mcp")
        from router.cli.setup.register import register

        return register(options, home, place, _find_tool(options.tool))
    if options.all:
        return _run_all(options, home, place)
    if options.tool is None:
        return list_tools(home, place, as_json=options.json)
    return _run_one(_Command(options, home, place, _find_tool(options.tool)))


def _run_one(command: _Command) -> int:
    options, home, place, tool = command
    if tool.make_changes is None:
        return _explain(command)
    if options.check:
        from router.cli.setup.check import check

        return check(home, place, tool, options.model or "", as_json=options.json)
    return _undo(command) if options.undo else _set_up(command)


def _run_all(options: argparse.Namespace, home: Home, place: Place) -> int:
    """The same for several tools, one after the other; exit code 1 when one failed. Raises CommandError, UsageError."""
    for name in ("tool", "protocol", "json"):
        if getattr(options, name):
            raise UsageError(f"--all goes without {name.upper() if name == 'tool' else f'--{name}'}.")
    later = options.undo or options.check
    able = [one for one in TOOLS if one.make_changes is not None and (one.check or not options.check)]
    chosen = [one for one in able if (read_record(home, one.name) if later else find_program(one, place.environ))]
    if not chosen:
        what = "fairlead has written nothing for any tool" if later else "no tool that can be set up is on PATH"
        raise CommandError(f"{what}.", "What is here, and where it points:   fairlead setup")
    code = 0
    for tool in chosen:
        try:
            code = max(code, _run_one(_Command(options, home, place, tool)))
        except UsageError:
            raise
        except CommandError as error:
            note(f"error: {tool.name}: {error}")
            for line in error.hint.splitlines():
                note(f"       {line}")
            code = 1
    return code


def _find_tool(name: str) -> Tool:
    found = BY_NAME.get(name.lower())
    if found is None:
        near = find_nearest(name, BY_NAME)
        known = f"Tools: {', '.join(tool.name for tool in TOOLS)}"
        raise UsageError(f"unknown tool: {name}", f"Did you mean {near}?\n{known}" if near else known)
    return found


def _explain(command: _Command) -> int:
    """Say what to do for a tool that has no file to write. Raises CommandError where nothing helps."""
    tool = command.tool
    if not tool.possible:
        raise CommandError(tool.obstacle, "\n".join(tool.remedy))
    told = list[str]()
    found = find_target(command.home, told.append)
    remedy = fill_remedy(tool.remedy, found)
    if command.options.json:
        print_json({"tool": tool.name, "written": False, "reason": tool.obstacle, "instead": remedy})
    else:
        say("\n".join([tool.obstacle, *(f"  {line}" for line in remedy)]))
    for line in told:
        note(line)
    return 0


def _set_up(command: _Command) -> int:
    tool, place = command.tool, command.place
    program = find_program(tool, place.environ)
    version = ""
    if not command.options.print:
        check_installed(tool, place, f"fairlead setup {tool.name} --print")
        version = ask_version(tool, program, place.environ) if program else ""
    if is_too_old(tool, version):
        raise CommandError(
            f"{tool.title} {version} is too old: it does not read what fairlead would write.",
            f"Update it to {tool.oldest} or newer, then run this again.",
        )
    target, key = _find_target(command)
    try:
        code = _set_up_with(command, version, target, key)
    except BaseException:
        key.withdraw()
        raise
    key.tell()
    return code


def _set_up_with(command: _Command, version: str, target: Target, key: ToolKey) -> int:
    _, home, place, tool = command
    record = read_record(home, tool.name)
    assert tool.make_changes is not None
    planned = plans.plan_setup(tool.make_changes(target, place), record, secret=target.key)
    files = [one.record for one in planned if one.record is not None]
    made = SetupRecord(
        schema=SCHEMA,
        tool=tool.name,
        version=version,
        time=time.time(),
        url=target.url,
        model=target.model.name,
        files=[one for one in files if one.edits],
    )
    warnings = [*list_stronger(tool, place, target.url, Path.cwd()), *list_conflicts(tool, place)]
    if not list_changes(planned):
        return _finish(command, planned, [], warnings, f"{tool.title} uses fairlead already; nothing to change.")
    _announce(command, target)
    if not _show(command, planned, [target.key]):
        key.withdraw()
        return 0
    _write(command, planned, made if made.files else None, [target.key])
    done = [
        f"{tool.title} uses fairlead now. Check:   fairlead setup {tool.name} --check",
        f"{' ' * len(f'{tool.title} uses fairlead now. ')}Undo:    fairlead setup {tool.name} --undo",
    ]
    if not tool.check:
        done = [f"{tool.title} uses fairlead now. Undo:   fairlead setup {tool.name} --undo"]
    return _finish(command, planned, [*tool.notes], warnings, "\n".join(done))


def check_installed(tool: Tool, place: Place, command: str) -> None:
    """Refuse a tool that has neither a program nor a folder here. command: what shows what would be written. Raises
    CommandError."""
    assert tool.find_main is not None
    folder = tool.find_main(place)[0].parent
    if not find_program(tool, place.environ) and (folder == place.home or not folder.exists()):
        where = f"`{tool.program}` is not on PATH"
        also = "" if folder == place.home else f", and {shown(folder)} is not there"
        raise CommandError(
            f"{tool.title} was not found: {where}{also}.",
            f"Install it first. What would be written:   {command}",
        )


def _find_target(command: _Command) -> tuple[Target, ToolKey]:
    """What the tool is pointed at, and with which key. Raises CommandError, UsageError."""
    options, home, place, tool = command
    protocol = options.protocol or tool.protocols[0]
    if protocol not in tool.protocols:
        raise UsageError(f"{tool.title} does not speak {protocol}.", f"It speaks: {', '.join(tool.protocols)}.")
    found = find_target(home)
    models, model = find_models(home, options.model or "")
    bypass = build_changes(SDK, found, place.environ).get("NO_PROXY")
    key = ToolKey(home, tool, needed=found.key is not None)
    target = Target(
        url=found.url,
        models=models,
        model=model,
        chosen=bool(options.model),
        key=key.provide(make=not options.print),
        key_command=find_key_command(tool, place),
        login=found.own,
        protocol=protocol,
        no_proxy=bypass or "",
    )
    return target, key


def _announce(command: _Command, target: Target) -> None:
    """Say what is replaced, and what the file cannot do."""
    tool, place = command.tool, command.place
    if command.options.json:
        return
    try:
        base = read_base(tool, place)
    except Exception:
        base = ""
    if base and base != target.url and not base.startswith(f"{target.url}/"):
        note(f"note: {tool.title} points at {base} now; --undo will bring that back.")
    if target.no_proxy and not tool.sets_no_proxy:
        note("warning: a proxy is set here, and NO_PROXY lacks this machine. Where the tool starts:")
        note(f"         export NO_PROXY={target.no_proxy}")


def _show(command: _Command, planned: Sequence[FilePlan], secrets: Sequence[str]) -> bool:
    """Show what would change; True when it is to be written. Raises UsageError where that cannot be asked."""
    options = command.options
    limit = None if options.print else _SHOWN_LINES
    changed = list_changes(planned)
    if options.json and options.print:
        print_json(_to_json(command, changed, secrets, written=False))
        return False
    if not options.json:
        for one in changed:
            print("\n".join(format_diff(one, secrets, limit=limit)))
    if options.print:
        return False
    if options.yes:
        return True
    if options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("nothing was written: this is no terminal to ask on.", "Write it without a question: --yes")
    try:
        agreed = input("Write this? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        agreed = False
    if not agreed:
        say("Nothing was written.")
    return agreed


def _write(command: _Command, planned: Sequence[FilePlan], record: SetupRecord | None, secrets: Sequence[str]) -> None:
    """Write the files. Raises CommandError; where a file cannot be replaced, all changes are shown for the hand."""
    try:
        apply_plans(command.home, command.tool.name, planned, record)
    except NotWritable as error:
        lines = [line for one in list_changes(planned) for line in format_diff(one, secrets)]
        raise CommandError(
            f"nothing was written: {error}.", "\n".join(["Make these changes yourself:", *lines])
        ) from None
    if command.options.json:
        print_json(_to_json(command, list_changes(planned), secrets, written=True))


def _undo(command: _Command) -> int:
    tool, options = command.tool, command.options
    record = read_record(command.home, tool.name)
    if record is None:
        raise CommandError(f"fairlead has written nothing for {tool.title}.", "What it wrote:   fairlead setup")
    planned = plans.plan_undo(record)
    secrets = list_tool_keys(command.home, tool)
    if list_changes(planned) and not _show(command, planned, secrets):
        return 0
    if not options.print:
        _write(command, planned, None, secrets)
        revoke_tool_key(command.home, tool)
    return _finish(command, planned, [], [], f"{tool.title} is as it was before.")


def _finish(
    command: _Command, planned: Sequence[FilePlan], notes: Sequence[str], warnings: Sequence[str], done: str
) -> int:
    if command.options.json:
        if not list_changes(planned):
            print_json(_to_json(command, [], [], written=False))
    else:
        say(done)
    for line in warnings:
        note(f"warning: {line}")
    for line in notes:
        note(f"note: {line}")
    return 0


def _to_json(
    command: _Command, changed: Sequence[FilePlan], secrets: Sequence[str], *, written: bool
) -> dict[str, object]:
    files = [{"path": str(one.file.path), "diff": format_diff(one, secrets)[1:]} for one in changed]
    return {"tool": command.tool.name, "written": written, "files": files}
