"""What is known of one request; it is handed from the asking half of an exchange to the answering half."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import trio

from router.host.access import bare
from router.ir import Facts
from router.net.client.exchange import Exchange as Upstream
from router.net.headers import SECURITY, Headers, Lines, shown, spelled
from router.net.server.connection import Connection, Cut, Request
from router.net.stream import Bytes
from router.policy.accounts.attempt import Attempt
from router.policy.routing.routes import Route
from router.settings import Secret
from router.telemetry.accesslog import RequestRecord
from router.upstream.configured_headers import Changes
from router.upstream.runtime import Runtime, Snapshot
from router.upstream.targets import Target
from router.wire.calls import Call
from router.wire.neutral.context import HEADER_LIMIT, NOTED, losses_text
from router.wire.raw.top_level import Top
from router.wire.translate import Plan

if TYPE_CHECKING:
    from router.exchange.body.upload import Upload

_SECURITY = spelled(SECURITY)


@dataclass(slots=True)
class Asked:
    """What the client sent, held until it cannot be needed again. top: its JSON body's top level, None for another
    body. upload: a multipart body on its way. issues: its answer may issue an id."""

    body: bytes
    top: Top | None
    upload: "Upload | None" = None
    issues: bool = False

    @property
    def kept(self) -> bool:
        """False for a body that is sent on as it comes."""
        return self.upload is None or self.upload.ended


@dataclass(slots=True)
class Ticket:
    """One request on its way. own: fairlead's own keys, which go nowhere.

    cors: what lets a page of a listed origin read the answer. held: bytes of the request body that are counted.
    kept: bytes of each body that are kept beside the request, for history.capture or -vv.
    issues: the answer may issue an id to remember. changes: configured edits of the headers. plan: how the exchange is
    translated; None for one that is passed through. asked: the request, while it may be sent again. fallback: what
    serves in place of what was asked for, '' for none.
    scope: of an attempt that may be followed by another; meaning: of its deadline.
    """

    runtime: Runtime
    snapshot: Snapshot
    connection: Connection
    request: Request
    call: Call
    record: RequestRecord
    own: Sequence[bytes] = field(default=(), repr=False)
    facts: Facts | None = None
    route: Route | None = None
    target: Target | None = None
    upstream: Upstream | None = None
    cors: Lines = field(default_factory=list[tuple[bytes, bytes, bytes]])
    held: int = 0
    kept: int = 0
    issues: bool = False
    changes: Changes | None = None
    plan: Plan | None = None
    asked: Asked | None = None
    fallback: str = ""
    scope: trio.CancelScope | None = None
    meaning: Cut = Cut.TOTAL

    def limit(self, seconds: float, why: Cut) -> None:
        """Move the deadline of what is under way: of the attempt, where another may follow it, else of the exchange."""
        if self.scope is None:
            self.connection.deadline(seconds, why)
        else:
            self.scope.deadline, self.meaning = trio.current_time() + seconds, why

    def left(self) -> float:
        """Seconds until the request as a whole took too long."""
        total = self.target.total if self.target is not None else self.snapshot.settings.timeouts_total
        return self.request.arrived + total - trio.current_time()

    def hold(self, size: int) -> None:
        """Count bytes of the request body against the bound of all buffers. Raises Unavailable."""
        self.runtime.buffers.take(size)
        self.held += size

    def release(self) -> None:
        """The request is no longer held."""
        self.asked = None
        self.runtime.buffers.give(self.held)
        self.held = 0

    def passed_on(self, keep: frozenset[bytes]) -> frozenset[bytes]:
        """The headers with the caller's own credential, of those to keep, which may hold fairlead's too. What goes
        upstream may come back in an answer: it is hidden in what is kept of one."""
        values = [(name, bare(value)) for _, name, value in self.request.lines if name in keep]
        own = {name for name, value in values if any(hmac.compare_digest(value, one) for one in self.own)}
        if self.kept:
            hidden = [Secret(value.decode("latin-1")) for name, value in values if name not in own]
            self.runtime.log.hide(hidden)
        return keep - own

    def attempt(self) -> Attempt:
        """Begin an attempt at the backend and account that the record names; whoever ends it says how it ended. The
        status of the last one is filled in with the record's end."""
        record = self.record
        record.attempts += 1
        at = trio.current_time() - self.request.arrived
        attempt = Attempt(at=at, backend=record.backend, account=record.account)
        record.tries.append(attempt)
        return attempt

    def own_headers(self) -> Lines:
        """What names the server of an answer, and what keeps a browser from using it."""
        record = self.record
        lines = [*_SECURITY, *self.cors, _line(b"x-fairlead-request-id", record.id.encode("ascii"))]
        if record.backend:
            lines.extend(_served_by(record.backend, record.account, record.sent_model))
            lines.append(_line(b"x-fairlead-attempts", b"%d" % record.attempts))
        if self.fallback:
            lines.append(_line(b"x-fairlead-fallback", shown(self.fallback)))
        if self.plan is not None:
            lines += _translated(self.plan)
        return lines

    def began(self, status: int, lines: Lines, reason: bytes) -> list[Bytes]:
        """Frame the head of an answer; from here on it is committed."""
        self.record.status = status
        now = self.runtime.vitals.answered = trio.current_time()
        self.record.first_byte = now - self.request.arrived
        return self.connection.head(status, Headers(lines), reason)

    def conclude(self) -> None:
        """The exchange is over: note what its answer lost, which its head could not tell."""
        if self.plan is not None and len(self.plan.ctx.losses) > self.plan.asked:
            said = losses_text(self.plan.ctx.losses[self.plan.asked :], NOTED)
            self.record.note(f"answer lost {said}")

    async def respond(
        self, status: int, lines: Lines, body: Bytes, reason: bytes = b"", *, shown: Bytes | None = None
    ) -> None:
        """Send a whole answer. shown: the body as it can be read, where it has a content coding."""
        self.record.status = status
        self.record.first_byte = trio.current_time() - self.request.arrived
        if self.kept:
            self.record.answer_body = bytes((body if shown is None else shown)[: self.kept])
        await self.connection.respond(status, Headers(lines), body, reason)


@lru_cache(maxsize=256)
def _served_by(backend: str, account: str, model: str | None) -> Lines:
    lines = [_line(b"x-fairlead-backend", shown(backend)), _line(b"x-fairlead-account", shown(account))]
    if model is not None:
        lines.append(_line(b"x-fairlead-model", shown(model)))
    return lines


def _translated(plan: Plan) -> Lines:
    """What names a translation, and what it could not carry over."""
    lines = [_line(b"x-fairlead-translation", shown(plan.title))]
    told = plan.ctx.told()
    if told:
        lines.append(_line(b"x-fairlead-loss", shown(losses_text(told), HEADER_LIMIT)))
    return lines


def _line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value
