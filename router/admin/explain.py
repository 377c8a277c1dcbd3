"""Predicts what would happen to a request, by the code that serves requests; nothing is sent."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from router.backends.known import price_root
from router.errors import BadRequest, RouterError, Unauthenticated
from router.exchange.client_response.search_answer import find_search
from router.exchange.failover.fitting import asks_larger_window, explain_unfit, find_limits, make_error
from router.exchange.request import caller_login, translation
from router.exchange.request.edits import edit, edit_head
from router.exchange.request.resource_affinity import find_owner
from router.exchange.request.route import check_speaks, find_facts, speaks
from router.exchange.request.unseal import NOTE as UNSEALED
from router.exchange.request.unseal import unseal
from router.host.clock import boot_time
from router.ir import RoutingFacts
from router.operator_api.explain import CostEstimate, Explanation, Question
from router.policy.accounts.pool import Want
from router.policy.accounts.retry import format_duration
from router.policy.accounts.session_key import find_family, name_session
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.prices import Prices
from router.policy.facts.fit import Fit
from router.policy.facts.token_estimates import SizedRequest, TokenEstimates, TokenRange
from router.policy.facts.words import describe_end, describe_facts, format_origin
from router.policy.routing.clients import identify_client
from router.policy.routing.fallback import build_chain, format_route
from router.policy.routing.gaps import Gap
from router.policy.routing.request_traits import RequestTraits
from router.policy.routing.routes import Route, decide
from router.policy.routing.table import DEMO, SEARCH
from router.store.interfaces import ResourceOwners
from router.upstream.account_state import room_words, why_not
from router.upstream.search import engine_of
from router.upstream.snapshot import Snapshot
from router.upstream.targets import Target
from router.wire import calls, protocols
from router.wire.costs.text_size import measure_least_text, measure_text
from router.wire.detect import protocol_of, usual_protocols
from router.wire.raw.json.top_level import Top, peek

_MILLION, _BILLION = 10**6, 10**9


def explain(
    question: Question,
    snapshot: Snapshot,
    refuses_usage: Collection[str] = (),
    owners: ResourceOwners | None = None,
    estimates: TokenEstimates | None = None,
) -> Explanation:
    """How the request would be routed and edited now. refuses_usage: backends that are not asked for usage. owners:
    which account issued which id; None skips the lookup. estimates: what answers told of the tokens of requests; None
    for a proxy that has just started. Blocks on the disk."""
    fields: dict[bytes, bytes] = {}
    for name, value in question.headers:
        fields.setdefault(name.lower().encode(), value.strip().encode())
    body = question.body or msgspec.json.encode({"model": question.model})
    if question.protocol is not None and question.protocol not in protocols.BY_NAME:
        known = ", ".join(protocols.BY_NAME)
        raise BadRequest(
            f"The body is not a valid question: there is no protocol '{question.protocol}'; expected one of {known}."
        )
    names = [question.protocol] if question.protocol else _assume_protocols(question, fields)
    found = [_explain_as(body, name, question, fields, snapshot, refuses_usage, owners, estimates) for name in names]
    # For a name alone, prefer a protocol that needs no translation.
    served = sorted((one for one in found if not one.status), key=lambda one: bool(one.translation))
    best = served[0] if served else found[0]
    best.assumed = question.protocol is None
    return best


def _assume_protocols(question: Question, fields: Mapping[bytes, bytes]) -> list[str]:
    """The protocols to try, in order."""
    if not question.body:
        return usual_protocols(question.model)
    try:
        return [protocol_of(peek(question.body), fields)]
    except BadRequest:
        return [protocols.DEFAULT.name]


def _explain_as(
    body: bytes,
    protocol: str,
    question: Question,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
    refuses_usage: Collection[str],
    owners: ResourceOwners | None,
    estimates: TokenEstimates | None,
) -> Explanation:
    found = Explanation(protocol=protocol)
    try:
        _fill(found, body, protocol, question, fields, snapshot, refuses_usage, owners, estimates)
    except RouterError as error:
        found.status, found.error = error.status, error.message
    # Each once, as in the record of a request.
    found.edits = [*dict.fromkeys(found.edits)]
    return found


def _fill(
    found: Explanation,
    body: bytes,
    protocol: str,
    question: Question,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
    refuses_usage: Collection[str],
    owners: ResourceOwners | None,
    estimates: TokenEstimates | None,
) -> None:
    """Take the steps of exchange/request up to sending. Raises RouterError as they do."""
    top = peek(body)
    call = calls.by_content(calls.call(protocols.BY_NAME[protocol].path_for(question.model, stream=False)), top)
    found.protocol = call.protocol or ""
    facts = find_facts(call, top)
    if owners is not None:
        facts = msgspec.structs.replace(facts, owner=find_owner(owners, call, body, top))
    found.model = facts.model
    size = _estimate_size(body, facts.model or "", fields, estimates or TokenEstimates())
    traits = RequestTraits(fields, call.protocol, len(body), top, lambda: size.about)
    route = decide(facts, snapshot.table, traits, found.steps)
    target = snapshot.targets[route.backend.name]
    found.backend, found.account, found.speaks = route.backend.name, target.account, route.backend.protocols
    found.why, found.sent_model, found.alias, found.rule = route.why, route.model, route.alias, route.rule
    found.problem = _find_problem(route.backend.name, snapshot)
    found.edits += route.note_rule()
    check_speaks(call, route)
    _check_login(call, route, fields, snapshot)
    if facts.generates and _fill_search(found, call, top, route, fields, snapshot):
        return
    known = snapshot.facts.find(route.backend.name, route.model or "")
    found.limits, found.notice = describe_facts(known), describe_end(known)
    hops = _fill_pool(found, call, route, snapshot)
    if call.writes and call.entry.conversation in top:
        found.cost = _estimate_cost(question, route, size, snapshot)
        _fill_fit(found, call, [route, *hops], size, fields, snapshot)
    target.check()
    filled = _fill_context(found, top, call, fields, snapshot)
    edit_head(route, target, fields, found.edits)
    found.cache = _describe_cache(body, call, route, target, facts, fields, snapshot, filled=filled)
    if translation.is_rewritten(call, route, target):
        _fill_translation(found, body, call, route, target, snapshot, facts, refuses_usage)
        found.cache = _judge_losses(found)
        return
    probe = facts.stream and target.stream_usage and target.backend.name not in refuses_usage
    restored, top = unseal(body, top, call, target, snapshot)
    found.edits += [UNSEALED] if restored is not body else []
    edit(
        restored,
        top,
        call=call,
        route=route,
        target=target,
        probe=probe,
        notes=found.edits,
        taken=lambda: known.facts.efforts,
    )


def _fill_search(
    found: Explanation, call: calls.Call, top: Top, route: Route, fields: Mapping[bytes, bytes], snapshot: Snapshot
) -> bool:
    """Tell that fairlead answers by the search engine itself; False where it does not."""
    engine = engine_of(snapshot.settings)
    if engine is None or find_search(call, top, fields, route, snapshot) is None:
        return False
    found.backend, found.account, found.why = SEARCH, engine.name, "search.provider"
    found.speaks = (found.protocol,)
    found.sent_model, found.edits, found.problem = found.model, [], ""
    return True


def _fill_context(
    found: Explanation, top: Top, call: calls.Call, headers: Mapping[bytes, bytes], snapshot: Snapshot
) -> bool:
    """Tell what would be filled in the calls of the caller's tools; True where anything would be."""
    if not snapshot.settings.context_fill or not call.writes:
        return False
    from router.exchange.client_response.tool_context import find_fields, read_sources
    from router.wire.tool_context.calls import choose_all, foretell

    fields, values = find_fields(top, call.protocol or ""), read_sources(headers)
    found.edits += foretell(fields, values)
    return bool(choose_all(fields, values))


