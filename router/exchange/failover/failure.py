"""What a request got in place of an answer: from an account it was sent to, or from the line it stood in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from router.errors import Halted, RateLimited, RouterError, Unavailable
from router.exchange.context import Ticket
from router.net.client.exchange import Exchange as Upstream
from router.policy.accounts import retry
from router.policy.accounts.pool import Member, Pool, Want
from router.policy.accounts.retry import Fault, Hold, Step, span
from router.policy.routing.fallback import WHY, title
from router.policy.routing.routes import Route
from router.upstream.account_state import account_words
from router.upstream.queue import AdmissionQueue, QueueTimeout
from router.upstream.services import Service
from router.upstream.targets import Target
from router.wire.translate import Plan

_AGAIN = b"x-should-retry"
_DONE = {Fault.LIMITED: "parked", Fault.REFUSED: "cooled"}


@dataclass(slots=True, kw_only=True)
class Refusal:
    """What an attempt gave in place of an answer. fault: None for an answer that is final. status, fields: the
    upstream's own, which `fault` and `hold`, of a 429, come from; status: ours where it gave no answer. kept: its
    answer as the client may get it, in the caller's protocol; error: ours, where there is none. broke: it was cut off.
    The rest is filled in by the course: who gave it."""

    fault: Fault | None
    status: int
    fields: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    kept: Upstream | None = None
    error: RouterError | None = None
    hold: Hold | None = None
    broke: bool = False
    route: Route | None = None
    target: Target | None = None
    plan: Plan | None = None
    upstream: Upstream | None = None

    @property
    def burst(self) -> bool:
        """True for a limit that ends in a moment."""
        return self.hold is not None and self.hold.kind == "burst"

    @property
    def rank(self) -> tuple[int, bool]:
        """Its place among the errors of one request; the lowest is the one to give."""
        if self.fault is Fault.HALTED:
            return retry.LAST  # nobody was asked
        return retry.rank(self.status, own=self.kept is None)

    @property
    def is_of_backend(self) -> bool:
        """True when no other account of its backend would do better: the guard halted them all."""
        return isinstance(self.error, Halted) and not self.error.scope.startswith("account ")

    def report(self, pool: Pool, member: Member, now: float, *, since: float) -> None:
        """Tell the pool what became of an account. since: when it was asked."""
        hold = self.hold
        if hold is not None:
            pool.parked(member, now, hold.seconds, hold.words, hold.family)
        elif self.fault is Fault.REFUSED:
            pool.refused(member, now, since, f"{self.status}, {span(60)} and longer each time")
        elif self.fault in (Fault.FAILED, Fault.SILENT):
            # A name, a network or a proxy that fails says nothing about an account.
            pool.shook(member, now, since)
        if self.kept is not None and self.fault is not None:
            member.headroom.note(self.fields, now)

    def record(self, ticket: Ticket, step: Step) -> None:
        """Say in the record how the attempt ended. step: what follows it."""
        record = ticket.record
        if isinstance(self.error, Halted):
            record.note(passed_over(f"{record.backend}/{record.account}", self.error.reason))
            return
        if not record.tries or ticket.upstream is None:
            ticket.attempt()
        last = record.tries[-1]
        last.status = self.status if self.kept is not None else 0
        last.error = self.error.kind if self.error is not None else "upstream_error"
        last.note = self.hold.words if self.hold is not None else ""
        if step.what != "stop" and self.fault is not None:
            last.done = _DONE.get(self.fault, "retried" if step.what == "again" else "moved")
            if self.fault in (Fault.FAILED, Fault.SILENT):
                record.note(f"{record.backend}/{record.account} may have billed an answer that was not whole")

    def given_by(self, ticket: Ticket) -> None:
        """Keep who gave it: the one the ticket is at now."""
        self.route, self.target, self.plan = ticket.route, ticket.target, ticket.plan
        self.upstream = ticket.upstream

    def show(self, ticket: Ticket, *, moved: bool) -> None:
        """Put on the ticket who gave it, since it is what the client gets. moved: fairlead tried again itself, so the
        client need not."""
        record, route = ticket.record, self.route
        assert route is not None
        assert self.target is not None
        ticket.route, ticket.target, ticket.plan = route, self.target, self.plan
        ticket.upstream = self.upstream
        ticket.fallback = title(route) if route.why == WHY else ""
        record.backend, record.account, record.sent_model = route.backend.name, self.target.account, route.model
        if self.kept is not None:
            self.kept.lines = self._marked(self.kept, ticket.snapshot.services[record.backend], moved=moved)
        elif self.error is not None and moved:
            self.error.retryable = False

    def _marked(self, kept: Upstream, service: Service, *, moved: bool) -> list[tuple[bytes, bytes, bytes]]:
        """The upstream's fields, with when to ask again, and whether."""
        lines = kept.lines
        if self.hold is not None and self.hold.kind != "quota" and not service.pool.stateless:
            now = service.queue.clock()
            ready = service.pool.ready_at(now) - now
            if b"retry-after" not in kept.fields and 0 < ready < math.inf:
                lines = [*lines, _line(b"retry-after", b"%d" % math.ceil(ready))]
        if moved:
            lines = [*(line for line in lines if line[1] != _AGAIN), _line(_AGAIN, b"false")]
        return lines


def passed_over(name: str, reason: str) -> str:
    """What `why` says of a backend or account that a request did not even ask."""
    return f"{name} passed over: {reason}"


def overdue(waited: QueueTimeout, service: Service, want: Want) -> RouterError:
    """The error for a request that found no place: which limit, and when it ends. want: what it asks of an account."""
    name, line = service.name, service.queue
    now = line.clock()
    left = waited.until - now
    seconds = max(1, math.ceil(left)) if math.isfinite(left) else None
    if waited.limit == "max_queued":
        return Unavailable(
            f"{line.waiting:,} requests wait for the backend {name} already (queue.max_queued); try again in a moment.",
            retry_after=1,
        )
    if waited.limit == "max_concurrent":
        return Unavailable(
            f"The backend {name} had no free place within {service.patience:g} s (queue.timeout): {line.running:,} "
            "requests run at it, as many as may (max_concurrent).",
            retry_after=1,
        )
    if waited.limit == "accounts":
        words = "; ".join(f"{one.alias}: {account_words(service, one, now)}" for one in service.pool.members)
        when = f" The first is ready in {span(left)}." if seconds is not None else ""
        bound = f" This request needs {_needed(want)}." if want.only or want.group else ""
        return RateLimited(f"No account of the backend {name} is ready.{bound} {words}.{when}", retry_after=seconds)
    return RateLimited(
        f"The backend {name} is at the limit you set for it (backends.{name}.{waited.limit}"
        f"{_figures(line, waited.limit, now)}); its next place is in {span(seconds or 0)}, and a request waits "
        f"{service.patience:g} s (queue.timeout).",
        retry_after=seconds,
    )


def _figures(line: AdmissionQueue, limit: str, now: float) -> str:
    """How full a limit of the user's own is: ` = 60, 60 in use`."""
    used = line.pace.used(now).get(limit)
    return f" = {line.pace.limits.interval:g} s" if used is None else f" = {used[1]:,}, {used[0]:,} in use"


def _needed(want: Want) -> str:
    if want.only:
        return f"the account {want.only}, which issued or wrote something it holds"
    return f"an account of {want.group}, which wrote something it holds"


def _line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value
