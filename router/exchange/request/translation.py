"""Translates a client's request for an upstream that speaks another protocol."""

import random
import time
import weakref
from collections.abc import Collection, Mapping
from functools import partial

import msgspec
import trio

from router import __version__
from router.backends import Endpoint
from router.backends.endpoints import find_protocols
from router.backends.profile import Profile
from router.errors import BadRequest
from router.exchange.attempt import Attempt
from router.exchange.body.body import is_much
from router.exchange.context import RequestContext
from router.exchange.request.edits import Edited, edit
from router.exchange.request.overflow import complete_fault, find_limit, find_unsaid_overflow
from router.exchange.upstream_response.large_work import run_on_loop
from router.ir import RoutingFacts
from router.net.headers import Lines, apply_changes
from router.policy.facts.model_facts import CATALOG, HARD_SOURCES
from router.policy.routing.routes import Route
from router.settings.tables import BackendOptions
from router.upstream.search import engine_of
from router.upstream.snapshot import Snapshot
from router.upstream.targets import Target, habits_of
from router.wire import calls, count_tokens, translate
from router.wire.calls import Call
from router.wire.inspect import find_web_search
from router.wire.neutral.context import NOTE_LIMIT, Context, FinishedAnswer, LossPolicy, format_losses
from router.wire.protocol import Stored
from router.wire.protocols import BY_NAME, RESPONSES
from router.wire.raw.json.top_level import peek
from router.wire.responses.input.hosted_tools import FORMS as IN_RESPONSES
from router.wire.translate import Plan, Sent

_THREADS = trio.CapacityLimiter(2)
# Forms of reasoning that name an effort.
_BY_EFFORT = ("reasoning_effort", "openrouter")
# Where a limit stands that the backend itself has told, or the user.
_OF_BACKEND = HARD_SOURCES | {CATALOG}
_AGENT = b"fairlead/" + __version__.encode("ascii")
JSON = (b"Content-Type", b"content-type", b"application/json")


def needs_translation(call: Call, route: Route) -> bool:
    """True for a call that its backend gets in another protocol."""
    if call.protocol is None or not (call.generates or call.counts):
        return False
    spoken = find_protocols(route.backend, route.model)
    if call.protocol in spoken:
        return False
    return translate.target_of(call.protocol, spoken) is not None


def is_rewritten(call: Call, route: Route, target: Target) -> bool:
    """True for a call whose backend gets another request than the caller's: one in another protocol, or one for a
    summary, where the caller asks for a compaction and the backend makes none."""
    return needs_translation(call, route) or (call.compacts and not target.profile.compacts)


def plan_translation(
    call: Call, route: Route, snapshot: Snapshot, *, shown: str, stream: bool, searches: bool = False
) -> Plan:
    """The plan for a call that needs one. shown: the model as the caller named it. searches: it offers a web search.
    Raises BadRequest for a call that cannot be translated."""
    backend = route.backend
    model = route.model or shown
    settings = snapshot.settings
    options = settings.backends.get(backend.name, BackendOptions())
    known = snapshot.facts.find(backend.name, model)
    efforts, written = known.facts.efforts, known.origin_of("max_output")
    profile = _fit_efforts(habits_of(backend, options, model), efforts, options)
    if route.for_tool:
        # The user sends such requests there for the tool, forced or not.
        profile = msgspec.structs.replace(profile, offered_search=True)
    spoken = call.protocol
    if not call.compacts or spoken not in find_protocols(backend, route.model):
        spoken = _choose_protocol(call, route, profile, searches=searches)
    if call.protocol is None or spoken is None:
        raise BadRequest(f"{call.path} is not translated for backend {backend.name}.")
    policy: LossPolicy = settings.loss  # pyright: ignore[reportAssignmentType]
    ctx = Context(
        now=int(time.time()),
        new_id=lambda: f"{random.getrandbits(96):024x}",
        profile=profile,
        upstream=backend.name,
        model=model,
        shown_model=shown if settings.echo_model else "",
        policy=policy,
        policies=settings.losses,
        sealer=snapshot.translation_state.seal(backend.name, model),
        memory=snapshot.translation_state.memory,
        auto_cache=settings.auto_cache if options.auto_cache is None else options.auto_cache,
        efforts=efforts,
        # Notes of others are no reason to ask for less.
        max_output=known.facts.max_output if written is not None and written.source in _OF_BACKEND else None,
    )
    if call.entry.compaction is not None and call.path == call.entry.compaction.path:
        ctx.compaction = "object"
    if searches and engine_of(settings) is not None and not has_web_search(call, route, snapshot):
        ctx.searches_itself, ctx.search_memory = True, snapshot.translation_state.searches
    return Plan(call.protocol, spoken, ctx, BY_NAME[spoken].path_for(model, stream=stream), {}, stream)


