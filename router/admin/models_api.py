"""Serves GET /v1/models and /v1/models/ID, in the shape of the vendor's API that the caller uses."""

from urllib.parse import unquote

import msgspec

from router.errors import UnknownModel, WrongVerb
from router.host.access import Gate
from router.net.headers import SECURITY, RawHeaders
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request
from router.policy.routing.model_list import find_serving_backend, list_models
from router.upstream.catalogs import FIRST_LOAD_SECONDS
from router.upstream.runtime import Runtime
from router.wire import protocols

_HEADERS: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def serve_models(connection: Connection, request: Request, path: str, *, runtime: Runtime, gate: Gate) -> None:
    """Answer a request for the list, or for one model, which may be any that a request would be served for. path:
    canonical, beginning with /v1. Raises RouterError."""
    if request.method not in ("GET", "HEAD"):
        raise WrongVerb(f"{path} does not accept {request.method}; send a GET.", allow="GET, HEAD")
    shape = (protocols.entry_marked_in(request.fields) or protocols.DEFAULT).models
    # The name may hold slashes, as they are or escaped.
    name = unquote(path.removeprefix("/v1/models").strip("/"))
    if name:
        answer = shape.entry(name, await _find_backend(name, connection, request, runtime))
    else:
        answer = shape.page(list_models(runtime.snapshot.table), request.query)
    await connection.respond(200, [*_HEADERS, *gate.make_cors_headers(request)], msgspec.json.encode(answer))


async def _find_backend(name: str, connection: Connection, request: Request, runtime: Runtime) -> str:
    """The backend that serves a model. In a proxy's first second its catalog may still be loading. Raises
    UnknownModel."""
    protocol = (protocols.entry_marked_in(request.fields) or protocols.DEFAULT).name
    try:
        return find_serving_backend(name, runtime.snapshot.table, protocol, request.fields)
    except UnknownModel:
        if not runtime.catalogs.loading:
            raise
    connection.set_deadline(2 * FIRST_LOAD_SECONDS, CancelReason.CONNECT)
    await runtime.catalogs.wait_complete()
    return find_serving_backend(name, runtime.snapshot.table, protocol, request.fields)
