"""An exchange between a client and an upstream that speak different protocols.

The request is rewritten before it is sent; the answer is rewritten as it is read, so that all that stands behind it
(relay, commit point, pings, deadlines, usage, errors) sees the caller's protocol and knows nothing of a translation.
What an answer means for its account and for further attempts is judged by the upstream's own words before: the caller's
protocol may have other statuses and no place for its codes.
"""

import random
import time
from collections.abc import Collection

import msgspec
import trio

from router import __version__
from router.errors import BadGateway, RouterError
from router.exchange.body import buffered
from router.exchange.context import Ticket
from router.exchange.request.edits import Edited, edit
from router.exchange.upstream_response.content_coding import decoded
from router.exchange.upstream_response.translated import ANSWER_LIMIT, Translated, decoder_of
from router.host.access import bare
from router.ir import Facts
from router.net.client.exchange import Exchange as Upstream
from router.net.headers import Lines, changed
from router.net.server.connection import Cut
from router.policy.routing.routes import Route
from router.settings import Secret
from router.settings.tables import BackendOptions
from router.upstream.credentials import auth_header
from router.upstream.snapshot import Snapshot
from router.upstream.targets import Target, habits_of
from router.wire import calls, count_tokens, protocols, translate
from router.wire.calls import Call
from router.wire.dialect import Failure
from router.wire.headers import rate_limit_names
from router.wire.neutral.context import NOTED, Context, LossPolicy, losses_text
from router.wire.protocols import CODECS
from router.wire.raw import content_coding, json_values
from router.wire.raw.depth import too_deep
from router.wire.raw.top_level import peek
from router.wire.responses import decode_request
from router.wire.tap import failure_of
from router.wire.translate import Made, Plan

COUNT_PATHS = frozenset(path for path, _ in count_tokens.COUNTS.values())
READABLE_LIMIT = 8 << 20
_THREADS = trio.CapacityLimiter(2)
_AGENT = b"fairlead/" + __version__.encode("ascii")
_PATHS = {*(codec.path for codec in CODECS.values()), *COUNT_PATHS}


def needed(call: Call, route: Route) -> bool:
    """True for a call that its backend gets in another protocol."""
    spoken = route.backend.protocols
    if call.protocol is None or call.protocol in spoken or call.path not in _PATHS:
        return False
    return translate.target_of(call.protocol, spoken) is not None


def planned(call: Call, route: Route, snapshot: Snapshot, *, shown: str, stream: bool) -> Plan:
    """The plan for a call that needs one. shown: the model as the caller named it."""
    backend = route.backend
    assert call.protocol is not None
    model = route.model or shown
    settings = snapshot.settings
    options = settings.backends.get(backend.name, BackendOptions())
    profile = habits_of(backend, options, model)
    spoken = translate.target_of(call.protocol, backend.protocols, profile.prefers)
    assert spoken is not None
    policy: LossPolicy = settings.loss  # pyright: ignore[reportAssignmentType]
    ctx = Context(
        now=int(time.time()),
        new_id=lambda: f"{random.getrandbits(96):024x}",
        profile=profile,
        upstream=backend.name,
        model=model,
        shown=shown if settings.echo_model else "",
        policy=policy,
        policies=settings.losses,
        seal=snapshot.translation_state.seal(backend.name, model),
        memory=snapshot.translation_state.memory,
        auto_cache=settings.auto_cache if options.auto_cache is None else options.auto_cache,
    )
    return Plan(call.protocol, spoken, ctx, CODECS[spoken].path, {}, stream)


async def prepared(ticket: Ticket, body: bytes, *, forgets: bool = False) -> tuple[Edited, bool]:
    """The translated request, with what is configured for its backend applied to it; and True when the client did not
    ask for the usage event that will come. forgets: no reasoning is sent back. Raises RouterError in the caller's
    terms."""
    route, target, facts = ticket.route, ticket.target, ticket.facts
    assert route is not None
    assert target is not None
    assert facts is not None
    plan = planned(ticket.call, route, ticket.snapshot, shown=facts.model or "", stream=facts.stream)
    plan.ctx.forgets = forgets
    _choose_probe(plan, target, ticket.snapshot, ticket.runtime.refuses_usage)
    if plan.caller == "responses":
        await _recall(ticket, plan.ctx, body)
    arguments = (body, plan, ticket.call, route, target)
    if len(body) > buffered.THREAD_BYTES:
        edited, usage, notes = await buffered.in_thread(ticket, rewritten, *arguments)
    else:
        edited, usage, notes = rewritten(*arguments)
    ticket.plan = plan
    ticket.issues = False
    ticket.record.note(*notes)
    edited.probed = plan.spoken == "chat" and facts.stream and plan.ctx.profile.stream_usage
    return edited, plan.caller == "chat" and facts.stream and not usage


