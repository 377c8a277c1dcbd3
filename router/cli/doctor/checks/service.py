"""The service: whether the system would start this program, and goes on with it."""

import os

from router.cli.doctor.checks.configuration import split_advice
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.cli.service.commands import find_installed
from router.cli.service.status import describe
from router.errors import CommandError


def check_service(situation: Situation) -> list[Row]:
    """Whether it is installed, current and running."""
    try:
        found = find_installed()
        if found is None:
            return []
        report = describe(found)
    except CommandError:
        # There is no manager here, or none for this user: nothing that could be installed.
        return []
    program = str(report["program"])
    rows: list[Row] = []
    for note in report["notes"]:
        text, fix = split_advice(note)
        if not fix and ": loginctl" in note:
            text, _, fix = note.partition(": ")
        gone = bool(program) and not os.path.isfile(program) and program in text
        rows.append(Row("service", "fail" if gone else "warn", text, fix or "See: fairlead service status"))
    if rows:
        return rows
    state = "running" if report["running"] else "not running"
    return [Row("service", "ok", f"{report['manager']}: {state}, starts {report['program']}")]
