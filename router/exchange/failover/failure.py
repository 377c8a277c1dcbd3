"""The failure of an attempt, and the errors of a request that found no place in a queue."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.errors import Halted, RateLimited, RouterError, Unavailable
from router.exchange.attempt import Attempt, note_try
from router.exchange.error_text import describe_error
from router.exchange.upstream_response.response import UpstreamResponse
from router.policy.accounts import retry
from router.policy.accounts.pool import Want
from router.policy.accounts.retry import Cooldown, Fault, RetryDecision, format_duration
from router.upstream.account_state import account_words
from router.upstream.queue import AdmissionQueue, QueueTimeout
from router.upstream.services import Service

if TYPE_CHECKING:
    from router.net.headers import Lines

_SHOULD_RETRY = b"x-should-retry"
_DONE = {Fault.LIMITED: "parked", Fault.AUTH_REJECTED: "cooled"}


@dataclass(slots=True, kw_only=True)
class AttemptFailure:
    """The result of an attempt that gave no good answer."""

    attempt: Attempt
    #: None for an answer that is final.
    fault: Fault | None
    #: The upstream's own status; that of `outcome` where the upstream gave no answer.
    status: int
    #: What the client gets if no other attempt does better: the upstream's answer in the caller's protocol, or an error
    #: of fairlead's own.
    outcome: UpstreamResponse | RouterError
    #: Header fields of the upstream's own answer, by lower-case name.
    fields: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    #: How long a 429 closes the account.
    hold: Cooldown | None = None
    #: True when the answer was cut off.
    broke: bool = False
    #: What the upstream's answer says, for the history.
    text: str = ""

    @property
    def burst(self) -> bool:
        """True for a limit that ends in a moment."""
        return self.hold is not None and self.hold.kind == "burst"

    @property
    def rank(self) -> tuple[int, bool]:
        """The rank among the failures of one request; the client gets the one with the lowest."""
        if self.fault is Fault.HALTED:
            return retry.LAST  # no upstream was asked
        return retry.rank_error(self.status, own=isinstance(self.outcome, RouterError))

    @property
    def is_of_backend(self) -> bool:
        """True when no other account of its backend would do better: the guard halted them all."""
        return isinstance(self.outcome, Halted) and not self.outcome.scope.startswith("account ")

    def report(self, now: float) -> None:
        """Park or cool the account, and note its limits, as the failure says. now: on the clock of its queue."""
        place, hold = self.attempt.place, self.hold
        pool, member = place.service.pool, place.choice.member
        if hold is not None:
            pool.park(member, now, hold.seconds, hold.words, hold.family)
        elif self.fault is Fault.AUTH_REJECTED:
            pool.cool_down(member, now, place.since, f"{self.status}, {format_duration(60)} and longer each time")
        elif self.fault in (Fault.FAILED, Fault.NO_RESPONSE):
            # Not for NOT_CONNECTED: a failure of DNS, network or proxy says nothing about an account.
            pool.mark_failed(member, now, place.since)
        if self.fault is not None and not isinstance(self.outcome, RouterError):
            member.headroom.note_headers(self.fields, now)

    def record(self, step: RetryDecision, *, reported: bool = True) -> None:
        """Note in the record how the attempt ended. step: what follows it. reported: whether `report` was called."""
        attempt, error = self.attempt, self.outcome
        record = attempt.context.record
        if isinstance(error, Halted):
            record.note(passed_over(f"{record.backend}/{record.account}", error.reason))
            return
        if not record.tries or not attempt.sent:
            note_try(record, attempt.context.elapsed())
        last = record.tries[-1]
        if isinstance(error, RouterError):
            last.status, last.error = 0, error.kind
            last.text = describe_error(attempt.context, error, attempt.target.hidden)
        else:
            last.status, last.error, last.text = self.status, "upstream_error", self.text
        last.note = self.hold.words if self.hold is not None else ""
        if step.action != "stop" and self.fault is not None:
            closed = _DONE.get(self.fault) if reported else None
            last.done = closed or ("retried" if step.action == "again" else "moved")
            if self.fault in (Fault.FAILED, Fault.NO_RESPONSE):
                record.note(f"{record.backend}/{record.account} may have billed an answer that was not whole")

    def mark(self, response: UpstreamResponse, *, moved: bool) -> None:
        """Set the answer's headers that say when, and whether, to try again. moved: fairlead tried again itself, so the
        client need not."""
        service = self.attempt.place.service
        lines: Lines = response.lines
        if self.hold is not None and self.hold.kind != "quota" and not service.pool.stateless:
            now = service.queue.clock()
            ready = service.pool.ready_at(now) - now
            if b"retry-after" not in response.fields and 0 < ready < math.inf:
                lines = [*lines, _make_line(b"retry-after", b"%d" % math.ceil(ready))]
        if moved:
            lines = [*(line for line in lines if line[1] != _SHOULD_RETRY), _make_line(_SHOULD_RETRY, b"false")]
        response.lines = lines


def passed_over(name: str, reason: str) -> str:
    """The note for a backend or account that a request was not sent to."""
    return f"{name} passed over: {reason}"


def overdue(waited: QueueTimeout, service: Service, want: Want) -> RouterError:
    """The error for a request that found no place: which limit, and when it ends. want: what the request needs of an
    account."""
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
        when = f" The first is ready in {format_duration(left)}." if seconds is not None else ""
        bound = f" This request needs {_explain_need(want)}." if want.only or want.group else ""
        return RateLimited(f"No account of the backend {name} is ready.{bound} {words}.{when}", retry_after=seconds)
    return RateLimited(
        f"The backend {name} is at the limit you set for it (backends.{name}.{waited.limit}"
        f"{_format_usage(line, waited.limit, now)}); its next place is in {format_duration(seconds or 0)}, and a "
        f"request waits {service.patience:g} s (queue.timeout).",
        retry_after=seconds,
    )


def _format_usage(line: AdmissionQueue, limit: str, now: float) -> str:
    """How full a limit that the user set is: ` = 60, 60 in use`."""
    used = line.rate_limit.used(now).get(limit)
    return f" = {line.rate_limit.limits.interval:g} s" if used is None else f" = {used[1]:,}, {used[0]:,} in use"


def _explain_need(want: Want) -> str:
    if want.only:
        return f"the account {want.only}, which issued or wrote something it holds"
    return f"an account of {want.group}, which wrote something it holds"


def _make_line(name: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    return name, name, value
