"""fairlead's own endpoints: liveness, health, models, and the operator's (product.md 9)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import trio

from router.admin import analytics_api, backends_api
from router.admin.backends_api import Action, Ask
from router.admin.explain import Question, explain
from router.admin.status import Operated, problems_of, status
from router.errors import BadRequest, NotFound, UnknownModel, WrongVerb
from router.exchange.body import body as request_body
from router.host.access import Gate, check_json
from router.host.clock import sleepless
from router.net.headers import SECURITY, RawHeaders
from router.net.server.connection import Connection, Cut, Request
from router.policy.budget.budgets import ALL
from router.policy.routing.model_list import listed_by, listing
from router.policy.routing.routes import nearest_models
from router.upstream.account_state import account_reports, can_serve
from router.upstream.runtime import Runtime
from router.wire import protocols

_JSON: RawHeaders = [*SECURITY, (b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_BODY_LIMIT = 65536
_ADMIN_SECONDS = 60.0
# One: they wait for the same lock, and none of them keeps a thread from those who serve.
_ADMIN_THREAD = trio.CapacityLimiter(1)
# A request of the largest size, in base64.
_QUESTION_LIMIT = request_body.LIMIT * 3 // 2


class Own(NamedTuple):
    """One verb of an endpoint. operator: needs the operator token. reads: it reads its request's body itself."""

    serve: Callable[["Endpoints", Connection, Request], Awaitable[None]]
    operator: bool = False
    reads: bool = False


class Endpoints:
    """The endpoints of one proxy."""

    def __init__(self, runtime: Runtime, gate: Gate, operated: Operated):
        self._runtime = runtime
        self._gate = gate
        self._operated = operated

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Answer when the path is one of ours; False when it is not. Raises RouterError."""
        if request.method == "OPTIONS":
            allow = (b"allow", b"GET, HEAD, POST, DELETE, OPTIONS")
            await connection.respond(204, [*SECURITY, allow, *self._gate.preflight(request)])
            return True
        verbs = _found(request.path)
        if verbs is None:
            return False
        own = verbs.get("GET" if request.method == "HEAD" else request.method)
        if own is None:
            allow = ", ".join([*verbs, *(["HEAD"] if "GET" in verbs else [])])
            raise WrongVerb(f"{request.path} takes no {request.method}.", allow=allow)
        if own.operator:
            self._gate.check_operator(request)
        if request.method == "POST":
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
        shape = (protocols.entry_marked_in(request.fields) or protocols.DEFAULT).models
        name = unquote(path.removeprefix("/v1/models").strip("/"))
        listed = listing(table)
        if name:
            owner = listed_by(name, table, listed)
            if owner is None:
                near = ", ".join(nearest_models(name, table))
                raise UnknownModel(f"No model '{name}' is listed.{f' Nearest: {near}.' if near else ''}")
            answer: object = shape.entry(name, owner)
        else:
            answer = shape.page(listed, request.query)
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
        now = sleepless()
        able = any(can_serve(service, now) for service in snapshot.services.values())
        stalled = able and self._runtime.vitals.stalled is not None
        said = "stalled" if stalled else "ok" if able else "nothing can serve"
        if able and self._runtime.guard.held(ALL):
            said = "halted"
        elif not able and any(service.stopped() for service in snapshot.services.values()):
            able, said = True, "halted"
        # Neither is a 503: whoever restarts what is not healthy would cut a model that thinks for long.
        await self._respond(connection, request, 200 if able else 503, {"status": said})

    async def _status(self, connection: Connection, request: Request) -> None:
        """Fields: those of status.status."""
        await self._runtime.guard.current()
        await self._respond(connection, request, 200, status(self._runtime, self._operated))

    async def _take_up(self) -> None:
        """Have the proxy use what lies in the home now."""
        await self._operated.reload().wait()

    async def _reload(self, connection: Connection, request: Request) -> None:
        await self._take_up()
        names = [backend.name for backend in self._runtime.snapshot.table.backends]
        await self._respond(connection, request, 200, {"backends": names, "problems": self._operated.problems})

    async def _resume(self, connection: Connection, request: Request) -> None:
        """End all halts of this home. Fields: lifted (the halts that held, as in /status), guard (as in /status)."""
        guard = self._runtime.guard
        lifted = await guard.resume()
        await self._respond(connection, request, 200, {"lifted": lifted, "guard": guard.status()})

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
                explain, question, snapshot, refused, runtime.owners, limiter=request_body.THREAD
            )
        finally:
            runtime.buffers.give(sum(held))
        await self._respond(connection, request, 200, found)

    async def _observe(self, connection: Connection, request: Request) -> None:
        await analytics_api.answer(self._runtime, connection, request, [*SECURITY, *self._gate.cors(request)])

    async def _administer(self, connection: Connection, request: Request, action: Action) -> None:
        """One call of the operator's API (proxy/administration.py)."""
        body = await connection.body(_BODY_LIMIT, lambda _: None) if request.method == "POST" else b""
        # The home's lock may be waited for, and other calls with it.
        connection.deadline(_ADMIN_SECONDS, Cut.TOTAL)
        await self._runtime.guard.current()
        options = self._runtime.snapshot.settings.backends
        ask = Ask(
            home=self._runtime.home,
            environ=self._runtime.environ,
            headers={name: tuple(entry.edits.set_headers) for name, entry in options.items()},
            problems=problems_of(self._runtime),
            accounts=account_reports(self._runtime.snapshot.services.values(), sleepless()),
            names=_names(request.path),
            body=body,
        )
        answer: dict[str, object] = {}
        # A change that was begun is carried out and taken up, whether its caller waits or not.
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _ADMIN_SECONDS):
            answer = await trio.to_thread.run_sync(backends_api.answer, action, ask, limiter=_ADMIN_THREAD)
            if action.changes:
                await self._take_up()
                answer["problems"] = self._operated.problems
        await self._respond(connection, request, action.status, answer)

    async def _stop_proxy(self, connection: Connection, request: Request) -> None:
        await self._respond(connection, request, 202, {"status": "stopping"})
        self._operated.stop()


