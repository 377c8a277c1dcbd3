"""One account of a pool, its states, and what a request asks of it.

    state      begins                                       ends
    ready      from the start; when any other state ends    -
    parked     429: until its reset or retry-after, for     by time alone; at an answer to a request sent later
               UNREADABLE when it does not say; for
               QUOTA_SECONDS when its money is used up
               (402, or words that say so); at a limit a
               minute that the user set for it              by time alone
    cooling    401: COOL_SECONDS, doubled each time up to   by time; at an answer to a request sent later
               COOL_LIMIT; 403 for two models
    revoked    as cooling, once COOL_LIMIT was reached:     as cooling; a new key begins as ready
               its key is not rejected by chance

An account may be parked or cooling for some models alone: at a limit that is theirs, or after a 403, which says nothing
of other models until a second one is refused too. Such a state ends as those above, at an answer of those models.

An account that is ready may be *shaky*: it answered 5xx, not at all, or could not be reached. It is chosen only when no
steady one is ready. Times are seconds of one clock that does not stand still while the machine sleeps; none of them
comes from the wall.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from router.policy.accounts.headroom import Headroom
from router.policy.accounts.rate_limit import RateLimit

COOL_SECONDS, COOL_LIMIT = 60.0, 1800.0
#: Models and families for which alone an account may be closed; of more the one that ends first is forgotten.
_PARTS_LIMIT = 64

State = Literal["ready", "parked", "cooling", "revoked"]


class Closing(NamedTuple):
    """The time for which an account is closed to some models alone."""

    until: float
    #: When it began.
    since: float
    #: What closed it, in words.
    why: str
    #: How often in a row these models were refused (403); 0 for a limit.
    refusals: int = 0


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
    #: It is cooling: its key was rejected.
    cools: bool = False
    #: It is parked since its money is used up.
    spent: bool = False
    #: Family of models, or the name of one -> closed to them alone.
    closed_for: dict[str, Closing] = field(default_factory=dict[str, Closing])
    #: Models refused (403) since the last answer, at most two.
    refused: set[str] = field(default_factory=set[str])
    #: What closed it, in words.
    why: str = ""
    #: How often in a row its key was rejected.
    rejections: int = 0
    #: How often in a row it failed.
    faults: int = 0
    #: Until then it counts as failing.
    shaky: float = 0.0
    #: When it failed last.
    shook_at: float = -math.inf
    #: How often in a row no connection to it came about, and when last.
    missed: int = 0
    missed_at: float = -math.inf
    #: From then on it is neither closed, limited nor shaky.
    clear: float = 0.0
    #: When it was asked last although it was closed.
    tried: float = -math.inf
    #: When it was asked last.
    last: float = -math.inf
    #: Requests it serves now.
    running: int = 0

    def state(self, now: float) -> State:
        """Its state in the table at the top of this file, for any model."""
        if now >= self.closed:
            return "ready" if now >= self.limited_until else "parked"
        if not self.cools:
            return "parked"
        return "revoked" if cooling_seconds(self.rejections) >= COOL_LIMIT else "cooling"

    def until(self, family: str = "", model: str = "") -> float:
        """When it is ready for these models."""
        until = self.closed if self.closed > self.limited_until else self.limited_until
        if self.closed_for:
            for key in (family, model):
                part = self.closed_for.get(key)
                if part is not None and part.until > until:
                    until = part.until
        return until

    def cools_for(self, now: float, family: str, model: str) -> bool:
        """True when it would be ready for these models but for a rejected key, or their refusal."""
        if now < self.closed:
            return self.cools
        parts = [part for key in (family, model) if (part := self.closed_for.get(key)) and now < part.until]
        return bool(parts) and all(part.refusals for part in parts)

    def close_for(self, key: str, part: Closing) -> None:
        """Close it to a family or a model alone."""
        while len(self.closed_for) >= _PARTS_LIMIT and key not in self.closed_for:
            del self.closed_for[min(self.closed_for, key=lambda one: self.closed_for[one].until)]
        self.closed_for[key] = part

    def settle(self) -> None:
        """Work out `clear` anew, which every choice asks for, after a change."""
        self.clear = max(self.closed, self.limited_until, self.shaky)

    def look_at_limits(self, now: float) -> None:
        """Work out until when it is at one of the user's limits for it."""
        if self.rate_limit is not None:
            until = self.rate_limit.wait(now, 1).until
            self.limited_until = until if until > now else 0.0
            self.settle()


class Want(NamedTuple):
    """What a request asks of its account."""

    #: Its conversation, '' for none.
    session: str = ""
    #: The family of its model, '' for none.
    family: str = ""
    #: The alias of the account that knows an id the request names, '' for none.
    only: str = ""
    #: The organisation that alone can read what the request holds, '' for none.
    group: str = ""
    #: Aliases of accounts that the guard lets nothing go to.
    barred: Collection[str] = ()
    #: Its model as the backend gets it, '' for none.
    model: str = ""


ANY = Want()


def cooling_seconds(rejections: int) -> float:
    """How many seconds an account cools down after so many rejections in a row."""
    return min(COOL_LIMIT, COOL_SECONDS * 2.0 ** min(max(rejections - 1, 0), 10))
