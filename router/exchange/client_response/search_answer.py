"""Answers the web search of Claude Code, which is a request of its own: one search, whose results it reads as they are.

It uses the addresses and titles of the result, and the text, so no model is needed. The request is answered here when
the backend that it is routed to has no search and the user named an engine, unless a rule of the user's names that
backend for searches.
"""

import random
import time
from collections.abc import Mapping

import trio

from router.backends.profile import GENERIC
from router.exchange.client_response.head import JSON, own_headers, send_response
from router.exchange.context import RequestContext
from router.exchange.request.translation import has_web_search
from router.exchange.search.one_search import admit_search, search_once
from router.ir import Answer, Searched, Text, Usage
from router.net.headers import Headers, Lines
from router.net.server.cancel_reason import CancelReason
from router.policy.routing.clients import identify_client
from router.policy.routing.table import SEARCH, Route
from router.upstream.search import engine_of
from router.upstream.snapshot import Snapshot
from router.wire import translate
from router.wire.calls import Call
from router.wire.messages.requests.search_call import SearchCall, read_search_call
from router.wire.neutral.context import Context
from router.wire.protocols import MESSAGES
from router.wire.raw.json.top_level import Top
from router.wire.search_engines.results import format_results

_CLIENT = "claude-code"
_EVENTS = (b"Content-Type", b"content-type", b"text/event-stream; charset=utf-8")


async def answer_search(context: RequestContext) -> bool:
    """Answer a request that is nothing but a web search; False for any other. Raises Halted."""
    engine = engine_of(context.snapshot.settings)
    top = context.body.top
    if engine is None or top is None or not context.facts.generates:
        return False
    call = find_search(context.call, top, context.request.fields, context.route, context.snapshot)
    if call is None:
        return False
    record = context.record
    record.backend, record.account, record.sent_model, record.route = SEARCH, engine.name, None, SEARCH
    await admit_search(context, record, engine)
    left = context.snapshot.settings.timeouts_total - context.elapsed()
    context.connection.set_deadline(left, CancelReason.TOTAL)
    found, results = await search_once(context, record, engine, call.query, call.limits)
    await _send(context, found, format_results(call.query, results) if not found.error else "")
    return True


def find_search(
    call: Call, top: Top, fields: Mapping[bytes, bytes], route: Route, snapshot: Snapshot
) -> SearchCall | None:
    """The search that the request consists of; None for another request, and where its backend can search, or a rule
    sends it there to be searched for."""
    if route.for_tool or call.entry is not MESSAGES or identify_client(fields) != _CLIENT:
        return None
    found = read_search_call(top)
    return None if found is None or has_web_search(call, route, snapshot) else found


async def _send(context: RequestContext, found: Searched, text: str) -> None:
    """Send the answer: the call and its result as blocks, and the results as text."""
    stream = context.facts.stream
    blocks = (found, Text(text)) if text else (found,)
    ctx = Context(
        now=int(time.time()),
        new_id=lambda: f"{random.getrandbits(96):024x}",
        profile=GENERIC,
        upstream=SEARCH,
        model=context.facts.model or "",
        request_sent=True,
    )
    answer = Answer(id="", model="", blocks=blocks, stop="end", usage=Usage(0, 0))
    body = translate.encode_answer(answer, context.call.entry.name, ctx, stream=stream)
    lines: Lines = [*own_headers(context, None)]
    if not stream:
        await send_response(context, 200, [*lines, JSON], body)
        return
    record, connection = context.record, context.connection
    record.status = 200
    now = context.runtime.health.answered = trio.current_time()
    record.first_byte = now - context.request.arrived
    if context.capture_limit:
        record.answer_body = body[: context.capture_limit]
    head = connection.frame_head(200, Headers([_EVENTS, *lines]), b"OK")
    await connection.write([*head, *connection.frame_data(body), *connection.frame_end()])
