"""Translates the answer of an upstream into the caller's protocol.

The relay, its commit point, pings and errors then work in the caller's protocol alone. What an answer means for its
account and for further attempts is judged before, by the upstream's own status, fields and body: the caller's protocol
may have other statuses and no place for the upstream's error codes.
"""

from router.errors import BadGateway
from router.exchange.attempt import Attempt
from router.exchange.deadline import Waiting, await_told
from router.exchange.request.translation import JSON
from router.exchange.search.tool_loop import SearchLoop, SearchRounds, SearchTask
from router.exchange.upstream_response.content_coding import ERROR_LIMIT, decode_readable, decode_whole
from router.exchange.upstream_response.large_work import run_json
from router.exchange.upstream_response.response import BufferedResponse, UpstreamResponse
from router.exchange.upstream_response.translated import (
    ANSWER_LIMIT,
    NextRound,
    TranslatedResponse,
    TranslatedStream,
    is_event_stream,
    make_too_large,
    translated_lines,
    translation_decoder_of,
)
from router.exchange.usage import note_error_usage
from router.ir import Answer, Fault, Searched
from router.net.headers import Lines
from router.net.server.body_buffer import BodyBuffer
from router.net.server.cancel_reason import CancelReason
from router.upstream.search import engine_of
from router.wire import translate, translate_errors
from router.wire.costs.extras import add_extras
from router.wire.dialect import Failure
from router.wire.headers import rate_limit_names
from router.wire.neutral.answer_bounds import LARGE
from router.wire.neutral.assemble import NoAnswer
from router.wire.neutral.context import OwnSearch
from router.wire.neutral.tool_forms.own_search import DueSearches
from router.wire.protocols import BY_NAME
from router.wire.raw import scan
from router.wire.raw.json import json_values
from router.wire.raw.json.depth import too_deep
from router.wire.searching import SearchingAnswer, SearchingStream
from router.wire.tap import failure_of
from router.wire.translate import Made, Plan

_EVENTS = (b"Content-Type", b"content-type", b"text/event-stream; charset=utf-8")


async def translate_response(attempt: Attempt, plan: Plan, waiting: Waiting | None = None) -> bool:
    """Set `attempt.translated` to the upstream's answer in the caller's protocol: a stream is translated as it is read,
    all else is read whole here. Counts and redirects are passed on as they are. waiting: what a client that asked for a
    stream is told until a whole answer is there. An answer whose model searches the web by fairlead may take further
    requests: False where one of them was answered with an error, which is `attempt.upstream` then and not translated.
    Raises RouterError, UpstreamDisconnected."""
    upstream = attempt.upstream
    if attempt.context.call.counts or 300 <= upstream.status < 400:
        return True
    kind = upstream.fields.get(b"content-type", b"")[:17].lower()
    good = 200 <= upstream.status < 300
    events = is_event_stream(upstream)
    if good and events and plan.stream:
        attempt.translated = _make_stream(attempt, plan)
        return True
    waiting = waiting if good and plan.stream else None
    if good:
        body = await _read_good(attempt, waiting)
    else:
        body = await decode_readable(upstream, await _read_whole(attempt, None))
    if good and plan.ctx.own_search is not None:
        found = await _search(attempt, plan, plan.ctx.own_search, body, waiting)
        if found is None:
            return False
        body, (made, failure) = found
        upstream = attempt.upstream
    else:
        made, failure = await run_json(len(body), _translate, body, upstream.status, events, plan)
    size = len(body)
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
    return True


def _make_stream(attempt: Attempt, plan: Plan) -> TranslatedStream:
    """The stream in the caller's protocol, in rounds where fairlead searches for its model. Raises Unavailable."""
    upstream, own = attempt.upstream, plan.ctx.own_search
    engine = None if own is None else engine_of(attempt.context.snapshot.settings)
    next_round: NextRound | None = None
    if own is None or engine is None:
        stream = translate.Stream(plan.spoken, plan.caller, plan.ctx)
    else:
        stream = SearchingStream(plan.spoken, plan.caller, plan.ctx)
        next_round = SearchLoop(attempt, SearchRounds(attempt, plan, own, engine), stream).next_round
    lines = _make_lines(upstream, plan, _EVENTS)
    read_tools = BY_NAME[plan.spoken].dialect.needles.tools
    return TranslatedStream(upstream, lines, stream, attempt.memory.hold, read_tools=read_tools, next_round=next_round)


