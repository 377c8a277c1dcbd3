"""Sends a request to the account of an attempt, and waits for the head of its answer."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from router.exchange import admission
from router.exchange.attempt import Attempt, note_try
from router.exchange.body.body import THREAD_BYTES
from router.exchange.body.upload import Upload
from router.exchange.deadline import Deadline, await_head
from router.exchange.redaction import has_suspect_head, redact_head
from router.exchange.request.caller_login import find_passed_headers
from router.exchange.request.count_tokens import ask_count, estimate_count, lacks_count, read_count
from router.exchange.request.edits import Edited, edit, edit_head
from router.exchange.request.prompt_cache import note_prompt
from router.exchange.request.translation import is_rewritten, translate_request, translated_headers
from router.exchange.request.turn_state import TURN_STATE, is_foreign_state, remember_state
from router.exchange.request.unseal import unseal_compactions
from router.exchange.upstream_response.error_peek import peek_body
from router.exchange.upstream_response.unframed import unframe
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange
from router.net.client.recorded import RecordedExchange
from router.net.headers import Lines, apply_changes, filter_request, parse_connection
from router.net.query import filter_query, replace_parameter
from router.net.server.cancel_reason import CancelReason
from router.policy.accounts.attempt import AttemptRecord
from router.policy.accounts.idempotency import judge_retry_safety
from router.policy.accounts.retry import Resend, ResendChange, SendResult, choose_resend, needs_body
from router.telemetry.trace_context import is_listed, make_lines
from router.wire.framings import Framed
from router.wire.paths.upstream import build_url
from router.wire.protocols import BY_NAME
from router.wire.raw.json.top_level import Top, peek

if TYPE_CHECKING:
    from router.exchange.upstream_response.response import UpstreamResponse

# Claude Code gives up after 360 s without a head, other clients after 300 s: a stream is committed before that.
COMMIT_SECONDS = 240.0
_CHUNKED = (b"Transfer-Encoding", b"transfer-encoding", b"chunked")


async def send(attempt: Attempt, deadline: Deadline) -> bool:
    """Send the request and set `attempt.upstream` to the upstream's own answer, whose head was read. True when the
    client did not ask for the usage event that will come. Raises RouterError, UpstreamDisconnected."""
    context = attempt.context
    record, body = context.record, context.body
    edits: list[str] = []
    attempt.changes = edit_head(attempt.route, attempt.target, context.request.fields, edits)
    if edits:
        record.note(*edits)
    if isinstance(body, Upload):
        await _send_upload(attempt, deadline, body)
        return False
    if body.top is None:
        await send_with_retry(attempt, deadline, Edited((body.data,)))
        return False
    if is_rewritten(context.call, attempt.route, attempt.target):
        if context.call.counts:
            await _count(attempt, deadline, body.data, body.top)
            return False
        return await _send_translated(attempt, deadline, body.data)
    target = attempt.target
    if context.call.counts and not target.endpoint_for(context.call.protocol).counts:
        attempt.upstream = await estimate_count(attempt, body.data)
        return False
    stored = context.call.entry.stored
    if stored is not None and context.facts.owner is None:
        stored.check_passed_through(body.top, attempt.route.backend.name)
    probe = context.facts.stream and target.stream_usage and target.backend.name not in context.runtime.refuses_usage
    data, top = await unseal_compactions(attempt, body.data, body.top)
    edited = _edit(attempt, data, top, probe=probe)
    await send_with_retry(attempt, deadline, edited)
    if attempt.upstream.status == 400:
        edited = await _resend_passed_through(attempt, deadline, data, top, edited)
    if context.call.counts and await lacks_count(attempt):
        attempt.upstream.release()
        attempt.upstream = await estimate_count(attempt, data)
    return edited.hide_usage


async def _resend_passed_through(attempt: Attempt, deadline: Deadline, body: bytes, top: Top, edited: Edited) -> Edited:
    """Send a request that was answered with 400 again in other forms, as long as a rule says so; returns the last form.
    edited: the first one."""
    context = attempt.context
    entry, probe = context.call.entry, edited.probed
    strips = {ResendChange.THINKING: entry.drop_foreign_thinking, ResendChange.SEARCHES: entry.tell_foreign_searches}
    if not context.call.writes:
        strips.clear()
    large = len(body) > THREAD_BYTES
    while attempt.upstream.status == 400:
        foreign = entry.has_foreign_searches
        has_searches = ResendChange.SEARCHES in strips and (
            await context.run_in_thread(foreign, body) if large else foreign(body)
        )
        sent = SendResult(
            status=400,
            probed=edited.probed,
            thinking=strips.get(ResendChange.THINKING) is not None,
            searches=has_searches,
        )
        rule = await _choose_resend(attempt, sent)
        if rule is None:
            break
        strip = strips.pop(rule.change, None)
        if strip is not None:
            stripped = await context.run_in_thread(strip, body) if large else strip(body)
            if stripped is None:
                break
            probe = False
            body, top = stripped, peek(stripped)
        else:
            probe = False
        _note_resend(attempt, rule)
        edited = _edit(attempt, body, top, probe=probe)
        await send_with_retry(attempt, deadline, edited)
    return edited


def _edit(attempt: Attempt, body: bytes, top: Top, *, probe: bool) -> Edited:
    """The body to send upstream; its changes are noted in the record."""
    notes: list[str] = []
    route, target = attempt.route, attempt.target
    facts = attempt.context.snapshot.facts
    edited = edit(
        body,
        top,
        call=attempt.context.call,
        route=route,
        target=target,
        probe=probe,
        notes=notes,
        fields=_change_fields(attempt),
        taken=lambda: facts.find(route.backend.name, route.model or "").facts.efforts,
    )
    if notes:
        attempt.context.record.note(*notes)
    return edited


def _change_fields(attempt: Attempt) -> Mapping[bytes, bytes]:
    """The fields of the request's head with the configured changes."""
    fields, changes = attempt.context.request.fields, attempt.changes
    if not changes:
        return fields
    changed = {name: line[2] for name, line in changes.items() if line is not None}
    return {**{name: value for name, value in fields.items() if name not in changes}, **changed}


