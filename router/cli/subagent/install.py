"""`fairlead subagent install`: write what an agent is told of fairlead."""

import os
import shutil
import time
from pathlib import Path

from router.cli.common.layout import note
from router.cli.setup.command import check_installed
from router.cli.setup.confirm import apply_when_agreed
from router.cli.subagent.target import Target, examine_target, find_place, make_parser, read_target
from router.errors import CommandError
from router.setup.agents.state import Found, list_refused, plan_write
from router.setup.record import SCHEMA, SetupRecord, read_record
from router.setup.registrations import REGISTRATIONS, read_server
from router.setup.state import parse_file
from router.setup.table import BY_NAME
from router.setup.tool import Place
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown

# Lines of a file that are shown before the question; --print shows all.
_SHOWN_LINES = 40


def run(argv: list[str]) -> int:
    """Write the files, or show them."""
    parser = make_parser(
        "install",
        "Give an agent a sub-agent that answers questions about fairlead: why a request failed or was slow, what it "
        "cost, which account is limited. In Claude Code it has the tools of `fairlead mcp` and no others, in opencode "
        "the commands that only look; in Codex it has what its session has. With --skill: a text from which an agent "
        "learns to install, set up and debug fairlead.",
        examples=[
            "fairlead subagent install",
            "fairlead subagent install --tool codex --project",
            "fairlead subagent install --skill --print",
        ],
    )
    parser.add_argument("--print", action="store_true", help="only print the text that would be written")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument(
        "--force", action="store_true", help="also over a file of another origin; a copy of it goes to the home"
    )
    options = parser.read(argv)
    place, home, target = find_place(os.environ), open_home(os.environ), read_target(options)
    if options.print and not options.json:
        print(target.list_wanted(place)[0].text, end="")
        return 0
    if not options.print:
        _check_host(target, place)
    found = examine_target(home, place, target)
    _check_files(found, target, force=options.force)
    record = read_record(home, target.record)
    planned = [plan_write(one, record) for one in found]
    files = [one.record for one in planned if one.record is not None]
    made = SetupRecord(schema=SCHEMA, tool=target.record, version="", time=time.time(), url="", model="", files=files)
    written = apply_when_agreed(
        options,
        home,
        target.record,
        planned,
        made,
        f"{target.title[:1].upper()}{target.title[1:]} is installed. Undo:   fairlead subagent remove{target.flags}",
        limit=_SHOWN_LINES,
        told={"installed": target.record},
    )
    if written:
        _tell(target, place, home, found)
    return 0


def _check_host(target: Target, place: Place) -> None:
    """Refuse a host that is not here. Raises CommandError."""
    if not target.skill and target.project is None:
        command = f"fairlead subagent install{target.flags} --print"
        check_installed(BY_NAME[target.hosts[0].name], place, command)


def _check_files(found: list[Found], target: Target, *, force: bool) -> None:
    """Raises CommandError where a file cannot be read, or must not be replaced."""
    for one in found:
        if one.kind == "unreadable":
            raise CommandError(one.problem)
        if target.project is not None and not _is_inside(one, target.project):
            raise CommandError(
                f"{shown(one.wanted.path)} leads out of the project, by a link. It was left as it is.",
                "Remove the link where it is not yours.",
            )
        if one.kind == "newer":
            note(f"note: {shown(one.wanted.path)} is of fairlead {one.version}, which is newer than this one.")
    refused = [] if force else list_refused(found)
    if refused:
        command = f"fairlead subagent install{target.flags}"
        raise CommandError(
            f"{'; '.join(refused)}. It was left as it is.",
            f"What would be written:   {command} --print\nReplace it, with a copy in the home:   {command} --force",
        )


def _is_inside(found: Found, project: Path) -> bool:
    """True where a file of a project is below its folder, with all links followed: a project is somebody else's."""
    return found.file is not None and found.file.real.is_relative_to(os.path.realpath(project))


def _tell(target: Target, place: Place, home: Home, found: list[Found]) -> None:
    """What the user should know, and do next."""
    if any(one.kind in ("foreign", "edited") for one in found):
        note(f"note: copies of what was there are in {home.at('backups')}.")
    if not target.skill:
        note(f"note: {target.hosts[0].title} reads it when it starts: restart it.")
    host = target.hosts[0]
    if host.needs_registration and not _is_registered(host.name, place):
        note(
            f"note: {host.title} gives a sub-agent the servers and the sandbox of its session, whatever its file says."
        )
        note(f"      For fairlead's tools:   fairlead setup {host.name} --mcp")
    by_name = target.project is not None or host.by_name
    if by_name and not target.skill and shutil.which("fairlead", path=place.environ.get("PATH")) is None:
        note("warning: it starts `fairlead`, which is not on PATH here.")


def _is_registered(name: str, place: Place) -> bool:
    """True where the sessions of a host have fairlead's server."""
    registration = REGISTRATIONS[name]
    try:
        return read_server(parse_file(*registration.find(place)), registration.table) is not None
    except CommandError:
        return False
