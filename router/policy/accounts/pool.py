"""The accounts of one backend: which one serves a request, and what becomes of an account that fails.

    state      begins                                       ends
    ready      from the start; when any other state ends    -
    parked     429: until its reset or retry-after, for     by time alone; at an answer to a request sent later
               QUOTA_SECONDS when its quota is gone,
               for UNREADABLE when it does not say; at
               a limit a minute that the user set for it    by time alone
    cooling    401, 403: COOL_SECONDS, doubled each time    by time; at an answer to a request sent later
               up to COOL_LIMIT
    revoked    as cooling, once COOL_LIMIT was reached:     as cooling; a new key begins as ready
               its key is not refused by chance

An account that is ready may be *shaky*: it answered 5xx, not at all, or could not be reached. It is chosen only when no
steady one is ready. An account may be parked for one family of models alone.

Choice: the account a session is bound to, while it is ready with more than DRAINED left; else by the strategy. When
nobody is ready: the one that cools down (trying it costs a refusal, refusing costs a request), or once in
HOURLY_SECONDS the one that is parked for longest. Times are seconds of one clock that does not stand still while the
machine sleeps; none of them comes from the wall.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from router.policy.accounts.headroom import Headroom
from router.policy.accounts.rate_limit import RateLimit
from router.policy.accounts.session_affinity import Bindings, Bound

COOL_SECONDS, COOL_LIMIT = 60.0, 1800.0
QUOTA_SECONDS = 600.0
HOURLY_SECONDS = 3600.0
SHAKY_SECONDS, SHAKY_LIMIT = 2.0, 60.0
DRAINED = 0.02

State = Literal["ready", "parked", "cooling", "revoked"]
Strategy = Literal["headroom", "fill-first", "round-robin"]


@dataclass(eq=False, slots=True)
class Member:
    """One account of a pool."""

    alias: str
    #: Of its key, '' for none.
    fingerprint: str = ""
    #: Its key can be had.
    usable: bool = True
    #: The organisation it belongs to, '' while that is not known.
    group: str = ""
    headroom: Headroom = field(default_factory=Headroom)
    #: The user's own limits for it, None for none.
    rate_limit: RateLimit | None = None
    #: Until then it is at one of them.
    limited_until: float = 0.0
    #: Parked or cooling until then, for all models.
    closed: float = 0.0
    #: When that began.
    closed_at: float = -math.inf
    #: It is cooling: its key was refused.
    cools: bool = False
    #: Family of models -> parked until then.
    parked_families: dict[str, float] = field(default_factory=dict[str, float])
    #: What closed it, in words.
    why: str = ""
    #: How often in a row its key was refused.
    refusals: int = 0
    #: How often in a row it failed.
    faults: int = 0
    #: Until then it counts as failing.
    shaky: float = 0.0
    #: When it failed last.
    shook_at: float = -math.inf
    #: From then on it is neither closed, limited nor shaky.
    clear: float = 0.0
    #: When it was asked last although it was closed.
    tried: float = -math.inf
    #: When it was asked last.
    last: float = -math.inf
    #: Requests it serves now.
    running: int = 0

    def state(self, now: float) -> State:
        """Where it stands in the table above."""
        if now >= self.closed:
            return "ready" if now >= self.limited_until else "parked"
        if not self.cools:
            return "parked"
        return "revoked" if cool_seconds(self.refusals) >= COOL_LIMIT else "cooling"

    def until(self, family: str = "") -> float:
        """When it is ready for these models."""
        until = self.closed if self.closed > self.limited_until else self.limited_until
        if not self.parked_families:
            return until
        return max(until, self.parked_families.get(family, 0.0))

    def settle(self) -> None:
        """Work out what many choices ask of it, once it has changed."""
        self.clear = max(self.closed, self.limited_until, self.shaky)


class Choice(NamedTuple):
    """An account to ask. moved: the binding that was given up for it. bound: the session's binding to it, None for
    one without a session."""

    member: Member
    bound: Bound | None = None
    moved: Bound | None = None


class Want(NamedTuple):
    """What a request asks of its account. session: '' for none. family: of its model. only: the alias of the account
    that knows an id the request names. group: it holds what only this organisation can read. barred: aliases of
    accounts that the guard lets nothing go to."""

    session: str = ""
    family: str = ""
    only: str = ""
    group: str = ""
    barred: Collection[str] = ()


ANY = Want()


class Pool:
    """The accounts of one backend. stateless: nothing that happens to one request says anything about the next, as
    where each caller brings a credential of its own. spent: what share of its own budget an account has used, by its
    alias; None where none has a budget."""

    def __init__(
        self,
        members: Sequence[Member],
        strategy: Strategy = "headroom",
        *,
        bindings: Bindings | None = None,
        stateless: bool = False,
        spent: Callable[[str], float] | None = None,
    ):
        self.members = tuple(members)
        self.strategy = strategy
        self.bindings = Bindings() if bindings is None else bindings
        self.stateless = stateless
        self._named = {member.alias: member for member in self.members}
        self._turn = 0
        self._spent = spent
        #: Accounts have budgets of their own.
        self.budgeted = spent is not None
        #: Accounts have limits that no answer tells of: the user's own.
        self._limited = spent is not None or any(member.rate_limit is not None for member in self.members)
        #: Accounts were parked for a family of models alone.
        self._split = any(member.parked_families for member in self.members)
        for member in self.members:
            member.settle()

    def choose(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> Choice | None:
        """The account for a request, bound to its session; None when none can be asked now. tried: those that failed
        it already."""
        if self.stateless:
            member = self.members[0]
            return None if member in tried else Choice(member)
        if len(self.members) == 1:
            member = self.members[0]
            if now < member.until(want.family) or member in tried:
                member = self._last_resort(now, want, tried)
            return None if member is None else Choice(member)
        binding = self.bindings.get(want.session, now) if want.session else None
        if binding is not None and not want.only:
            kept = self._kept(binding, now, want, tried)
            if kept is not None:
                return Choice(kept, self.bindings.bind(want.session, kept.alias, now))
        member = self._best(now, want, tried) or self._last_resort(now, want, tried)
        if member is None:
            return None
        bound = self.bindings.bind(want.session, member.alias, now) if want.session else None
        return Choice(member, bound, binding if binding and binding.account != member.alias else None)

    def _kept(self, binding: Bound, now: float, want: Want, tried: Collection[Member]) -> Member | None:
        """The account a session is bound to, while it can serve it."""
        member = self._named.get(binding.account)
        if member is None or now < member.until(want.family) or now < member.shaky:
            return None
        if not self._fits(member, want, tried) or self.share(member, now, want.family) <= DRAINED:
            return None
        return member

    def _fits(self, member: Member, want: Want, tried: Collection[Member]) -> bool:
        return (
            member.usable
            and member not in tried
            and (not want.only or member.alias == want.only)
            and (not want.group or member.group == want.group)
            and member.alias not in want.barred
        )

    def share(self, member: Member, now: float, family: str = "") -> float:
        """What an account has left, 0 to 1, over every limit known: those its answers told of, and the user's own."""
        share = member.headroom.share(now, family)
        if self._limited:
            if member.rate_limit is not None:
                share = min(share, member.rate_limit.share(now))
            if self._spent is not None:
                share = min(share, max(0.0, 1 - self._spent(member.alias)))
        return share

    def _best(self, now: float, want: Want, tried: Collection[Member]) -> Member | None:
        """The ready account that the strategy takes; of those that are shaky only when there is no other."""
        family = want.family
        ready = [one for one in self.members if one.clear <= now and one.usable]
        if tried or want.only or want.group or want.barred:
            ready = [one for one in ready if self._fits(one, want, tried)]
        if self._split:
            ready = [one for one in ready if one.until(family) <= now]
        if not ready:
            ready = [one for one in self.members if one.until(family) <= now and self._fits(one, want, tried)]
            if not ready:
                return None
            ready = _steadiest(ready)
        if self.strategy == "round-robin":
            return self._next(ready)
        if self.strategy == "fill-first":
            return next((one for one in ready if self.share(one, now, family) > DRAINED), ready[0])
        return self._roomiest(ready, now, family)

    def _roomiest(self, ready: list[Member], now: float, family: str) -> Member:
        """The one with most left; of equal ones that with fewest requests under way, then the one not used for
        longest."""
        if self._limited:
            shares = [self.share(one, now, family) for one in ready]
        else:
            rooms = [one.headroom for one in ready]
            shares = [room.common if now < room.until else room.share(now, family) for room in rooms]
        room = max(shares)
        if shares.count(room) == 1:
            return ready[shares.index(room)]
        equal = [one for one, share in zip(ready, shares, strict=True) if share == room]
        return min(equal, key=lambda one: (one.running, one.last))

    def _next(self, ready: list[Member]) -> Member:
        """The first ready one behind the one that was taken last."""
        size = len(self.members)
        for step in range(size):
            member = self.members[(self._turn + step) % size]
            if member in ready:
                self._turn = (self._turn + step + 1) % size
                return member
        return ready[0]

    def _last_resort(self, now: float, want: Want, tried: Collection[Member]) -> Member | None:
        """Whom to try when nobody is ready."""
        closed = [
            one
            for one in self.members
            if now < one.until(want.family) and one.limited_until <= now and self._fits(one, want, tried)
        ]
        cooling = [one for one in closed if one.cools and now < one.closed]
        if cooling:
            return min(cooling, key=lambda one: one.closed)
        waited = [one for one in closed if now - max(one.closed_at, one.tried) >= HOURLY_SECONDS]
        return min(waited, key=lambda one: one.closed_at, default=None)

    def order(self, now: float, want: Want = ANY) -> list[Member]:
        """The accounts as a new conversation would get them one after the other; nothing is chosen by it."""
        turn, found = self._turn, list[Member]()
        while (member := self._best(now, want, found)) is not None:
            found.append(member)
        self._turn = turn
        return [*found, *(one for one in self.members if one not in found)]

    def fitting(self, want: Want) -> int:
        """How many accounts there are for a request, ready or not."""
        return sum(self._fits(one, want, ()) for one in self.members)

    def able(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> bool:
        """True when `choose` would find an account."""
        if self.stateless:
            return self.members[0] not in tried
        return self.ready_at(now, want, tried) <= now or self._last_resort(now, want, tried) is not None

    def ready_at(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> float:
        """When the next account is ready for a request; infinite when none will be."""
        fitting = [one.until(want.family) for one in self.members if self._fits(one, want, tried)]
        return min(fitting, default=math.inf)

    # What happens to an account

    def began(self, member: Member, now: float, tokens: int = 0) -> None:
        """A request is sent to it, of so many tokens by estimate."""
        member.running += 1
        member.last = now
        if now < member.closed:
            member.tried = now
        if member.rate_limit is not None:
            member.rate_limit.count_request(now, tokens)
            member.limited_until = member.rate_limit.wait(now, 1).until
            member.settle()

    def ended(self, member: Member, now: float = 0.0, tokens: int = 0) -> None:
        """That request is over; it used so many tokens more (or fewer) than had been counted."""
        member.running -= 1
        if member.rate_limit is not None and tokens:
            member.rate_limit.correct_tokens(now, tokens)
            member.limited_until = member.rate_limit.wait(now, 1).until
            member.settle()

    def answered(self, member: Member, since: float) -> None:
        """It served a request that was sent at `since`: what closed it before is over."""
        if since < member.closed_at:
            return
        member.closed, member.cools = 0.0, False
        member.refusals = member.faults = 0
        member.shaky = 0.0
        if member.parked_families:
            member.parked_families = {}
        member.settle()

    def parked(self, member: Member, now: float, seconds: float, why: str, family: str = "") -> None:
        """It is at a limit for some seconds. family: for these models alone."""
        if self.stateless:
            return
        member.why = why
        if family:
            member.parked_families[family] = max(now + seconds, member.parked_families.get(family, 0.0))
            self._split = True
        else:
            if now < member.closed and not member.cools:
                seconds = max(seconds, member.closed - now)
            member.closed, member.cools = now + seconds, False
            member.settle()
        member.closed_at = now

    def refused(self, member: Member, now: float, since: float, why: str) -> None:
        """Its key was refused (401, 403), at a request that was sent at `since`."""
        if self.stateless or (since < member.closed_at and member.cools):
            return  # of many that were under way, one counts
        member.refusals += 1
        member.why = why
        until = now + cool_seconds(member.refusals)
        if until > member.closed:
            member.closed, member.cools = until, True
            member.settle()
        member.closed_at = now

    def shook(self, member: Member, now: float, since: float) -> None:
        """It answered 5xx, not at all, or could not be reached, at a request that was sent at `since`."""
        if self.stateless or since < member.shook_at:
            return  # of many that were under way, one counts
        member.faults += 1
        member.shook_at = now
        member.shaky = now + min(SHAKY_LIMIT, SHAKY_SECONDS * 2.0 ** min(member.faults - 1, 10))
        member.settle()


def cool_seconds(refusals: int) -> float:
    """How long an account cools down after so many refusals in a row."""
    return min(COOL_LIMIT, COOL_SECONDS * 2.0 ** min(max(refusals - 1, 0), 10))


def _steadiest(shaky: list[Member]) -> list[Member]:
    """Those that failed least often in a row."""
    least = min(one.faults for one in shaky)
    return [one for one in shaky if one.faults == least]
