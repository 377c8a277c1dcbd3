"""Chooses the account of each attempt of a request, and what follows a failed attempt.

`policy.accounts.retry` has the rules and `candidates` the accounts; this file applies them to the queue, the record and
the clock. A place in the queue is held from `next_attempt` to `release`.
"""

import random
from typing import TYPE_CHECKING

import trio

from router.exchange.attempt import Attempt, Place
from router.exchange.context import RequestContext
from router.exchange.failover.candidates import Candidates
from router.exchange.failover.failure import AttemptFailure, overdue, passed_over
from router.exchange.failover.fitting import is_suspect, select_fitting
from router.exchange.request.token_estimate import estimate_input
from router.exchange.upstream_response.response import UpstreamResponse
from router.host.memory_bound import MemoryShare
from router.net.server.cancel_reason import CancelReason
from router.policy.accounts import retry
from router.policy.accounts.attempt import BindingRecord
from router.policy.accounts.retry import Fault, RetryState, format_duration
from router.telemetry.accesslog import KEY, QUEUE, RETRY
from router.upstream.queue import QueueTimeout
from router.upstream.services import Service
from router.wire.headers.rate_limits import limit_headers

if TYPE_CHECKING:
    from router.policy.accounts.pool import AccountChoice, Pool
    from router.policy.accounts.session_affinity import SessionBinding
    from router.upstream.targets import Target

# A shorter wait explains nothing.
_NOTED_SECONDS = 0.1


