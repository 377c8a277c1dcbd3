"""Dispatches requests of operators: finds the endpoint, checks access, and runs its handler."""

import re
from typing import TYPE_CHECKING

from router.admin.ask import Ask, Operated
from router.errors import NotFound, Unavailable, WrongVerb
from router.host.access import Gate, check_json
from router.net.control.signatures import Place
from router.net.headers import SECURITY
from router.net.server.connection import Connection, Request
from router.operator_api.endpoints import ENDPOINTS
from router.settings.kinds import clean
from router.upstream.runtime import Runtime

if TYPE_CHECKING:
    from router.admin.ui.page import LocalPage

_PATH_SHOWN = 200
# Paths by which tools for APIs that are not served are known.
_OTHER_APIS = (
    (re.compile(r"/api/(?:chat|generate|tags|show|embed|embeddings|version|ps|pull)/?$"), "Ollama"),
    (re.compile(r"/v1(?:beta\d*|alpha)(?:/|$)"), "Gemini"),
    (re.compile(r"/openai/deployments/"), "Azure OpenAI"),
    (re.compile(r"/model/[^/]+/(?:invoke|converse)"), "Amazon Bedrock"),
)
_COMPATIBLE = "for an OpenAI-compatible API, with the base URL {root}/v1."
# API -> the setting of its tools by which they are served, where there is a nearer one.
_SETTINGS = {
    "Amazon Bedrock": (
        "for Anthropic's API, with the base URL {root} (of Anthropic's SDK Anthropic or AnthropicBedrockMantle, not "
        "AnthropicBedrock), or " + _COMPATIBLE
    ),
}
_ALLOW = (b"allow", b"GET, HEAD, POST, DELETE, OPTIONS")


class Dispatcher:
    """Finds the handler of each request of one proxy."""

    def __init__(self, runtime: Runtime, gate: Gate, operated: Operated):
        self._runtime = runtime
        self._gate = gate
        self._operated = operated
        self._page: LocalPage | None = None

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Answer when the path is an endpoint of fairlead; False when it is not. Raises RouterError."""
        if request.method == "OPTIONS":
            await connection.respond(204, [*SECURITY, _ALLOW, *self._gate.make_preflight_headers(request)])
            return True
        match = ENDPOINTS.match(request.path)
        if match is None:
            return False
        endpoint = match.endpoint(request.method)
        if endpoint is None:
            raise WrongVerb(f"{request.path} does not accept {request.method}, only {match.allow}.", allow=match.allow)
        if endpoint.access in ("operator", "metrics"):
            check = self._gate.check_operator if endpoint.access == "operator" else self._gate.check_metrics
            check(request, Place(*connection.stream.get_local_address()))
            connection.place.authenticate(operator=True)
        if request.method == "POST":
            check_json(request, allow_uploads=False)
        ask = Ask(
            runtime=self._runtime,
            gate=self._gate,
            operated=self._operated,
            connection=connection,
            request=request,
            names=match.names,
        )
        if endpoint.page:
            await self._load_page().serve(endpoint, ask)
            return True
        # Late: none of it is needed before a command asks; `preload` has it within a second.
        from router.admin.handlers import HANDLERS

        await HANDLERS[endpoint](ask)
        return True

    def _load_page(self) -> "LocalPage":
        """The local page. Raises Unavailable."""
        if self._page is None:
            try:
                from router.admin.ui.page import LocalPage

                self._page = LocalPage(self._runtime, self._operated)
            except (ImportError, OSError):
                # They are not read before somebody asks for the page, and an upgrade may have taken them away.
                raise Unavailable(
                    "The files of the local page are not there any more: fairlead was replaced since this proxy "
                    "started. Start it again:   fairlead restart"
                ) from None
        return self._page


def is_own(path: str) -> bool:
    """True for a path of an endpoint of fairlead, for any verb."""
    return ENDPOINTS.match(path) is not None


def describe_path(path: str) -> str:
    """What is recorded in place of an unknown path, which may contain anything: `(Gemini API)`, or `(unknown)`."""
    api = _find_api(path)
    return f"({api} API)" if api else "(unknown)"


def _find_api(path: str) -> str:
    """The API, of those that are not served, that a path is of; '' for none."""
    return next((api for pattern, api in _OTHER_APIS if pattern.match(path)), "")


def unknown_path(request: Request) -> NotFound:
    """The 404 for a path that is neither an endpoint of fairlead nor a path of an API it serves."""
    root = "http://" + request.fields.get(b"host", b"localhost").decode("ascii", "replace")
    path = clean(request.path, _PATH_SHOWN)
    api = _find_api(request.path)
    if api:
        return NotFound(
            f"{path} is {api}'s API, which fairlead does not serve. Its own protocol is not spoken here. Use the "
            f"tool's setting {_SETTINGS.get(api, _COMPATIBLE).format(root=root)}"
        )
    return NotFound(f"No endpoint at {path}. Base URL: {root} (Anthropic) or {root}/v1 (OpenAI).")
