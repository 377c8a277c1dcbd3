"""fairlead's own endpoints: liveness, health, models, and the operator's (product.md 9)."""

import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec
import trio

from router import __version__
from router.errors import BadRequest, NotFound, UnknownModel, WrongVerb
from router.ir import Facts
from router.net.headers import SECURITY, RawHeaders
from router.net.http11 import Connection, Request
from router.policy.routes import Table, decide, nearest_models
from router.proxy import bodies, observing
from router.proxy.explaining import Question, explain
from router.proxy.gate import Gate, check_json
from router.proxy.runtime import Runtime

STATUS_SCHEMA = 1
_JSON: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_BODY_LIMIT = 65536
# A request of the largest size, in base64.
_QUESTION_LIMIT = bodies.LIMIT * 3 // 2
# Anthropic's list has dates; catalogs of other vendors do not say.
_UNDATED = "1970-01-01T00:00:00Z"
_PAGE, _PAGE_LIMIT = 20, 1000


class Own(NamedTuple):
    """One endpoint. operator: needs the operator token; post: POST only, else GET and HEAD. reads: it reads its
    request's body itself."""

    serve: Callable[["Endpoints", Connection, Request], Awaitable[None]]
    operator: bool = False
    post: bool = False
    reads: bool = False


class Endpoints:
    """The endpoints of one proxy."""

    def __init__(self, runtime: Runtime, gate: Gate, url: str, stop: Callable[[], None]):
        self._runtime = runtime
        self._gate = gate
        self._url = url
        self._stop = stop
        self._started = trio.current_time()

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Answer when the path is one of ours; False when it is not. Raises RouterError."""
        if request.method == "OPTIONS":
            allow = (b"allow", b"GET, HEAD, POST, DELETE, OPTIONS")
            await connection.respond(204, [*SECURITY, allow, *self._gate.preflight(request)])
            return True
        own = _OWN.get(request.path) or (_OBSERVED if observing.serves(request.path) else None)
        if own is None:
            return False
        if request.method not in (("POST",) if own.post else ("GET", "HEAD")):
            raise WrongVerb(f"{request.path} takes no {request.method}.", allow="POST" if own.post else "GET, HEAD")
        if own.operator:
            self._gate.check_operator(request)
        if own.post:
            check_json(request, others=False)
            if not own.reads:
                await connection.body(_BODY_LIMIT, lambda _: None)
        await own.serve(self, connection, request)
        return True

    async def models(self, connection: Connection, request: Request, path: str) -> None:
        """GET /v1/models and /v1/models/ID, in the shape of the caller's vendor."""
        if request.method not in ("GET", "HEAD"):
            raise WrongVerb(f"{path} takes no {request.method}.", allow="GET, HEAD")
        table = self._runtime.snapshot.table
        anthropic = b"anthropic-version" in request.fields
        name = unquote(path.removeprefix("/v1/models").strip("/"))
        listed = listing(table)
        if name:
            if name not in listed:
                near = ", ".join(nearest_models(name, table))
                raise UnknownModel(f"No model '{name}' is listed.{f' Nearest: {near}.' if near else ''}")
            answer: object = _entry(name, listed[name], anthropic=anthropic)
        elif anthropic:
            answer = _anthropic_page(listed, request.query)
        else:
            answer = {"object": "list", "data": [_entry(key, owner, anthropic=False) for key, owner in listed.items()]}
        await self._respond(connection, request, 200, answer)

    async def _respond(self, connection: Connection, request: Request, status: int, answer: object) -> None:
        headers = [*_JSON, *self._gate.cors(request)]
        await connection.respond(status, headers, msgspec.json.encode(answer))

    async def _root(self, connection: Connection, request: Request) -> None:
        await self._respond(connection, request, 200, {"name": "fairlead", "status": "ok"})

    async def _livez(self, connection: Connection, request: Request) -> None:
        headers = [*_JSON, *self._gate.cors(request)]
        nonce = request.fields.get(b"x-fairlead-nonce")
        if nonce is not None and len(nonce) <= 256:
            headers.append((b"x-fairlead-proof", self._gate.proof(nonce)))
        await connection.respond(200, headers, b'{"status":"ok"}')

    async def _health(self, connection: Connection, request: Request) -> None:
        snapshot = self._runtime.snapshot
        able = any(target.problem is None for target in snapshot.targets.values())
        await self._respond(
            connection, request, 200 if able else 503, {"status": "ok" if able else "nothing can serve"}
        )

    async def _status(self, connection: Connection, request: Request) -> None:
        """Fields: schema, version, pid, url, uptime_s, loaded, backends, models, problems, upstream_connections,
        buffered_bytes, dropped_log_lines. loaded: all code is in memory, the installation may be replaced."""
        runtime = self._runtime
        snapshot = runtime.snapshot
        backends: list[dict[str, object]] = []
        for backend in snapshot.table.backends:
            catalog = runtime.catalogs.get(backend.name)
            problem = snapshot.targets[backend.name].problem or (catalog.problem if catalog else None)
            backends.append(
                {
                    "name": backend.name,
                    "protocols": backend.protocols,
                    "enabled": backend.enabled,
                    "models": len(catalog.models) if catalog else 0,
                    "problem": problem,
                }
            )
        answer = {
            "schema": STATUS_SCHEMA,
            "version": __version__,
            "pid": os.getpid(),
            "url": self._url,
            "uptime_s": round(trio.current_time() - self._started, 1),
            "loaded": runtime.loaded.is_set(),
            "backends": backends,
            "models": [
                {"id": name, "backend": owner, "protocols": snapshot.table.named[owner].protocols}
                for name, owner in listing(snapshot.table).items()
            ],
            "problems": list(snapshot.problems),
            "upstream_connections": {"open": runtime.connections.open, "idle": runtime.connections.idle},
            "buffered_bytes": runtime.buffers.held,
            "dropped_log_lines": runtime.log.dropped,
        }
        await self._respond(connection, request, 200, answer)

    async def _reload(self, connection: Connection, request: Request) -> None:
        self._runtime.reload()
        snapshot = self._runtime.snapshot
        names = [backend.name for backend in snapshot.table.backends]
        await self._respond(connection, request, 200, {"backends": names, "problems": list(snapshot.problems)})

    async def _explain(self, connection: Connection, request: Request) -> None:
        """A Question about a request; the answer is an Explanation (both in proxy/explaining.py)."""
        runtime = self._runtime
        held: list[int] = []

        def hold(size: int) -> None:
            runtime.buffers.take(size)
            held.append(size)

        try:
            question = _question(await connection.body(_QUESTION_LIMIT, hold))
            if runtime.loading:
                await runtime.settled()
            snapshot, refused = runtime.snapshot, frozenset(runtime.refuses_usage)
            # Not on the loop: it asks history.db who issued an id.
            found = await trio.to_thread.run_sync(
                explain, question, snapshot, refused, runtime.owners, limiter=bodies.THREAD
            )
        finally:
            runtime.buffers.give(sum(held))
        await self._respond(connection, request, 200, found)

    async def _observe(self, connection: Connection, request: Request) -> None:
        await observing.answer(self._runtime, connection, request, [*SECURITY, *self._gate.cors(request)])

    async def _stop_proxy(self, connection: Connection, request: Request) -> None:
        await self._respond(connection, request, 202, {"status": "stopping"})
        self._stop()


