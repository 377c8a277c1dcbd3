"""Passes an upstream's answer on to the client: the choice of a relay, and all answers that are no event stream."""

import math
import re
from functools import partial
from urllib.parse import urlsplit

import trio

from router.errors import BadGateway
from router.exchange.attempt import Attempt
from router.exchange.client_response.errors import (
    TOO_LARGE,
    find_coding,
    quote,
    respond_with_error,
    respond_without_json,
)
from router.exchange.client_response.head import JSON, begin_response, relayed_headers, send_response
from router.exchange.client_response.relay import Relay
from router.exchange.client_response.stream_timeouts import StreamTimeouts
from router.exchange.redaction import hide_key, key_of, redactor_of
from router.exchange.request import resource_affinity
from router.exchange.request.overflow import reword_events
from router.exchange.request.send import COMMIT_SECONDS
from router.exchange.upstream_response.content_coding import READABLE_LIMIT, decode_readable, decoder_of
from router.exchange.upstream_response.large_work import contains, is_large, run_large
from router.exchange.upstream_response.response import BufferedResponse, UpstreamResponse
from router.exchange.usage import (
    note_error_usage,
    note_late_usage,
    note_other_usage,
    settle_background,
    tells_usage,
)
from router.ir import Usage
from router.net.headers import Lines
from router.net.server.cancel_reason import CancelReason
from router.net.stream import Bytes
from router.wire import protocols, resource_ids
from router.wire.dialect import Dialect, Failure
from router.wire.raw import content_coding, scan
from router.wire.raw.json import json_values
from router.wire.tap import Tail, Tap, failure_of, usage_of

# A plain answer up to this size is sent once it is whole: an error in it can then still change the status.
WHOLE_LIMIT = 1 << 20
# An error answer that does not end must not delay the next attempt for longer.
ERROR_SECONDS = 10.0

# On paths of no protocol errors in a 200 pass as they come, but without keys. So many bytes show what they are.
_HEAD_OF_ERROR = 64
_ERROR_IN_200 = re.compile(
    rb'\s{0,16}\{\s{0,16}"(?:error"\s{0,4}:\s{0,4}(?:\{(?!\s{0,4}\})|"(?!"))|type"\s{0,4}:\s{0,4}"error")'
)

# Of a plain answer, the names and punctuation of its JSON included.
_BYTES_PER_TOKEN = 4


def relay_for(attempt: Attempt, *, hide_usage: bool, committed: bool = False) -> Relay | None:
    """The relay for an event stream; None for any other answer. committed: the client was sent a head before. Raises
    BadGateway for a redirect."""
    response, context = attempt.response, attempt.context
    status = response.status
    if 300 <= status < 400 and status != 304:
        raise BadGateway(
            f"Backend {attempt.route.backend.name} answered {status} and points to {_find_redirect_host(response)}.",
            cause="redirect",
        )
    kind = response.fields.get(b"content-type", b"")
    if kind[:17].lower() != b"text/event-stream" or not 200 <= status < 300:
        return None
    try:
        decoder = decoder_of(response)
    except (content_coding.UnknownCoding, content_coding.Malformed):
        return None

    def begin() -> list[Bytes]:
        if not attempt.movable:
            context.body.release()  # until now the answer may be an error, which is compared with it
        resource_affinity.remember_stream(attempt, tap.response_id)
        attempt.filled = tap.declare()
        if context.connection.started:
            return []
        headers = relayed_headers(attempt, drop=(b"content-encoding",) if decoder else ())
        if context.call.array:
            headers = [JSON, *(line for line in headers if line[1] != b"content-type")]
        return begin_response(attempt, status, headers, response.reason)

    context.record.stream = True
    arrived, target = context.request.arrived, attempt.target
    timeouts = StreamTimeouts(commit_by=arrived + COMMIT_SECONDS, end_by=arrived + target.total, idle=target.idle)
    on_end = partial(resource_affinity.remember_items, attempt) if resource_affinity.keeps_items(attempt) else None
    if context.filled_fields is None:
        tap = Tap(context.call.dialect, target.profile, hide_usage=hide_usage, on_end=on_end)
    else:
        from router.exchange.client_response.tool_context import make_tap

        tap = make_tap(attempt, hide_usage=hide_usage, on_end=on_end)
    return Relay(
        context.connection,
        response,
        tap,
        context.call.dialect,
        timeouts,
        begin,
        attempt.memory.hold,
        decoder=decoder,
        frames=context.frames,
        breaks_off=context.call.entry.breaks_off,
        impatient=attempt.movable,
        committed=committed,
        redactor=redactor_of(attempt),
        reword=partial(reword_events, attempt),
        key=key_of(attempt),
        capture_limit=context.capture_limit,
    )


