"""One request of an operator, with everything its handler needs to answer it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol
from urllib.parse import parse_qsl

import msgspec
import trio

from router.host.access import Gate
from router.net.headers import SECURITY, RawHeaders
from router.net.server.connection import Connection, Request
from router.operator_api.endpoint import Answer, Body, Endpoint
from router.operator_api.status import ProcessStatus, Restarted, Status
from router.upstream.runtime import Runtime

_BODY_LIMIT = 65536


class Others(Protocol):
    """The other processes that serve the same port."""

    async def list_statuses(self) -> list[Status]:
        """What each reports of itself."""
        ...

    async def list_metrics(self) -> list[bytes]:
        """The metrics of each, in Prometheus' text form."""
        ...


class Operated(Protocol):
    """The process that operators act on."""

    #: Its URL for clients on this machine.
    url: str
    #: Time of the start on trio's clock.
    started: float
    #: Asks for a reload; the event is set when it is done.
    reload: Callable[[], trio.Event]
    #: None where this is the only process.
    others: Others | None

    @property
    def problems(self) -> list[str]:
        """Problems that the user should know, each with its fix."""
        ...

    @property
    def process(self) -> ProcessStatus:
        """How it was started."""
        ...

    @property
    def readiness(self) -> Literal["starting", "ready", "draining"]:
        """Whether a load balancer should send requests here."""
        ...

    @property
    def ends_within(self) -> float:
        """Seconds from a stop to the error event that an open answer gets at the latest."""
        ...

    def stop(self) -> None:
        """Begin to stop."""
        ...

    async def restart(self) -> Restarted:
        """Start the program again and hand it the port. Raises Conflict, and then goes on to serve."""
        ...


class Ask(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One request that has passed the checks of access."""

    runtime: Runtime
    gate: Gate
    operated: Operated
    connection: Connection
    request: Request
    #: The values in the path, by the names in the endpoint's braces.
    names: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters; the last one where a name is repeated."""
        return dict(parse_qsl(self.request.query))

    async def read_body(self, limit: int = _BODY_LIMIT, reserve: Callable[[int], None] = lambda _: None) -> bytes:
        """The body of a POST, b"" for other verbs. reserve: gets the size of each piece. Raises TooLarge, and
        Unauthenticated for another body than the one that was signed."""
        if self.request.method != "POST":
            return b""
        body = await self.connection.read_body(limit, reserve)
        self.gate.check_body(self.request, body)
        return body

    def headers(self, content: str) -> RawHeaders:
        """The headers that every answer has. content: its content type."""
        kind = (b"content-type", content.encode())
        return [*SECURITY, kind, (b"cache-control", b"no-store"), *self.gate.make_cors_headers(self.request)]

    async def respond(self, answer: object, status: int = 200, headers: RawHeaders | None = None) -> None:
        """Send an answer in JSON. headers: further headers."""
        await self.respond_with(status, "application/json", msgspec.json.encode(answer), headers)

    async def respond_with(self, status: int, content: str, body: bytes, headers: RawHeaders | None = None) -> None:
        """Send an answer whose body is made already. content: its content type. headers: further headers."""
        signed = self.gate.sign_answer(self.request, status, body)
        await self.connection.respond(status, [*self.headers(content), *(headers or []), *signed], body)


Handler = Callable[[Ask], Awaitable[None]]
Served = tuple[Endpoint[Body, Answer], Handler]


def answers(endpoint: Endpoint[Body, Answer], handler: Callable[[Ask], Awaitable[Answer]]) -> Served[Body, Answer]:
    """Answer the endpoint with the value that the handler returns. The body is read before the handler runs."""

    async def serve(ask: Ask) -> None:
        ask = msgspec.structs.replace(ask, body=await ask.read_body())
        await ask.respond(await handler(ask), endpoint.status)

    return endpoint, serve


def serves(endpoint: Endpoint[Body, Answer], handler: Handler) -> Served[Body, Answer]:
    """Serve the endpoint by a handler that reads the body and responds itself."""
    return endpoint, handler
