"""The first half of an exchange: from the request's bytes to its route, and to the upstream's response head."""

import math

import trio

from router.errors import BadRequest, UnknownModel
from router.exchange import admission
from router.exchange.body import buffered
from router.exchange.body import upload as body_upload
from router.exchange.context import Asked, Ticket
from router.exchange.request import count_tokens, resource_affinity, translation
from router.exchange.request.edits import Edited, edit, edit_head
from router.exchange.upstream_response.error_peek import USAGE, complains
from router.ir import Facts
from router.net.client.exchange import Broken
from router.net.client.exchange import Exchange as Upstream
from router.net.headers import Lines, changed, named_in_connection, upstream_query, upstream_request
from router.net.server.connection import Cut
from router.policy.routing.request_traits import NO_TRAITS, Traits
from router.policy.routing.routes import Route, decide
from router.upstream.catalogs import FIRST_LOAD_SECONDS
from router.upstream.targets import Target
from router.wire import calls, resource_ids
from router.wire.messages import foreign_thinking
from router.wire.raw.top_level import Top, peek

# Claude Code gives up on a silent head after 360 s, others after 300 s: commit or answer before that.
COMMIT_SECONDS = 240.0
_THINKING = "earlier thinking"
_CHUNKED = (b"Transfer-Encoding", b"transfer-encoding", b"chunked")


async def read(ticket: Ticket) -> None:
    """Read the request and find its route. Raises RouterError."""
    if body_upload.is_upload(ticket):
        await _read_upload(ticket)
        return
    body, top = await buffered.read(ticket)
    call = ticket.call
    if top is not None and call.path == "/v1/chat/completions":
        call = ticket.call = calls.by_content(call, has_input="input" in top, has_messages="messages" in top)
    record = ticket.record
    record.protocol, record.request_bytes = call.protocol or "", len(body)
    if ticket.kept:
        record.request_body = bytes(body[: ticket.kept])
    facts = buffered.facts_of(call, top)
    facts = ticket.facts = await resource_affinity.pinned(ticket, facts, body, top)
    ticket.asked = Asked(body, top, issues=resource_ids.issues(call, ticket.request.method, top))
    record.model, record.stream = facts.model, facts.stream
    ticket.route = await _routed(ticket, facts, len(body), top)


async def _read_upload(ticket: Ticket) -> None:
    """Read of a multipart body what the route hangs on."""
    upload = await body_upload.begin(ticket)
    facts = Facts(ticket.call.protocol, upload.model, stream=False)
    facts = ticket.facts = await resource_affinity.pinned(ticket, facts, b"", None)
    ticket.asked = Asked(b"", None, upload, issues=resource_ids.issues(ticket.call, ticket.request.method, None))
    ticket.record.model = upload.model
    route = ticket.route = await _routed(ticket, facts, 0, None)
    if route.model is not None and route.model != upload.model:
        upload.rename(route.model)
        ticket.record.note("model renamed")


async def send(ticket: Ticket) -> tuple[Upstream, bool]:
    """Send the request to the ticket's target and wait for the response head, which is the upstream's own.

    The last value is True when the client did not ask for the usage event that will come.
    """
    asked, route, target, facts = ticket.asked, ticket.route, ticket.target, ticket.facts
    assert asked is not None
    assert route is not None
    assert target is not None
    assert facts is not None
    record = ticket.record
    ticket.issues, ticket.plan = asked.issues, None
    edits: list[str] = []
    ticket.changes = edit_head(route, target, ticket.request.fields, edits)
    record.note(*edits)
    if asked.upload is not None:
        return await _sent_on(ticket, target, facts, asked.upload), False
    body, top = asked.body, asked.top
    if top is None:
        return await _sent(ticket, target, facts, Edited((body,))), False
    if translation.needed(ticket.call, route):
        return await _translated(ticket, body, top, facts)
    probe = facts.stream and target.stream_usage and target.backend.name not in ticket.runtime.refuses_usage
    edited = edit(body, top, call=ticket.call, route=route, target=target, probe=probe, notes=edits)
    record.note(*edits)
    upstream = await _sent(ticket, target, facts, edited)
    if edited.probed and await complains(upstream, USAGE):
        _note_refused_usage(ticket, upstream)
        return await _unprobed(ticket, body, top), False
    if (
        upstream.status == 400
        and ticket.call.path == "/v1/messages"
        and await complains(upstream, foreign_thinking.REFUSED)
    ):
        return await _without_foreign(ticket, body, upstream), False
    return upstream, edited.hide_usage