async def _search(
    attempt: Attempt, plan: Plan, own: OwnSearch, body: bytes, waiting: Waiting | None
) -> tuple[bytes, tuple[Made | None, Failure | None]] | None:
    """The answer of all rounds of a whole answer whose model may search the web, and the upstream's last body; None
    where the upstream answered a further request with an error. body: its first. Raises RouterError,
    UpstreamDisconnected."""
    whole = SearchingAnswer(plan.ctx)
    rounds: SearchRounds | None = None
    total = 0
    while True:
        total += len(body)
        if total > ANSWER_LIMIT:
            raise make_too_large()
        events = is_event_stream(attempt.upstream)
        ended = await run_json(len(body), _add_round, whole, body, events, plan)
        if ended is not None:
            return body, ended
        # What was used counts, whatever becomes of the next round.
        attempt.context.record.usage = whole.usage
        engine = engine_of(attempt.context.snapshot.settings)
        if rounds is None and engine is not None:
            rounds = SearchRounds(attempt, plan, own, engine)
        if whole.due is not None and rounds is not None:
            attempt.upstream.release()
            found, upstream = await _run_round(rounds, whole.due, waiting)
            whole.resume(found, goes_on=upstream is not None)
            if upstream is not None:
                if upstream.status >= 400:
                    return None
                if upstream.status >= 300:
                    raise BadGateway(f"Backend {attempt.route.backend.name} answered a round with {upstream.status}.")
                body = await _read_good(attempt, waiting)
                continue
        return body, (await run_json(total, _join_rounds, whole, body, plan), None)


async def _run_round(
    rounds: SearchRounds, due: DueSearches, waiting: Waiting | None
) -> tuple[list[Searched], UpstreamResponse | None]:
    """Run a round; what the client is told meanwhile does not end it."""
    if waiting is None:
        return await rounds.run(due)
    task = SearchTask(rounds.run, due)
    try:
        await await_told(task.wait, waiting)
        return task.result()
    finally:
        task.cancel()


def _add_round(
    whole: SearchingAnswer, body: bytes, events: bool, plan: Plan
) -> tuple[Made | None, Failure | None] | None:
    """Add the upstream's answer of a round; what the client gets where that is an error, or no answer."""
    found = None if too_deep(body) else _read(body, events, plan)
    if isinstance(found, Answer):
        try:
            whole.add(found)
        except NoAnswer as error:
            found = error.fault
        else:
            return None
    return _write(found, body, events, plan)


def _join_rounds(whole: SearchingAnswer, body: bytes, plan: Plan) -> Made | None:
    """The answer of all rounds for the client. body: the last one, which tells what it cost beside its tokens."""
    try:
        found = whole.join()
    except NoAnswer as error:
        return translate.write_answer(error.fault, plan.caller, plan.ctx, stream=plan.stream)
    made = translate.write_answer(found, plan.caller, plan.ctx, stream=plan.stream, large=True, filtered=True)
    usage = add_extras(whole.usage, body, BY_NAME[plan.spoken].dialect.needles.tools)
    return None if made is None else made._replace(usage=usage)


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


async def _read_good(attempt: Attempt, waiting: Waiting | None) -> bytes:
    """The whole body of a good answer, without content coding. waiting: what the client is told meanwhile. Raises
    BadGateway, UpstreamDisconnected."""
    translation_decoder_of(attempt.upstream)  # one that is not known is said before its body is read
    coded = await _read_whole(attempt, waiting)
    body = await decode_whole(attempt.upstream, coded, ANSWER_LIMIT)
    attempt.memory.hold(len(body) - len(coded))
    return body


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
            raise make_too_large()
    return buffer.join()


def _translate(body: bytes, status: int, events: bool, plan: Plan) -> tuple[Made | None, Failure | None]:
    """Translate a whole body for the caller, and read all that it cost; None for one that is not of the upstream's
    protocol. With the error inside a 200, None for none."""
    if too_deep(body):
        return None, None
    if status >= 400:
        failure = translate_errors.failure(body, status, plan.spoken, plan.caller, plan.ctx)
        return (None if failure is None else Made(*failure)), None
    return _write(_read(body, events, plan), body, events, plan)


def _read(body: bytes, events: bool, plan: Plan) -> Answer | Fault | None:
    """A good body as an answer or an error; None for one that is not of the upstream's protocol."""
    read = translate.read_stream if events else translate.read_answer
    return read(body, plan.spoken, plan.ctx)


def _write(found: Answer | Fault | None, body: bytes, events: bool, plan: Plan) -> tuple[Made | None, Failure | None]:
    """What the client gets for what was read from a good body, with all that it cost, and the error in it."""
    made: Made | None = None
    if found is not None:
        large = len(body) > LARGE
        made = translate.write_answer(found, plan.caller, plan.ctx, stream=plan.stream, large=large)
    if made is not None and made.usage is not None:
        made = made._replace(usage=add_extras(made.usage, body, BY_NAME[plan.spoken].dialect.needles.tools))
    failed = made is not None and made.status >= 400
    return made, _find_failure(body, made, plan, events=events) if made is not None and failed else None
