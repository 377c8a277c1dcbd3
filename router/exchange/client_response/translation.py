"""Translates the answer of an upstream into the caller's protocol.

The relay, its commit point, pings and errors then work in the caller's protocol alone. What an answer means for its
account and for further attempts is judged before, by the upstream's own status, fields and body: the caller's protocol
may have other statuses and no place for the upstream's error codes.
"""

from router.errors import BadGateway
from router.exchange.attempt import Attempt
from router.exchange.deadline import Waiting, await_told
from router.exchange.request.translation import JSON
from router.exchange.search.tool_loop import SearchLoop
from router.exchange.upstream_response.content_coding import ERROR_LIMIT, decode_readable, decode_whole
from router.exchange.upstream_response.large_work import run_json
from router.exchange.upstream_response.response import BufferedResponse, UpstreamResponse
from router.exchange.upstream_response.translated import (
    ANSWER_LIMIT,
    NextRound,
    TranslatedResponse,
    TranslatedStream,
    translated_lines,
    translation_decoder_of,
)
from router.exchange.usage import note_error_usage
from router.net.headers import Lines
from router.net.server.body_buffer import BodyBuffer
from router.net.server.cancel_reason import CancelReason
from router.upstream.search import engine_of
from router.wire import translate, translate_errors
from router.wire.costs.extras import add_extras
from router.wire.dialect import Failure
from router.wire.headers import rate_limit_names
from router.wire.protocols import BY_NAME, RESPONSES
from router.wire.raw import scan
from router.wire.raw.json import json_values
from router.wire.raw.json.depth import too_deep
from router.wire.searching_stream import SearchingStream
from router.wire.tap import failure_of
from router.wire.translate import Made, Plan

_EVENTS = (b"Content-Type", b"content-type", b"text/event-stream; charset=utf-8")


async def translate_response(attempt: Attempt, plan: Plan, waiting: Waiting | None = None) -> None:
    """Set `attempt.translated` to the upstream's answer in the caller's protocol: a stream is translated as it is read,
    all else is read whole here. Counts and redirects are passed on as they are. waiting: what a client that asked for a
    stream is told until a whole answer is there. Raises BadGateway, UpstreamDisconnected."""
    upstream = attempt.upstream
    if attempt.context.call.counts or 300 <= upstream.status < 400:
        return
    kind = upstream.fields.get(b"content-type", b"")[:17].lower()
    good = 200 <= upstream.status < 300
    events = kind == b"text/event-stream"
    if good and events and plan.stream:
        attempt.translated = _make_stream(attempt, plan)
        return
    waiting = waiting if good and plan.stream else None
    if good:
        translation_decoder_of(upstream)  # one that is not known is said before its body is read
    body = await _read_whole(attempt, waiting)
    if good:
        coded = len(body)
        body = await decode_whole(upstream, body, ANSWER_LIMIT)
        attempt.memory.hold(len(body) - coded)
    else:
        body = await decode_readable(upstream, body)
    size = len(body)
    made, failure = await run_json(size, _translate, body, upstream.status, events, plan)
    if made is None and good and kind[:9] != b"text/html":
        what = await run_json(size, _describe_foreign, body)
        if what:
            title = BY_NAME[plan.spoken].title
            raise BadGateway(
                f"Backend {attempt.route.backend.name} answered {upstream.status} with {what} that is not a valid "
                f"{title} answer."
            )
    if made is None or made.status >= 400:
        note_error_usage(attempt, body)
    attempt.translated = _make_response(upstream, plan, made, failure, body)


def _make_stream(attempt: Attempt, plan: Plan) -> TranslatedStream:
    """The stream in the caller's protocol, in rounds where fairlead searches for its model. Raises Unavailable."""
    upstream, own = attempt.upstream, plan.ctx.own_search
    engine = None if own is None else engine_of(attempt.context.snapshot.settings)
    next_round: NextRound | None = None
    if own is None or engine is None:
        stream = translate.Stream(plan.spoken, plan.caller, plan.ctx)
    else:
        stream = SearchingStream(plan.spoken, plan.caller, plan.ctx)
        next_round = SearchLoop(attempt, plan, stream, own, engine).next_round
    lines = _make_lines(upstream, plan, _EVENTS)
    calls = plan.spoken == RESPONSES.name
    return TranslatedStream(upstream, lines, stream, attempt.memory.hold, calls=calls, next_round=next_round)


