"""Fills fields that the model left empty in the calls of the caller's own tools, where the user switched that on."""

import time
from collections.abc import Callable, Mapping

from router.exchange.attempt import Attempt
from router.exchange.context import RequestContext
from router.exchange.upstream_response.large_work import is_large, run_json
from router.wire.tool_context.calls import ToolContext, choose_all, format_fields
from router.wire.tool_context.fields import find_fields, read_values
from router.wire.tool_context.tap import FILLERS, FillingTap, declare_fields, make_filler


async def find_filled_fields(context: RequestContext) -> None:
    """Note in the request's context which fields of its tools are filled, if any."""
    call, top = context.call, context.body.top
    if top is None or not call.writes or call.protocol not in FILLERS:
        return
    large, protocol = is_large(len(context.body.data)), call.protocol
    found = await context.run_in_thread(find_fields, top, protocol) if large else find_fields(top, protocol)
    if choose_all(found, read_sources(context.request.fields)):
        context.filled_fields = found


def read_sources(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Source -> what it says now. headers: those of the request, by name in lower case."""
    return read_values(headers, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def make_tap(attempt: Attempt, *, hide_usage: bool, on_end: Callable[[bytes], None] | None) -> FillingTap:
    """A tap that fills the stream of an attempt."""
    dialect = attempt.context.call.dialect
    return FillingTap(dialect, attempt.target.profile, _make_context(attempt), hide_usage=hide_usage, on_end=on_end)


def declare_stream(attempt: Attempt) -> None:
    """Have the head of a stream say what may be filled, before its upstream has sent any."""
    attempt.filled = declare_fields(_make_context(attempt))


async def fill_body(attempt: Attempt, body: bytes) -> bytes:
    """A whole answer, filled; b"" for one in which nothing is."""
    context = _make_context(attempt)
    filler = make_filler(attempt.context.call.dialect.name, context)
    filled = await run_json(len(body), filler.fill_body, body)
    attempt.filled = format_fields(context.list_filled())
    attempt.context.record.note(*context.list_notes())
    return b"" if filled is body else filled


def _make_context(attempt: Attempt) -> ToolContext:
    context = attempt.context
    return ToolContext(choose_all(context.filled_fields or {}, read_sources(context.request.fields)))
