"""Serves the history and the counts to operators: /analytics, /admin/history and /metrics.

Queries run in threads over a read-only connection, so they delay no request.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from router.admin.ask import Ask
from router.errors import BadRequest, CommandError, NotFound, Unavailable
from router.net.server.cancel_reason import CancelReason
from router.operator_api.endpoints import LATEST, METRICS, PAGE, PAGE_LIMIT
from router.operator_api.history import Analytics, HistoryPage, HistoryRequest
from router.store.history import read_requests, read_usage, reader
from router.store.history.time_window import EXPECTED, parse_since
from router.upstream.runtime import Runtime
from router.wire.raw.whole_numbers import parse_whole

ANALYTICS_SCHEMA = 1
HISTORY_SCHEMA = 1
QUERY_SECONDS = 60.0

_threads = trio.CapacityLimiter(2)
_Result = TypeVar("_Result")


async def sum_window(ask: Ask) -> Analytics:
    """Sums of a window of the history. Raises BadRequest, Unavailable."""
    return await run_query(ask, _sum_up, ask.runtime, ask.query.get("since", "60m"))


async def list_requests(ask: Ask) -> HistoryPage:
    """The newest requests. Raises BadRequest, Unavailable."""
    query = ask.query
    return await run_query(ask, _list_requests, ask.runtime, query.get("limit", str(PAGE)), query.get("before", ""))


async def find_request(ask: Ask) -> HistoryRequest:
    """One request by its id, or the newest. Raises NotFound, Unavailable."""
    return await run_query(ask, _find_request, ask.runtime, ask.names["id"])


async def serve_metrics(ask: Ask) -> None:
    """The counts since the start, in Prometheus' text form."""
    text = await run_query(ask, _expose_metrics, ask.runtime)
    if ask.operated.others is not None:
        from router.operator_api.combine import add_metrics

        text = add_metrics([text, *await ask.operated.others.list_metrics()])
    await ask.respond_with(200, METRICS.content, text)


async def run_query(ask: Ask, work: Callable[..., _Result], *arguments: object) -> _Result:
    """Run a query in a thread, with a time limit for query and answer together. Raises Unavailable for a history that
    cannot be read."""
    ask.connection.set_deadline(QUERY_SECONDS, CancelReason.TOTAL)
    try:
        return await trio.to_thread.run_sync(work, *arguments, limiter=_threads)
    except CommandError as error:
        # The file is damaged or of a newer version, which may be repaired later: 503, not 500.
        raise Unavailable(f"{error} {error.hint}".strip()) from None


def _sum_up(runtime: Runtime, window: str) -> Analytics:
    now = time.time()
    try:
        begin = parse_since(window, now)
    except ValueError:
        raise BadRequest(f"since is not a valid time; expected {EXPECTED}.") from None
    with reader.open_reader(runtime.home) as db:
        found = read_usage.summarize(db, begin, now) if db is not None else read_usage.empty_summary(begin, now)
    return Analytics(
        schema=ANALYTICS_SCHEMA,
        history=runtime.ledger.problem,
        capture=runtime.settings.history_capture,
        **msgspec.structs.asdict(found),
    )


def _list_requests(runtime: Runtime, limit: str, before: str) -> HistoryPage:
    number = parse_whole(limit, 1, PAGE_LIMIT)
    if number is None:
        raise BadRequest(f"limit must be a number from 1 to {PAGE_LIMIT}.")
    with reader.open_reader(runtime.home) as db:
        rows = read_requests.read_latest(db, number, before) if db is not None else []
    return HistoryPage(schema=HISTORY_SCHEMA, requests=rows)


def _find_request(runtime: Runtime, name: str) -> HistoryRequest:
    return HistoryRequest(schema=HISTORY_SCHEMA, request=look_up_request(runtime, name))


def look_up_request(runtime: Runtime, name: str) -> read_requests.RecordedRequest:
    """One request by its id, the newest by LATEST; one that has just ended is written first. Blocks. Raises
    NotFound."""
    found = None if name == LATEST else _look_up(runtime, name)
    if found is None:
        # It may have ended just now, with its row not written yet.
        runtime.ledger.flush()
        found = _look_up(runtime, name)
    if found is None:
        raise NotFound("The history has no request with this id.")
    return found


def _look_up(runtime: Runtime, name: str) -> read_requests.RecordedRequest | None:
    with reader.open_reader(runtime.home) as db:
        if db is None:
            return None
        if name == LATEST:
            return next(iter(read_requests.read_latest(db, 1)), None)
        return read_requests.find_request(db, name)


def _expose_metrics(runtime: Runtime) -> bytes:
    from router.admin.metrics_api import expose

    return expose(runtime)