async def _recall(ticket: Ticket, ctx: Context, body: bytes) -> None:
    """Have the answers at hand that the request names, and keep the one that comes."""
    kept = ticket.runtime.stored_responses
    size = len(body)
    ctx.keep = lambda name, previous, items, more: kept.store(name, previous, items, size + more)
    if decode_request.refers(body):
        ctx.kept = await trio.to_thread.run_sync(lambda: kept.find(decode_request.named(body)), limiter=_THREADS)


def _choose_probe(plan: Plan, target: Target, snapshot: Snapshot, refuses_usage: Collection[str]) -> None:
    """Whether the upstream is asked for usage: a provider that is not known is, unless the user forbade it."""
    backend = target.backend
    options = snapshot.settings.backends.get(backend.name)
    if options is not None and "stream_usage" in options.profile and backend.name not in refuses_usage:
        return
    if backend.name in refuses_usage or not target.stream_usage:
        asked = not backend.vendor and snapshot.settings.usage_probe and backend.name not in refuses_usage
        plan.ctx.profile = msgspec.structs.replace(plan.ctx.profile, stream_usage=asked)


def foretold(
    body: bytes,
    call: Call,
    route: Route,
    target: Target,
    snapshot: Snapshot,
    facts: Facts,
    refuses_usage: Collection[str],
) -> tuple[str, list[str], list[str]]:
    """What `explain` says of a translation: its title, what is lost, and what the log would note.

    Raises RouterError as the request would.
    """
    plan = planned(call, route, snapshot, shown=facts.model or "", stream=facts.stream)
    if call.path in COUNT_PATHS:
        counted = plan.spoken in count_tokens.COUNTS
        return plan.title, [] if counted else ["input_tokens=weakened"], [] if counted else ["tokens estimated"]
    _choose_probe(plan, target, snapshot, refuses_usage)
    _, _, notes = rewritten(body, plan, call, route, target)
    return plan.title, [f"{loss.path}={loss.how}" for loss in plan.ctx.losses], notes


def rewritten(body: bytes, plan: Plan, call: Call, route: Route, target: Target) -> tuple[Edited, bool, list[str]]:
    """The request to send, whether the caller wants a usage event, and what the log says of it. Raises RouterError."""
    made = count_tokens.question if call.path in COUNT_PATHS else translate.request
    sent = made(body, plan.caller, plan.spoken, plan.ctx)
    plan.headers = sent.headers
    # What is found out once the answer comes can be named, not refused.
    plan.ctx.settled = True
    notes = [f"translated {plan.title}"]
    if plan.ctx.losses:
        notes.append(f"lost {losses_text(plan.ctx.losses, NOTED)}")
    plan.asked = len(plan.ctx.losses)
    other = calls.call(plan.path, anthropic=False)
    # Its model has its new name already.
    route = msgspec.structs.replace(route, renamed=False)
    edited = edit(sent.body, peek(sent.body), call=other, route=route, target=target, probe=False, notes=notes)
    return edited, sent.usage, notes


JSON = (b"Content-Type", b"content-type", b"application/json")
_EVENTS = (b"Content-Type", b"content-type", b"text/event-stream; charset=utf-8")


def lines(ticket: Ticket, target: Target) -> Lines:
    """The fields that go upstream: fairlead's own, none of the client's but its key where that is to pass."""
    plan = ticket.plan
    assert plan is not None
    accept = b"text/event-stream" if plan.stream else b"application/json"
    out: Lines = [
        (b"Host", b"host", target.host),
        (b"User-Agent", b"user-agent", _AGENT),
        (b"Accept", b"accept", accept),
        (b"Accept-Encoding", b"accept-encoding", b"identity"),
        JSON,
    ]
    out += [(name.encode(), name.encode(), value.encode()) for name, value in plan.headers.items()]
    if ticket.changes:
        out = changed(out, ticket.changes)
    auth = target.auth or _passed_on(ticket, target)
    return [*out, auth] if auth is not None else out


def _passed_on(ticket: Ticket, target: Target) -> tuple[bytes, bytes, bytes] | None:
    """The caller's own credential in the form of the other vendor, where it is the one to use."""
    for name in sorted(ticket.passed_on(target.keep), reverse=True):
        value = ticket.request.fields.get(name)
        if value:
            return auth_header(target.backend, Secret(bare(value).decode("ascii", "ignore")))
    return None