def _find_redirect_host(response: UpstreamResponse) -> str:
    try:
        host = urlsplit(response.fields.get(b"location", b"").decode("latin-1")).hostname
    except ValueError:
        return "a malformed address"
    return host or "another path"


def error_of_200(attempt: Attempt, failure: Failure) -> BufferedResponse:
    """The answer with the status that an error inside a 200 should have had."""
    attempt.context.record.note("error inside a 200")
    gone = (b"content-type", b"content-encoding", b"content-length")
    lines = [*(line for line in attempt.response.lines if line[1] not in gone), JSON]
    return BufferedResponse(failure.status, b"", lines, failure.body)


async def read_error(attempt: Attempt) -> tuple[BufferedResponse, bytes] | None:
    """The upstream's error answer, read whole, and its body without content coding; None for one that is too large to
    be read whole. Where another attempt may follow, reading ends after ERROR_SECONDS."""
    upstream = attempt.upstream
    pieces: list[bytes] = []
    size = 0
    with trio.move_on_after(ERROR_SECONDS if attempt.movable else math.inf):
        while got := await upstream.read():
            pieces += got
            size += sum(map(len, got))
            if size > WHOLE_LIMIT:
                upstream.put_back(b"".join(pieces))
                return None
    body = b"".join(pieces)
    whole = BufferedResponse(upstream.status, upstream.reason, upstream.lines, body)
    return whole, await decode_readable(upstream, body)


async def respond(attempt: Attempt, response: UpstreamResponse) -> Failure | None:
    """Send an answer that is no event stream; its only time limit is the total. A Failure, with nothing sent, when the
    answer holds an error. response: that of the attempt, or the one to send in its place."""
    context, record = attempt.context, attempt.context.record
    if record.stream:
        record.stream = False
        context.connection.set_deadline(attempt.left(), CancelReason.TOTAL)
    if context.request.method == "HEAD":
        await _respond_head_only(attempt, response)
        return None
    # Paths of no protocol return audio, files and lines, which clients read as they come.
    plain = context.call.dialect is protocols.PLAIN and not context.call.generates and response.status < 400
    limit = 0 if plain else WHOLE_LIMIT
    if resource_affinity.holds_answer(attempt, response):
        limit = limit or resource_ids.ANSWER_LIMIT
    if context.filled_fields is not None and response.status < 300:
        limit = READABLE_LIMIT
    pieces: list[bytes] = []
    failed = response.status >= 400
    if not limit and b"json" in response.fields.get(b"content-type", b"").lower():
        await _read_up_to(_HEAD_OF_ERROR, attempt, response, pieces)
        if _ERROR_IN_200.match(b"".join(pieces)):
            failed, limit = True, WHOLE_LIMIT
    await _read_up_to(limit, attempt, response, pieces)
    if response.ended:
        whole = b"".join(pieces) if len(pieces) != 1 else pieces[0]
        return await _respond_whole(attempt, response, whole, failed=failed)
    if failed:
        response.drop()  # what is left of it is of no use
        record.error = "upstream_error"
        await respond_without_json(attempt, response, b"", TOO_LARGE)
        return None
    if context.filled_fields is not None:
        record.note(f"context: not filled, as the answer is over {READABLE_LIMIT >> 20} MiB")
    await _stream_body(attempt, response, pieces)
    return None


async def _read_up_to(limit: int, attempt: Attempt, response: UpstreamResponse, pieces: list[bytes]) -> None:
    """Read on until there are more bytes than `limit`, or the answer ends."""
    size = sum(map(len, pieces)) if pieces else 0
    while size <= limit and (not response.ended or not size):
        got = await response.read()
        if not got:
            break
        pieces += got
        arrived = len(got[0]) if len(got) == 1 else sum(map(len, got))
        size += arrived
        attempt.memory.hold(arrived)


