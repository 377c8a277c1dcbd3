"""`fairlead subagent remove`: take back what `install` wrote."""

import difflib
import os
from collections.abc import Sequence

from router.cli.setup.confirm import apply_when_agreed
from router.cli.subagent.target import Target, examine_target, find_place, make_parser, read_target
from router.errors import CommandError
from router.setup.agents.state import Found, find_own, list_refused
from router.setup.plan import plan_undo_file
from router.setup.record import SetupRecord, read_record
from router.store.home.home import open_home
from router.store.home.permissions import shown


def run(argv: list[str]) -> int:
    """Remove the files that nobody changed since; what was there before comes back."""
    parser = make_parser(
        "remove",
        "Remove what `fairlead subagent install` wrote, with the folders that it made; a file that was there before "
        "comes back. A file that was changed since is left, and the change is shown.",
        examples=["fairlead subagent remove", "fairlead subagent remove --skill --yes"],
    )
    parser.add_argument("--print", action="store_true", help="only show what would be removed")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    options = parser.read(argv)
    place, home, target = find_place(os.environ), open_home(os.environ), read_target(options)
    record = read_record(home, target.record)
    found = examine_target(home, place, target)
    _check(found, target, record)
    own = [find_own(one, record) for one in found]
    planned = [plan_undo_file(one) for one in own if one is not None]
    done = f"{target.title[:1].upper()}{target.title[1:]} is removed."
    apply_when_agreed(options, home, target.record, planned, None, done, limit=3, told={"removed": target.record})
    return 0


def _check(found: Sequence[Found], target: Target, record: SetupRecord | None) -> None:
    """Raises CommandError where there is nothing to remove, or a file is not as fairlead wrote it."""
    for one in found:
        if one.kind == "unreadable":
            raise CommandError(one.problem)
    if record is None and all(one.kind == "absent" for one in found):
        raise CommandError(
            f"{target.title} is not installed.", f"Install it:   fairlead subagent install{target.flags}"
        )
    refused = list_refused(found)
    if refused:
        lines = [line for one in found for line in _format_difference(one, record)]
        raise CommandError(
            f"{'; '.join(refused)}. It was left as it is.",
            "\n".join([*lines, "Remove it by hand where you want that."]),
        )


def _format_difference(found: Found, record: SetupRecord | None) -> list[str]:
    """What was changed in a file, beside what fairlead wrote there."""
    if found.kind != "edited" or found.file is None:
        return []
    files = record.files if record is not None else []
    wrote = next((one.edits[0].value for one in files if one.path == str(found.wanted.path)), found.wanted.text)
    lines = difflib.unified_diff(str(wrote).splitlines(), found.file.text.splitlines(), lineterm="", n=0)
    changed = [f"  {line[0]} {line[1:]}" for line in [*lines][2:] if line[0] in "+-"]
    return [f"{shown(found.wanted.path)}", *changed]
