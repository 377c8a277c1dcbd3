"""One try of a request at one account of a backend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from router.errors import ContextOverflow
from router.exchange.context import RequestContext
from router.exchange.upstream_response.response import NOT_ASKED, UpstreamResponse
from router.exchange.upstream_response.translated import Translated
from router.host.memory_bound import MemoryShare
from router.net.client.exchange import UpstreamExchange
from router.policy.accounts.attempt import AttemptRecord
from router.policy.accounts.idempotency import judge_retry_safety
from router.policy.accounts.pool import AccountChoice
from router.policy.accounts.retry import RetrySafety
from router.policy.routing.fallback import WHY, format_route
from router.policy.routing.routes import Route
from router.telemetry.accesslog import RequestRecord
from router.upstream.configured_headers import Changes
from router.upstream.services import Service
from router.upstream.targets import Target
from router.wire.neutral.losses import Loss
from router.wire.translate import Plan


class Place(NamedTuple):
    """A place in the queue of a backend, with the account that was chosen there."""

    service: Service
    choice: AccountChoice
    #: Tokens that were counted against the backend's limits when it was taken.
    tokens: int
    #: When it was taken, on the queue's clock.
    since: float


@dataclass(slots=True, eq=False, weakref_slot=True)
class Attempt:
    """One try. The failover creates it with what is decided by then; sending it fills in the rest."""

    context: RequestContext
    place: Place
    route: Route
    #: The account; it includes the key once that was fetched.
    target: Target
    #: True when another attempt may follow this one: its failure then does not end the exchange.
    movable: bool
    memory: MemoryShare
    #: How the exchange is translated; None for one that is passed through.
    plan: Plan | None = None
    #: What the answer lacks though it was not translated.
    losses: Sequence[Loss] = ()
    #: The fields that are filled in the answer's tool calls, as its head names them; '' for none.
    filled: str = ""
    #: Configured edits of the headers.
    changes: Changes | None = None
    #: The upstream's own answer: faults, cooldowns and limits are read from it.
    upstream: UpstreamResponse = NOT_ASKED
    #: That answer in the caller's protocol; None for one that is passed on as it is.
    translated: Translated | None = None
    #: The fields of its head that tell of the account's limits.
    limits: Mapping[bytes, bytes] | None = None
    #: The upstream said that the request is too long for its model.
    overflowed: bool = False
    #: True once what it may have cost was counted, since another attempt follows.
    counted: bool = False

    @property
    def response(self) -> UpstreamResponse:
        """The answer as the client gets it."""
        return self.upstream if self.translated is None else self.translated

    @property
    def sent(self) -> bool:
        """True once there was a connection to send the request on."""
        return self.upstream is not NOT_ASKED

    @property
    def delivered(self) -> bool:
        """True once the whole request was given to a connection."""
        return isinstance(self.upstream, UpstreamExchange) and self.upstream.delivered

    @property
    def fallback(self) -> str:
        """The route that serves in place of the one asked for, as a text; "" when the one asked for serves."""
        return format_route(self.route) if self.route.why == WHY else ""

    def judge_safety(self, *, replayable: bool = True) -> RetrySafety:
        """Judge whether the request may be sent a second time, by the form in which it was sent. replayable: its body
        is still in memory."""
        context, plan = self.context, self.plan
        dropped = None
        if plan is not None:
            dropped = frozenset(loss.path for loss in plan.ctx.losses if loss.how == "dropped")
        return judge_retry_safety(
            context.call, context.request.method, context.body.top, replayable=replayable, dropped=dropped
        )

    def is_unsafe(self) -> bool:
        """True for a request that must not be sent twice. Its body is in memory."""
        return self.judge_safety() != "safe"

    def name_server(self) -> None:
        """Note in the record that this backend and account serve the request."""
        record, route = self.context.record, self.route
        record.backend, record.account, record.route = route.backend.name, self.target.account, route.why
        record.sent_model = route.model

    def left(self) -> float:
        """Seconds that are left of the time the request may take as a whole."""
        return self.target.total - self.context.elapsed()


def name_error(attempt: Attempt) -> str:
    """The class of an error that the upstream of an attempt answered with."""
    return ContextOverflow.word if attempt.overflowed else "upstream_error"


def note_try(record: RequestRecord, at: float) -> AttemptRecord:
    """Add a try to the record, at the backend and account that the record names. The code that ends a try fills in how
    it ended; the status of the last one is filled in when the record is concluded. at: seconds since the arrival."""
    record.attempts += 1
    attempt = AttemptRecord(at=at, backend=record.backend, account=record.account)
    record.tries.append(attempt)
    return attempt
