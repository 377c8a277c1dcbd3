"""The head of the client's answer: which backend served it, what a translation lost, when the answer began."""

from collections.abc import Sequence
from functools import lru_cache

import trio

from router.errors import RouterError
from router.exchange.attempt import Attempt
from router.exchange.context import Arrival
from router.exchange.error_text import describe_error
from router.exchange.redaction import redact_error, redactor_of
from router.exchange.upstream_response.response import UpstreamResponse
from router.net.headers import SECURITY, Headers, Lines, encode_value, filter_response, parse_connection, to_lines
from router.net.stream import Bytes
from router.policy.routing.fallback import WHY
from router.redaction import NO_SECRETS
from router.telemetry.accesslog import RequestRecord
from router.wire.neutral.context import HEADER_LIMIT, format_losses
from router.wire.neutral.losses import Loss
from router.wire.translate import Plan

JSON = (b"content-type", b"content-type", b"application/json")
_SECURITY = to_lines(SECURITY)
# What may pass by itself is worth another request, though it is not known when.
_REPEAT_SECONDS = 1


def own_headers(arrival: Arrival, attempt: Attempt | None) -> Lines:
    """The headers that name the backend of an answer, and those that keep a browser from using it. attempt: the one
    that gave the answer, None for an error before any attempt."""
    record = arrival.record
    lines = [*_SECURITY, *arrival.cors, _make_line(b"x-fairlead-request-id", record.id.encode("ascii"))]
    if record.backend:
        lines.extend(_make_server_lines(record.backend, record.account, record.sent_model))
        lines.append(_make_line(b"x-fairlead-attempts", b"%d" % record.attempts))
    if record.answer_cache:
        lines.append(_make_line(b"x-fairlead-cache", _describe_cache(record)))
    if attempt is not None:
        if attempt.route.rule:
            lines.append(_make_line(b"x-fairlead-rule", encode_value(attempt.route.rule)))
        if attempt.route.why == WHY:
            lines.append(_make_line(b"x-fairlead-fallback", encode_value(attempt.fallback)))
        if attempt.filled:
            lines.append(_make_line(b"x-fairlead-context", encode_value(attempt.filled, HEADER_LIMIT)))
        if attempt.plan is not None:
            lines += _make_translation_lines(attempt.plan)
        elif attempt.losses and arrival.snapshot.settings.loss != "silent":
            lines.append(_make_loss_line(attempt.losses))
    return lines


def relayed_headers(
    attempt: Attempt,
    response: UpstreamResponse | None = None,
    *,
    lines: Lines | None = None,
    drop: tuple[bytes, ...] = (),
) -> Lines:
    """The header lines of an answer, followed by fairlead's own. response: the attempt's own when None. lines: used in
    place of the answer's."""
    response = attempt.response if response is None else response
    named = response.fields.get(b"connection", b"")
    if named.lower() not in (b"", b"keep-alive", b"close"):
        drop = (*drop, *parse_connection(named))
    fields = response.lines if lines is None else lines
    return filter_response(fields, drop=drop) + own_headers(attempt.context, attempt)


def begin_response(attempt: Attempt, status: int, lines: Lines, reason: bytes) -> list[Bytes]:
    """Frame the head of an answer whose body follows; from here on the answer is committed."""
    context = attempt.context
    context.record.status = status
    now = context.runtime.health.answered = trio.current_time()
    context.record.first_byte = now - context.request.arrived
    return context.connection.frame_head(status, Headers(lines), reason)


async def send_response(
    arrival: Arrival, status: int, lines: Lines, body: Bytes, reason: bytes = b"", *, readable: Bytes | None = None
) -> None:
    """Send a whole answer. readable: its body without content coding, None when it has none."""
    arrival.record.status = status
    arrival.record.first_byte = arrival.elapsed()
    if arrival.capture_limit:
        arrival.record.answer_body = bytes((body if readable is None else readable)[: arrival.capture_limit])
    await arrival.connection.respond(status, Headers(lines), body, reason)


async def refuse(arrival: Arrival, error: RouterError, attempt: Attempt | None = None) -> None:
    """Answer with an error of fairlead's own, in the caller's protocol. attempt: the one that it ended, if any."""
    dialect = arrival.call.dialect
    redact_error(error, attempt)
    # Under the name that the vendor's SDKs put into their exceptions and its support asks for.
    pairs = [(arrival.call.entry.api.request_id_header.encode("ascii"), arrival.record.id.encode())]
    wait = error.retry_after
    if wait is None and error.retryable and error.status >= 500:
        wait = _REPEAT_SECONDS
    if wait is not None:
        pairs.append((b"retry-after", b"%d" % wait))
    if not error.retryable:
        pairs.append((b"x-should-retry", b"false"))
    pairs += [(name.encode(), value.encode()) for name, value in error.headers]
    headers = [*own_headers(arrival, attempt), JSON, *to_lines(pairs)]
    arrival.record.error = arrival.record.error or error.word or error.kind
    note_error(arrival, error, attempt)
    await send_response(arrival, error.status, headers, dialect.error_body(error, arrival.record.id))


def note_error(arrival: Arrival, error: RouterError, attempt: Attempt | None) -> None:
    """Note the text of an error of fairlead's own in the record. attempt: the one that it ended, if any."""
    arrival.record.text = describe_error(arrival, error, NO_SECRETS if attempt is None else redactor_of(attempt))


@lru_cache(maxsize=256)
def _make_server_lines(backend: str, account: str, model: str | None) -> Lines:
    lines = [
        _make_line(b"x-fairlead-backend", encode_value(backend)),
        _make_line(b"x-fairlead-account", encode_value(account)),
    ]
    if model is not None:
        lines.append(_make_line(b"x-fairlead-model", encode_value(model)))
    return lines


def _describe_cache(record: RequestRecord) -> bytes:
    """`miss`, or `hit` with the age of the answer in seconds, and what it cost then where that is known."""
    if record.answer_age is None:
        return record.answer_cache.encode("ascii")
    saved = "" if record.saved_cost is None else f"; saved-usd={record.saved_cost / 1e9:.9f}"
    return f"{record.answer_cache}; age={record.answer_age}{saved}".encode("ascii")


def _make_translation_lines(plan: Plan) -> Lines:
    """The headers that name a translation and its losses."""
    lines = [_make_line(b"x-fairlead-translation", encode_value(plan.title))]
    losses = plan.ctx.select_losses()
    if losses:
        lines.append(_make_loss_line(losses))
    return lines


def _make_loss_line(losses: Sequence[Loss]) -> tuple[bytes, bytes, bytes]:
    return _make_line(b"x-fairlead-loss", encode_value(format_losses(losses), HEADER_LIMIT))


def _make_line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value
