"""`fairlead doctor`: looks for what is wrong, or soon will be, and says what to do about it."""

import os
from pathlib import Path

from router.cli.common.layout import find_width
from router.cli.common.parser import Parser, find_nearest
from router.cli.doctor.redaction import redact
from router.cli.doctor.row import Check, Row, count
from router.cli.doctor.runner import run_checks
from router.cli.doctor.screen import format_json, format_text
from router.cli.doctor.situation import look_around
from router.cli.doctor.table import list_checks
from router.errors import UsageError
from router.host.event_loop import run_async


def run(argv: list[str]) -> int:
    """Print what the checks found; exit code 1 when something is wrong."""
    parser = Parser(
        "doctor",
        "Check the program, the home, the running proxy, this shell, the tools and the backends: what is right, what "
        "is wrong, and the command that mends it. The text holds no keys and can be pasted into a report. The exit "
        "code is 1 when something fails; warnings do not count.",
        examples=["fairlead doctor", "fairlead doctor backend.groq proxy", "fairlead doctor --offline --json"],
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="only these checks, such as proxy, backend.groq or tool"
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="also send a tiny request to each backend; a hosted provider bills a few tokens for it",
    )
    parser.add_argument("--offline", action="store_true", help="use no network beyond this machine")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    if options.probe and options.offline:
        raise UsageError("--probe and --offline cannot be used together.")
    rows, text = run_async(_examine, options.names, options.probe, options.offline, options.json)
    print(text)
    return 1 if count(rows, "fail") else 0


async def _examine(names: list[str], probe: bool, offline: bool, as_json: bool) -> tuple[list[Row], str]:
    """What the checks found, and the finished text."""
    situation = await look_around(dict(os.environ), Path.cwd(), offline=offline, probe=probe)
    rows = await run_checks(select(list_checks(situation), names), situation)
    text = format_json(rows) if as_json else format_text(rows, find_width())
    return rows, redact(text, situation)


def select(checks: list[Check], names: list[str]) -> list[Check]:
    """The checks that are named, all where none is. Raises UsageError for a name that means none."""
    for name in names:
        if not any(check.covers(name) for check in checks):
            known = list(dict.fromkeys(part for check in checks for part in (check.id.partition(".")[0], check.id)))
            near = find_nearest(name, known)
            listed = ", ".join(dict.fromkeys(check.id.partition(".")[0] for check in checks))
            raise UsageError(
                f"there is no check {name} here.", f"Did you mean {near}?" if near else f"Known: {listed}."
            )
    return [check for check in checks if not names or any(check.covers(name) for name in names)]
