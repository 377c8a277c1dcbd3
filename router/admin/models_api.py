"""Serves GET /v1/models and /v1/models/ID, in the shape of the vendor's API that the caller uses."""

from urllib.parse import unquote

import msgspec

from router.errors import UnknownModel, WrongVerb
from router.host.access import Gate
from router.net.headers import SECURITY, RawHeaders
from router.net.server.connection import Connection, Request
from router.policy.routing.model_list import find_listing_backend, list_models
from router.policy.routing.routes import find_nearest_models
from router.policy.routing.table import Table
from router.wire import protocols
from router.wire.protocol import ModelList

_HEADERS: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def serve_models(connection: Connection, request: Request, path: str, *, table: Table, gate: Gate) -> None:
    """Answer a request for the list, or for one model. path: canonical, beginning with /v1. Raises RouterError."""
    if request.method not in ("GET", "HEAD"):
        raise WrongVerb(f"{path} does not accept {request.method}; send a GET.", allow="GET, HEAD")
    shape = (protocols.entry_marked_in(request.fields) or protocols.DEFAULT).models
    name = unquote(path.removeprefix("/v1/models").strip("/"))
    answer = _find_model(name, table, shape) if name else shape.page(list_models(table), request.query)
    await connection.respond(200, [*_HEADERS, *gate.make_cors_headers(request)], msgspec.json.encode(answer))


def _find_model(name: str, table: Table, shape: ModelList) -> dict[str, object]:
    owner = find_listing_backend(name, table, list_models(table))
    if owner is None:
        near = ", ".join(find_nearest_models(name, table))
        nearest = f" Nearest: {near}." if near else ""
        raise UnknownModel(f"No model '{name}' is listed.{nearest} `fairlead models` lists those available.")
    return shape.entry(name, owner)