async def answered(ticket: Ticket, upstream: Upstream) -> Translated | None:
    """The upstream's answer as one in the caller's protocol: a stream as it comes, all else when it is whole. None for
    one that is passed on as it is. Raises BadGateway, Broken."""
    plan = ticket.plan
    if plan is None or ticket.call.path in COUNT_PATHS or 300 <= upstream.status < 400:
        return None
    kind = upstream.fields.get(b"content-type", b"")[:17].lower()
    good = 200 <= upstream.status < 300
    if good and kind == b"text/event-stream" and plan.stream:
        stream = translate.Stream(plan.spoken, plan.caller, plan.ctx)
        ticket.upstream = found = Translated(upstream, [], stream)
        found.take_head(upstream, _EVENTS)
        _rename_limits(found, plan)
        return found
    body = await _whole(ticket, upstream, decoder_of(upstream) if good else None)
    if not good:
        body = readable(upstream, body)
    events = kind == b"text/event-stream"
    made = _converted(body, upstream.status, events, plan)
    if made is None and good and body.strip() and kind[:9] != b"text/html":
        what = "broken JSON" if json_values.decoded(body) is None else "JSON"
        title = protocols.BY_NAME[plan.spoken].title
        raise BadGateway(
            f"The backend {ticket.record.backend} answered {upstream.status} with {what} that is no {title} answer."
        )
    failure = _failure_in(body, made.status, plan, events=events) if good and made and made.status >= 400 else None
    ticket.upstream = found = Translated(
        upstream, [made.body if made else body], usage=made.usage if made else None, failure=failure
    )
    streamed = made is not None and plan.stream and made.status == 200
    found.take_head(upstream, (_EVENTS if streamed else JSON) if made is not None else None)
    if made is not None:
        found.status = made.status
    _rename_limits(found, plan)
    return found


def refused(ticket: Ticket, kept: Upstream, said: bytes) -> Upstream:
    """An error answer that was read whole, in the caller's protocol. said: its body without content coding."""
    plan = ticket.plan
    if plan is None or ticket.call.path in COUNT_PATHS:
        return kept
    made = _converted(said, kept.status, events=False, plan=plan)
    found = Translated(None, [said if made is None else made.body])
    found.take_head(kept, JSON if made is not None else None)
    found.status = kept.status if made is None else made.status
    _rename_limits(found, plan)
    return found


def _failure_in(body: bytes, status: int, plan: Plan, *, events: bool) -> Failure:
    """The error inside a 200 as the upstream's own protocol tells it. status: the client's, for one that it does not
    tell, such as a stream that ends without a finish."""
    found = translate.failure_in(body, plan.spoken) if events else failure_of(protocols.BY_NAME[plan.spoken], body)
    return found or Failure(status, body)


def _rename_limits(found: Translated, plan: Plan) -> None:
    """Have the caller find the account's limits under the names that its protocol has for them."""
    found.lines = rate_limit_names.renamed(found.lines, plan.caller, plan.ctx.now)


async def _whole(ticket: Ticket, upstream: Upstream, decoder: content_coding.Decoder | None) -> bytes:
    """All of an answer; decoder: what takes its content coding off. Raises BadGateway over the bound, Broken."""
    target = ticket.target
    assert target is not None
    elapsed = trio.current_time() - ticket.request.arrived
    ticket.connection.deadline(target.total - elapsed, Cut.TOTAL)
    pieces: list[bytes] = []
    size = 0
    while got := await upstream.read():
        for piece in got:
            plain = decoded(decoder, piece, ANSWER_LIMIT) if decoder else piece
            size += len(plain)
            ticket.hold(len(plain))
            pieces.append(plain)
        if size > ANSWER_LIMIT:
            raise BadGateway(f"The backend's answer is over {ANSWER_LIMIT >> 20} MiB, the bound for a translated one.")
    return b"".join(pieces)


def readable(upstream: Upstream, body: bytes) -> bytes:
    """A whole body without its content coding, to look into; nothing when that cannot be had."""
    coding = upstream.fields.get(b"content-encoding", b"").lower()
    if coding in (b"", b"identity"):
        return body
    try:
        return buffered.inflated(body, coding, READABLE_LIMIT)
    except RouterError:
        return b""


def _converted(body: bytes, status: int, events: bool, plan: Plan) -> Made | None:
    """The answer for the caller; None to leave what came, which is nothing the upstream's protocol knows."""
    if too_deep(body):
        return None
    if status >= 400:
        failure = translate.failure(body, status, plan.spoken, plan.caller)
        return None if failure is None else Made(*failure)
    if events:
        return translate.gathered(body, plan.spoken, plan.caller, plan.ctx)
    return translate.answer(body, plan.spoken, plan.caller, plan.ctx, stream=plan.stream)
