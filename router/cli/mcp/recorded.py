"""What the history holds: one request, the newest ones, sums. No proxy need run."""

import sqlite3
import time
from collections.abc import Iterator

from router.cli.common.flush import flush_history
from router.cli.inspect.why import find_recorded
from router.cli.mcp.moments import format_moment
from router.errors import CommandError
from router.mcp import answers, inputs
from router.mcp.answers import quote, take
from router.settings.kinds import clean
from router.store.history import read_requests, read_usage, reader
from router.store.history.read_requests import RecordedAttempt, RecordedRequest
from router.store.history.read_usage import UsageSummary
from router.store.history.time_window import parse_since
from router.store.home.home import Home
from router.watch.next_step import find_next_step

# Requests that are looked through for those that were asked for, and how many are read at once.
_LOOKED_THROUGH, _READ = 10_000, 200
_LATEST = ("latest", "-")
_BY = {"model": "models", "account": "accounts", "client": "clients", "tag": "tags", "backend": "backends"}


def find_request(home: Home, asked: inputs.Why) -> answers.Request:
    """What happened to one request. Raises CommandError."""
    found = find_recorded(home, "-" if asked.id in _LATEST else asked.id)
    return take(
        answers.Request,
        found,
        time=format_moment(found.time),
        error_text=quote(found.error_text),
        tries=[_make_attempt(one) for one in found.tries],
        cache_loss=_make_loss(found),
        usual=_find_usual(home, found.served_model or found.model),
        user_step=find_next_step(found),
    )


def _make_attempt(one: RecordedAttempt) -> answers.Attempt:
    return take(answers.Attempt, one, text=quote(one.text))


def _make_loss(found: RecordedRequest) -> answers.CacheLoss | None:
    if not found.cache_reason:
        return None
    return answers.CacheLoss(
        reason=found.cache_reason,
        tokens=found.cache_lost or 0,
        usd=found.cache_lost_usd,
        idle_s=found.cache_idle_s,
    )


def _find_usual(home: Home, model: str) -> answers.Usual | None:
    """How long requests for the model take; None where there are none."""
    sums = next((one for one in _summarize(home, "24h")[0].models if one.name == model), None)
    if sums is None:
        return None
    first, total = sums.first_byte_ms, sums.total_ms
    return answers.Usual(
        requests=sums.requests,
        first_byte_ms_p50=first["p50"],
        first_byte_ms_p95=first["p95"],
        total_ms_p50=total["p50"],
        total_ms_p95=total["p95"],
    )


def list_requests(home: Home, asked: inputs.Requests) -> answers.Requests:
    """The newest requests that are asked for. Raises CommandError."""
    begin = _parse_since(asked.since)
    flush_history(home)
    found: list[answers.RequestRow] = []
    more = 0
    with reader.open_reader(home) as db:
        for one in _iter_newest(db, begin) if db is not None else ():
            if not _matches(one, asked):
                continue
            if len(found) < asked.limit:
                found.append(take(answers.RequestRow, one, time=format_moment(one.time)))
            else:
                more += 1
    return answers.Requests(requests=found, more=more)


def _iter_newest(db: sqlite3.Connection, begin: float) -> Iterator[RecordedRequest]:
    """The requests since a moment, the newest first, at most _LOOKED_THROUGH. They are recorded as they end."""
    before = ""
    for _ in range(_LOOKED_THROUGH // _READ):
        page = read_requests.read_latest(db, _READ, before)
        if not page:
            return
        for one in page:
            if one.time >= begin:
                yield one
        before = page[-1].id
        if page[-1].time + page[-1].total_ms / 1000 < begin:
            return


def _matches(one: RecordedRequest, asked: inputs.Requests) -> bool:
    failed = bool(one.error) or one.status >= 400
    return (
        (failed or asked.status == "all")
        and asked.model.lower() in one.model.lower()
        and (not asked.client or one.client == asked.client)
    )


def add_up(home: Home, asked: inputs.Usage) -> answers.Usage:
    """The sums of a window. Raises CommandError."""
    flush_history(home)
    found, begin = _summarize(home, asked.since)
    return answers.Usage(
        since=format_moment(begin),
        by=asked.by,
        total=found.total,
        rows=getattr(found, _BY[asked.by]),
        prices=found.prices,
    )


def _summarize(home: Home, since: str) -> tuple[UsageSummary, float]:
    """The sums of a window, and when it begins. Raises CommandError."""
    begin = _parse_since(since)
    now = time.time()
    with reader.open_reader(home) as db:
        found = read_usage.empty_summary(begin, now) if db is None else read_usage.summarize(db, begin, now)
    return found, begin


def _parse_since(text: str) -> float:
    try:
        return parse_since(text, time.time())
    except ValueError as error:
        raise CommandError(f'since is "{clean(text)}"; expected {error}.') from None
