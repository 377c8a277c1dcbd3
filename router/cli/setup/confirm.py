"""Shows what would change in files, asks, and writes it."""

import argparse
import sys
from typing import Any

from router.cli.common.layout import note, print_json, say
from router.errors import CommandError, UsageError
from router.setup.apply import apply_plans
from router.setup.diff import format_diff
from router.setup.files import NotWritable
from router.setup.plan import FilePlan, list_changes
from router.setup.record import SetupRecord
from router.store.home.home import Home


def apply_when_agreed(
    options: argparse.Namespace,
    home: Home,
    name: str,
    planned: list[FilePlan],
    record: SetupRecord | None,
    done: str,
    *,
    limit: int | None = None,
    told: dict[str, Any] | None = None,
) -> bool:
    """Show what would change, and write it when that is agreed to. name: of the record. limit: lines of each file that
    are shown. told: what JSON says beside the files; the record's name where it is None. True when it was written.
    Raises CommandError, UsageError."""
    changed = list_changes(planned)
    lines = [line for one in changed for line in format_diff(one, (), limit=None if options.print else limit)]
    written = bool(changed) and not options.print and _agree(options, lines)
    if written or not (changed or options.print):
        try:
            apply_plans(home, name, planned, record)
        except NotWritable as error:
            every = [line for one in changed for line in format_diff(one, ())]
            hint = "\n".join(["Make these changes yourself:", *every])
            raise CommandError(f"nothing was written: {error}.", hint) from None
    if options.json:
        files = [{"path": str(one.file.path), "diff": format_diff(one, ())[1:]} for one in changed]
        print_json({**({"tool": name} if told is None else told), "written": written, "files": files})
    elif options.print:
        print("\n".join(lines))
    elif written:
        say(done)
    elif not changed:
        say("It is so already; nothing to change.")
    return written


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
