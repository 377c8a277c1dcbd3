"""The accounts that one request may still be sent to: those of its backend, then those along the fallback chain.

Excluded are backends that cannot serve the caller's protocol or would need a login that the request does not carry,
accounts other than the one that issued an id in the request, accounts that cannot read input which another one sealed,
accounts where the request failed already, and those that the guard has halted (as long as others are left).
"""

import math
from collections.abc import Collection, Sequence

from router.exchange.body.upload import Upload
from router.exchange.context import RequestContext
from router.exchange.grants.allowed import passes_grant
from router.exchange.request.caller_login import passes_login
from router.exchange.request.route import speaks
from router.exchange.request.translation import needs_translation
from router.policy.accounts.pool import ANY, AccountChoice, Member, Want
from router.policy.accounts.retry import Fault
from router.policy.accounts.session_key import derive_session, find_family
from router.policy.routing.fallback import build_chain
from router.policy.routing.routes import Route
from router.upstream.services import Service
from router.wire.protocols import BY_NAME


class Candidates:
    """The candidates of one request, and the position among them."""

    __slots__ = ("_at", "_context", "_holder", "_session", "only", "routes", "sealed", "service", "tried")

    def __init__(self, context: RequestContext):
        self._context = context
        route = context.route
        #: The backend at the current position.
        self.service: Service = context.snapshot.services[route.backend.name]
        #: The request's own route, and those of the chain.
        self.routes: Sequence[Route] = (route,)
        self._at = 0
        #: The accounts of this backend where the request failed.
        self.tried: list[Member] = []
        #: The account that issued an id in the request, "" for none.
        self.only = ""
        self._session: str | None = None
        self._holder: Member | None = None
        several = len(self.service.pool.members) > 1
        facts = context.facts
        if facts.owner == route.backend.name:
            self.only = facts.account if facts.account in self.service.targets else ""
        elif context.snapshot.table.falls_back and not isinstance(context.body, Upload):
            self.routes = (route, *self._find_hops(route))
        #: True when the request's input holds data that only the account, or organisation, that wrote it can read.
        self.sealed = (several or len(self.routes) > 1) and _is_sealed(context, route)
        if self.sealed:
            self.routes = (route,)
            self._holder = self._find_holder()

    def _find_hops(self, route: Route) -> list[Route]:
        context = self._context
        services = context.snapshot.services
        return build_chain(
            route,
            context.snapshot.table,
            lambda hop: (
                hop.backend.name in services
                and speaks(context.call, hop)
                and passes_login(context, hop)
                and passes_grant(context, hop)
            ),
        )

    def _find_holder(self) -> Member | None:
        """The account the session is bound to, which wrote the sealed input."""
        pool = self.service.pool
        bound = pool.affinity.get(self.session, self.service.queue.clock()) if self.session else None
        return next((one for one in pool.members if bound is not None and one.alias == bound.account), None)

    @property
    def route(self) -> Route:
        """The route at the current position."""
        return self.routes[self._at]

    @property
    def several(self) -> bool:
        """True when there is more than one candidate, ready or not."""
        return len(self.routes) > 1 or self.service.pool.count_fitting(self.want()) > 1

    @property
    def session(self) -> str:
        """The key of the request's conversation, '' for none. The first call hashes the first message."""
        if self._session is None:
            self._session = derive_session(self._context.request.fields, self._context.body.top)
        return self._session

    # Questions

    def want(self) -> Want:
        """What the request needs of an account of this backend."""
        pool = self.service.pool
        if len(pool.members) == 1:
            return ANY if not pool.members[0].closed_for else self._build_want(self.route)
        holder = self._holder
        # The account that wrote the input can read it; of other accounts, only those of the same known group.
        only = self.only or (holder.alias if holder is not None and not holder.group else "")
        group = holder.group if holder is not None else ""
        model = self.route.model or ""
        return Want(self.session, find_family(model), only, group, self._list_barred(only), model)

    def _list_barred(self, only: str) -> Collection[str]:
        """The halted accounts; none when all are halted, so that the guard refuses the request with its reason."""
        stopped = self.service.halted()
        if not stopped or only:
            return ()
        left = (one for one in self.service.pool.members if one.usable and one.alias not in stopped)
        return stopped.keys() if any(left) else ()

    def choose(self, now: float, stays: str = "") -> AccountChoice | None:
        """The account to ask now, None when none is ready. stays: the alias of the only account to consider, or ''."""
        return self.service.pool.choose(now, self._restrict_want(stays), self.tried)

    def ready_at(self, now: float, stays: str = "") -> float:
        """When the next account of this backend is ready."""
        return self.service.pool.ready_at(now, self._restrict_want(stays), self.tried)

    def _restrict_want(self, stays: str) -> Want:
        return self.want()._replace(only=stays) if stays else self.want()

    def ready_anywhere(self, now: float) -> float:
        """When the first account is ready, here or along the chain, those where the request failed included and those
        that the guard has halted left out."""
        found = ((self._service_of(route).pool, self._build_open_want(route)) for route in self.routes)
        return min((pool.ready_at(now, want) for pool, want in found if not pool.stateless), default=math.inf)

    def repeat_after(self) -> int:
        """Seconds after which the client does well to send the request again, after it failed everywhere."""
        found = ((self._service_of(route), self._build_open_want(route)) for route in self.routes)
        return min(service.pool.repeat_after(service.queue.clock(), want) for service, want in found)

    def others(self, now: float) -> bool:
        """True when an account where the request did not fail is ready, here or further along the chain."""
        if self.ready_at(now) <= now:
            return True
        for route in self.routes[self._at + 1 :]:
            service = self._service_of(route)
            later = () if service is not self.service else self.tried
            if service.pool.ready_at(now, self._build_open_want(route), later) <= now:
                return True
        return False

    def _build_want(self, route: Route) -> Want:
        """What the request needs of an account at a route, as far as the route says."""
        model = route.model or ""
        return Want(family=find_family(model), model=model)

    def _build_open_want(self, route: Route) -> Want:
        """What it needs of an account at any route, so that no account fits that is halted."""
        service = self._service_of(route)
        want = self._build_want(route)
        if service is self.service:
            want = self.want()._replace(family=want.family, model=want.model)
        return want._replace(barred=service.barred())

    # Movement

    def keep(self, routes: Sequence[Route]) -> None:
        """Go on with some of the routes only, one at least."""
        if len(routes) != len(self.routes):
            self.routes = routes
            self._step_to(0)

    def advance_to_ready(self) -> None:
        """Move along the chain to the first backend with a ready account; if there is none, to where one is ready
        soonest."""
        soonest = math.inf
        found = self._at
        for index in range(self._at, len(self.routes)):
            self._step_to(index)
            pool, now = self.service.pool, self.service.queue.clock()
            if pool.can_choose(now, self.want(), self.tried):
                return
            ready = self.ready_at(now)
            if ready < soonest:
                soonest, found = ready, index
        self._step_to(found)

    def skip_backend(self) -> bool:
        """Move to the next route of the chain; False when there is none."""
        if self._at + 1 >= len(self.routes):
            return False
        before = self.service
        self._step_to(self._at + 1)
        if self.service is not before:
            self.tried = []
        return True

    def note_failure(self, member: Member, fault: Fault, *, whole_backend: bool = False) -> None:
        """Exclude an account where the request failed. whole_backend: exclude all accounts of its backend."""
        self.tried = [*self.tried, *(self.service.pool.members if whole_backend else (member,))]
        if self.sealed:
            if fault is Fault.UNREADABLE_STATE:
                self._holder = None
            elif self._holder is None and len(self.tried) == 1:
                # The first account did not refuse the sealed input, so it may be the one that wrote it.
                self._holder = member

    def reset(self, *, here: bool) -> None:
        """Allow the accounts where the request failed again. here: stay at this backend, else go back to the first."""
        self.tried = []
        if not here:
            self._step_to(0)

    def _step_to(self, index: int) -> None:
        self._at = index
        self.service = self._service_of(self.routes[index])

    def _service_of(self, route: Route) -> Service:
        return self._context.snapshot.services[route.backend.name]


def _is_sealed(context: RequestContext, route: Route) -> bool:
    """True for input that an account has sealed, or that holds the sealed state of a translation."""
    if not any(BY_NAME[name].sealed for name in route.backend.protocols):
        return False
    if needs_translation(context.call, route):
        return context.call.entry.own_state in context.body.data
    mark = context.call.entry.sealed
    if not mark or mark not in context.body.data:
        return False
    compaction = context.call.entry.compaction
    # What fairlead compacted it reads itself, for whichever account.
    own = context.body.data.count(compaction.own_mark) if compaction is not None else 0
    return not own or context.body.data.count(mark) > own