def _describe_cache(
    body: bytes,
    call: calls.Call,
    route: Route,
    target: Target,
    facts: RoutingFacts,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
    *,
    filled: bool,
) -> str:
    """Whether the answer is kept and given again; '' where no rule or model asks for it. filled: calls in it get values
    of this request."""
    if not snapshot.caches:
        return ""
    from router.exchange.answer_cache.question import FILLED, ask, find_kind, find_part

    part = find_part(route, snapshot.settings)
    if part is None:
        return ""
    kept = f"kept for {format_duration(part.ttl)} ({part.name})"
    if call.entry.conversation not in peek(body):
        return f"{kept}: embeddings, token counts, and text at temperature 0"
    kind = find_kind(call, "POST")
    if kind is None:
        return "not kept: answers to such requests never are"
    if filled:
        return f"not kept: {FILLED}"
    asked = ask(
        *(kind, body, route, target, facts, snapshot.settings),
        owner="",
        tools=part.tools,
        headers=fields.items(),
        call=call,
        query="",
    )
    return f"not kept: {asked}" if isinstance(asked, str) else kept


def _judge_losses(found: Explanation) -> str:
    """What is said of the cache of answers, once it is known what a translation loses."""
    from router.policy.answer_cache.identity import is_neutral

    lost = [loss for loss in found.losses if not is_neutral(loss.partition("=")[0])]
    return "not kept: something is lost in translation" if lost and found.cache else found.cache


def _check_login(call: calls.Call, route: Route, fields: Mapping[bytes, bytes], snapshot: Snapshot) -> None:
    """Raise Unauthenticated where the caller's own login would not be passed on; without one among the fields, only its
    protocol tells."""
    if route.backend.auth == "client":
        values = caller_login.collect_values(fields.items()) or None
        obstacle = caller_login.find_obstacle(call, route.backend, route.model, values)
        if obstacle is not None:
            raise Unauthenticated(obstacle.explain(route, snapshot.table))


def _find_problem(name: str, snapshot: Snapshot) -> str:
    """Why a backend in use cannot serve now, as far as that is known; '' when it can."""
    gap = _find_gap(name, snapshot)
    return f"{gap.why}: `{gap.command}`" if gap else why_not(snapshot.services[name], boot_time())


