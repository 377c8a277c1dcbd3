"""What is known of one request; it is handed from the asking half of an exchange to the answering half."""

from dataclasses import dataclass, field

import trio

from router.ir import Facts
from router.net.client import Exchange as Upstream
from router.net.headers import SECURITY, RawHeaders, shown
from router.net.http11 import Connection, Request
from router.net.stream import Bytes
from router.policy.routes import Route
from router.proxy.accesslog import BODY_SHOWN, Record
from router.proxy.runtime import Runtime, Snapshot, Target
from router.wire.dialects import Call


@dataclass(slots=True)
class Ticket:
    """One request on its way. key_header: the header that held fairlead's own key, which goes nowhere."""

    runtime: Runtime
    snapshot: Snapshot
    connection: Connection
    request: Request
    call: Call
    record: Record
    key_header: bytes = b""
    facts: Facts | None = None
    route: Route | None = None
    target: Target | None = None
    upstream: Upstream | None = None
    held: int = field(default=0)

    def hold(self, size: int) -> None:
        """Count bytes of the request body against the bound of all buffers. Raises Unavailable."""
        self.runtime.buffers.take(size)
        self.held += size

    def release(self) -> None:
        """The request body is no longer held."""
        self.runtime.buffers.give(self.held)
        self.held = 0

    def own_headers(self) -> RawHeaders:
        """What names the server of an answer, and what keeps a browser from using it."""
        record = self.record
        headers = [*SECURITY, (b"x-fairlead-request-id", record.id.encode("ascii"))]
        if record.backend:
            headers.append((b"x-fairlead-backend", shown(record.backend)))
            headers.append((b"x-fairlead-account", shown(record.account)))
            if record.sent_model is not None:
                headers.append((b"x-fairlead-model", shown(record.sent_model)))
            headers.append((b"x-fairlead-attempts", b"%d" % record.attempts))
        return headers

    def began(self, status: int, headers: RawHeaders, reason: bytes) -> list[Bytes]:
        """Frame the head of an answer; from here on it is committed."""
        self.record.status = status
        self.record.first_byte = trio.current_time() - self.request.arrived
        return self.connection.head(status, headers, reason)

    async def respond(self, status: int, headers: RawHeaders, body: Bytes, reason: bytes = b"") -> None:
        """Send a whole answer."""
        self.record.status = status
        self.record.first_byte = trio.current_time() - self.request.arrived
        if self.runtime.log.bodies:
            self.record.answer_body = bytes(body[:BODY_SHOWN])
        await self.connection.respond(status, headers, body, reason)