_OWN: dict[str, Own] = {
    "/": Own(Endpoints._root),  # pyright: ignore[reportPrivateUsage]
    "/api/hello": Own(Endpoints._root),  # pyright: ignore[reportPrivateUsage]
    "/livez": Own(Endpoints._livez),  # pyright: ignore[reportPrivateUsage]
    "/health": Own(Endpoints._health),  # pyright: ignore[reportPrivateUsage]
    "/status": Own(Endpoints._status, operator=True),  # pyright: ignore[reportPrivateUsage]
    "/admin/reload": Own(Endpoints._reload, operator=True, post=True),  # pyright: ignore[reportPrivateUsage]
    "/admin/explain": Own(Endpoints._explain, operator=True, post=True, reads=True),  # pyright: ignore[reportPrivateUsage]
    "/admin/stop": Own(Endpoints._stop_proxy, operator=True, post=True),  # pyright: ignore[reportPrivateUsage]
}

_OBSERVED = Own(Endpoints._observe, operator=True)  # pyright: ignore[reportPrivateUsage]


def _question(body: bytes) -> Question:
    try:
        question = msgspec.json.decode(body, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is no question: {error}.") from None
    if not question.model and not question.body:
        raise BadRequest('Ask about a "model" or a "body".')
    return question


def listing(table: Table) -> dict[str, str]:
    """Every model that can be asked for, with the backend that serves it; aliases first, unless nothing serves them.

    A name that several backends have is listed plainly for the one that routing prefers, with a prefix for the others.
    """
    aliases = _served_aliases(table)
    names = dict(aliases)
    for model, owners in table.owners.items():
        names.setdefault(model, owners[0].name)
        for other in owners[1:]:
            names[f"{other.name}:{model}"] = other.name
    return names


def _served_aliases(table: Table) -> dict[str, str]:
    """The aliases as the user wrote them, with the backend that gets them."""
    served: dict[str, str] = {}
    for name in table.aliases:
        with contextlib.suppress(BadRequest, UnknownModel):
            served[name] = decide(Facts("chat", name, stream=False), table).backend.name
    return served


def _entry(name: str, owner: str, *, anthropic: bool) -> dict[str, object]:
    if anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _UNDATED}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _anthropic_page(listed: dict[str, str], query: str) -> dict[str, object]:
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
        "data": [_entry(name, listed[name], anthropic=True) for name in page],
        "has_more": start + size < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def unknown_path(path: str) -> NotFound:
    """The 404 for a path that is neither ours nor an API's."""
    return NotFound(f"Nothing is served at {path}. Tools point at the root, or at /v1 (see `fairlead env`).")
