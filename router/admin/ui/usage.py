"""Sums over hours or days, for the charts of the local page."""

import time
from typing import NamedTuple

from router.errors import BadRequest
from router.operator_api.page import PageUsage
from router.store.history import read_usage, reader
from router.store.history.charts.read_buckets import read_buckets
from router.store.history.time_window import EXPECTED, parse_since
from router.upstream.runtime import Runtime

SCHEMA = 1
#: Hours of a chart; a longer window is one of days.
MOST_HOURS = 24 * 8
# Name of the role -> the field of the sums.
_FIELDS = {"model": "models", "account": "accounts", "client": "clients", "tag": "tags", "key": "keys"}


class Asked(NamedTuple):
    """What a chart shows."""

    since: float
    until: float
    role: str
    days: bool


def read_asked(since: str, by: str, step: str) -> Asked:
    """What the query of a request asks for. Raises BadRequest."""
    now = time.time()
    try:
        begin = parse_since(since, now)
    except ValueError:
        raise BadRequest(f"since is not a valid time; expected {EXPECTED}.") from None
    if by not in _FIELDS:
        raise BadRequest(f"by must be one of {', '.join(_FIELDS)}.")
    if step not in ("hour", "day"):
        raise BadRequest("step must be hour or day.")
    if step == "hour" and now - begin > MOST_HOURS * 3600:
        raise BadRequest(f"A window of more than {MOST_HOURS // 24} days is shown by day: step=day.")
    return Asked(begin, now, by, step == "day")


def sum_up(runtime: Runtime, asked: Asked) -> PageUsage:
    """The sums of a window. Blocks."""
    since, until = asked.since, asked.until
    with reader.open_reader(runtime.home) as db:
        if db is None:
            found, steps = read_usage.empty_summary(since, until), []
        else:
            found = read_usage.summarize(db, since, until)
            steps = read_buckets(db, since, until, role=asked.role, days=asked.days)
    return PageUsage(
        schema=SCHEMA,
        since=since,
        until=until,
        steps=steps,
        total=found.total,
        names=getattr(found, _FIELDS[asked.role]),
    )
