"""GET /v1/models and /v1/models/ID, in the shape of the caller's vendor."""

from urllib.parse import parse_qsl, unquote

import msgspec

from router.errors import BadRequest, UnknownModel, WrongVerb
from router.host.access import Gate
from router.net.headers import SECURITY, RawHeaders
from router.net.server.connection import Connection, Request
from router.policy.routing.model_list import find_listing_backend, list_models
from router.policy.routing.routes import find_nearest_models
from router.policy.routing.table import Table

_HEADERS: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]
# Anthropic's list has dates; catalogs of other vendors do not say.
_UNDATED = "1970-01-01T00:00:00Z"
_PAGE, _PAGE_LIMIT = 20, 1000


async def serve_models(connection: Connection, request: Request, path: str, *, table: Table, gate: Gate) -> None:
    """Answer a request for the list, or for one model. path: canonical, beginning with /v1. Raises RouterError."""
    if request.method not in ("GET", "HEAD"):
        raise WrongVerb(f"{path} takes no {request.method}.", allow="GET, HEAD")
    anthropic = b"anthropic-version" in request.fields
    name = unquote(path.removeprefix("/v1/models").strip("/"))
    answer = (
        _find_model(name, table, anthropic=anthropic)
        if name
        else _list_models(table, request.query, anthropic=anthropic)
    )
    await connection.respond(200, [*_HEADERS, *gate.make_cors_headers(request)], msgspec.json.encode(answer))


def _find_model(name: str, table: Table, *, anthropic: bool) -> dict[str, object]:
    owner = find_listing_backend(name, table, list_models(table))
    if owner is None:
        near = ", ".join(find_nearest_models(name, table))
        raise UnknownModel(f"No model '{name}' is listed.{f' Nearest: {near}.' if near else ''}")
    return _describe_model(name, owner, anthropic=anthropic)


def _list_models(table: Table, query: str, *, anthropic: bool) -> dict[str, object]:
    listed = list_models(table)
    if anthropic:
        return _list_page(listed, query)
    return {"object": "list", "data": [_describe_model(name, owner, anthropic=False) for name, owner in listed.items()]}


def _describe_model(name: str, owner: str, *, anthropic: bool) -> dict[str, object]:
    if anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _UNDATED}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _list_page(listed: dict[str, str], query: str) -> dict[str, object]:
    """One page of the list; `limit`, `after_id` and `before_id` as Anthropic documents them."""
    asked = dict(parse_qsl(query))
    names = list(listed)
    limit = asked.get("limit", str(_PAGE))
    if not limit.isdecimal() or not 1 <= int(limit) <= _PAGE_LIMIT:
        raise BadRequest(f"limit must be a number from 1 to {_PAGE_LIMIT}.")
    start, size = 0, int(limit)
    if asked.get("after_id") in listed:
        start = names.index(asked["after_id"]) + 1
    elif asked.get("before_id") in listed:
        end = names.index(asked["before_id"])
        start, size = max(0, end - size), min(size, end)
    page = names[start : start + size]
    return {
        "data": [_describe_model(name, listed[name], anthropic=True) for name in page],
        "has_more": start + size < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }
