"""What a request got in place of an answer: from an account it was sent to, or from the line it stood in."""

import math
from dataclasses import dataclass

from router.errors import RateLimited, RouterError, Unavailable
from router.net.client import Exchange as Upstream
from router.policy import retry
from router.policy.fallback import WHY, title
from router.policy.retry import Fault, Hold, span
from router.policy.routes import Route
from router.proxy.services import Service, account_words
from router.proxy.slots import Line, Waited
from router.proxy.targets import Target
from router.proxy.ticket import Ticket
from router.wire.translate import Plan

_AGAIN = b"x-should-retry"


@dataclass(slots=True, kw_only=True)
class Refusal:
    """What an attempt gave in place of an answer. kept: the upstream's answer, in the caller's protocol; error: ours,
    where there is none. fault: None for an answer that is final. hold: of a 429. broke: it was cut off. The rest is
    filled in by the course: who gave it."""

    fault: Fault | None
    status: int
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
        return retry.rank(self.status, own=self.kept is None)

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
            now = service.line.clock()
            ready = service.pool.ready_at(now) - now
            if b"retry-after" not in kept.fields and 0 < ready < math.inf:
                lines = [*lines, _line(b"retry-after", b"%d" % math.ceil(ready))]
        if moved:
            lines = [*(line for line in lines if line[1] != _AGAIN), _line(_AGAIN, b"false")]
        return lines


def overdue(waited: Waited, service: Service) -> RouterError:
    """The error for a request that found no place: which limit, and when it ends."""
    name, line = service.name, service.line
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
        return RateLimited(f"No account of the backend {name} is ready. {words}.{when}", retry_after=seconds)
    return RateLimited(
        f"The backend {name} is at the limit you set for it (backends.{name}.{waited.limit}"
        f"{_figures(line, waited.limit, now)}); its next place is in {span(seconds or 0)}, and a request waits "
        f"{service.patience:g} s (queue.timeout).",
        retry_after=seconds,
    )


def _figures(line: Line, limit: str, now: float) -> str:
    """How full a limit of the user's own is: ` = 60, 60 in use`."""
    used = line.pace.used(now).get(limit)
    return f" = {line.pace.limits.interval:g} s" if used is None else f" = {used[1]:,}, {used[0]:,} in use"


def _line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value
