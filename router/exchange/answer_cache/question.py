"""What a request asks of the cache of answers: whether it may be answered from there, and the bytes of its key."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, cast

import msgspec

from router import __version__
from router.exchange.request.edits import edits_of
from router.ir import RoutingFacts
from router.policy.answer_cache.eligibility import COUNTED, EMBEDDED, Kind, find_obstacle
from router.policy.answer_cache.exact_json import NotExact, read_exact
from router.policy.answer_cache.identity import describe_request
from router.policy.answer_cache.repeated import UNCHANGING
from router.policy.routing.routes import DEMO, Route
from router.settings import Settings
from router.settings.tables import CacheOptions, Edits
from router.upstream.targets import Target
from router.wire.calls import Call
from router.wire.paths.upstream import classify_path
from router.wire.protocols import BY_NAME, EMBEDDINGS

#: Why the answer to a request is not kept whose tool calls get the ids of its session.
FILLED = "its tool calls are filled from its own headers (context.fill)"
#: Bytes of the largest request that is looked at.
BODY_LIMIT = 1 << 20
TTL_SECONDS, PART_MEGABYTES = 3600.0, 64


class Part(NamedTuple):
    """The rule or the model by whose options an answer is kept."""

    #: As `rule "evals"` or `model gpt-5`.
    name: str
    #: Seconds for which it is given again.
    ttl: float
    #: Bytes that the answers of this part may take.
    most: int
    #: Requests that declare tools count too.
    tools: bool


class Question(NamedTuple):
    """A request that may be answered from the cache."""

    kind: Kind
    #: All that two requests have in common that are equal.
    request: bytes
    #: Fields of the request that its answer may repeat; None where answers repeat none.
    repeated: Mapping[str, Any] | None


def find_part(route: Route, settings: Settings) -> Part | None:
    """The part of the configuration that has the answers of a route kept: its rule's, else its model's for the backend,
    else its model's; None for none."""
    rule = next((one for one in settings.routes if one.name == route.rule), None) if route.rule else None
    if rule is not None and rule.caches:
        return _make_part(f'rule "{rule.name}"', rule)
    model = (route.model or "").lower()
    for name in (f"{route.backend.name}:{model}", model):
        options = settings.models.get(name)
        if options is not None and options.caches:
            return _make_part(f"model {name}", options)
    return None


def _make_part(name: str, options: CacheOptions) -> Part:
    most = options.cache_max or PART_MEGABYTES
    return Part(name, options.cache_ttl or TTL_SECONDS, most << 20, bool(options.cache_tools))


def find_kind(call: Call, method: str) -> Kind | None:
    """The kind of request that a call is for the cache; None for one that is never answered from there."""
    if method != "POST" or call.compacts:
        return None
    entry = call.entry
    if call.path == EMBEDDINGS.path or (entry.kept is not None and entry.kept.embeds(call.path)):
        return EMBEDDED
    if call.counts:
        return COUNTED
    return entry.name if call.writes and entry.kept is not None and classify_path(entry, call.path) == "text" else None


def ask(
    kind: Kind,
    body: bytes,
    route: Route,
    target: Target,
    facts: RoutingFacts,
    settings: Settings,
    *,
    owner: str,
    tools: bool,
    headers: Iterable[tuple[bytes, bytes]],
    call: Call,
    query: str,
) -> Question | str:
    """The question of a request; why its answer is not kept, in words that begin with `it`, where that is so. owner:
    the client key whose request it is."""
    if route.backend.auth == "client":
        return "its backend is asked with the caller's own login"
    if facts.owner is not None:
        return "it names what an account keeps"
    if len(body) > BODY_LIMIT:
        return f"its body is larger than {BODY_LIMIT >> 20} MiB"
    if (route.model or "").endswith(":online"):
        return "it has the provider search the web"
    edits = edits_of(route, target)
    try:
        found = read_exact(body)
        obstacle = find_obstacle(kind, _edit(found, edits), tools=tools)
        if obstacle:
            return obstacle
        request = describe_request(
            kind,
            found,
            headers,
            path=call.path,
            query=query,
            stream=facts.stream,
            place=_list_place(owner, route, target, facts, settings, edits),
        )
    except NotExact as error:
        return str(error)
    rules = BY_NAME[kind].kept if kind in BY_NAME else None
    repeats = rules is not None and rules.repeats
    return Question(kind, request, _find_repeated(body) if repeats else None)


def _find_repeated(body: bytes) -> dict[str, Any]:
    # Read anew, as numbers that can be written as they came.
    found: dict[str, Any] = msgspec.json.decode(body)
    return {name: found[name] for name in UNCHANGING if name in found}


def _list_place(
    owner: str, route: Route, target: Target, facts: RoutingFacts, settings: Settings, edits: Iterable[Edits]
) -> list[str]:
    """Whose request it is, and what of the configuration may change its answer."""
    backend, options = route.backend, settings.backends.get(route.backend.name)
    translation = (settings.loss, settings.losses, settings.echo_model, settings.auto_cache, target.profile)
    configured = (options, list(edits), target.strip_attribution, target.stream_usage, target.cache_marks)
    root = "" if backend.name == DEMO else backend.root  # the demo has another port each time
    return [
        *(__version__, owner, facts.model or "", backend.name, root, backend.vendor, route.model or ""),
        *(" ".join(backend.protocols), _pin(translation), _pin(configured)),
    ]


def _pin(value: object) -> str:
    """A part of the configuration as text, the same in each process: sets and mappings are sorted."""
    return msgspec.json.encode(value, enc_hook=_simplify, order="deterministic").decode()


def _simplify(value: object) -> object:
    return dict(cast("Mapping[str, object]", value)) if isinstance(value, Mapping) else repr(value)


def _edit(body: Mapping[str, Any], edits: Iterable[Edits]) -> Mapping[str, Any]:
    """The fields of a body as the configured edits leave them."""
    for one in edits:
        for path in one.remove_fields:
            body = _put(body, path.split("."), None)
        for path, value in one.set_fields.items():
            body = _put(body, path.split("."), Decimal(repr(value)) if isinstance(value, float) else value)
    return body


def _put(body: Mapping[str, Any], path: list[str], value: Any) -> Mapping[str, Any]:
    below: object = body.get(path[0])
    if path[1:]:
        value = _put(cast("Mapping[str, Any]", below) if isinstance(below, dict) else {}, path[1:], value)
    return {**body, path[0]: value}
