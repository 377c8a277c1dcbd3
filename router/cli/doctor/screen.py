"""The rows as text that can be pasted into a report, without colour, and as JSON."""

import json
from collections.abc import Sequence

from router import __version__
from router.cli.common.layout import NARROW, wrap, wrap_row
from router.cli.common.output import format_count
from router.cli.doctor.row import Row, count

SCHEMA = 1
#: Columns of the names; a longer one moves its text to the right.
_NAMES = 20
LAST = "Paste this whole text into a report: it holds no keys."


def format_text(rows: Sequence[Row], width: int | None) -> str:
    """A line for each row, with what to do below it, and how many are wrong. width: of the terminal, None for lines of
    any length."""
    size = min(_NAMES, max((len(row.id) for row in rows), default=0))
    lines: list[str] = []
    for row in rows:
        lines += wrap_row(f"{row.status:<4}   {row.id:<{size}}   ", row.text, width)
        below = 7 + size + 3 if width is None or width >= NARROW else 4
        for fix in filter(str.strip, row.fix.splitlines()):
            lines += wrap_row(" " * below, f"-> {fix.strip()}", width)
    return "\n".join([*lines, "", format_sum(rows), *wrap(LAST, width)])


def format_sum(rows: Sequence[Row]) -> str:
    """`1 problem, 1 warning`."""
    fails, warnings = count(rows, "fail"), count(rows, "warn")
    found = [format_count(fails, "problem")] if fails else []
    found += [format_count(warnings, "warning")] if warnings else []
    return ", ".join(found) or "No problems."


def format_json(rows: Sequence[Row]) -> str:
    """The same for programs, in ASCII."""
    fails, warnings = count(rows, "fail"), count(rows, "warn")
    report = {
        "schema": SCHEMA,
        "version": __version__,
        "ok": not fails,
        "problems": fails,
        "warnings": warnings,
        "rows": [{**row._asdict(), "fix": row.fix or None, "subject": row.subject or None} for row in rows],
    }
    return json.dumps(report, indent=2).replace("\x7f", "\\u007f")
