"""The way of one request: where it is tried, what became of it there, and where it goes next.

The rules are `policy.retry`'s, the accounts `policy.pool`'s; here they meet the line, the record and the clock.
A place in the line is held from `take` to `leave`.
"""

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from router.net.client import Exchange as Upstream
from router.net.http11 import Cut
from router.policy import attempts, retry
from router.policy.fallback import WHY, chain, title
from router.policy.nature import nature_of
from router.policy.pool import ANY, Choice, Member, Want
from router.policy.retry import Fault, Nature, Standing, span
from router.policy.routes import Route
from router.policy.sessions import family_of, session_of
from router.proxy import asking
from router.proxy.outcomes import Refusal, overdue
from router.proxy.slots import Waited
from router.proxy.ticket import Ticket

if TYPE_CHECKING:
    from router.proxy.targets import Target

BYTES_PER_TOKEN = 3.6
_SEALED = b'"encrypted_content"'
_NOBODY = "\0"
_DONE = {Fault.LIMITED: "parked", Fault.REFUSED: "cooled"}


class Course:
    """The attempts of one request."""

    __slots__ = (
        "_again",
        "_at",
        "_choice",
        "_counted",
        "_keyed",
        "_only",
        "_repeats",
        "_routes",
        "_sealed",
        "_sent",
        "_service",
        "_session",
        "_ticket",
        "_tried",
        "_waited",
        "best",
        "movable",
        "moved",
    )

    def __init__(self, ticket: Ticket):
        route = ticket.route
        assert route is not None
        self._ticket = ticket
        self._routes: Sequence[Route] = (route,)
        self._at = 0
        self._service = ticket.snapshot.services[route.backend.name]
        self._choice: Choice | None = None
        self._tried: list[Member] = []
        self._only = ""
        self._session: str | None = None
        self._sealed = False
        self._keyed: Target | None = None
        self._again = False
        self._repeats = 0
        self._waited = 0.0
        self._sent = 0.0
        self._counted = 0
        self.best: Refusal | None = None
        #: True once it was sent to more than one place, or twice to one: then the client need not try again.
        self.moved = False
        several = len(self._service.pool.members) > 1
        if ticket.facts is not None and ticket.facts.owner == route.backend.name:
            self._only = ticket.facts.account if ticket.facts.account in self._service.targets else ""
        elif ticket.snapshot.table.falls_back and ticket.asked is not None and ticket.asked.upload is None:
            self._routes = (route, *self._hops(route))
        asked = ticket.asked
        if several and asked is not None and ticket.call.protocol == "responses" and _SEALED in asked.body:
            self._sealed = True
            self._routes = (route,)
        #: True when a failed attempt may be followed by one elsewhere: then its body is held until the commit.
        self.movable = (several or len(self._routes) > 1) and asked is not None and asked.kept

    def _hops(self, route: Route) -> list[Route]:
        services = self._ticket.snapshot.services
        return [
            hop
            for hop in chain(route, self._ticket.snapshot.table)
            if hop.backend.name in services and asking.speaks(self._ticket.call, hop)
        ]

    # Going

    async def take(self) -> bool:
        """Wait for a place and an account, and put them on the ticket; False when there is none any more and `best` is
        all there is to give. Raises RouterError when nothing was asked yet."""
        if len(self._routes) > 1:
            self._turn()
        service = self._service
        line = service.line
        now = line.clock()
        tokens = self._counted = self._estimate()
        if not line.go(self._ask, now, tokens):
            try:
                await self._wait(now, tokens)
            except Waited as waited:
                if self.best is not None:
                    return False
                service.first.check()
                raise overdue(waited, service) from None
        self._note_choice()
        return True

    async def _wait(self, now: float, tokens: int) -> None:
        """Stand in line, as long as the request's patience lasts."""
        ticket, service = self._ticket, self._service
        elapsed = trio.current_time() - ticket.request.arrived
        ready = service.pool.ready_at(now, self._want(), self._tried)
        patience = max(0.0, min(service.patience - self._waited, retry.LATEST - elapsed))
        if ready > now + patience:
            raise Waited("accounts", ready)
        ticket.connection.deadline(ticket.snapshot.settings.timeouts_total - elapsed, Cut.TOTAL)
        try:
            await service.line.wait(
                self._ask,
                patience=patience,
                arrived=ticket.request.arrived,
                tokens=tokens,
                plain=not (self._tried or self._only or self._sealed),
            )
        finally:
            waited = service.line.clock() - now
            self._waited += waited
            ticket.record.queued += waited

    def _ask(self, now: float) -> float | None:
        """Choose an account, as the line asks."""
        pool = self._service.pool
        want = self._want()
        choice = pool.choose(now, want, self._tried)
        if choice is None:
            return max(now + 0.001, pool.ready_at(now, want, self._tried))
        pool.began(choice.member, now)
        self._choice, self._sent = choice, now
        return None

    def _want(self) -> Want:
        service = self._service
        if len(service.pool.members) == 1:
            return ANY if not service.pool.members[0].parked_families else Want(family=self._family())
        ticket = self._ticket
        if self._session is None:
            # Only with more than one account: it costs a hash of the first message.
            asked = ticket.asked
            self._session = session_of(ticket.request.fields, asked.top if asked is not None else None)
        return Want(self._session, self._family(), self._only, self._group())

    def _family(self) -> str:
        return family_of(self._routes[self._at].model)

    def _group(self) -> str:
        """The organisation that can read what the request has sealed: that of the account that was asked first."""
        if not self._sealed or not self._tried:
            return ""
        return self._tried[0].group or _NOBODY

    def _estimate(self) -> int:
        if self._service.line.pace.limits.tpm is None:
            return 0
        return round(self._ticket.record.request_bytes / BYTES_PER_TOKEN)

    def _turn(self) -> None:
        """Go on along the chain while nobody is ready here; if nobody is anywhere, to where somebody will be first."""
        services = self._ticket.snapshot.services
        soonest = math.inf
        found = self._at
        for index in range(self._at, len(self._routes)):
            self._step_to(index)
            service = services[self._routes[index].backend.name]
            now = service.line.clock()
            if service.pool.able(now, self._want(), self._tried):
                return
            ready = service.pool.ready_at(now, self._want(), self._tried)
            if ready < soonest:
                soonest, found = ready, index
        self._step_to(found)

    def _step_to(self, index: int) -> None:
        self._at = index
        self._service = self._ticket.snapshot.services[self._routes[index].backend.name]

    def _note_choice(self) -> None:
        """Put on the ticket where the request goes now."""
        choice = self._choice
        assert choice is not None
        ticket, record = self._ticket, self._ticket.record
        route = ticket.route = self._routes[self._at]
        ticket.target = self._service.targets[choice.member.alias]
        ticket.fallback = title(route) if route.why == WHY else ""
        record.backend, record.account, record.route = route.backend.name, choice.member.alias, route.why
        record.sent_model = route.model
        if choice.bound is not None and record.binding is None:
            before = choice.moved or choice.bound
            record.binding = attempts.Binding(
                account=before.account, session=self._session or "", turns=max(before.turns, choice.bound.turns)
            )
        if choice.moved is not None and choice.moved.cached:
            record.given_up = choice.moved.cached

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
        found = ticket.target = await ticket.runtime.keyed(target)
        if self._keyed is not None and found.secret == self._keyed.secret:
            raise found.unusable("it was refused (401), and fetching it anew gave the same one.")

    # Coming back

    def answered(self, upstream: Upstream) -> None:
        """The upstream answered with a head that is no fault of its account."""
        choice = self._choice
        if choice is None or self._service.pool.stateless:
            return
        member = choice.member
        member.headroom.note(upstream.fields, self._service.line.clock())
        if self._sealed and not member.group and upstream.status < 400:
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
        service, record = self._service, self._ticket.record
        service.pool.ended(choice.member)
        used = 0
        if service.line.pace.limits.tpm is not None:
            usage = record.usage
            used = (usage.input or 0) + (usage.cache_write or 0) + (usage.output or 0) - self._counted
        if self._session:
            cached = (record.usage.cache_read or 0) + (record.usage.cache_write or 0)
            if cached:
                service.pool.bindings.cached(self._session, cached)
        service.line.leave(used if record.usage.input is not None else 0)

    async def goes_on(self, refusal: Refusal) -> bool:
        """Take note of a failed attempt; True when there is to be another, once any wait for it is over."""
        ticket = self._ticket
        choice = self._choice
        assert choice is not None
        refusal.given_by(ticket)
        now = self._service.line.clock()
        rekeyed = self._fetches_anew(refusal)
        if not rekeyed:
            self._report(refusal, choice.member, now)
        step = retry.Step("again") if rekeyed else self._next(refusal, choice, now)
        self._note(refusal, step)
        self.leave()
        if self.best is None or refusal.rank <= self.best.rank:
            self.best = refusal
        if step.what == "stop":
            return False
        self.moved = not rekeyed or self.moved
        self._only = choice.member.alias if rekeyed or (step.what == "again" and refusal.burst) else self._only
        if step.delay:
            await trio.sleep(step.delay)
        return True

    def _next(self, refusal: Refusal, choice: Choice, now: float) -> retry.Step:
        """What the rules say."""
        ticket, pool = self._ticket, self._service.pool
        nature: Nature = "streamed"
        if ticket.asked is not None:
            nature = nature_of(ticket.call, ticket.request.method, ticket.asked.top, kept=ticket.asked.kept)
        own = pool.stateless
        if own and refusal.fault is Fault.REFUSED and self._service.first.backend.auth == "client":
            return retry.STOP  # the caller's own credential: its business
        tried = [*self._tried, choice.member]
        bound = choice.bound is not None and choice.bound.turns > 1
        burst = refusal.burst
        want = self._want()
        ready = choice.member.until(want.family) if burst and bound else self._ready_at(now)
        if refusal.fault is None:
            return retry.STOP
        elapsed = trio.current_time() - ticket.request.arrived
        standing = Standing(
            others=not self._again and self._others(now, want, tried),
            bound=bound,
            repeats=self._repeats,
            moved=self.moved,
            elapsed=elapsed,
            ready=max(0.0, ready - now),
            patience=self._service.patience - self._waited,
        )
        step = retry.after(refusal.fault, nature, standing, burst=burst, jitter=random.random())  # noqa: S311
        self._tried = tried
        if step.what == "again":
            self._repeats += 1
            self._tried = []
            # A last try, or one where somebody is ready first; the chain begins with what the user wants most.
            self._again = refusal.fault is not Fault.LIMITED
            if not (burst and bound):
                self._step_to(0)
        elif step.what == "move" and pool.ready_at(now, want, tried) > now:
            self._step_to(min(self._at + 1, len(self._routes) - 1))
            self._tried = self._tried if self._service.pool is pool else []
        return step

    def _ready_at(self, now: float) -> float:
        """When the first account anywhere along the chain is ready."""
        services = self._ticket.snapshot.services
        pools = [services[route.backend.name].pool for route in self._routes]
        want = self._want()
        return min((pool.ready_at(now, want) for pool in pools if not pool.stateless), default=math.inf)

    def _others(self, now: float, want: Want, tried: Sequence[Member]) -> bool:
        """True when an account is ready here, or somewhere along the chain."""
        if self._service.pool.ready_at(now, want, tried) <= now:
            return True
        services = self._ticket.snapshot.services
        for route in self._routes[self._at + 1 :]:
            service = services[route.backend.name]
            later = () if service is not self._service else tried
            if service.pool.ready_at(now, Want(family=family_of(route.model)), later) <= now:
                return True
        return False

    def _fetches_anew(self, refusal: Refusal) -> bool:
        """True when a key that was fetched was refused, and a newer one may be had: once a request."""
        target = self._ticket.target
        if refusal.status != 401 or target is None or target.reference is None or self._keyed is not None:
            return False
        self._ticket.runtime.refused(target)
        self._keyed = target
        return self._ticket.asked is not None and self._ticket.asked.kept

    def _report(self, refusal: Refusal, member: Member, now: float) -> None:
        """Tell the pool what became of the account."""
        pool = self._service.pool
        hold = refusal.hold
        if refusal.fault is None:
            return
        if hold is not None:
            pool.parked(member, now, hold.seconds, hold.words, hold.family)
        elif refusal.fault is Fault.REFUSED:
            pool.refused(member, now, self._sent, f"{refusal.status}, {span(60)} and longer each time")
        elif refusal.fault is not Fault.UNSENT:
            # A name, a network or a proxy that fails says nothing about an account.
            pool.shook(member, now, self._sent)
        if refusal.kept is not None:
            member.headroom.note(refusal.kept.fields, now)

    def _note(self, refusal: Refusal, step: retry.Step) -> None:
        """Say in the record how the attempt ended."""
        record = self._ticket.record
        if not record.tries or self._ticket.upstream is None:
            self._ticket.attempt()
        last = record.tries[-1]
        last.status = refusal.status if refusal.kept is not None else 0
        last.error = refusal.error.kind if refusal.error is not None else "upstream_error"
        last.note = refusal.hold.words if refusal.hold is not None else ""
        if step.what != "stop":
            after = "retried" if step.what == "again" else "moved"
            last.done = _DONE.get(refusal.fault, after) if refusal.fault is not None else after
            if refusal.fault in (Fault.FAILED, Fault.SILENT):
                record.note(f"{record.backend}/{record.account} may have billed an answer that was not whole")


def _organisation(upstream: Upstream) -> str:
    fields = upstream.fields
    value = fields.get(b"openai-organization") or fields.get(b"anthropic-organization-id") or b""
    return value[:128].decode("latin-1")
