"""The way of one request: where it is tried, what became of it there, and where it goes next.

The rules are `policy.retry`'s, the places `prospects`'; here they meet the line, the record and the clock. A place in
the line is held from `take` to `leave`.
"""

import random
from typing import TYPE_CHECKING

import trio

from router.exchange.context import Ticket
from router.exchange.failover.candidates import Prospects
from router.exchange.failover.failure import Refusal, overdue, passed_over
from router.net.client.exchange import Exchange as Upstream
from router.net.server.connection import Cut
from router.policy.accounts import attempt, retry
from router.policy.accounts.idempotency import nature_of
from router.policy.accounts.pool import Choice
from router.policy.accounts.retry import Fault, Nature, Standing
from router.policy.routing.fallback import WHY, title
from router.upstream.queue import QueueTimeout
from router.upstream.services import Service
from router.wire.headers.rate_limits import telling

if TYPE_CHECKING:
    from router.upstream.targets import Target

BYTES_PER_TOKEN = 3.6


class Course:
    """The attempts of one request."""

    __slots__ = (
        "_again",
        "_choice",
        "_counted",
        "_keyed",
        "_prospects",
        "_repeats",
        "_sent",
        "_service",
        "_stays",
        "_ticket",
        "_waited",
        "best",
        "movable",
        "moved",
    )

    def __init__(self, ticket: Ticket):
        assert ticket.route is not None
        self._ticket = ticket
        self._prospects = prospects = Prospects(ticket, ticket.route)
        self._service = prospects.service
        self._choice: Choice | None = None
        self._stays = ""
        self._keyed: Target | None = None
        self._again = False
        self._repeats = 0
        self._waited = 0.0
        self._sent = 0.0
        self._counted = 0
        self.best: Refusal | None = None
        #: True once it was sent to more than one place, or twice to one: then the client need not try again.
        self.moved = False
        asked = ticket.asked
        places = len(self._service.pool.members) > 1 or len(prospects.routes) > 1
        #: True when a failed attempt may be followed by one elsewhere: then its body is held until the commit.
        self.movable = places and asked is not None and asked.kept

    @property
    def sealed(self) -> bool:
        """True for input that only those can read who wrote it, of whom there may be one."""
        return self._prospects.sealed

    # Going

    async def take(self) -> bool:
        """Wait for a place and an account, and put them on the ticket; False when there is none any more and `best` is
        all there is to give. Raises RouterError when nothing was asked yet."""
        prospects, guard = self._prospects, self._ticket.runtime.guard
        if guard.halts:
            await guard.current()  # one that was lifted elsewhere keeps no account from serving
        held = None
        while True:
            if len(prospects.routes) > 1:
                prospects.turn()
            service = self._service = prospects.service
            now = service.queue.clock()
            tokens = self._counted = self._estimate(service)
            if service.queue.try_acquire(self._ask, now, tokens):
                break
            try:
                await self._wait(service, now, tokens)
                break
            except QueueTimeout as waited:
                held = held or (waited, service)
                if prospects.pass_on():
                    why = f"no place for it in time ({waited.limit})"
                    self._ticket.record.note(passed_over(service.name, why))
                    continue
            if self.best is not None:
                return False
            waited, service = held
            service.first.check()
            raise overdue(waited, service, prospects.want()) from None
        self._note_choice()
        return True

    async def _wait(self, service: Service, now: float, tokens: int) -> None:
        """Stand in line, as long as the request's patience lasts."""
        ticket, prospects = self._ticket, self._prospects
        elapsed = trio.current_time() - ticket.request.arrived
        ready = prospects.ready_at(now)
        patience = max(0.0, min(service.patience - self._waited, retry.LATEST - elapsed))
        if ready > now + patience:
            raise QueueTimeout("accounts", ready)
        ticket.connection.deadline(ticket.snapshot.settings.timeouts_total - elapsed, Cut.TOTAL)
        try:
            await service.queue.acquire(
                self._ask,
                patience=patience,
                arrived=ticket.request.arrived,
                tokens=tokens,
                plain=not (prospects.tried or prospects.only or prospects.sealed or self._stays),
            )
        finally:
            waited = service.queue.clock() - now
            self._waited += waited
            ticket.record.queued += waited

    def _ask(self, now: float) -> float | None:
        """Choose an account, as the line asks."""
        choice = self._prospects.choose(now, self._stays)
        if choice is None:
            return max(now + 0.001, self._prospects.ready_at(now, self._stays))
        self._service.pool.began(choice.member, now, self._counted)
        self._choice, self._sent = choice, now
        return None

    def _estimate(self, service: Service) -> int:
        if not service.counts_tokens:
            return 0
        return round(self._ticket.record.request_bytes / BYTES_PER_TOKEN)

    def _note_choice(self) -> None:
        """Put on the ticket where the request goes now."""
        choice = self._choice
        assert choice is not None
        ticket, record = self._ticket, self._ticket.record
        route = ticket.route = self._prospects.route
        ticket.target = self._service.targets[choice.member.alias]
        ticket.fallback = title(route) if route.why == WHY else ""
        record.backend, record.account, record.route = route.backend.name, choice.member.alias, route.why
        record.sent_model = route.model
        if choice.bound is not None and record.binding is None:
            before = choice.moved or choice.bound
            record.binding = attempt.Binding(
                account=before.account, session=self._prospects.session, turns=max(before.turns, choice.bound.turns)
            )
        if choice.moved is not None and choice.moved.cached:
            record.given_up = choice.moved.cached
        for alias, (reason, _) in self._service.halted().items():
            if alias != record.account:
                record.note(passed_over(f"{record.backend}/{alias}", reason))

    async def keyed(self) -> None:
        """Have the key of the account, where it is to be fetched. Raises Unauthenticated."""
        ticket = self._ticket
        target = ticket.target
        assert target is not None
        target.check()
        if target.reference is None:
            return
        # The wait for a command or a keyring has a limit of its own, and an error that names it.
        remaining = ticket.snapshot.settings.timeouts_total - (trio.current_time() - ticket.request.arrived)
        ticket.connection.deadline(remaining, Cut.TOTAL)
        found = ticket.target = await ticket.runtime.with_key(target)
        if self._keyed is not None and found.secret == self._keyed.secret:
            raise found.unusable("it was refused (401), and fetching it anew gave the same one.")

    # Coming back

    def answered(self, upstream: Upstream) -> None:
        """The upstream answered with a head that is no fault of its account. upstream: its own answer."""
        choice = self._choice
        record = self._ticket.record
        if record.tries:
            record.tries[-1].status = upstream.status
        if choice is None or self._service.pool.stateless:
            return
        member = choice.member
        said = record.limits = telling(upstream.fields)
        member.headroom.note(said, self._service.queue.clock())
        if self.movable and not member.group and upstream.status < 400:
            member.group = _organisation(upstream)

    def served(self, upstream: Upstream) -> None:
        """The whole answer was passed on: only now is it a success, since a good head may have a bad end."""
        choice = self._choice
        if choice is None or upstream.status >= 400:
            return
        member = choice.member
        if member.faults or member.refusals or member.closed or member.parked_families:
            self._service.pool.answered(member, self._sent)

    def leave(self) -> None:
        """Give back the place in the line; what was used is known now."""
        choice, self._choice = self._choice, None
        if choice is None:
            return
        service, usage = self._service, self._ticket.record.usage
        used = 0
        if service.counts_tokens and usage.input is not None:
            used = usage.input + (usage.cache_write or 0) + (usage.output or 0) - self._counted
        service.pool.ended(choice.member, service.queue.clock() if used else 0.0, used)
        if choice.bound is not None:
            cached = (usage.cache_read or 0) + (usage.cache_write or 0)
            if cached:
                service.pool.bindings.cached(self._prospects.session, cached)
        service.queue.release(used)

    async def goes_on(self, refusal: Refusal) -> bool:
        """Take note of a failed attempt; True when there is to be another, once any wait for it is over."""
        choice = self._choice
        assert choice is not None
        refusal.given_by(self._ticket)
        now = self._service.queue.clock()
        rekeyed = self._fetches_anew(refusal)
        if not rekeyed:
            refusal.report(self._service.pool, choice.member, now, since=self._sent)
        step = retry.Step("again") if rekeyed else self._next(refusal, choice, now)
        refusal.record(self._ticket, step)
        self.leave()
        if self.best is None or refusal.rank <= self.best.rank:
            self.best = refusal
        if step.what == "stop":
            return False
        self.moved = self.moved or not (rekeyed or refusal.fault is Fault.HALTED)
        if rekeyed:
            self._stays = choice.member.alias
        if step.delay:
            await trio.sleep(step.delay)
        return True

    def _next(self, refusal: Refusal, choice: Choice, now: float) -> retry.Step:
        """What the rules say."""
        ticket, prospects, pool = self._ticket, self._prospects, self._service.pool
        fault = refusal.fault
        if pool.stateless and fault is Fault.REFUSED and self._service.first.backend.auth == "client":
            return retry.STOP  # the caller's own credential: its business
        if fault is None:
            return retry.STOP
        nature: Nature = "streamed"
        if ticket.asked is not None:
            nature = nature_of(ticket.call, ticket.request.method, ticket.asked.top, kept=ticket.asked.kept)
        prospects.failed(choice.member, fault, whole=refusal.is_of_backend)
        bound = choice.bound is not None and choice.bound.turns > 1
        stays = refusal.burst and bound
        ready = choice.member.until(prospects.want().family) if stays else prospects.ready_anywhere(now)
        standing = Standing(
            others=not self._again and prospects.others(now),
            bound=bound,
            repeats=self._repeats,
            several=prospects.several,
            elapsed=trio.current_time() - ticket.request.arrived,
            ready=max(0.0, ready - now),
            patience=self._service.patience - self._waited,
        )
        step = retry.after(fault, nature, standing, burst=refusal.burst, jitter=random.random())  # noqa: S311
        self._stays = choice.member.alias if step.what == "again" and stays else ""
        if step.what == "again":
            self._repeats += 1
            # A last try, or one where somebody is ready first; the chain begins with what the user wants most.
            self._again = fault is not Fault.LIMITED
            prospects.begin_again(here=stays)
        elif step.what == "move" and prospects.ready_at(now) > now:
            prospects.pass_on()
        return step

    def _fetches_anew(self, refusal: Refusal) -> bool:
        """True when a key that was fetched was refused, and a newer one may be had: once a request."""
        target = self._ticket.target
        if refusal.status != 401 or target is None or target.reference is None or self._keyed is not None:
            return False
        self._ticket.runtime.forget_key(target)
        self._keyed = target
        return self._ticket.asked is not None and self._ticket.asked.kept


def _organisation(upstream: Upstream) -> str:
    fields = upstream.fields
    value = fields.get(b"openai-organization") or fields.get(b"anthropic-organization-id") or b""
    return value[:128].decode("latin-1")
