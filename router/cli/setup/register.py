"""`fairlead setup TOOL --mcp`: tell an agent of `fairlead mcp`, and take that back."""

import argparse
import shlex
import shutil
import time

from router.cli.common.layout import print_json, say
from router.cli.setup.confirm import apply_when_agreed
from router.errors import CommandError, UsageError
from router.host.own_program import find_words
from router.setup.plan import plan_setup, plan_undo
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
    server = find_server(place)
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
        done = f"{tool.title} has no fairlead server any more."
        apply_when_agreed(options, home, name, plan_undo(record), None, done)
        return 0
    planned = plan_setup([make_change(registration, server, place)], record, secret="")
    files = [one.record for one in planned if one.record is not None and one.record.edits]
    made = SetupRecord(schema=SCHEMA, tool=name, version="", time=time.time(), url="", model="", files=files)
    done = (
        f"{tool.title} can ask about the router once it is restarted. Undo:   fairlead setup {tool.name} --mcp --undo"
    )
    apply_when_agreed(options, home, name, planned, made if files else None, done)
    return 0


def find_server(place: Place) -> Server:
    """What the agent starts: by its path, since one that was not started by a shell may have another PATH."""
    program = shutil.which("fairlead", path=place.environ.get("PATH"))
    moved = place.environ.get("FAIRLEAD_HOME")
    words = (program,) if program else find_words()
    return Server((*words, "mcp"), {"FAIRLEAD_HOME": str(find_home(place.environ))} if moved else {})


def format_claude_code(server: Server) -> str:
    """The command that adds the server to Claude Code."""
    given = "".join(f"--env {shlex.quote(f'{name}={value}')} " for name, value in server.environ.items())
    return CLAUDE_CODE[0].format(words=shlex.join(server.words), env=given)


def _explain(options: argparse.Namespace, server: Server) -> int:
    """Print the command that does it."""
    command = CLAUDE_CODE[1] if options.undo else format_claude_code(server)
    if options.json:
        print_json({"tool": "claude-code", "written": False, "instead": [command]})
    else:
        say(f"Claude Code rewrites its own file while it runs; its own command changes it safely:\n  {command}")
    return 0