async def _counted(ticket: Ticket, body: bytes, top: Top, facts: Facts) -> Upstream:
    """The backend's own count where it has one, else an estimate."""
    assert ticket.target is not None
    question = count_tokens.question(ticket, body, top)
    if question is not None:
        found = await count_tokens.answer(ticket, await _sent(ticket, ticket.target, facts, question))
        if found is not None:
            return found
    return count_tokens.estimated(ticket, body)


async def _without_foreign(ticket: Ticket, body: bytes, refusal: Upstream) -> Upstream:
    """Send again without the reasoning that the upstream does not take for its own; its refusal when there is none."""
    assert ticket.route is not None
    assert ticket.target is not None
    assert ticket.facts is not None
    stripped = foreign_thinking.without_foreign(body)
    if stripped is None:
        return refusal
    _note_refused(ticket, refusal, _THINKING)
    edited = edit(
        stripped, peek(stripped), call=ticket.call, route=ticket.route, target=ticket.target, probe=False, notes=[]
    )
    return await _sent(ticket, ticket.target, ticket.facts, edited)


async def _translated(ticket: Ticket, body: bytes, top: Top, facts: Facts) -> tuple[Upstream, bool]:
    """Send the request in the protocol of its backend, which its answer is in too."""
    assert ticket.target is not None
    if ticket.call.path in translation.COUNT_PATHS:
        return await _counted(ticket, body, top, facts), False
    probed, hide_usage = await translation.prepared(ticket, body)
    upstream = await _sent(ticket, ticket.target, facts, probed)
    if probed.probed and await complains(upstream, USAGE):
        _note_refused_usage(ticket, upstream)
        edited, hide_usage = await translation.prepared(ticket, body)
        upstream = await _sent(ticket, ticket.target, facts, edited)
    if await complains(upstream, foreign_thinking.REFUSED):
        _note_refused(ticket, upstream, _THINKING)
        edited, hide_usage = await translation.prepared(ticket, body, forgets=True)
        upstream = await _sent(ticket, ticket.target, facts, edited)
    return upstream, hide_usage


async def _sent_on(ticket: Ticket, target: Target, facts: Facts, upload: body_upload.Upload) -> Upstream:
    """Send a multipart body on: at once when it is whole, else as it comes."""
    if upload.ended:
        return await _sent(ticket, target, facts, Edited(upload.parts))
    # What was sent on cannot be sent again, so no connection that may be stale.
    upstream = await _lent(ticket, target, facts, fresh=True)
    ticket.attempt()
    lines = _lines(ticket, target)
    lines.append(_length(upload.length) if upload.length is not None else _CHUNKED)
    await upstream.send_streamed(ticket.request.method.encode("ascii"), _path(ticket, target), lines, upload.more)
    return upstream


def _note_refused_usage(ticket: Ticket, refusal: Upstream) -> None:
    """The backend is not asked for usage again, and this request is sent once more."""
    ticket.runtime.refuses_usage.add(ticket.record.backend)
    _note_refused(ticket, refusal, "stream_options")


def _note_refused(ticket: Ticket, refusal: Upstream, what: str) -> None:
    """The request is sent once more without something."""
    refusal.release()
    record = ticket.record
    last = record.tries[-1]
    last.status, last.error, last.done = 400, "upstream_error", "retried"
    record.note(f"sent again without {what}")


async def _unprobed(ticket: Ticket, body: bytes, top: Top) -> Upstream:
    """Send again without the usage probe: it was what the upstream refused."""
    assert ticket.route is not None
    assert ticket.target is not None
    assert ticket.facts is not None
    edited = edit(body, top, call=ticket.call, route=ticket.route, target=ticket.target, probe=False, notes=[])
    return await _sent(ticket, ticket.target, ticket.facts, edited)


async def _routed(ticket: Ticket, facts: Facts, size: int, top: Top | None) -> Route:
    traits = await _traits(ticket, size, top) if ticket.snapshot.table.asks else NO_TRAITS
    route = _decided(ticket, facts, traits)
    unknown = isinstance(route, UnknownModel)
    if ticket.runtime.catalogs.loading and (unknown or route.floats or route.why == "default"):
        # A request of the first second must not be misled by a catalog that is still on its way.
        ticket.connection.deadline(2 * FIRST_LOAD_SECONDS, Cut.CONNECT)
        await ticket.runtime.catalogs.wait_complete()
        ticket.snapshot = ticket.runtime.snapshot
        traits = await _traits(ticket, size, top) if ticket.snapshot.table.asks else NO_TRAITS
        route = _decided(ticket, facts, traits)
    if isinstance(route, UnknownModel):
        raise route
    record = ticket.record
    record.backend, record.account = route.backend.name, ticket.snapshot.targets[route.backend.name].account
    record.route, record.sent_model = route.why, route.model
    check_speaks(ticket.call, route)
    return route


