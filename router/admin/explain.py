"""What would happen to a request, found by the code that serves requests; nothing is sent."""

from collections.abc import Collection, Mapping

import msgspec

from router.errors import BadRequest, RouterError
from router.exchange.request import translation
from router.exchange.request.edits import edit, edit_head
from router.exchange.request.resource_affinity import find_owner
from router.exchange.request.route import check_speaks, find_facts, speaks
from router.host.clock import sleepless
from router.ir import Facts
from router.policy.accounts.pool import Want
from router.policy.accounts.session_key import family_of
from router.policy.routing.fallback import chain, title
from router.policy.routing.request_traits import Traits
from router.policy.routing.routes import Route, decide
from router.policy.routing.trace import Step
from router.store.shared.resource_owners import Owners
from router.upstream.account_state import room_words
from router.upstream.runtime import Snapshot
from router.upstream.targets import Target
from router.wire import calls, protocols
from router.wire.detect import protocol_of, usual_protocols
from router.wire.raw.top_level import peek


class Question(msgspec.Struct, kw_only=True):
    """What is asked: a model's name, or a request's body (base64 in JSON). protocol: None to tell it from the fields,
    or for a name the first in which it would be served. headers: name and value."""

    model: str = ""
    body: bytes = b""
    protocol: str | None = None
    headers: list[tuple[str, str]] = []


class Explanation(msgspec.Struct, kw_only=True):
    """The answer. assumed: the protocol was not given. steps: all that routing looked at, in order. why: the step that
    found the backend. speaks: its protocols. room: what is left of the account, in words, and next: of the one
    that would serve after it. fallback: the chain, each with what it would be translated to. edits: as the access log
    would note them. translation: as
    `messages->chat`, '' when the protocol stays; losses: what it cannot carry over. status, error: with what a
    request would be refused, 0 and '' when it would be sent."""

    model: str | None = None
    protocol: str = ""
    assumed: bool = False
    steps: list[Step] = []
    backend: str = ""
    account: str = ""
    speaks: tuple[str, ...] = ()
    why: str = ""
    sent_model: str | None = None
    alias: str = ""
    rule: str = ""
    edits: list[str] = []
    room: str = ""
    next: str = ""
    fallback: list[str] = []
    translation: str = ""
    losses: list[str] = []
    status: int = 0
    error: str = ""


def explain(
    question: Question, snapshot: Snapshot, refuses_usage: Collection[str] = (), owners: Owners | None = None
) -> Explanation:
    """How the request would be routed and edited now. refuses_usage: backends that are not asked for usage. owners:
    who issued which id, None where nobody knows. Blocks on the disk."""
    fields: dict[bytes, bytes] = {}
    for name, value in question.headers:
        fields.setdefault(name.lower().encode(), value.strip().encode())
    body = question.body or msgspec.json.encode({"model": question.model})
    if question.protocol is not None and question.protocol not in protocols.BY_NAME:
        known = ", ".join(protocols.BY_NAME)
        raise BadRequest(
            f"The body is no question: there is no protocol '{question.protocol}'; expected one of {known}."
        )
    names = [question.protocol] if question.protocol else _assumed(question, fields)
    found = [_explained(body, name, question.model, fields, snapshot, refuses_usage, owners) for name in names]
    # A name alone is taken for a request that needs no translation, where there is one.
    served = sorted((one for one in found if not one.status), key=lambda one: bool(one.translation))
    best = served[0] if served else found[0]
    best.assumed = question.protocol is None
    return best


def _assumed(question: Question, fields: Mapping[bytes, bytes]) -> list[str]:
    """The protocols to try, in order."""
    if not question.body:
        return usual_protocols(question.model)
    try:
        return [protocol_of(peek(question.body), fields)]
    except BadRequest:
        return [protocols.DEFAULT.name]


def _explained(
    body: bytes,
    protocol: str,
    model: str,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
    refuses_usage: Collection[str],
    owners: Owners | None,
) -> Explanation:
    found = Explanation(protocol=protocol)
    try:
        _fill(found, body, protocol, model, fields, snapshot, refuses_usage, owners)
    except RouterError as error:
        found.status, found.error = error.status, error.message
    # Said once, as the record of a request says it.
    found.edits = [*dict.fromkeys(found.edits)]
    return found


def _fill(
    found: Explanation,
    body: bytes,
    protocol: str,
    model: str,
    fields: Mapping[bytes, bytes],
    snapshot: Snapshot,
    refuses_usage: Collection[str],
    owners: Owners | None,
) -> None:
    """The steps of `asking.ask`, up to the sending. Raises RouterError as it does."""
    top = peek(body)
    call = calls.by_content(calls.call(protocols.BY_NAME[protocol].path_for(model, stream=False)), top)
    found.protocol = call.protocol or ""
    facts = find_facts(call, top)
    if owners is not None:
        facts = msgspec.structs.replace(facts, owner=find_owner(owners, call, body, top))
    found.model = facts.model
    route = decide(facts, snapshot.table, Traits(fields, call.protocol, len(body), top), found.steps)
    target = snapshot.targets[route.backend.name]
    found.backend, found.account, found.speaks = route.backend.name, target.account, route.backend.protocols
    found.why, found.sent_model, found.alias, found.rule = route.why, route.model, route.alias, route.rule
    check_speaks(call, route)
    _fill_pool(found, call, route, snapshot)
    target.check()
    edit_head(route, target, fields, found.edits)
    if translation.needs_translation(call, route):
        _fill_translation(found, body, call, route, target, snapshot, facts, refuses_usage)
        return
    probe = facts.stream and target.stream_usage and target.backend.name not in refuses_usage
    edit(body, top, call=call, route=route, target=target, probe=probe, notes=found.edits)


def _fill_pool(found: Explanation, call: calls.Call, route: Route, snapshot: Snapshot) -> None:
    """The account a new conversation would get now, the one after it, and the chain. The accounts are those of the
    running proxy; they are looked at, not chosen."""
    service = snapshot.services[route.backend.name]
    now, family = sleepless(), family_of(route.model)
    order = service.pool.order(now, Want(family=family, barred=service.stopped().keys()))
    if order and not service.pool.stateless:
        found.account = order[0].alias
        found.room = room_words(service, order[0], now, family)
    if len(order) > 1:
        found.next = f"{order[1].alias} {room_words(service, order[1], now, family)}"
    for hop in chain(route, snapshot.table):
        if hop.backend.name in snapshot.services and speaks(call, hop):
            becomes = ""
            if translation.needs_translation(call, hop):
                plan = translation.plan_translation(call, hop, snapshot, shown=found.model or "", stream=False)
                becomes = f" (translated to {plan.spoken})"
            found.fallback.append(title(hop) + becomes)


def _fill_translation(
    found: Explanation,
    body: bytes,
    call: calls.Call,
    route: Route,
    target: Target,
    snapshot: Snapshot,
    facts: Facts,
    refuses_usage: Collection[str],
) -> None:
    """What becomes of the request on its way to the other protocol; of a name alone only that it is translated."""
    top = peek(body)
    if call.entry.conversation not in top:
        plan = translation.plan_translation(call, route, snapshot, shown=facts.model or "", stream=False)
        found.translation = plan.title
        return
    told = translation.foretell(body, call, route, target, snapshot, facts, refuses_usage)
    found.translation, found.losses, notes = told
    found.edits += notes
