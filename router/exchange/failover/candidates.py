"""Where one request may still go: the accounts of its backend, then those along the chain.

What narrows it down: what the caller speaks, an id that one account issued, input that one organisation sealed,
accounts that failed it already, and those that the guard has halted (as long as there are others).
"""

import math
from collections.abc import Collection, Sequence

from router.exchange.context import Ticket
from router.exchange.request import send, translation
from router.policy.accounts.pool import ANY, Choice, Member, Want
from router.policy.accounts.retry import Fault
from router.policy.accounts.session_key import family_of, session_of
from router.policy.routing.fallback import chain
from router.policy.routing.routes import Route
from router.upstream.services import Service
from router.wire.neutral.sealed_state import PREFIX

_SEALED, _CARRIED = b'"encrypted_content"', PREFIX.encode()


class Prospects:
    """The places of one request. service: where it is now. routes: its own, and the chain's. sealed: its input holds
    what only those can read who wrote it. only: the account whose id it names, '' for none."""

    __slots__ = ("_at", "_holder", "_session", "_ticket", "only", "routes", "sealed", "service", "tried")

    def __init__(self, ticket: Ticket, route: Route):
        self._ticket = ticket
        self.service: Service = ticket.snapshot.services[route.backend.name]
        self.routes: Sequence[Route] = (route,)
        self._at = 0
        self.tried: list[Member] = []
        self.only = ""
        self._session: str | None = None
        self._holder: Member | None = None
        several = len(self.service.pool.members) > 1
        facts, asked = ticket.facts, ticket.asked
        if facts is not None and facts.owner == route.backend.name:
            self.only = facts.account if facts.account in self.service.targets else ""
        elif ticket.snapshot.table.falls_back and asked is not None and asked.upload is None:
            self.routes = (route, *self._hops(route))
        self.sealed = (several or len(self.routes) > 1) and _is_sealed(ticket, route)
        if self.sealed:
            self.routes = (route,)
            self._holder = self._bound()

    def _hops(self, route: Route) -> list[Route]:
        services = self._ticket.snapshot.services
        return [
            hop
            for hop in chain(route, self._ticket.snapshot.table)
            if hop.backend.name in services and send.speaks(self._ticket.call, hop)
        ]

    def _bound(self) -> Member | None:
        """The account the session is bound to: it wrote what the input holds."""
        pool = self.service.pool
        bound = pool.bindings.get(self.session, self.service.queue.clock()) if self.session else None
        return next((one for one in pool.members if bound is not None and one.alias == bound.account), None)

    @property
    def route(self) -> Route:
        """The route it is at."""
        return self.routes[self._at]

    @property
    def several(self) -> bool:
        """True when there is more than one place for it, ready or not."""
        return len(self.routes) > 1 or self.service.pool.fitting(self.want()) > 1

    @property
    def session(self) -> str:
        """The conversation it belongs to, '' for none. It costs a hash of the first message."""
        if self._session is None:
            asked = self._ticket.asked
            self._session = session_of(self._ticket.request.fields, asked.top if asked is not None else None)
        return self._session

    # Looking

    def want(self) -> Want:
        """What it asks of an account here."""
        pool = self.service.pool
        if len(pool.members) == 1:
            return ANY if not pool.members[0].parked_families else Want(family=self._family())
        holder = self._holder
        # Who wrote it can read it; of other accounts only those of a group that is known.
        only = self.only or (holder.alias if holder is not None and not holder.group else "")
        group = holder.group if holder is not None else ""
        return Want(self.session, self._family(), only, group, self._barred(only))

    def _family(self) -> str:
        return family_of(self.route.model)

    def _barred(self, only: str) -> Collection[str]:
        """The accounts that are halted, none when that leaves nobody: then the guard says why."""
        stopped = self.service.halted()
        if not stopped or only:
            return ()
        left = (one for one in self.service.pool.members if one.usable and one.alias not in stopped)
        return stopped.keys() if any(left) else ()

    def choose(self, now: float, stays: str = "") -> Choice | None:
        """The account to ask now, None when none can be. stays: the one to ask, whatever the others have."""
        return self.service.pool.choose(now, self._staying(stays), self.tried)

    def ready_at(self, now: float, stays: str = "") -> float:
        """When the next account is ready here."""
        return self.service.pool.ready_at(now, self._staying(stays), self.tried)

    def _staying(self, stays: str) -> Want:
        return self.want()._replace(only=stays) if stays else self.want()

    def ready_anywhere(self, now: float) -> float:
        """When the first account is ready, also of those that failed it, here or along the chain."""
        found = ((self._service_of(route).pool, self._want_at(route)) for route in self.routes)
        return min((pool.ready_at(now, want) for pool, want in found if not pool.stateless), default=math.inf)

    def others(self, now: float) -> bool:
        """True when an account that did not fail it is ready, here or further along the chain."""
        if self.ready_at(now) <= now:
            return True
        for route in self.routes[self._at + 1 :]:
            service = self._service_of(route)
            later = () if service is not self.service else self.tried
            if service.pool.ready_at(now, self._want_at(route), later) <= now:
                return True
        return False

    def _want_at(self, route: Route) -> Want:
        """What it asks of an account there."""
        family = family_of(route.model)
        return self.want()._replace(family=family) if self._service_of(route) is self.service else Want(family=family)

    # Going

    def turn(self) -> None:
        """Go on along the chain while nobody is ready here; if nobody is anywhere, to where somebody will be first."""
        soonest = math.inf
        found = self._at
        for index in range(self._at, len(self.routes)):
            self._step_to(index)
            pool, now = self.service.pool, self.service.queue.clock()
            if pool.able(now, self.want(), self.tried):
                return
            ready = self.ready_at(now)
            if ready < soonest:
                soonest, found = ready, index
        self._step_to(found)

    def pass_on(self) -> bool:
        """Leave this backend for the next of the chain; False when there is none."""
        if self._at + 1 >= len(self.routes):
            return False
        before = self.service
        self._step_to(self._at + 1)
        if self.service is not before:
            self.tried = []
        return True

    def failed(self, member: Member, fault: Fault, *, whole: bool = False) -> None:
        """This account failed it. whole: and none of its backend would serve it."""
        self.tried = [*self.tried, *(self.service.pool.members if whole else (member,))]
        if self.sealed:
            if fault is Fault.FOREIGN:
                self._holder = None
            elif self._holder is None and len(self.tried) == 1:
                # Nobody knows who wrote it; the first one may have, and did not say that it cannot read it.
                self._holder = member

    def begin_again(self, *, here: bool) -> None:
        """Let those that failed be asked again. here: at this backend; else from what the user wants most."""
        self.tried = []
        if not here:
            self._step_to(0)

    def _step_to(self, index: int) -> None:
        self._at = index
        self.service = self._service_of(self.routes[index])

    def _service_of(self, route: Route) -> Service:
        return self._ticket.snapshot.services[route.backend.name]


def _is_sealed(ticket: Ticket, route: Route) -> bool:
    """True for input that an account of the Responses API has sealed, for itself or as a translation's carrier."""
    asked, call = ticket.asked, ticket.call
    if asked is None or "responses" not in route.backend.protocols:
        return False
    if translation.needed(call, route):
        return _CARRIED in asked.body
    return call.protocol == "responses" and _SEALED in asked.body