def _administered(action: Action) -> Own:
    async def serve(own: Endpoints, connection: Connection, request: Request) -> None:
        await own._administer(connection, request, action)  # pyright: ignore[reportPrivateUsage]

    return Own(serve, operator=True, reads=True)


def _table() -> Mapping[str, Mapping[str, Own]]:
    own: dict[str, dict[str, Own]] = {
        "/": {"GET": Own(Endpoints._root)},  # pyright: ignore[reportPrivateUsage]
        "/api/hello": {"GET": Own(Endpoints._root)},  # pyright: ignore[reportPrivateUsage]
        "/livez": {"GET": Own(Endpoints._livez)},  # pyright: ignore[reportPrivateUsage]
        "/health": {"GET": Own(Endpoints._health)},  # pyright: ignore[reportPrivateUsage]
        "/status": {"GET": Own(Endpoints._status, operator=True)},  # pyright: ignore[reportPrivateUsage]
        "/admin/reload": {"POST": Own(Endpoints._reload, operator=True)},  # pyright: ignore[reportPrivateUsage]
        "/admin/resume": {"POST": Own(Endpoints._resume, operator=True)},  # pyright: ignore[reportPrivateUsage]
        "/admin/explain": {"POST": Own(Endpoints._explain, operator=True, reads=True)},  # pyright: ignore[reportPrivateUsage]
        "/admin/stop": {"POST": Own(Endpoints._stop_proxy, operator=True)},  # pyright: ignore[reportPrivateUsage]
    }
    for (path, verb), action in backends_api.ACTIONS.items():
        own.setdefault(path, {})[verb] = _administered(action)
    for path in analytics_api.PATHS:
        own[path] = {"GET": Own(Endpoints._observe, operator=True)}  # pyright: ignore[reportPrivateUsage]
    return own


#: Path -> verb -> what serves it (HEAD: as GET). A star in a path stands for a name.
ENDPOINTS = _table()


def _found(path: str) -> Mapping[str, Own] | None:
    """The verbs of a path, None when it is none of ours."""
    names = _names(path)
    pattern = "/".join([*path.split("/")[:3], *("*" for _ in names)])
    return ENDPOINTS.get(pattern) if all(names) else None


def is_own(path: str) -> bool:
    """True for a path that serves something of fairlead's own, whatever the verb."""
    return _found(path) is not None


def _names(path: str) -> Sequence[str]:
    """What stands in a path behind its first two parts."""
    return [unquote(part) for part in path.split("/")[3:]]


def _question(body: bytes) -> Question:
    try:
        question = msgspec.json.decode(body, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is no question: {error}.") from None
    if not question.model and not question.body:
        raise BadRequest('Ask about a "model" or a "body".')
    return question


def unknown_path(path: str) -> NotFound:
    """The 404 for a path that is neither ours nor an API's."""
    return NotFound(f"Nothing is served at {path}. Tools point at the root, or at /v1 (see `fairlead env`).")
