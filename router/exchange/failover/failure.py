"""The failure of an attempt, and the errors of a request that found no place in a queue."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.errors import Halted, OutOfCredit, RateLimited, RouterError, Unavailable
from router.exchange.attempt import Attempt, name_error, note_try
from router.exchange.error_text import describe_error
from router.exchange.redaction import redactor_of
from router.exchange.upstream_response.response import UpstreamResponse
from router.policy.accounts import retry
from router.policy.accounts.pool import REPEAT_LIMIT, Want
from router.policy.accounts.retry import Fault, RetryDecision, format_duration
from router.policy.accounts.verdict import Cooldown
from router.upstream.account_state import account_words
from router.upstream.keys.clock import describe_skew
from router.upstream.queue import AdmissionQueue, QueueTimeout
from router.upstream.services import Service
from router.wire.headers.rate_limits import parse_limits

if TYPE_CHECKING:
    from router.exchange.failover.candidates import Candidates
    from router.net.headers import Lines

_SHOULD_RETRY = b"x-should-retry"
_WAITS = (b"retry-after", b"retry-after-ms")
_DONE = {Fault.LIMITED: "parked", Fault.AUTH_REJECTED: "cooled"}
# What may succeed when it is sent once more, and what cannot.
_PASSING = (Fault.FAILED, Fault.NO_RESPONSE, Fault.NOT_CONNECTED)
_FINAL = (Fault.AUTH_REJECTED, Fault.REQUEST_REJECTED, Fault.UNREADABLE_STATE)


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
    #: How long a limit closes the account.
    hold: Cooldown | None = None
    #: True when the answer was cut off.
    broke: bool = False
    #: True when the upstream says by something else than a 401 that the key has expired.
    key_expired: bool = False
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
        # Money ends no wait: a limit that does is the better news.
        status = 402 if self.quota else self.status
        return retry.rank_error(status, own=isinstance(self.outcome, RouterError))

    @property
    def quota(self) -> bool:
        """True for an account whose money is used up."""
        return self.fault is Fault.LIMITED and (self.hold is None or self.hold.kind == "quota")

    @property
    def is_of_backend(self) -> bool:
        """True when no other account of its backend would do better: the guard halted them all, or it refuses what the
        request holds."""
        if self.fault is Fault.REQUEST_REJECTED:
            return True
        return isinstance(self.outcome, Halted) and not self.outcome.scope.startswith("account ")

    @property
    def skew(self) -> str:
        """How far this machine's clock is off, by the upstream's answer; '' where it is right: many keys hold the
        time."""
        return describe_skew(self.fields.get(b"date", b"").decode("latin-1"), time.time())

    def report(self, now: float) -> None:
        """Park or cool the account, and note its limits, as the failure says. now: on the clock of its queue."""
        place, hold = self.attempt.place, self.hold
        pool, member = place.service.pool, place.choice.member
        if hold is not None:
            pool.park(member, now, hold.seconds, hold.words, hold.models, spent=hold.kind == "quota")
        elif self.fault is Fault.AUTH_REJECTED and self.status == 403:
            pool.refuse_model(member, now, place.since, self.attempt.route.model or "", "403")
        elif self.fault is Fault.AUTH_REJECTED:
            pool.cool_down(member, now, place.since, str(self.status))
        elif self.fault in (Fault.FAILED, Fault.NO_RESPONSE):
            pool.mark_failed(member, now, place.since)
        elif self.fault is Fault.NOT_CONNECTED:
            # A failure of DNS, network or proxy says nothing about an account.
            pool.note_missed(member, now, place.since)
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
            last.text = describe_error(attempt.context, error, redactor_of(attempt))
        else:
            last.status, last.error, last.text = self.status, name_error(attempt), self.text
        last.note = self.hold.words if self.hold is not None else ""
        if step.action != "stop" and self.fault is not None:
            closed = _DONE.get(self.fault) if reported else None
            last.done = closed or ("retried" if step.action == "again" else "moved")
            if self.fault in (Fault.FAILED, Fault.NO_RESPONSE):
                record.note(f"{record.backend}/{record.account} may have billed an answer that was not whole")

    def find_repeat(self, candidates: "Candidates") -> int | None:
        """Seconds after which the client does well to send the request again; None where waiting does not help."""
        place, hold = self.attempt.place, self.hold
        if self.fault in _PASSING:
            return candidates.repeat_after()
        if hold is None or self.quota:
            return None
        now = place.service.queue.clock()
        ready = hold.seconds if place.service.pool.stateless else candidates.ready_anywhere(now) - now
        if ready <= 0:
            # Another account is at no limit, but failed: it may serve before a limit ends that lasts for long.
            return math.ceil(hold.seconds) if hold.seconds <= REPEAT_LIMIT else candidates.repeat_after()
        return math.ceil(ready) if math.isfinite(ready) else None

    def mark(self, response: UpstreamResponse, repeat: int | None, *, moved: bool, may_pass: bool = False) -> None:
        """Set the answer's headers that say when, and whether, to try again. repeat: after how many seconds, None where
        waiting does not help. may_pass: another account may serve a repeat. moved: fairlead tried elsewhere or again,
        so that what this upstream says of a repeat is not the whole truth."""
        fields = response.fields
        lines: Lines = response.lines
        if repeat is not None:
            own = parse_limits(fields).wait
            # Of a limit, other accounts may be ready earlier, or its body say more than its header.
            wrong = own is None or (self.hold is not None and abs(own - repeat) >= 1)
            if wrong:
                lines = [line for line in lines if line[1] not in _WAITS]
                lines = [*lines, _make_line(b"retry-after", b"%d" % repeat)]
            if moved:
                lines = [line for line in lines if line[1:] != (_SHOULD_RETRY, b"false")]
        elif moved and self.fault in _FINAL and not may_pass:
            lines = [*(line for line in lines if line[1] != _SHOULD_RETRY), _make_line(_SHOULD_RETRY, b"false")]
        response.lines = lines


def passed_over(name: str, reason: str) -> str:
    """The note for a backend or account that a request was not sent to."""
    return f"{name} passed over: {reason}"


def overdue(waited: QueueTimeout, service: Service, want: Want, *, no_credit: int = 402) -> RouterError:
    """The error for a request that found no place: which limit, and when it ends. want: what the request needs of an
    account. no_credit: the status at which clients of the caller's protocol do not ask again at once."""
    name, line = service.name, service.queue
    now = line.clock()
    left = waited.until - now
    seconds = max(1, math.ceil(left)) if math.isfinite(left) else None
    if waited.limit == "max_queued":
        return Unavailable(
            f"{line.waiting:,} requests already wait for backend {name} (queue.max_queued); try again in a moment.",
            retry_after=1,
        )
    if waited.limit == "max_concurrent":
        return Unavailable(
            f"Backend {name} had no free place within {service.patience:g} s (queue.timeout): "
            f"{line.running:,} running, its limit (max_concurrent).",
            retry_after=1,
        )
    if waited.limit == "accounts":
        words = "; ".join(f"{one.alias}: {account_words(service, one, now)}" for one in service.pool.members)
        when = f" The first is ready in {format_duration(left)}." if seconds is not None else ""
        bound = f" This request needs {_explain_need(want)}." if want.only or want.group else ""
        if seconds is not None and service.pool.is_spent(now, want):
            error = OutOfCredit(
                f"No account of backend {name} has credit left.{bound} {words}. It is asked again in "
                f"{format_duration(left)}.",
                retry_after=seconds,
            )
            error.status = no_credit
            return error
        return RateLimited(f"No account of backend {name} is ready.{bound} {words}.{when}", retry_after=seconds)
    return RateLimited(
        f"Backend {name} is at the limit you set for it (backends.{name}.{waited.limit}"
        f"{_format_usage(line, waited.limit, now)}); the next place is free in {format_duration(seconds or 0)}, but "
        f"requests wait only {service.patience:g} s (queue.timeout).",
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