async def _send_translated(attempt: Attempt, deadline: Deadline, body: bytes) -> bool:
    """Send the request in the backend's protocol. The answer is in that protocol too."""
    thinks = True
    edited, hide_usage = await translate_request(attempt, body)
    with _count_body(attempt, edited):
        await send_with_retry(attempt, deadline, edited)
    while attempt.upstream.status == 400:
        rule = await _choose_resend(attempt, SendResult(status=400, probed=edited.probed, thinking=thinks))
        if rule is None:
            break
        if rule.change is ResendChange.THINKING:
            thinks = False
        _note_resend(attempt, rule)
        edited, hide_usage = await translate_request(attempt, body, forget_thinking=not thinks)
        with _count_body(attempt, edited):
            await send_with_retry(attempt, deadline, edited)
    return hide_usage


@contextmanager
def _count_body(attempt: Attempt, edited: Edited) -> Generator[None]:
    """Count a large translated body against the bound of all buffers while it is sent: the client's own is in memory
    too. Raises Unavailable."""
    size = sum(map(len, edited.parts))
    counted = size if size > THREAD_BYTES else 0
    attempt.memory.hold(counted)
    try:
        yield
    finally:
        attempt.memory.hold(-counted)


async def _choose_resend(attempt: Attempt, sent: SendResult) -> Resend | None:
    """The rule by which the request is sent to the same account again, None when there is none. A backend that refuses
    the field that asks for usage is remembered, so that the field is not sent to it again."""
    context = attempt.context
    safety = judge_retry_safety(
        context.call, context.request.method, context.body.top, replayable=context.body.replayable
    )
    body = await peek_body(attempt.upstream) if needs_body(sent, safety) else b""
    rule = choose_resend(sent, safety, body)
    if rule is not None and rule.change is ResendChange.PROBE:
        context.runtime.refuses_usage.add(attempt.route.backend.name)
    return rule