def _find_gap(name: str, snapshot: Snapshot) -> Gap | None:
    return next((gap for gap in snapshot.table.gaps if gap.backend == name and not gap.answers), None)


def _fill_pool(found: Explanation, call: calls.Call, route: Route, snapshot: Snapshot) -> list[Route]:
    """Fill in the account a new conversation would get now, the one after it, and the chain, which is returned. The
    accounts of the running proxy are only read: none is acquired."""
    service = snapshot.services[route.backend.name]
    now, model = boot_time(), route.model or ""
    want = Want(family=find_family(model), barred=service.halted().keys(), model=model)
    order = service.pool.list_in_order(now, want)
    if order and not service.pool.stateless:
        found.account = order[0].alias
        # What is left of an account says nothing where its backend is known not to answer.
        unknown = _find_gap(route.backend.name, snapshot) is not None
        found.room = "" if unknown else room_words(service, order[0], now, want)
    if len(order) > 1:
        found.next = f"{order[1].alias} {room_words(service, order[1], now, want)}"

    def serves(hop: Route) -> bool:
        login = hop.backend.auth != "client" or caller_login.find_obstacle(call, hop.backend, hop.model, None) is None
        return hop.backend.name in snapshot.services and speaks(call, hop) and login

    hops = build_chain(route, snapshot.table, serves)
    for hop in hops:
        suffix = ""
        if translation.needs_translation(call, hop):
            plan = translation.plan_translation(call, hop, snapshot, shown=found.model or "", stream=False)
            suffix = f" (translated to {plan.spoken})"
        gap = _find_gap(hop.backend.name, snapshot)
        suffix += f" ({gap.why})" if gap else ""
        found.fallback.append(format_route(hop) + suffix)
    return hops


class _Size(NamedTuple):
    """The tokens of the input: those it has at least, and an estimate."""

    least: int
    about: TokenRange


def _estimate_size(body: bytes, model: str, fields: Mapping[bytes, bytes], estimates: TokenEstimates) -> _Size:
    session = name_session(fields)
    sized = SizedRequest(identify_client(fields), model, session, len(body), measure_text(body))
    return _Size(estimates.find_lower_edge(sized, measure_least_text(body)), estimates.estimate(sized))


def _estimate_cost(question: Question, route: Route, size: _Size, snapshot: Snapshot) -> CostEstimate:
    """What the request would cost at its route, by the prices that its record would have."""
    told = question.tokens_in
    read = max(size.least, size.about.estimate) if told is None else told
    written = question.tokens_out
    found = CostEstimate(tokens_in=read, tokens_out=written)
    root, own, model = price_root(route.backend), snapshot.settings.prices, route.model or ""
    if route.backend.name == DEMO or (not root and model.lower() not in own):
        found.billed = False
        return found

    def price(output: int) -> tuple[int | None, str]:
        return prices.cost(root, model, TokenCounts(read, output), time.time(), own)

    prices = Prices()
    cost, found.source = price(written or 0)
    if cost is not None:
        found.dollars = cost / _BILLION
        more, _ = price((written or 0) + _MILLION)
        found.output_million = None if more is None else (more - cost) / _BILLION
    return found


def _fill_fit(
    found: Explanation,
    call: calls.Call,
    routes: Sequence[Route],
    size: _Size,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
) -> None:
    """Fill in whether the request fits the model it would go to. Raises ContextOverflow when it fits none of the routes
    it might take."""
    least, about = size.least, max(size.least, size.about.estimate)
    limits = find_limits(snapshot.facts, routes, raised=asks_larger_window(fields))
    fits = [Fit(least, limit) for limit in limits if limit is not None]
    first = limits[0]
    shown = snapshot.facts.find(routes[0].backend.name, routes[0].model or "").input_limit
    if first is not None and not Fit(least, first).fits:
        found.fits = f"no: {explain_unfit(Fit(least, first))}"
        if len(fits) == len(routes) and not any(fit.fits for fit in fits):
            raise make_error(call.entry, fits, about)
        found.fits += "; it would go along the chain"
    elif shown is None or not isinstance(shown.value, int):
        found.fits = f"not known: about {about:,} tokens, no limit of the model is known"
    else:
        verdict = "yes" if about <= shown.value else "perhaps not"
        found.fits = f"{verdict}: about {about:,} tokens, {shown.value:,} fit ({format_origin(shown)})"


def _fill_translation(
    found: Explanation,
    body: bytes,
    call: calls.Call,
    route: Route,
    target: Target,
    snapshot: Snapshot,
    facts: RoutingFacts,
    refuses_usage: Collection[str],
) -> None:
    """Fill in the translation, its losses and its edits; for a name alone only that it is translated."""
    top = peek(body)
    if call.entry.conversation not in top:
        plan = translation.plan_translation(call, route, snapshot, shown=facts.model or "", stream=False)
        found.translation = plan.title
        return
    forecast = translation.foretell(body, call, route, target, snapshot, facts, refuses_usage)
    found.translation, found.losses, notes = forecast
    found.edits += notes