def translate_error(attempt: Attempt, response: BufferedResponse, readable: bytes) -> UpstreamResponse:
    """An error answer that was read whole, in the caller's protocol. readable: its body without content coding."""
    plan = attempt.plan
    if plan is None or attempt.context.call.counts:
        return response
    made, _ = _translate(readable, response.status, events=False, plan=plan)
    if made is None:
        return BufferedResponse(response.status, response.reason, _make_lines(response, plan, None), readable)
    return BufferedResponse(made.status, response.reason, _make_lines(response, plan, JSON), made.body)


def _make_response(
    upstream: UpstreamResponse, plan: Plan, made: Made | None, failure: Failure | None, body: bytes
) -> TranslatedResponse:
    """The whole answer. made: None for a body that is not of the upstream's protocol, and is passed on as it is.
    failure: the error inside a 200."""
    if made is None:
        lines = _make_lines(upstream, plan, None)
        return TranslatedResponse(upstream, upstream.status, lines, body, usage=None, failure=None)
    lines = _make_lines(upstream, plan, _EVENTS if plan.stream and made.status == 200 else JSON)
    return TranslatedResponse(upstream, made.status, lines, made.body, usage=made.usage, failure=failure)


def _describe_foreign(body: bytes) -> str:
    """What a good answer is that is not of the upstream's protocol, "" for nothing at all."""
    if scan.is_blank(body):
        return ""
    return "broken JSON" if json_values.look_at_object(body) is None else "JSON"


def _find_failure(body: bytes, made: Made, plan: Plan, *, events: bool) -> Failure:
    """The error inside a 200, with the status that the upstream's own protocol gives it. made: the client's, for an
    error that is not in the upstream's body, such as a stream that ends without a finish. It is judged on the loop, so
    it is never as large as the body may be."""
    found = translate_errors.failure_in(body, plan.spoken) if events else failure_of(BY_NAME[plan.spoken].dialect, body)
    if found is None:
        found = Failure(made.status, made.body)
    return found if len(found.body) <= ERROR_LIMIT else Failure(found.status, b"")


def _make_lines(response: UpstreamResponse, plan: Plan, content_type: tuple[bytes, bytes, bytes] | None) -> Lines:
    """The header lines for the caller, with the account's limits under the names of the caller's protocol."""
    lines = translated_lines(response.lines, content_type)
    return rate_limit_names.rename_limits(lines, BY_NAME[plan.caller].limits, plan.ctx.now)


async def _read_whole(attempt: Attempt, waiting: Waiting | None) -> bytes:
    """Read all of an answer. waiting: what the client is told meanwhile. Raises BadGateway when it is larger than
    ANSWER_LIMIT, and UpstreamDisconnected."""
    attempt.context.connection.set_deadline(attempt.left(), CancelReason.TOTAL)
    buffer = BodyBuffer()
    size = 0
    read = attempt.upstream.read
    while got := await (read() if waiting is None else await_told(read, waiting)):
        arrived = sum(map(len, got))
        size += arrived
        attempt.memory.hold(arrived)
        for piece in got:
            buffer.append(piece)
        if size > ANSWER_LIMIT:
            raise BadGateway(
                f"The backend's answer is over {ANSWER_LIMIT >> 20} MiB, the limit for translated answers."
            )
    return buffer.join()


def _translate(body: bytes, status: int, events: bool, plan: Plan) -> tuple[Made | None, Failure | None]:
    """Translate a whole body for the caller, and read all that it cost; None for one that is not of the upstream's
    protocol. With the error inside a 200, None for none."""
    if too_deep(body):
        return None, None
    if status >= 400:
        failure = translate_errors.failure(body, status, plan.spoken, plan.caller, plan.ctx)
        return (None if failure is None else Made(*failure)), None
    if events:
        made = translate.assemble_stream(body, plan.spoken, plan.caller, plan.ctx)
    else:
        made = translate.answer(body, plan.spoken, plan.caller, plan.ctx, stream=plan.stream)
    if made is not None and made.usage is not None:
        made = made._replace(usage=add_extras(made.usage, body, calls=plan.spoken == RESPONSES.name))
    failed = made is not None and 200 <= status < 300 and made.status >= 400
    return made, _find_failure(body, made, plan, events=events) if made is not None and failed else None