async def _count(attempt: Attempt, deadline: Deadline, body: bytes, top: Top) -> None:
    """Set the answer to the backend's own count, or to an estimate where it gives none."""
    question = await ask_count(attempt, body, top)
    found: UpstreamResponse | None = None
    if question is not None:
        await send_with_retry(attempt, deadline, question)
        found = await read_count(attempt, attempt.upstream)
    attempt.upstream = await estimate_count(attempt, body) if found is None else found


async def _send_upload(attempt: Attempt, deadline: Deadline, upload: Upload) -> None:
    """Send a multipart body: at once when it was read whole, else as it comes."""
    if upload.ended:
        await send_with_retry(attempt, deadline, Edited(upload.parts))
        return
    # A streamed body cannot be sent again: use no idle connection, which may be stale.
    upstream, _ = await _open_exchange(attempt, deadline, fresh=True)
    lines = _build_headers(attempt)
    lines.append(_make_length_line(upload.length) if upload.length is not None else _CHUNKED)
    method = attempt.context.request.method.encode("ascii")
    await upstream.send_streamed(method, _build_target(attempt), lines, upload.more)
    if has_suspect_head(attempt, upstream):
        await redact_head(attempt, upstream)


def _note_resend(attempt: Attempt, rule: Resend) -> None:
    """Note that the request is sent once more in another form."""
    attempt.upstream.release()
    record = attempt.context.record
    last = record.tries[-1]
    last.status, last.error, last.done = attempt.upstream.status, rule.error, "retried"
    record.note(rule.note)


async def send_with_retry(attempt: Attempt, deadline: Deadline, edited: Edited) -> None:
    """Send the request; an idle connection that proves stale is replaced once, if nothing was received on it and the
    request may be sent twice, or was not sent at all."""
    lines = _build_headers(attempt)
    size = 0
    for part in edited.parts:
        size += len(part)
    request = attempt.context.request
    if size or request.method not in ("GET", "HEAD", "DELETE"):
        lines.append(_make_length_line(size))
    target = _build_target(attempt)
    method = request.method.encode("ascii")
    fresh = False
    while True:
        upstream, attempt_record = await _open_exchange(attempt, deadline, fresh=fresh, young=attempt.is_unsafe)
        try:
            await upstream.send(method, target, lines, edited.parts)
            await note_prompt(attempt)
            await await_head(upstream, deadline.waiting)
            if has_suspect_head(attempt, upstream):
                await redact_head(attempt, upstream)
            admission.check_billing(attempt)
            remember_state(attempt)
            deadline.reach_head()
            _unframe(attempt)
            return
        except UpstreamDisconnected:
            sent = SendResult(reused=upstream.reused, answered=upstream.answered, written=upstream.written)
            rule = choose_resend(sent, attempt.judge_safety())
            if rule is None:
                raise
            upstream.drop()
            attempt_record.error, attempt_record.done = rule.error, "retried"
            fresh = True


def _unframe(attempt: Attempt) -> None:
    """Have the answer read as server-sent events, whatever its provider frames them in. Raises BadGateway."""
    framed = _find_framing(attempt)
    if framed is not None:
        attempt.upstream = unframe(attempt.upstream, framed, attempt.memory.hold)


def _find_framing(attempt: Attempt) -> Framed | None:
    """How the provider frames the events of a stream; None for server-sent events."""
    protocol = attempt.context.call.protocol if attempt.plan is None else attempt.plan.spoken
    framing = attempt.target.endpoint_for(protocol).framing
    return None if protocol is None or framing == "sse" else Framed(framing, BY_NAME[protocol].dialect)


