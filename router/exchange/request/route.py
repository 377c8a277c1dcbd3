"""Reads a request and finds its route."""

from functools import partial

from router.backends import speaks_api
from router.errors import BadRequest, NotImplementedHere, UnknownModel
from router.exchange.body.body import THREAD_BYTES
from router.exchange.body.buffered import read_buffered
from router.exchange.body.upload import Upload, is_upload
from router.exchange.context import Arrival, RequestContext
from router.exchange.grants.allowed import check_route, passes_grant
from router.exchange.request import resource_affinity
from router.exchange.request.caller_login import check_login, passes_login
from router.exchange.request.token_estimate import estimate_input
from router.exchange.request.translation import needs_translation
from router.ir import RoutingFacts
from router.net.server.cancel_reason import CancelReason
from router.policy.routing.fallback import list_other_servers
from router.policy.routing.request_traits import NO_TRAITS, RequestTraits
from router.policy.routing.routes import Route, decide
from router.telemetry.accesslog import BODY_KEPT
from router.upstream.catalogs import FIRST_LOAD_SECONDS
from router.wire import calls, resource_ids
from router.wire.raw.json.top_level import Top, read_model, wants_stream


async def read_request(arrival: Arrival) -> RequestContext:
    """Read the request and find its route. Raises RouterError."""
    if is_upload(arrival.request, generates=arrival.call.generates):
        return await _read_upload(arrival)
    body = await read_buffered(arrival.body_source(), generates=arrival.call.generates)
    top = body.top
    call = arrival.call
    if top is not None:
        call = arrival.call = calls.by_content(call, top)
    record = arrival.record
    record.protocol, record.request_bytes = call.protocol or "", len(body.data)
    if arrival.capture_limit:
        record.request_body = bytes(body.data[: arrival.capture_limit])
    if arrival.capture is not None:
        arrival.capture.note_request_body(body.data)
    facts = find_facts(call, top)
    # All of them have to be the key's own.
    limit = resource_ids.NAMED_LIMIT if arrival.grant is None else resource_ids.CHECKED_LIMIT
    names = resource_affinity.named_ids(call, top, limit)
    if call.entry.resources is not None:
        names += call.entry.resources.in_body(body.data)[:limit]
    if top is not None and (arrival.grant is not None or arrival.runtime.resource_owners.attached):
        in_depth = resource_ids.in_depth if arrival.grant is None else resource_ids.in_escaped_depth
        large = len(body.data) > THREAD_BYTES
        names += await arrival.run_in_thread(in_depth, body.data, limit) if large else in_depth(body.data, limit)
    if top is not None:
        await _check_items(arrival, top, len(body.data))
    facts = await resource_affinity.add_owner(arrival, facts, names) if names else facts
    record.model, record.stream = facts.model, facts.stream
    issues_id = resource_ids.issues(call, arrival.request.method, top)
    route = await _resolve_route(arrival, facts, body.data, top)
    return RequestContext(arrival, facts, body, route, issues_id=issues_id)


async def _check_items(arrival: Arrival, top: Top, size: int) -> None:
    """Refuse what names a part of another key's answer, where others than the user have keys. Raises NotFound."""
    stored = arrival.call.entry.stored
    if stored is None or not (arrival.grant is not None or arrival.runtime.client_keys.table.has_others):
        return
    list_named = stored.named_items
    names = await arrival.run_in_thread(list_named, top) if size > THREAD_BYTES else list_named(top)
    if names:
        await resource_affinity.check_items(arrival, names)


async def _read_upload(arrival: Arrival) -> RequestContext:
    """Read a multipart body as far as its route depends on it."""
    upload = Upload(arrival.body_source(), arrival.call.path)
    await upload.begin()
    record, call = arrival.record, arrival.call
    if arrival.capture_limit:
        record.request_body = upload.beginning(BODY_KEPT)
    if arrival.capture is not None:
        arrival.capture.note_request_body(upload.beginning(BODY_KEPT))
    facts = RoutingFacts(call.protocol, upload.model, stream=False)
    names = resource_affinity.named_ids(call, None)
    facts = await resource_affinity.add_owner(arrival, facts, names) if names else facts
    record.model = upload.model
    issues_id = resource_ids.issues(call, arrival.request.method, None)
    route = await _resolve_route(arrival, facts, b"", None)
    if route.model is not None and route.model != upload.model:
        upload.rename(route.model)
        record.note(route.note_renaming())
    return RequestContext(arrival, facts, upload, route, issues_id=issues_id)