def _choose_protocol(call: Call, route: Route, profile: Profile, *, searches: bool) -> str | None:
    """The protocol to translate a call to; None for one that is not translated."""
    prefers = "responses" if searches and profile.search_tool in IN_RESPONSES else profile.prefers
    return translate.target_of(call.protocol, find_protocols(route.backend, route.model), prefers)


def has_web_search(call: Call, route: Route, snapshot: Snapshot) -> bool:
    """True where the backend of a route searches the web for this call, as it is or translated."""
    backend = route.backend
    options = snapshot.settings.backends.get(backend.name, BackendOptions())
    profile = habits_of(backend, options, route.model or "")
    if call.protocol in find_protocols(backend, route.model):
        # Of its own form of the tool only Anthropic's is known; a caller of Responses gets what the profile has.
        return profile.search_tool in IN_RESPONSES if call.entry is RESPONSES else "web_search" in profile.hosted
    spoken = _choose_protocol(call, route, profile, searches=True) if needs_translation(call, route) else None
    return spoken is not None and BY_NAME[spoken].searches(profile)


def _fit_efforts(profile: Profile, efforts: tuple[str, ...] | None, options: BackendOptions) -> Profile:
    """The profile with the efforts that the model takes, where they are known; what the user says of the backend's
    habits counts first."""
    if efforts is None or "efforts" in options.profile or "reasoning" in options.profile:
        return profile
    if not efforts:
        drops = profile.reasoning in _BY_EFFORT
        return msgspec.structs.replace(profile, reasoning="none", efforts=()) if drops else profile
    return msgspec.structs.replace(profile, efforts=efforts)


async def translate_request(attempt: Attempt, body: bytes, *, forget_thinking: bool = False) -> tuple[Edited, bool]:
    """The translated request, with the configured edits of its backend; and True when the client did not ask for the
    usage event that will come. forget_thinking: leave out the reasoning of earlier turns. Raises RouterError, with a
    text in the terms of the caller's protocol."""
    context, route, target = attempt.context, attempt.route, attempt.target
    facts, runtime = context.facts, context.runtime
    searches = context.body.top is not None and find_web_search(context.body.top) != ""
    plan = plan_translation(
        context.call, route, context.snapshot, shown=facts.model or "", stream=facts.stream, searches=searches
    )
    plan.ctx.drop_reasoning = forget_thinking
    # The attempt has the plan: were it held here, all that is decoded of an answer would wait for the collector.
    weak = weakref.proxy(attempt)
    plan.ctx.complete_fault, plan.ctx.find_limit = partial(complete_fault, weak), partial(find_limit, weak)
    plan.ctx.find_unsaid_overflow = partial(find_unsaid_overflow, weak)
    _choose_probe(plan, target, context.snapshot, runtime.refuses_usage)
    stored = BY_NAME[plan.caller].stored
    if stored is not None and plan.spoken != plan.caller:
        await _recall(context, plan.ctx, body, stored)
    arguments = (body, plan, context.call, route, target)
    if is_much(body, context.body.top):
        edited, usage, notes = await context.run_in_thread(rewrite, *arguments)
    else:
        edited, usage, notes = rewrite(*arguments)
    attempt.plan = plan
    context.record.note(*notes)
    edited.probed = BY_NAME[plan.spoken].ask_usage is not None and facts.stream and plan.ctx.profile.stream_usage
    return edited, facts.stream and not usage


async def _recall(context: RequestContext, ctx: Context, body: bytes, stored: Stored) -> None:
    """Load the stored answers that the request names, and have the coming answer stored."""
    answers, key = context.runtime.stored_responses, context.key_owner
    size = len(body)

    def store(answer: FinishedAnswer) -> None:
        about = {**(answer.about or {}), "key": key} if key else answer.about
        run_on_loop(answers.store, answer.name, answer.previous, answer.items, size + answer.size, about)

    ctx.store = store
    if stored.refers(body):
        ctx.stored = await trio.to_thread.run_sync(lambda: answers.find(stored.named(body), key), limiter=_THREADS)