def _build_target(attempt: Attempt) -> bytes:
    """The path to send the request to, with the query. Raises BadRequest for a model that cannot stand in a path."""
    context, plan, target = attempt.context, attempt.plan, attempt.target
    if plan is not None:
        entry, root = BY_NAME[plan.spoken], target.prefix_for(plan.spoken).decode("ascii")
        endpoint = target.endpoint_for(plan.spoken)
        return build_url(root, endpoint, entry, plan.path, plan.ctx.model, stream=plan.stream).encode("ascii")
    call, route = context.call, attempt.route
    _, mark, query = context.request.target.partition(b"?")
    if call.array:
        query = replace_parameter(query, ("alt", "$alt"), call.entry.stream_query.encode("ascii"))
    if query:
        mark = filter_query(query)
        if len(mark) <= len(query):
            context.record.note("query parameters left out that name a credential or another method")
    path = call.path_with(route.model if route.renamed else None)
    endpoint, root = target.endpoint_for(call.protocol), target.prefix_for(call.protocol).decode("ascii")
    url = build_url(
        root, endpoint, call.entry, path, route.model or context.facts.model, stream=context.facts.stream, query=False
    )
    return url.encode("ascii") + mark


def _make_length_line(size: int) -> tuple[bytes, bytes, bytes]:
    return b"Content-Length", b"content-length", b"%d" % size


async def _open_exchange(
    attempt: Attempt, deadline: Deadline, *, fresh: bool, young: Callable[[], bool] | None = None
) -> tuple[UpstreamExchange, AttemptRecord]:
    """Set `attempt.upstream` to an exchange on a connection to the account's origin, and note in the record that the
    request is sent on it. fresh: dial a new connection. young: True to use no idle one that the upstream may be
    closing."""
    context, target = attempt.context, attempt.target
    connections = context.runtime.connections
    now = trio.current_time()
    connection = None if fresh else connections.acquire(target.origin, now, young=young)
    if connection is None:
        deadline.move(target.connect, CancelReason.CONNECT)
        connection = await connections.dial(target.origin)
        now = trio.current_time()
    if context.capture is None:
        upstream = UpstreamExchange(connections, connection)
    else:
        observer = context.capture.begin_exchange(
            context.record.backend, context.record.account, _find_framing(attempt)
        )
        upstream = RecordedExchange(connections, connection, observer)
    attempt.upstream = upstream
    elapsed = now - context.request.arrived
    left = target.total - elapsed
    if context.facts.stream and target.first_byte < left:
        deadline.move(target.first_byte, CancelReason.FIRST_BYTE)
    else:
        deadline.await_whole(left, now)
    return upstream, note_try(context.record, elapsed)


def _build_headers(attempt: Attempt) -> Lines:
    """The header lines to send upstream, without the length of the body."""
    lines = _build_lines(attempt)
    context = attempt.context
    settings = context.snapshot.settings
    if settings.telemetry_trace_hosts and is_listed(attempt.target.host, settings.telemetry_trace_hosts):
        exported = settings.telemetry_otlp is not None
        lines = [*lines, *make_lines(context.record.id, context.request.fields, exported=exported)]
    return lines


def _build_lines(attempt: Attempt) -> Lines:
    plan = attempt.plan
    if plan is not None and plan.caller != plan.spoken:
        return translated_headers(attempt, plan)
    context, target = attempt.context, attempt.target
    request = context.request
    fields = request.fields
    drop = target.drop
    connection = fields.get(b"connection")
    if connection is not None and connection.lower() not in (b"keep-alive", b"close"):
        drop |= parse_connection(connection)
    if b"content-encoding" in fields:
        drop |= {b"content-encoding"}
    foreign = {line[1] for line in request.lines if line[1].startswith(target.drop_prefixes)}
    if foreign:
        drop |= foreign
    if target.endpoints:
        drop |= {name.encode() for name in target.endpoint_for(context.call.protocol).drop_headers}
    if TURN_STATE in fields and is_foreign_state(attempt):
        drop |= {TURN_STATE}
    keep = find_passed_headers(context, target.backend) if target.backend.auth == "client" else frozenset[bytes]()
    lines = filter_request(request.lines, host=target.host, drop=drop, keep=keep, identity=target.ask_identity)
    lines += target.set_headers
    if attempt.changes:
        lines = apply_changes(lines, attempt.changes)
    auth = target.auth_for(context.call.protocol)
    if auth is not None:
        lines.append(auth)
    return lines
