"""The accounts of one backend: which one serves a request, and what becomes of an account that fails.

Choice: the account a session is bound to, while it is ready with more than DRAINED left; else by the strategy. When
none is ready: the one that cools down (trying it costs a rejected try, not trying it costs a request), or once in
HOURLY_SECONDS the one that is parked for longest. `member` has the states of an account, and the clock of the times.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

from router.policy.accounts.member import ANY, COOL_LIMIT, Closing, Member, State, Want, cooling_seconds
from router.policy.accounts.session_affinity import SessionAffinity, SessionBinding

__all__ = [
    "ANY",
    "COOL_LIMIT",
    "DRAINED",
    "HOURLY_SECONDS",
    "QUOTA_SECONDS",
    "REPEAT_LIMIT",
    "SHAKY_LIMIT",
    "AccountChoice",
    "Member",
    "Pool",
    "State",
    "Want",
    "cooling_seconds",
]

QUOTA_SECONDS = 600.0
HOURLY_SECONDS = 3600.0
SHAKY_SECONDS, SHAKY_LIMIT = 2.0, 60.0
# What a client is told to wait after the first failure, and at most: doubled from one to the next, as clients do.
_REPEAT_SECONDS, REPEAT_LIMIT = 0.5, 30.0
DRAINED = 0.02

Strategy = Literal["headroom", "fill-first", "round-robin"]


class AccountChoice(NamedTuple):
    """An account to ask."""

    member: Member
    #: The session's binding to it, None for a request without a session.
    binding: SessionBinding | None = None
    #: The binding to another account that was given up for it.
    moved: SessionBinding | None = None


class Pool:
    """The accounts of one backend.

    stateless: what happens to one request says nothing about the next, as where each caller brings a credential of its
    own. spent: what share of its own budget an account has used, by its alias; None where none has a budget.
    """

    def __init__(
        self,
        members: Sequence[Member],
        strategy: Strategy = "headroom",
        *,
        affinity: SessionAffinity | None = None,
        stateless: bool = False,
        spent: Callable[[str], float] | None = None,
    ):
        self.members = tuple(members)
        self.strategy = strategy
        self.affinity = SessionAffinity() if affinity is None else affinity
        self.stateless = stateless
        self._named = {member.alias: member for member in self.members}
        self._turn = 0
        self._spent = spent
        #: Accounts have budgets of their own.
        self.budgeted = spent is not None
        #: Accounts have limits that stand in no answer: the user's own.
        self._limited = spent is not None or any(member.rate_limit is not None for member in self.members)
        #: Accounts were closed to some models alone.
        self._split = any(member.closed_for for member in self.members)
        for member in self.members:
            member.settle()

    def note_changed(self) -> None:
        """Take up that the state of accounts was changed from elsewhere."""
        self._split = any(member.closed_for for member in self.members)

    def take_split(self, member: Member) -> None:
        """Heed what closes an account to some models alone, after another process told of it."""
        self._split = self._split or bool(member.closed_for)

    def choose(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> AccountChoice | None:
        """The account for a request, bound to its session; None when none can be asked now. tried: those that failed
        it already."""
        if self.stateless:
            member = self.members[0]
            return None if member in tried else AccountChoice(member)
        self._look_at_portions(now)
        if len(self.members) == 1:
            member = self.members[0]
            if now < member.until(want.family, want.model) or member in tried:
                member = self._last_resort(now, want, tried)
            return None if member is None else AccountChoice(member)
        binding = self.affinity.get(want.session, now) if want.session else None
        if binding is not None and not want.only:
            member = self._bound_member(binding, now, want, tried)
            if member is not None:
                return AccountChoice(member, self.affinity.bind(want.session, member.alias, now))
        member = self._best(now, want, tried) or self._last_resort(now, want, tried)
        if member is None:
            return None
        bound = self.affinity.bind(want.session, member.alias, now) if want.session else None
        moved = binding if binding is not None and binding.account != member.alias else None
        return AccountChoice(member, bound, moved)

    def _look_at_portions(self, now: float) -> None:
        """See whether the portions of limits that processes share have room: the time until when they have none is that
        of the next question to the others, and no promise."""
        if self._limited:
            for one in self.members:
                if one.rate_limit is not None and one.rate_limit.portions is not None and one.limited_until <= now:
                    one.look_at_limits(now)

    def _bound_member(
        self, binding: SessionBinding, now: float, want: Want, tried: Collection[Member]
    ) -> Member | None:
        """The account a session is bound to, while it can serve it."""
        member = self._named.get(binding.account)
        if member is None or now < member.until(want.family, want.model) or now < member.shaky:
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
        """What an account has left, 0 to 1, over every limit known: those in its answers, and the user's own."""
        share = member.headroom.share(now, family)
        if self._limited:
            if member.rate_limit is not None:
                share = min(share, member.rate_limit.share(now))
            if self._spent is not None:
                share = min(share, max(0.0, 1 - self._spent(member.alias)))
        return share

    def _best(self, now: float, want: Want, tried: Collection[Member]) -> Member | None:
        """The ready account that the strategy takes; of those that are shaky only when there is no other."""
        family, model = want.family, want.model
        ready = [one for one in self.members if one.clear <= now and one.usable]
        if tried or want.only or want.group or want.barred:
            ready = [one for one in ready if self._fits(one, want, tried)]
        if self._split:
            ready = [one for one in ready if one.until(family, model) <= now]
        if not ready:
            ready = [one for one in self.members if one.until(family, model) <= now and self._fits(one, want, tried)]
            if not ready:
                return None
            ready = _steadiest(ready)
        if self.strategy == "round-robin":
            return self._next(ready)
        if self.strategy == "fill-first":
            return next((one for one in ready if self.share(one, now, family) > DRAINED), ready[0])
        return self._roomiest(ready, now, family)

    def _roomiest(self, ready: list[Member], now: float, family: str) -> Member:
        """The one with most left; of equal ones the one with fewest requests under way, then the one not used for
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
        """The account to try when none is ready."""
        family, model = want.family, want.model
        closed = [
            one
            for one in self.members
            if now < one.until(family, model) and one.limited_until <= now and self._fits(one, want, tried)
        ]
        cooling = [one for one in closed if one.cools_for(now, family, model)]
        if cooling:
            return min(cooling, key=lambda one: one.until(family, model))
        waited = [one for one in closed if now - max(one.closed_at, one.tried) >= HOURLY_SECONDS]
        return min(waited, key=lambda one: one.closed_at, default=None)

    def list_in_order(self, now: float, want: Want = ANY) -> list[Member]:
        """The accounts in the order in which new conversations would get them; it chooses none."""
        turn, found = self._turn, list[Member]()
        while (member := self._best(now, want, found)) is not None:
            found.append(member)
        self._turn = turn
        return [*found, *(one for one in self.members if one not in found)]

    def count_fitting(self, want: Want) -> int:
        """How many accounts could serve a request, ready or not."""
        return sum(self._fits(one, want, ()) for one in self.members)

    def can_choose(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> bool:
        """True when `choose` would find an account."""
        if self.stateless:
            return self.members[0] not in tried
        return self.ready_at(now, want, tried) <= now or self._last_resort(now, want, tried) is not None

    def ready_at(self, now: float, want: Want = ANY, tried: Collection[Member] = ()) -> float:
        """When the next account is ready for a request; infinite when none will be."""
        self._look_at_portions(now)
        fitting = [one.until(want.family, want.model) for one in self.members if self._fits(one, want, tried)]
        return min(fitting, default=math.inf)

    def is_spent(self, now: float, want: Want = ANY) -> bool:
        """True when the money of every account that could serve a request is used up."""
        fitting = [one for one in self.members if self._fits(one, want, ())]
        return bool(fitting) and all(one.spent and now < one.closed for one in fitting)

    # What happens to an account

    def begin_request(self, member: Member, now: float, tokens: int = 0) -> None:
        """Count a request that is sent to it, of so many tokens by estimate."""
        member.running += 1
        member.last = now
        if now < member.closed:
            member.tried = now
        if member.rate_limit is not None:
            member.rate_limit.count_request(now, tokens)
            member.look_at_limits(now)

    def end_request(self, member: Member, now: float = 0.0, tokens: int = 0) -> None:
        """Count the end of a request, which used so many tokens more (or fewer) than had been counted."""
        member.running -= 1
        if member.rate_limit is not None and tokens:
            member.rate_limit.correct_tokens(now, tokens)
            member.look_at_limits(now)

    def reopen(self, member: Member, since: float, want: Want = ANY) -> None:
        """End what closed it, after it served a request that was sent at `since`, later than it was closed. want: what
        that request asked of it; what is closed to other models alone stays so."""
        if since < member.closed_at:
            return
        member.closed, member.cools, member.spent = 0.0, False, False
        member.rejections = member.faults = member.missed = 0
        member.shaky = 0.0
        if member.refused:
            member.refused = set()
        for key in (want.family, want.model):
            part = member.closed_for.get(key)
            if part is not None and since >= part.since:
                del member.closed_for[key]
        member.settle()

    def park(
        self, member: Member, now: float, seconds: float, why: str, models: str = "", *, spent: bool = False
    ) -> None:
        """Close it for some seconds, since it is at a limit. models: to this family, or this model, alone. spent: its
        money is used up."""
        if self.stateless:
            return
        if models:
            known = member.closed_for.get(models)
            until = max(now + seconds, known.until if known is not None else 0.0)
            self._close_for(member, models, Closing(until, now, why, known.refusals if known is not None else 0))
            return
        member.why = why
        if now < member.closed and not member.cools:
            seconds = max(seconds, member.closed - now)
        member.closed, member.cools, member.spent = now + seconds, False, spent
        member.settle()
        member.closed_at = now

    def _close_for(self, member: Member, models: str, part: Closing) -> None:
        member.close_for(models, part)
        member.why = part.why
        member.closed_at = part.since
        self._split = True

    def refuse_model(self, member: Member, now: float, since: float, model: str, why: str) -> None:
        """Close it to a model alone for a while that grows each time: it refused the model (403) at a request sent at
        `since`. When it refuses a second one before it serves any, its key is rejected. model: '' for a request of
        none, which closes nothing."""
        if self.stateless or not model:
            return
        if len(member.refused) < 2:
            member.refused.add(model)
        if len(member.refused) > 1:
            self.cool_down(member, now, since, why)
        known = member.closed_for.get(model)
        if known is None or since >= known.since:  # of many requests that were under way, one counts
            refusals = (known.refusals if known is not None else 0) + 1
            until = max(now + cooling_seconds(refusals), known.until if known is not None else 0.0)
            self._close_for(member, model, Closing(until, now, why, refusals))

    def cool_down(self, member: Member, now: float, since: float, why: str) -> None:
        """Close it for a while that grows each time: its key was rejected (401, 403) at a request sent at `since`."""
        if self.stateless or (since < member.closed_at and member.cools):
            return  # of many requests that were under way, one counts
        member.rejections += 1
        member.why = why
        until = now + cooling_seconds(member.rejections)
        if until > member.closed:
            member.closed, member.cools, member.spent = until, True, False
            member.settle()
        member.closed_at = now

    def mark_failed(self, member: Member, now: float, since: float) -> None:
        """Count it as failing for a while: it answered 5xx or not at all, at a request that was sent at `since`."""
        if self.stateless or since < member.shook_at:
            return  # of many requests that were under way, one counts
        member.faults += 1
        member.shook_at = now
        member.shaky = now + min(SHAKY_LIMIT, SHAKY_SECONDS * 2.0 ** min(member.faults - 1, 10))
        member.settle()

    def note_missed(self, member: Member, now: float, since: float) -> None:
        """Count that no connection came about at a request sent at `since`. That says nothing about the account, which
        stays as it is; clients are told to wait longer each time."""
        if self.stateless or since < member.missed_at:
            return
        member.missed += 1
        member.missed_at = now

    def repeat_after(self, now: float, want: Want = ANY) -> int:
        """Seconds after which a client does well to send again what failed everywhere: as long as clients wait by
        themselves, by how often in a row the steadiest account failed that is not closed."""
        fitting = [one for one in self.members if self._fits(one, want, ())]
        ready = [one for one in fitting if one.until(want.family, want.model) <= now]
        failed = min((one.faults + one.missed for one in ready or fitting), default=1)
        return math.ceil(min(REPEAT_LIMIT, _REPEAT_SECONDS * 2.0 ** min(max(failed - 1, 0), 10)))


def _steadiest(shaky: list[Member]) -> list[Member]:
    """The accounts that failed least often in a row."""
    least = min(one.faults for one in shaky)
    return [one for one in shaky if one.faults == least]
