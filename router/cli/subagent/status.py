"""`fairlead subagent status`: which hosts have what, and of which version."""

import os
from pathlib import Path

from router.cli.common.layout import find_width, format_table, note, print_json, say
from router.cli.common.parser import Parser
from router.cli.subagent.target import Target, examine_target, find_place, find_project, list_targets
from router.setup.agents.hosts import Project
from router.setup.agents.state import Found, describe
from router.setup.tool import Place
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown


def run(argv: list[str]) -> int:
    """Print the files and their states."""
    parser = Parser(
        "subagent status",
        "Show where the sub-agent and the skill are installed, for you and for the project of the working directory: "
        "current, of another version, changed since, or not of fairlead.",
        examples=["fairlead subagent status", "fairlead subagent status --json"],
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    place, home = find_place(os.environ), open_home(os.environ)
    rows = list_found(home, place, find_project(Path.cwd()))
    if options.json:
        print_json({"files": [_to_json(target, found) for target, found in rows]})
        return 0
    cells = [(name_row(target, found), describe(found), shown(found.wanted.path)) for target, found in rows]
    print("\n".join(format_table(cells, header=("for", "state", "file"), width=find_width())))
    for _, found in rows:
        if found.problem:
            note(f"error: {found.problem}")
    for target, found in rows:
        if found.kind == "older":
            say(f"Write it anew:   fairlead subagent install{target.flags}")
            return 0
    if all(found.kind == "absent" for _, found in rows):
        say("Install one:   fairlead subagent install")
    return 0


def list_found(home: Home | None, place: Place, project: Project) -> list[tuple[Target, Found]]:
    """The user's files, and those of a project that are there. home: None where there is none. Raises CommandError."""
    rows: list[tuple[Target, Found]] = []
    for target in list_targets(project):
        seen = {found.wanted.path for _, found in rows}
        for found in examine_target(home, place, target):
            # In the user's own folder both are the same.
            if target.project is None or (found.kind != "absent" and found.wanted.path not in seen):
                rows.append((target, found))
    return rows


def name_row(target: Target, found: Found) -> str:
    """For what a file is."""
    return found.wanted.host.title + (" (project)" if target.project is not None else "")


def _to_json(target: Target, found: Found) -> dict[str, object]:
    return {
        "kind": "skill" if target.skill else "subagent",
        "host": found.wanted.host.name,
        "scope": "user" if target.project is None else "project",
        "state": found.kind,
        "version": found.version or None,
        "path": str(found.wanted.path),
        "problem": found.problem or None,
    }
