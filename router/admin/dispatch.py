"""Dispatches requests of operators: finds the endpoint, checks whether it may be asked, and runs its handler."""

from router.admin.ask import Ask, Operated
from router.errors import NotFound, WrongVerb
from router.host.access import Gate, check_json
from router.net.headers import SECURITY
from router.net.server.connection import Connection, Request
from router.operator_api.endpoints import ENDPOINTS
from router.upstream.runtime import Runtime

_ALLOW = (b"allow", b"GET, HEAD, POST, DELETE, OPTIONS")


class Dispatcher:
    """Finds the handler of each request of one proxy."""

    def __init__(self, runtime: Runtime, gate: Gate, operated: Operated):
        self._runtime = runtime
        self._gate = gate
        self._operated = operated

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Answer when the path is one of ours; False when it is not. Raises RouterError."""
        if request.method == "OPTIONS":
            await connection.respond(204, [*SECURITY, _ALLOW, *self._gate.make_preflight_headers(request)])
            return True
        match = ENDPOINTS.match(request.path)
        if match is None:
            return False
        endpoint = match.endpoint(request.method)
        if endpoint is None:
            raise WrongVerb(f"{request.path} takes no {request.method}.", allow=match.allow)
        if endpoint.operator:
            self._gate.check_operator(request)
        if request.method == "POST":
            check_json(request, allow_uploads=False)
        # Late: none of it is needed before a command asks; `preload` has it within a second.
        from router.admin.handlers import HANDLERS

        ask = Ask(
            runtime=self._runtime,
            gate=self._gate,
            operated=self._operated,
            connection=connection,
            request=request,
            names=match.names,
        )
        await HANDLERS[endpoint](ask)
        return True


def is_own(path: str) -> bool:
    """True for a path that serves something of fairlead's own, whatever the verb."""
    return ENDPOINTS.match(path) is not None


def unknown_path(path: str) -> NotFound:
    """The 404 for a path that is neither ours nor an API's."""
    return NotFound(f"Nothing is served at {path}. Tools point at the root, or at /v1 (see `fairlead env`).")
