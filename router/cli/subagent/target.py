"""Which files a command is about: those of one host's sub-agent, or of the skill; the user's, or a project's."""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from router.cli.common.parser import Parser
from router.cli.setup.register import find_server
from router.errors import UsageError
from router.mcp.listing import TOOLS
from router.setup.agents.hosts import AGENTS, SKILLS, Host, Project
from router.setup.agents.state import Found, Wanted, examine, list_wanted
from router.setup.record import read_record
from router.setup.registrations import Server
from router.setup.tool import Place
from router.store.home.home import Home


class Target(NamedTuple):
    """What is installed or removed at once."""

    #: Of its record in the home.
    record: str
    #: For messages.
    title: str
    hosts: Sequence[Host]
    project: Project
    #: The options that name it.
    flags: str

    @property
    def skill(self) -> bool:
        """It is the skill, not a sub-agent."""
        return self.hosts is SKILLS

    def list_wanted(self, place: Place) -> list[Wanted]:
        """The files as they should be."""
        return list_wanted(self.hosts, place, self.project, _find_server(place, self.project), list_tools())


def make_parser(command: str, about: str, *, examples: Sequence[str]) -> Parser:
    """A parser with the options that name a target."""
    parser = Parser(f"subagent {command}", about, examples=examples)
    parser.add_argument(
        "--tool", choices=[*AGENTS], metavar="NAME", help=f"{', '.join(AGENTS)} (default {next(iter(AGENTS))})"
    )
    parser.add_argument("--skill", action="store_true", help="the skill: how to install, set up and debug fairlead")
    parser.add_argument(
        "--project", action="store_true", help="for the project of the working directory, instead of for you everywhere"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def read_target(options: argparse.Namespace) -> Target:
    """The target that the options name. Raises UsageError."""
    if options.skill and options.tool:
        raise UsageError("--skill goes without --tool: it is written for all agents.")
    project = find_project(Path.cwd()) if options.project else None
    return make_target(None if options.skill else options.tool or next(iter(AGENTS)), project)


def make_target(tool: str | None, project: Project) -> Target:
    """The target of a host's sub-agent, of the skill where tool is None."""
    flags = " --skill" if tool is None else "" if tool == next(iter(AGENTS)) else f" --tool {tool}"
    record, scope = "skill" if tool is None else f"subagent-{tool}", ""
    if project is not None:
        # Each project has a record of its own.
        record += f"-project-{hashlib.sha256(os.fsencode(project)).hexdigest()[:12]}"
        flags, scope = f"{flags} --project", " in this project"
    if tool is None:
        return Target(record, f"the skill{scope}", SKILLS, project, flags)
    host = AGENTS[tool]
    return Target(record, f"the sub-agent of {host.title}{scope}", (host,), project, flags)


def list_targets(project: Project) -> Iterator[Target]:
    """The user's targets, then those of a project."""
    for one in (None,) if project is None else (None, project):
        yield from (make_target(tool, one) for tool in (*AGENTS, None))


def find_place(environ: Mapping[str, str]) -> Place:
    """Where the hosts have their files."""
    return Place(environ, Path(os.path.expanduser("~")), sys.platform)


def find_project(folder: Path) -> Path:
    """The top of the checkout that a folder is in, else the folder."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def list_tools() -> list[str]:
    """The names of the server's tools."""
    return [tool["name"] for tool in TOOLS]


def _find_server(place: Place, project: Project) -> Server:
    """What the sub-agent starts. A project is shared: its file names no path of this machine."""
    return find_server(place) if project is None else Server(("fairlead", "mcp"), {})


def examine_target(home: Home | None, place: Place, target: Target) -> list[Found]:
    """The target's files as they are. home: None where there is none. Raises CommandError."""
    record = read_record(home, target.record) if home is not None else None
    return [examine(one, record) for one in target.list_wanted(place)]
