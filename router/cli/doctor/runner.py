"""Runs checks side by side, each and all within bounds, and puts what they found in their order."""

import inspect
import os
import time
from collections.abc import Awaitable, Sequence
from typing import cast

import trio

from router.cli.doctor.row import Check, Row
from router.cli.doctor.situation import Situation

#: For all checks together.
ALL_SECONDS = 15.0
#: Checks that run at the same time.
_AT_ONCE = 16


async def run_checks(checks: Sequence[Check], situation: Situation, seconds: float = ALL_SECONDS) -> list[Row]:
    """The rows of all checks, in the order of the checks. seconds: for all of them; those that are not done by then are
    rows that say so."""
    found: dict[int, list[Row]] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def run(place: int, check: Check) -> None:
        async with limiter:
            found[place] = await run_check(check, situation)

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for place, check in enumerate(checks):
                nursery.start_soon(run, place, check)
    late = [Row("", "info", "skipped: all checks together took too long")]
    return [
        row._replace(id=row.id or check.id, subject=row.subject or check.subject)
        for place, check in enumerate(checks)
        for row in found.get(place, late)
    ]


async def run_check(check: Check, situation: Situation) -> list[Row]:
    """The rows of one check. One that raises is a row too: the others count all the same."""
    started = time.perf_counter()
    rows: Sequence[Row] = [Row(check.id, "info", f"skipped: it took longer than {check.seconds:g} s")]
    try:
        with trio.move_on_after(check.seconds):
            rows = await _call(check, situation)
    except Exception as error:
        if os.environ.get("FAIRLEAD_TRACEBACK") == "1":
            raise
        text = f"this check ended with {type(_unwrap(error)).__name__}, which is a bug in fairlead"
        rows = [Row(check.id, "fail", text, f"For a report: FAIRLEAD_TRACEBACK=1 fairlead doctor {check.id}")]
    ms = round((time.perf_counter() - started) * 1000)
    return [row._replace(ms=ms, subject=row.subject or check.subject) for row in rows]


async def _call(check: Check, situation: Situation) -> Sequence[Row]:
    if inspect.iscoroutinefunction(check.run):
        return await cast("Awaitable[Sequence[Row]]", check.run(situation))
    # A thread that waits for a file system that does not answer is left behind.
    found = await trio.to_thread.run_sync(check.run, situation, abandon_on_cancel=True)
    return cast("Sequence[Row]", found)


def _unwrap(error: BaseException) -> BaseException:
    """The one error in a group of one, as trio wraps it."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _unwrap(group.exceptions[0]) if len(group.exceptions) == 1 else group
