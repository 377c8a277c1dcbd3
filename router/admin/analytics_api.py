"""What operators may look at: /analytics, /analytics/stream, /metrics, /admin/history (product.md 9).

Queries run in threads of their own over a connection that only reads; nothing here holds up a request.
"""

import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
import trio

from router.admin.live_api import stream
from router.errors import BadRequest, CommandError, NotFound, Unavailable
from router.net.headers import RawHeaders
from router.net.server.connection import Connection, Cut, Request
from router.store.history import read_requests, read_usage, reader
from router.store.history.time_window import EXPECTED, parse_since
from router.upstream.runtime import Runtime

ANALYTICS_SCHEMA = 1
HISTORY_SCHEMA = 1
QUERY_SECONDS = 60.0
_ROWS, _ROWS_LIMIT = 100, 1000
#: The star stands for an id.
PATHS = ("/analytics", "/analytics/stream", "/metrics", "/admin/history", "/admin/history/*")
_ONE = "/admin/history/"
_LATEST = "-"
_JSON = (b"content-type", b"application/json")
_FRESH = (b"cache-control", b"no-store")

_threads = trio.CapacityLimiter(2)
_Result = TypeVar("_Result")


async def answer(runtime: Runtime, connection: Connection, request: Request, headers: RawHeaders) -> None:
    """Answer one request. headers: those every answer gets. Raises RouterError."""
    if request.path == "/analytics/stream":
        await stream(runtime.recorder, connection, request, [*headers, _FRESH])
        return
    # The head has been read; what follows has a limit of its own.
    connection.deadline(QUERY_SECONDS, Cut.TOTAL)
    if request.path == "/metrics":
        kind, body = await _in_thread(_metrics, runtime)
        await connection.respond(200, [*headers, _FRESH, (b"content-type", kind)], body)
        return
    asked = dict(parse_qsl(request.query))
    if request.path == "/analytics":
        found: object = await _in_thread(_analytics, runtime, asked)
    elif request.path.startswith(_ONE):
        found = await _in_thread(_one, runtime, request.path.removeprefix(_ONE))
    else:
        found = await _in_thread(_latest, runtime, asked)
    await connection.respond(200, [*headers, _FRESH, _JSON], msgspec.json.encode(found))


async def _in_thread(work: Callable[..., _Result], *arguments: object) -> _Result:
    try:
        return await trio.to_thread.run_sync(work, *arguments, limiter=_threads)
    except CommandError as error:
        # The file is damaged, or of a newer version: later it may be another.
        raise Unavailable(f"{error} {error.hint}".strip()) from None


def _analytics(runtime: Runtime, asked: dict[str, str]) -> dict[str, object]:
    """Sums of a window. Query: since (60m, 24h, 7d, today, a date; 60m when it is not given).

    Fields: schema (1), history (what keeps the history from being written, null when nothing does), capture (bodies of
    requests are captured), and those of
    read_usage.UsageSummary: since, until (seconds since 1970), total, models, backends, accounts, clients, tags,
    billing_classes, errors (UsageSums each), rate (UsageRate), limits (LimitForecast each).
    """
    now = time.time()
    try:
        begin = parse_since(asked.get("since", "60m"), now)
    except ValueError:
        raise BadRequest(f"since is not understood; expected {EXPECTED}.") from None
    with reader.open_reader(runtime.home) as db:
        found = read_usage.summarize(db, begin, now) if db is not None else read_usage.empty_summary(begin, now)
    return {
        "schema": ANALYTICS_SCHEMA,
        "history": runtime.ledger.problem,
        "capture": runtime.settings.history_capture,
        **msgspec.structs.asdict(found),
    }


def _latest(runtime: Runtime, asked: dict[str, str]) -> dict[str, object]:
    """The newest requests. Query: limit (1 to 1000), before (an id: those recorded before it).

    Fields: schema (1), requests (read_requests.RecordedRequest each, newest first).
    """
    limit = asked.get("limit", str(_ROWS))
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= _ROWS_LIMIT:
        raise BadRequest(f"limit must be a number from 1 to {_ROWS_LIMIT}.")
    with reader.open_reader(runtime.home) as db:
        rows = read_requests.read_latest(db, int(limit), asked.get("before", "")) if db is not None else []
    return {"schema": HISTORY_SCHEMA, "requests": rows}


def _one(runtime: Runtime, name: str) -> dict[str, object]:
    """One request by its id, the latest by `-`; one that has just ended is written first. Fields: schema (1), request
    (read_requests.RecordedRequest)."""
    found = None if name == _LATEST else _kept(runtime, name)
    if found is None:
        runtime.ledger.flush()
        found = _kept(runtime, name)
    if found is None:
        raise NotFound("The history holds no request of that id.")
    return {"schema": HISTORY_SCHEMA, "request": found}


def _kept(runtime: Runtime, name: str) -> read_requests.RecordedRequest | None:
    with reader.open_reader(runtime.home) as db:
        if db is None:
            return None
        if name == _LATEST:
            return next(iter(read_requests.read_latest(db, 1)), None)
        return read_requests.find_request(db, name)


def _metrics(runtime: Runtime) -> tuple[bytes, bytes]:
    from router.admin.metrics_api import exposition

    return exposition(runtime)