def _choose_probe(plan: Plan, target: Target, snapshot: Snapshot, refuses_usage: Collection[str]) -> None:
    """Decide whether the upstream is asked for usage. An unknown provider is asked, unless the user forbade it."""
    backend = target.backend
    options = snapshot.settings.backends.get(backend.name)
    if options is not None and "stream_usage" in options.profile and backend.name not in refuses_usage:
        return
    if backend.name in refuses_usage or not target.stream_usage:
        asked = not backend.vendor and snapshot.settings.usage_probe and backend.name not in refuses_usage
        plan.ctx.profile = msgspec.structs.replace(plan.ctx.profile, stream_usage=asked)


def foretell(
    body: bytes,
    call: Call,
    route: Route,
    target: Target,
    snapshot: Snapshot,
    facts: RoutingFacts,
    refuses_usage: Collection[str],
) -> tuple[str, list[str], list[str]]:
    """The parts of a translation that `explain` shows: its title, its losses, and the notes for the log.

    Raises RouterError as the request would.
    """
    searches = find_web_search(peek(body)) != ""
    plan = plan_translation(call, route, snapshot, shown=facts.model or "", stream=facts.stream, searches=searches)
    if call.counts:
        counted = BY_NAME[plan.spoken].count is not None
        return plan.title, [] if counted else ["input_tokens=weakened"], [] if counted else ["tokens estimated"]
    _choose_probe(plan, target, snapshot, refuses_usage)
    _, _, notes = rewrite(body, plan, call, route, target)
    return plan.title, [f"{loss.path}={loss.how}" for loss in plan.ctx.losses], notes


def rewrite(body: bytes, plan: Plan, call: Call, route: Route, target: Target) -> tuple[Edited, bool, list[str]]:
    """The request to send, whether the caller wants a usage event, and the notes for the log. Raises RouterError."""
    compaction = call.entry.compaction if plan.caller == plan.spoken else None
    if call.counts:
        sent = count_tokens.question(body, plan.caller, plan.spoken, plan.ctx)
    elif compaction is not None:
        sent = Sent(compaction.ask_for_summary(body, plan.ctx), {}, usage=True)
    else:
        sent = translate.request(body, plan.caller, plan.spoken, plan.ctx, stream=plan.stream)
    plan.headers = sent.headers
    # Losses of the answer are reported: the request was sent by then, and cannot be refused for them.
    plan.ctx.request_sent = True
    notes = [f"translated {plan.title}"] if plan.caller != plan.spoken else []
    if plan.ctx.compaction:
        notes.append("compacted by fairlead: the answer is a summary, sealed")
    if plan.ctx.losses:
        notes.append(f"lost {format_losses(plan.ctx.losses, NOTE_LIMIT)}")
    plan.asked = len(plan.ctx.losses)
    if route.renamed_by:
        notes.append(route.note_renaming())
    other = calls.call(plan.path)
    # The translation has put the model's new name in already.
    route = msgspec.structs.replace(route, renamed=False)
    edited = edit(
        sent.body,
        None,
        call=other,
        route=route,
        target=target,
        probe=False,
        notes=notes,
        fields=_tell_fields(sent.headers, target.endpoint_for(plan.spoken)),
        taken=lambda: plan.ctx.efforts,
    )
    return edited, sent.usage, notes


def _tell_fields(headers: Mapping[str, str], endpoint: Endpoint) -> dict[bytes, bytes]:
    """The headers of a translation, by lower-case name, without those that do not go to this endpoint: its own default
    counts there, and no version that a caller did not ask for."""
    names = {name: name.lower() for name in headers}
    return {low.encode(): headers[name].encode() for name, low in names.items() if low not in endpoint.drop_headers}


def translated_headers(attempt: Attempt, plan: Plan) -> Lines:
    """The header lines to send upstream: fairlead's own. A credential of the caller's is for a protocol of its own
    vendor, and never goes along."""
    target = attempt.target
    out: Lines = [
        (b"Host", b"host", target.host),
        (b"User-Agent", b"user-agent", _AGENT),
        (b"Accept", b"accept", b"text/event-stream" if plan.stream else b"application/json"),
        (b"Accept-Encoding", b"accept-encoding", b"identity"),
        JSON,
    ]
    left_out = target.endpoint_for(plan.spoken).drop_headers
    told = {name: value for name, value in plan.headers.items() if name.lower() not in left_out}
    out += [(name.encode(), name.encode(), value.encode()) for name, value in told.items()]
    out = apply_changes(out, {**{line[1]: line for line in target.set_headers}, **(attempt.changes or {})})
    auth = target.auth_for(plan.spoken)
    return [*out, auth] if auth is not None else out