async def _traits(ticket: Ticket, size: int, top: Top | None) -> Traits:
    """What rules may ask of this request; of a large body it is worked out in a thread."""
    traits = Traits(ticket.request.fields, ticket.call.protocol, size, top)
    if size > buffered.THREAD_BYTES and ticket.snapshot.table.looks_inside:
        await buffered.in_thread(ticket, traits.look_inside)
    return traits


def _decided(ticket: Ticket, facts: Facts, traits: Traits) -> Route | UnknownModel:
    """The route as far as it is known now; the error for a model nobody is known to serve."""
    try:
        return decide(facts, ticket.snapshot.table, traits)
    except UnknownModel as error:
        return error


def check_speaks(call: calls.Call, route: Route) -> None:
    """Refuse a call in a protocol the backend does not speak. Raises BadRequest."""
    if speaks(call, route):
        return
    asked = call.dialect.title if call.protocol else f"an OpenAI call ({call.path})"
    raise BadRequest(
        f"The backend {route.backend.name} speaks {' and '.join(route.backend.protocols)}, and this request is "
        f"{asked}, which is not translated: choose a model whose backend speaks it (`fairlead models` shows which)."
    )


def speaks(call: calls.Call, route: Route) -> bool:
    """True for a call that its backend takes as it is or translated."""
    spoken = route.backend.protocols
    return (
        translation.needed(call, route)
        or call.protocol in spoken
        or (call.protocol is None and ("chat" in spoken or "responses" in spoken))
    )


async def _sent(ticket: Ticket, target: Target, facts: Facts, edited: Edited) -> Upstream:
    """Send the request; a kept connection that proves stale is replaced once, if nothing came back on it."""
    lines = _lines(ticket, target)
    size = 0
    for part in edited.parts:
        size += len(part)
    if size or ticket.request.method not in ("GET", "HEAD", "DELETE"):
        lines.append(_length(size))
    path = _path(ticket, target)
    method = ticket.request.method.encode("ascii")
    fresh = False
    while True:
        upstream = await _lent(ticket, target, facts, fresh=fresh)
        attempt = ticket.attempt()
        try:
            await upstream.send(method, path, lines, edited.parts)
            await upstream.head()
            admission.check_billing(ticket, upstream)
            if ticket.scope is not None:
                ticket.limit(math.inf, Cut.TOTAL)
            return upstream
        except Broken:
            if not upstream.reused or upstream.answered:
                raise
            upstream.drop()
            attempt.error, attempt.done = "stale_connection", "retried"
            fresh = True


def _path(ticket: Ticket, target: Target) -> bytes:
    if ticket.plan is not None:
        return target.prefix + ticket.plan.path[3:].encode("ascii")
    _, mark, query = ticket.request.target.partition(b"?")
    return target.prefix + ticket.call.path[3:].encode("ascii") + (upstream_query(query) if query else mark)


def _length(size: int) -> tuple[bytes, bytes, bytes]:
    return b"Content-Length", b"content-length", b"%d" % size


async def _lent(ticket: Ticket, target: Target, facts: Facts, *, fresh: bool) -> Upstream:
    connections = ticket.runtime.connections
    connection = None if fresh else connections.take(target.origin)
    if connection is None:
        ticket.limit(target.connect, Cut.CONNECT)
        connection = await connections.dial(target.origin)
    ticket.upstream = upstream = Upstream(connections, connection)
    elapsed = trio.current_time() - ticket.request.arrived
    if facts.stream:
        ticket.limit(min(COMMIT_SECONDS - elapsed, target.first_byte), Cut.FIRST_BYTE)
    elif ticket.scope is None:
        ticket.connection.deadline(target.total - elapsed, Cut.TOTAL)
    else:
        ticket.limit(math.inf, Cut.TOTAL)
    return upstream


def _lines(ticket: Ticket, target: Target) -> Lines:
    """The fields that go upstream, without the length of the body."""
    if ticket.plan is not None:
        return translation.lines(ticket, target)
    request = ticket.request
    fields = request.fields
    drop, keep = target.drop, target.keep
    connection = fields.get(b"connection")
    if connection is not None and connection.lower() not in (b"keep-alive", b"close"):
        drop |= named_in_connection(connection)
    if b"content-encoding" in fields:
        drop |= {b"content-encoding"}
    if keep:
        keep = ticket.passed_on(keep)
    lines = upstream_request(request.lines, host=target.host, drop=drop, keep=keep, identity=target.ask_identity)
    if ticket.changes:
        lines = changed(lines, ticket.changes)
    if target.auth is not None:
        lines.append(target.auth)
    return lines