def find_facts(call: calls.Call, top: Top | None) -> RoutingFacts:
    """The facts that routing needs. Raises BadRequest when a call that needs a model names none."""
    if top is None:
        return RoutingFacts(call.protocol, None, stream=False)
    model = read_model(top) if call.model is None else call.model
    if model is None and call.asks_model:
        raise BadRequest('The request names no model: add "model". `fairlead models` lists those available.')
    writes = call.generates and call.path != "/v1/embeddings"
    stream = call.generates and (call.stream if call.entry.stream_path else wants_stream(top))
    bound = call.entry.find_bound(top) if writes else ""
    return RoutingFacts(call.protocol, model, stream=stream, generates=writes, bound=bound)


async def _resolve_route(arrival: Arrival, facts: RoutingFacts, body: bytes, top: Top | None) -> Route:
    traits = await _find_traits(arrival, body, top) if arrival.snapshot.table.asks else NO_TRAITS
    route = _decide_now(arrival, facts, traits)
    unknown = isinstance(route, UnknownModel)
    if arrival.runtime.catalogs.loading and (unknown or route.floats or route.why == "default"):
        # In a proxy's first second a catalog may still be loading: decide again with all of them.
        arrival.connection.set_deadline(2 * FIRST_LOAD_SECONDS, CancelReason.CONNECT)
        await arrival.runtime.catalogs.wait_complete()
        arrival.snapshot = arrival.runtime.snapshot
        traits = await _find_traits(arrival, body, top) if arrival.snapshot.table.asks else NO_TRAITS
        route = _decide_now(arrival, facts, traits)
    if isinstance(route, UnknownModel) and traits is NO_TRAITS:
        route = _decide_now(arrival, facts, await _find_traits(arrival, body, top))
    if isinstance(route, UnknownModel):
        raise route
    record = arrival.record
    if not passes_grant(arrival, route):
        route = _lead_elsewhere(arrival, route)
    record.backend, record.account = route.backend.name, arrival.snapshot.targets[route.backend.name].account
    record.route, record.sent_model = route.why, route.model
    if route.rule:
        record.note(*route.note_rule())
    check_speaks(arrival.call, route)
    if arrival.grant is not None:
        check_route(arrival, route, top)
    if route.backend.auth == "client":
        check_login(arrival, route)
    return route


def _lead_elsewhere(arrival: Arrival, route: Route) -> Route:
    """The route to another backend of the same model that the key may use; the same one where there is none."""
    others = list_other_servers(route, arrival.snapshot.table, arrival.call.protocol)
    for other in others:
        if passes_grant(arrival, other) and speaks(arrival.call, other) and passes_login(arrival, other):
            arrival.record.note(f"{route.backend.name} serves it too, and is not for the key {arrival.record.key}")
            return other
    return route


def _decide_now(arrival: Arrival, facts: RoutingFacts, traits: RequestTraits) -> Route | UnknownModel:
    """The route by the catalogs that are loaded; the error for a model that none of them lists."""
    try:
        return decide(facts, arrival.snapshot.table, traits)
    except UnknownModel as error:
        return error
    except BadRequest as error:
        if facts.model is None and arrival.call.entry.resources is not None:
            # What is stored at a vendor that is not configured is not there.
            error.status, error.kind = 404, "not_found_error"
        raise


async def _find_traits(arrival: Arrival, body: bytes, top: Top | None) -> RequestTraits:
    """The traits that rules may ask for; those inside a large body are found in a thread."""
    estimate = partial(estimate_input, arrival, body)
    traits = RequestTraits(arrival.request.fields, arrival.call.protocol, len(body), top, estimate)
    if len(body) > THREAD_BYTES and arrival.snapshot.table.looks_inside:
        await arrival.run_in_thread(traits.look_inside)
    return traits


def check_speaks(call: calls.Call, route: Route) -> None:
    """Refuse a call in a protocol the backend does not speak. Raises BadRequest, NotImplementedHere."""
    if speaks(call, route):
        return
    asked = call.dialect.title if call.protocol else f"an OpenAI call ({call.path})"
    text = (
        f"The backend {route.backend.name} speaks {' and '.join(route.backend.protocols)}, and this request is "
        f"{asked}, which is not translated: choose a model whose backend speaks it (`fairlead models` shows which)."
    )
    if call.protocol is not None and call.asks_model and not (call.generates or call.counts):
        raise NotImplementedHere(text.replace("this request is", f"{call.path.rpartition(':')[2][:40]} is of"))
    raise BadRequest(text)


def speaks(call: calls.Call, route: Route) -> bool:
    """True for a call that its backend serves as it is or translated."""
    spoken = route.backend.protocols
    return (
        needs_translation(call, route)
        or call.protocol in spoken
        or (call.protocol is None and speaks_api(spoken, call.entry.api))
    )