class Failover:
    """The attempts of one request."""

    __slots__ = (
        "_again",
        "_candidates",
        "_chosen",
        "_clock",
        "_context",
        "_left",
        "_place",
        "_refused_key",
        "_repeats",
        "_service",
        "_stays",
        "_stumbled",
        "_tokens",
        "_waited",
        "best",
        "may_pass",
        "movable",
        "moved",
    )

    def __init__(self, context: RequestContext):
        self._context = context
        self._candidates = candidates = Candidates(context)
        self._service = candidates.service
        self._chosen: list[tuple[AccountChoice, float]] = []
        #: The binding of the session that was given up for another account, and its pool.
        self._left: tuple[Pool, SessionBinding] | None = None
        self._place: Place | None = None
        #: The account that must be asked again; "" for none.
        self._stays = ""
        #: The account with the fetched key that was refused; a request fetches a key anew once.
        self._refused_key: Target | None = None
        self._clock = ""
        self._again = False
        self._repeats = 0
        self._waited = 0.0
        #: Tokens that are counted against the limits of the current backend.
        self._tokens = 0
        #: The failure with the best rank so far.
        self.best: AttemptFailure | None = None
        #: True once the request was sent to several accounts, or twice to one.
        self.moved = False
        #: True once an account failed in a way that may pass by itself.
        self._stumbled = False
        #: True once an account failed in a way that ends: a repeat of the request may help.
        self.may_pass = False
        places = len(self._service.pool.members) > 1 or len(candidates.routes) > 1
        #: True when a failed attempt may be followed by one elsewhere: then the body is held until the commit.
        self.movable = places and context.body.replayable

    @property
    def sealed(self) -> bool:
        """True for input that only the account, or organisation, that wrote it can read."""
        return self._candidates.sealed

    # Before an attempt

    @property
    def suspect(self) -> bool:
        """True for a request that may be too large for one of its models."""
        return is_suspect(self._context, self._candidates.routes)

    async def keep_fitting(self) -> None:
        """Leave out the routes whose models cannot hold a suspect request. Raises ContextOverflow when none can."""
        self._candidates.keep(await select_fitting(self._context, self._candidates.routes))

    async def next_attempt(self) -> Attempt | None:
        """Wait for a place in a queue and an account; None when there is none and `best` is to be sent to the client.
        Raises RouterError when no account was asked yet."""
        candidates, guard = self._candidates, self._context.runtime.guard
        if guard.halts:
            await guard.current()  # another process may have lifted them
        first_wait = None
        while True:
            if len(candidates.routes) > 1:
                candidates.advance_to_ready()
            service = self._service = candidates.service
            now = service.queue.clock()
            tokens = self._tokens = self._estimate(service)
            try:
                if not service.queue.try_acquire(self._choose, now, tokens):
                    await self._wait(service, now, tokens)
            except QueueTimeout as waited:
                first_wait = first_wait or (waited, service)
                if candidates.skip_backend():
                    why = f"no place for it in time ({waited.limit})"
                    self._context.record.note(passed_over(service.name, why))
                    continue
            else:
                return self._begin(service, tokens)
            if self.best is not None:
                return None
            waited, service = first_wait
            service.first.check()
            no_credit = self._context.call.entry.halt_status
            raise overdue(waited, service, candidates.want(), no_credit=no_credit) from None

    async def _wait(self, service: Service, now: float, tokens: int) -> None:
        """Wait in the queue for as long as the request's patience lasts. Raises QueueTimeout."""
        context, candidates = self._context, self._candidates
        elapsed = context.elapsed()
        ready = candidates.ready_at(now)
        patience = max(0.0, min(service.patience - self._waited, retry.LATEST - elapsed))
        if ready > now + patience:
            raise QueueTimeout("accounts", ready)
        context.connection.set_deadline(context.snapshot.settings.timeouts_total - elapsed, CancelReason.TOTAL)
        try:
            context.record.waits = f"{QUEUE} {service.name}"
            held = await service.queue.acquire(
                self._choose,
                patience=patience,
                arrived=context.request.arrived,
                tokens=tokens,
                plain=not (candidates.tried or candidates.only or candidates.sealed or self._stays),
            )
        finally:
            waited = service.queue.clock() - now
            self._waited += waited
            context.record.queued += waited
            context.record.waits = ""
        if waited >= _NOTED_SECONDS:
            context.record.note(f"waited {format_duration(waited)} for {service.describe_limit(held)}")

    def _choose(self, now: float) -> float | None:
        """Choose an account when the queue calls this: None when one was taken, else when the next will be ready."""
        choice = self._candidates.choose(now, self._stays)
        if choice is None:
            return max(now + 0.001, self._candidates.ready_at(now, self._stays))
        service = self._service
        service.pool.begin_request(choice.member, now, self._tokens)
        self._chosen.append((choice, now))
        return None

    def _estimate(self, service: Service) -> int:
        """Tokens to count against the limits of a backend that has any."""
        if not service.counts_tokens:
            return 0
        return estimate_input(self._context, b"").estimate

    def _begin(self, service: Service, tokens: int) -> Attempt:
        """Make the attempt for the place that was taken."""
        context, record = self._context, self._context.record
        choice, since = self._chosen.pop()
        place = self._place = Place(service, choice, tokens, since)
        memory = MemoryShare(context.runtime.memory)
        target = service.targets[choice.member.alias]
        attempt = Attempt(context, place, self._candidates.route, target, self.movable, memory)
        attempt.name_server()
        if choice.binding is not None and record.binding is None:
            before = choice.moved or choice.binding
            turns = max(before.turns, choice.binding.turns)
            record.binding = BindingRecord(account=before.account, session=self._candidates.session, turns=turns)
        if choice.moved is not None:
            self._left = self._left or (service.pool, choice.moved)
            if choice.moved.cached:
                record.given_up = choice.moved.cached
        for alias, (reason, _) in service.halted().items():
            if alias != record.account:
                record.note(passed_over(f"{record.backend}/{alias}", reason))
        return attempt

    async def fetch_key(self, attempt: Attempt) -> None:
        """Fetch the key of the account from where its reference points. Raises Unauthenticated."""
        context, target = self._context, attempt.target
        # Commands and keyrings have a time limit of their own, and an error that names it.
        context.connection.set_deadline(
            context.snapshot.settings.timeouts_total - context.elapsed(), CancelReason.TOTAL
        )
        context.record.waits = KEY
        before = trio.current_time()
        try:
            found = attempt.target = await context.runtime.with_key(target)
        finally:
            context.record.waits = ""
        waited = trio.current_time() - before
        if waited >= _NOTED_SECONDS:
            context.record.note(f"waited {format_duration(waited)} for the key of {target.backend.name}")
        if self._refused_key is not None and found.secret == self._refused_key.secret:
            if context.runtime.forget_key(found):
                self._note_rest(found)
            raise found.unusable(f"it was refused, and fetching it again gave the same key.{self._clock}")

    # After an attempt

    def note_answer(self, attempt: Attempt) -> None:
        """Note the head of an answer that is no fault of its account: status, limits, organisation."""
        upstream, place = attempt.upstream, attempt.place
        tries = attempt.context.record.tries
        if tries:
            tries[-1].status = upstream.status
        if place.service.pool.stateless:
            return
        member = place.choice.member
        attempt.limits = limit_headers(upstream.fields)
        member.headroom.note_headers(attempt.limits, place.service.queue.clock())
        if self.movable and not member.group and upstream.status < 400:
            member.group = _find_organisation(upstream)

    def note_success(self, attempt: Attempt) -> None:
        """Note that the whole answer was passed on: only then is it a success, since an answer may still fail after a
        good head."""
        if attempt.upstream.status >= 400:
            return
        if attempt.target.reference is not None:
            self._context.runtime.accept_key(attempt.target)
        name = attempt.route.backend.name
        if self._context.snapshot.facts.is_unloaded(name, attempt.route.model or ""):
            self._context.runtime.catalogs.note_served(name)
        place = attempt.place
        member = place.choice.member
        if member.faults or member.missed or member.rejections or member.closed or member.closed_for:
            place.service.pool.reopen(member, place.since, self._candidates.want())

    def _is_of_request(self, failure: AttemptFailure) -> bool:
        """True for an error of the request itself: it would be that of every account of its backend. One along the
        chain may only mean that the other backend lacks something."""
        return failure.fault is None and not self._in_chain

    @property
    def _in_chain(self) -> bool:
        """True once the request has left the backend that it was routed to."""
        return self._candidates.route is not self._candidates.routes[0]

    def outranks(self, status: int) -> bool:
        """True when a failure before says more than an answer with this status, which is final: a backend along the
        chain lacks the model or the path."""
        return status == 404 and self.best is not None and self._in_chain

    def note_failure(self, failure: AttemptFailure) -> None:
        """Note an error that the client was sent already: no other attempt may follow."""
        failure.report(failure.attempt.place.service.queue.clock())
        failure.record(retry.STOP)

    def release(self) -> None:
        """Give back the place in the queue, with the tokens that were used."""
        place, self._place = self._place, None
        if place is None:
            return
        service, choice, usage = place.service, place.choice, self._context.record.usage
        used = 0
        if service.counts_tokens and usage.input is not None:
            used = usage.input + (usage.cache_write or 0) + (usage.output or 0) - place.tokens
        service.pool.end_request(choice.member, service.queue.clock() if used else 0.0, used)
        if choice.binding is not None:
            cached = (usage.cache_read or 0) + (usage.cache_write or 0)
            if cached:
                service.pool.affinity.note_cached(self._candidates.session, cached)
        service.queue.release(used)

    async def continue_after(self, failure: AttemptFailure) -> bool:
        """Note a failed attempt, and wait as the rules say; True when another attempt is to follow."""
        place = failure.attempt.place
        now = place.service.queue.clock()
        fetches_anew = self._context.elapsed() < retry.LATEST and self._fetches_key_anew(failure)
        if not fetches_anew:
            failure.report(now)
        step = retry.RetryDecision("again") if fetches_anew else self._decide(failure, now)
        failure.record(step, reported=not fetches_anew)
        self.release()
        if self.best is None or failure.rank <= self.best.rank or self._is_of_request(failure):
            self.best = failure
        self._stumbled = self._stumbled or retry.is_passing(failure.fault)
        self.may_pass = self.may_pass or self._stumbled or (failure.hold is not None and not failure.quota)
        if step.action == "stop":
            return False
        self.moved = self.moved or not (fetches_anew or failure.fault is Fault.HALTED)
        if fetches_anew:
            self._stays = place.choice.member.alias
        if step.delay:
            record = failure.attempt.context.record
            record.waits = RETRY
            await trio.sleep(step.delay)
            record.waits = ""
        return True

    def _decide(self, failure: AttemptFailure, now: float) -> retry.RetryDecision:
        """Apply the rules to a failed attempt."""
        context, candidates = self._context, self._candidates
        place, fault = failure.attempt.place, failure.fault
        service, choice = place.service, place.choice
        if service.pool.stateless and fault is Fault.AUTH_REJECTED and service.first.backend.auth == "client":
            return retry.STOP  # the credential is the caller's own
        if fault is None:
            return retry.STOP
        safety = self._judge_safety(failure.attempt)
        candidates.note_failure(choice.member, fault, whole_backend=failure.is_of_backend)
        bound = choice.binding is not None and choice.binding.turns > 1
        stays = failure.burst and bound
        want = candidates.want()
        ready = choice.member.until(want.family, want.model) if stays else candidates.ready_anywhere(now)
        state = RetryState(
            others=not self._again and candidates.others(now),
            bound=bound,
            repeats=self._repeats,
            several=candidates.several,
            elapsed=context.elapsed(),
            ready=max(0.0, ready - now),
            patience=service.patience - self._waited,
            stumbled=self._stumbled,
        )
        step = retry.decide_next(fault, safety, state, burst=failure.burst, jitter=random.random())  # noqa: S311
        self._stays = choice.member.alias if step.action == "again" and stays else ""
        if step.action == "again":
            self._repeats += 1
            # The next try is at the first account of the chain, unless the account is to be the same.
            self._again = not step.limit
            candidates.reset(here=stays)
        elif step.action == "move" and candidates.ready_at(now) > now:
            candidates.skip_backend()
        return step

    def give_up(self) -> None:
        """Note that no attempt served the request: its conversation stays bound to the account that has its cache."""
        if self._left is not None:
            pool, binding = self._left
            pool.affinity.restore(self._candidates.session, binding)
            self._context.record.given_up = None

    def find_repeat(self, failure: AttemptFailure) -> int | None:
        """Seconds after which the client does well to send again what failed so; None where waiting does not help."""
        return failure.find_repeat(self._candidates)

    def _fetches_key_anew(self, failure: AttemptFailure) -> bool:
        """True when a fetched key was refused and is to be fetched anew, which a request does once."""
        target = failure.attempt.target
        if target.reference is None or not (failure.status == 401 or failure.key_expired):
            return False
        rests = self._context.runtime.forget_key(target)
        fetched = self._refused_key is None and not rests
        if rests:
            self._note_rest(target)
        if not fetched:
            return False
        self._refused_key = target
        self._clock = f" This machine's clock is {failure.skew}: set it." if failure.skew else ""
        sent = retry.SendResult(status=failure.status, fetched_key=fetched, key_expired=failure.key_expired)
        return retry.choose_resend(sent, self._judge_safety(failure.attempt)) is not None

    def _note_rest(self, target: "Target") -> None:
        """Note that the refused key of a target is not fetched anew for a while."""
        left = target.reference and self._service.key_rest(target.account, self._service.queue.clock())
        if left:
            self._context.record.note(
                f"the key of {target.backend.name} was refused, and what gives it is not asked again for "
                f"{format_duration(left)}"
            )

    def _judge_safety(self, attempt: Attempt) -> retry.RetrySafety:
        """Judge whether the request may be sent a second time, by the form in which it was sent."""
        return attempt.judge_safety(replayable=self._context.body.replayable)


def _find_organisation(response: UpstreamResponse) -> str:
    fields = response.fields
    value = fields.get(b"openai-organization") or fields.get(b"anthropic-organization-id") or b""
    return value[:128].decode("latin-1")