async def _respond_whole(attempt: Attempt, response: UpstreamResponse, body: bytes, *, failed: bool) -> Failure | None:
    """Send an answer that was read whole. failed: it is an error, whatever its status says."""
    context, record = attempt.context, attempt.context.record
    status = response.status
    readable = await decode_readable(response, body)
    translated = attempt.translated
    if translated is not None and translated is response and translated.failure is not None:
        return Failure(status, bytes(readable))
    lines = response.lines
    key = b"" if failed or attempt.target.secret is None else key_of(attempt)
    if key and await contains(readable, key):
        large = is_large(len(readable))
        hidden = await run_large(hide_key, readable, key) if large else hide_key(readable, key)
        if hidden != readable:
            body = readable = hidden
            lines = [line for line in lines if line[1] != b"content-encoding"]
    if failed:
        await respond_with_error(attempt, response, body, readable)
        return None
    if context.call.generates:
        what, large = (response, body, readable), is_large(len(readable))
        problem = await run_large(_find_problem, *what) if large else _find_problem(*what)
        if problem:
            raise BadGateway(f"Backend {attempt.route.backend.name} answered {status} with {problem}.")
        # What was translated has no error in it: one of the upstream's was found before.
        dialect = context.call.dialect
        failure = None if translated is response else await _find_failure(dialect, readable)
        if failure is not None:
            note_error_usage(attempt, readable)
            return failure
        if _ERROR_IN_200.match(readable) and translated is not response:
            # Not in the form of the protocol, but it may say as much as one that is.
            return await _respond_whole(attempt, response, body, failed=True)
        record.usage = await run_large(_read_usage, attempt, readable) if large else _read_usage(attempt, readable)
        record.guess = len(readable or body) // _BYTES_PER_TOKEN
        if context.call.entry is protocols.RESPONSES:
            await settle_background(attempt, readable)
    else:
        await note_other_usage(attempt, readable)
        if context.call.counted:
            record.guess = len(readable or body) // _BYTES_PER_TOKEN
    if context.filled_fields is not None:
        from router.exchange.client_response.tool_context import fill_body

        if filled := await fill_body(attempt, readable):
            body = readable = filled
            lines = [line for line in lines if line[1] != b"content-encoding"]
    if not attempt.movable:
        context.body.release()  # the client may be slow
    resource_affinity.remember_answer(attempt, response, readable)
    headers = relayed_headers(attempt, response, lines=lines)
    await send_response(context, status, headers, body, response.reason, readable=readable)
    return None


async def _find_failure(dialect: Dialect, body: bytes) -> Failure | None:
    """The error inside a plain 200."""
    if is_large(len(body)):
        return await run_large(failure_of, dialect, body)
    return failure_of(dialect, body) if dialect.needles.error in body else None


def _read_usage(attempt: Attempt, body: bytes) -> Usage:
    """The token counts of a whole answer of a model."""
    if attempt.translated is not None:
        return attempt.translated.usage or Usage()
    return usage_of(attempt.context.call.dialect, body, attempt.target.profile)


async def _stream_body(attempt: Attempt, response: UpstreamResponse, pieces: list[bytes]) -> None:
    """Send what was read, and the rest as it comes, with the upstream's own content-length."""
    context, record = attempt.context, attempt.context.record
    context.body.release()
    attempt.memory.release()
    resource_affinity.remember_answer(attempt, response, b"".join(pieces[:2]), whole=False)
    headers = relayed_headers(attempt, response)
    headers += _copy_length(response)
    connection = context.connection
    await connection.write(begin_response(attempt, response.status, headers, response.reason))
    tail = _make_tail(attempt, response)
    while pieces:
        # One chunk for each read: one system call does not take thousands of pieces.
        data = b"".join(pieces)
        await connection.write(connection.frame_data(data))
        if tail is not None:
            readable = tail.read(data)
            record.guess = tail.size // _BYTES_PER_TOKEN
            record.answer_body += readable[: max(0, context.capture_limit - len(record.answer_body))]
        pieces = await response.read()
    if tail is not None:
        note_late_usage(attempt, tail)
    await connection.write(connection.frame_end())


def _make_tail(attempt: Attempt, response: UpstreamResponse) -> Tail | None:
    """The reader of the usage at the end of a large answer of a model; None where there is no usage."""
    call = attempt.context.call
    if response.status >= 300 or not tells_usage(attempt, response.fields):
        return None
    coding = response.fields.get(b"content-encoding", b"").strip().lower()
    dialect = call.dialect if call.counted or call.entry is protocols.RESPONSES else protocols.PLAIN
    return Tail(dialect, coding, attempt.target.profile)


def _copy_length(response: UpstreamResponse) -> Lines:
    """The upstream's content-length, unless chunks overrule it (RFC 9112, 6.3)."""
    length = response.fields.get(b"content-length")
    if length is None or b"transfer-encoding" in response.fields:
        return []
    return [(b"content-length", b"content-length", length)]


async def _respond_head_only(attempt: Attempt, response: UpstreamResponse) -> None:
    headers = relayed_headers(attempt, response)
    headers += _copy_length(response)
    head = begin_response(attempt, response.status, headers, response.reason)
    await attempt.context.connection.write([*head, *attempt.context.connection.frame_end()])


def _find_problem(response: UpstreamResponse, coded: bytes | bytearray, body: bytes | bytearray) -> str:
    """What is wrong with a 2xx answer of a model, "" when nothing is. coded: its body as it came."""
    if coding := find_coding(response, coded, body):
        return coding
    if response.status != 204 and scan.is_blank(body):
        return "an empty body"
    # A larger error is not passed on, whatever it is.
    small = not is_large(len(body))
    if small and _ERROR_IN_200.match(body) and json_values.look_at_object(bytes(body)) is None:
        return "an error in broken JSON"
    if response.fields.get(b"content-type", b"")[:9].lower() == b"text/html":
        return quote(response, body) + ": a login page or proxy may be intercepting the connection"
    return ""
