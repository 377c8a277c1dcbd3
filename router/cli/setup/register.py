"""`fairlead setup TOOL --mcp`: tell an agent of `fairlead mcp`, and take that back."""

import argparse
import shlex
import shutil
import sys
import time

from router.cli.common.layout import note, print_json, say
from router.errors import CommandError, UsageError
from router.host.own_program import find_words
from router.setup.apply import apply_plans
from router.setup.diff import format_diff
from router.setup.files import NotWritable
from router.setup.plan import FilePlan, list_changes, plan_setup, plan_undo
from router.setup.record import SCHEMA, SetupRecord, read_record
from router.setup.registrations import CLAUDE_CODE, REGISTRATIONS, Server, make_change
from router.setup.tool import Place, Tool
from router.store.home.home import Home
from router.store.home.place import find_home


def register(options: argparse.Namespace, home: Home, place: Place, tool: Tool) -> int:
    """Write the entry, or take it back. Raises CommandError, UsageError."""
    for name in ("model", "protocol", "check"):
        if getattr(options, name):
            raise UsageError(f"--mcp goes without --{name}.")
    server = _find_server(place)
    if tool.name == "claude-code":
        return _explain(options, server)
    registration = REGISTRATIONS.get(tool.name)
    if registration is None:
        known = ", ".join(["claude-code", *REGISTRATIONS])
        raise CommandError(f"fairlead does not know where {tool.title} has its MCP servers.", f"Known: {known}.")
    name = f"{tool.name}-mcp"
    record = read_record(home, name)
    if options.undo:
        if record is None:
            raise CommandError(f"fairlead has registered nothing in {tool.title}.")
        return _apply(options, home, name, plan_undo(record), None, f"{tool.title} has no fairlead server any more.")
    planned = plan_setup([make_change(registration, server, place)], record, secret="")
    files = [one.record for one in planned if one.record is not None and one.record.edits]
    made = SetupRecord(schema=SCHEMA, tool=name, version="", time=time.time(), url="", model="", files=files)
    done = (
        f"{tool.title} can ask about the router once it is restarted. Undo:   fairlead setup {tool.name} --mcp --undo"
    )
    return _apply(options, home, name, planned, made if files else None, done)


def _find_server(place: Place) -> Server:
    """What the agent starts: by its path, since one that was not started by a shell may have another PATH."""
    program = shutil.which("fairlead", path=place.environ.get("PATH"))
    moved = place.environ.get("FAIRLEAD_HOME")
    words = (program,) if program else find_words()
    return Server((*words, "mcp"), {"FAIRLEAD_HOME": str(find_home(place.environ))} if moved else {})


def _explain(options: argparse.Namespace, server: Server) -> int:
    """Print the command that does it."""
    given = "".join(f"--env {shlex.quote(f'{name}={value}')} " for name, value in server.environ.items())
    add, remove = CLAUDE_CODE
    command = remove if options.undo else add.format(words=shlex.join(server.words), env=given)
    if options.json:
        print_json({"tool": "claude-code", "written": False, "instead": [command]})
    else:
        say(f"Claude Code rewrites its own file while it runs; its own command changes it safely:\n  {command}")
    return 0


def _apply(
    options: argparse.Namespace,
    home: Home,
    name: str,
    planned: list[FilePlan],
    record: SetupRecord | None,
    done: str,
) -> int:
    """Show what would change, and write it when that is agreed to. Raises CommandError, UsageError."""
    changed = list_changes(planned)
    lines = [line for one in changed for line in format_diff(one, ())]
    written = bool(changed) and not options.print and _agree(options, lines)
    if written or not (changed or options.print):
        try:
            apply_plans(home, name, planned, record)
        except NotWritable as error:
            hint = "\n".join(["Make these changes yourself:", *lines])
            raise CommandError(f"nothing was written: {error}.", hint) from None
    if options.json:
        files = [{"path": str(one.file.path), "diff": format_diff(one, ())[1:]} for one in changed]
        print_json({"tool": name, "written": written, "files": files})
    elif options.print:
        print("\n".join(lines))
    elif written:
        say(done)
    elif not changed:
        say("It is so already; nothing to change.")
    return 0


def _agree(options: argparse.Namespace, lines: list[str]) -> bool:
    """True when the changes are to be written. Raises UsageError where that cannot be asked."""
    if not options.json:
        print("\n".join(lines))
    if options.yes:
        return True
    if options.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("nothing was written: this is no terminal to ask on.", "Write it without a question: --yes")
    note("Write this? [y/N]")
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not agreed:
        say("Nothing was written.")
    return agreed
