"""Serves GET /v1/models and /v1/models/ID, in the shape of the vendor's API that the caller uses, and for operators
what is known of models."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, cast

import msgspec

from router.admin.ask import Ask
from router.errors import BadRequest, NotFound, UnknownModel, WrongVerb
from router.exchange.body.body import THREAD
from router.exchange.context import Arrival
from router.host.access import Gate
from router.net.headers import SECURITY, RawHeaders
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.operator_api.models import MODELS_LIMIT, ModelQuestion, ModelReports
from router.policy.facts.book import FactBook
from router.policy.grants.grant import Grant, allows
from router.policy.routing.model_list import ServedModel, find_served, list_served
from router.policy.routing.table import Table
from router.upstream.catalogs import FIRST_LOAD_SECONDS
from router.upstream.facts.describe import ModelDescriber, describe_model, report_models
from router.upstream.runtime import Runtime
from router.upstream.snapshot import Snapshot
from router.wire import protocols
from router.wire.protocol import ModelList
from router.wire.raw.json import deallocation, large_json
from router.wire.raw.json.top_level import MODEL_LIMIT

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")
_HEADERS: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]
#: Longer lists are worked on in a thread.
_THREAD_MODELS = 200
# What the thread for large work takes as the size of the work on one model: it takes as long as so many bytes of JSON.
_MODEL_BYTES = 1024


async def serve_models(arrival: Arrival, name: str, *, gate: Gate) -> None:
    """Answer a request for the list, or for one model, which may be any that a request would be served for. name: of
    the model, '' for the list. What the caller's key may not use is not there for it. Raises RouterError."""
    connection, request, runtime, grant = arrival.connection, arrival.request, arrival.runtime, arrival.grant
    shape = arrival.call.entry.models
    if request.method not in ("GET", "HEAD"):
        if arrival.call.entry.read_path is not None and request.method == "POST":
            verb = name.rpartition(":")[2][:40] if ":" in name else ""
            asked = f"'{verb}' is not" if verb else "The path names nothing that is"
            raise NotFound(f"{asked} asked of a model here; generateContent, countTokens and embedContent are.")
        raise WrongVerb(f"{arrival.call.path} does not accept {request.method}; send a GET.", allow="GET, HEAD")
    if name:
        served = await _find_served(name, arrival)
        if grant is not None:
            allowed = _find_allowed(grant, name, served, runtime.snapshot.table)
            if allowed is None:
                raise UnknownModel(f"No model '{name[:MODEL_LIMIT]}' is served to the key {grant.name}.")
            served = allowed
        body = msgspec.json.encode(shape.entry(describe_model(name, served, runtime.snapshot.facts)))
    else:
        body = await run_over_models(connection, runtime, _write_page, shape, runtime.snapshot, request.query, grant)
    await connection.respond(200, [*_HEADERS, *gate.make_cors_headers(request)], body)


def _write_page(shape: ModelList, snapshot: Snapshot, query: str, grant: Grant | None) -> bytes:
    served = list_served(snapshot.table)
    if grant is not None and grant.is_limited:
        found = ((name, _find_allowed(grant, name, one, snapshot.table)) for name, one in served.items())
        served = {name: one for name, one in found if one is not None}
    describer = ModelDescriber(served, snapshot.facts)
    page = shape.page(list(served), describer.describe, query)
    deallocation.note(served)
    for value in page.values():
        if isinstance(value, list):
            deallocation.note(cast("list[object]", value))
    return large_json.encode(page)


async def run_over_models(
    connection: Connection, runtime: Runtime, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments
) -> _Result:
    """Run work that looks at all models: in a thread where there are many."""
    count = sum(map(len, runtime.catalogs.models.values()))
    if count <= _THREAD_MODELS:
        return work(*arguments)
    return await THREAD.run(connection, count * _MODEL_BYTES, work, *arguments)


def _find_allowed(grant: Grant, name: str, served: ServedModel, table: Table) -> ServedModel | None:
    """Who serves a model to a key under the name that it is asked for by: the first backend, or where the name leads to
    any of several, the first that the key may use; None when there is none."""
    alias = name if name.lower() in table.targets else ""
    first = table.named.get(served.backend)
    asked = table.targets.get(name.lower(), name)
    others = table.find_servers(served.model) if asked == served.model else ()
    for backend in (first, *others):
        if backend is not None and allows(grant, backend, served.model, alias):
            return served._replace(backend=backend.name)
    return None


async def _find_served(name: str, arrival: Arrival) -> ServedModel:
    """Who serves a model. In a proxy's first second its catalog may still be loading. Raises UnknownModel."""
    connection, request, runtime = arrival.connection, arrival.request, arrival.runtime
    protocol = arrival.call.entry.name or protocols.DEFAULT.name
    try:
        return find_served(name, runtime.snapshot.table, protocol, request.fields)
    except UnknownModel:
        if not runtime.catalogs.loading:
            raise
    connection.set_deadline(2 * FIRST_LOAD_SECONDS, CancelReason.CONNECT)
    await runtime.catalogs.wait_complete()
    return find_served(name, runtime.snapshot.table, protocol, request.fields)


async def report(ask: Ask) -> ModelReports:
    """What is known of the models of a question. Raises BadRequest."""
    try:
        question = msgspec.json.decode(ask.body, type=ModelQuestion)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a valid question: {error}.") from None
    if len(question.models) > MODELS_LIMIT:
        raise BadRequest(f"A question names at most {MODELS_LIMIT} models.")
    snapshot = ask.runtime.snapshot
    arguments = (question.models, snapshot.table, snapshot.facts)
    return await run_over_models(ask.connection, ask.runtime, _report, *arguments)


def _report(names: list[str], table: Table, book: FactBook) -> ModelReports:
    return ModelReports(models=report_models(names, table, book))
