"""What may be sent again, where, and when (product.md 7). Nothing here counts once a byte of an answer went out.

    fault      what it was                                       free   served   streamed
    HALTED     the guard lets nothing go to this account         yes    yes      yes
    UNSENT     no key, no name, no connection, no TLS            yes    yes      yes
    REFUSED    401, 403                                          yes    yes      no
    LIMITED    429                                               yes    yes      no
    FOREIGN    400: it cannot read what the input holds sealed   yes    yes      no
    FAILED     5xx, also as the error inside a 200               yes    no       no
    SILENT     no head in time, broke off, or a stream without   yes    no       no
               content that fell silent

    free       generation, embeddings, count_tokens; what only reads
    served     Responses that store, run in the background, follow another or use tools of the server; every other
               POST and DELETE: once it may have been served, it is not sent again
    streamed   a body that was not kept

After a fault: a burst (a limit that ends within BURST_SECONDS) is waited for where the session's cache is, or where
there is nobody else; else the next account that is ready, then the fallback chain. When nobody is left, a limit that
ends inside the queue's timeout is waited for; and what failed with all that were ready is tried again at the steadiest
of them: where there are several accounts, nobody is to notice that one stumbled while the others rest. One account
without fallback is left to the client's own retries, which are more patient.
To one account a request is sent REPEATS times again at most, after a wait with jitter; no attempt begins later than
LATEST seconds after the request arrived.
"""

import enum
from collections.abc import Mapping
from typing import Literal, NamedTuple

from router.policy.accounts.pool import QUOTA_SECONDS
from router.wire import protocols
from router.wire.headers.rate_limits import AccountLimits, Limit, parse_limits
from router.wire.headers.times import UNREADABLE

BURST_SECONDS = 5.0
REPEATS = 2
LATEST = 240.0
_BACKOFF = 0.5
# A limit that is used up so far is what the 429 is about.
_SPENT = 0.98

Nature = Literal["free", "served", "streamed"]
Limited = Literal["burst", "window", "quota"]


class Fault(enum.Enum):
    """What went wrong with an attempt; the table at the top of this file."""

    HALTED = "is halted"
    UNSENT = "could not be reached"
    REFUSED = "refused the key"
    LIMITED = "is at a limit"
    FOREIGN = "cannot read what is sealed"
    FAILED = "failed"
    SILENT = "did not answer"


_AFTER = {
    "free": frozenset(Fault),
    "served": frozenset((Fault.HALTED, Fault.UNSENT, Fault.REFUSED, Fault.LIMITED, Fault.FOREIGN)),
    "streamed": frozenset((Fault.HALTED, Fault.UNSENT)),
}
# They may pass by themselves in a moment.
_PASSING = (Fault.UNSENT, Fault.FAILED, Fault.SILENT)


def fault_of(status: int) -> Fault | None:
    """The fault an answer's status stands for, None for an answer that is final."""
    if status < 400:
        return None
    if status == 429:
        return Fault.LIMITED
    if status in (401, 403):
        return Fault.REFUSED
    return Fault.FAILED if status >= 500 else None


def may_move(fault: Fault, nature: Nature) -> bool:
    """True when a request may be sent again after this fault."""
    return fault in _AFTER[nature]


class Hold(NamedTuple):
    """How long a 429 keeps an account closed. seconds: until then. limit: what is used up, '' when it does not say.
    family: the models it holds for alone, '' for all."""

    kind: Limited
    seconds: float
    limit: str = ""
    family: str = ""

    @property
    def words(self) -> str:
        """What was seen, for people."""
        named = f" ({self.limit})" if self.limit else ""
        return f"429 {self.kind}{named}, {'again' if self.kind == 'burst' else 'reset'} in {span(self.seconds)}"


def hold_of(fields: Mapping[bytes, bytes], body: bytes | bytearray, family: str) -> Hold:
    """What a 429 means. body: as far as it was read. family: of the model that was asked for."""
    said = parse_limits(fields)
    spent = _spent(said, family)
    limit = spent.name if spent else ""
    if any(word in body for word in protocols.quota_words()):
        return Hold("quota", max(QUOTA_SECONDS, said.wait or 0.0), limit)
    seconds = said.wait if said.wait is not None else (spent.left if spent else 0.0) or UNREADABLE
    own = family if spent is not None and spent.family else ""
    return Hold("burst" if seconds <= BURST_SECONDS else "window", seconds, limit, own)


def _spent(said: AccountLimits, family: str) -> Limit | None:
    """Of the limits that are used up for these models the one that is free again last."""
    spent = [limit for limit in said.limits if limit.used >= _SPENT and limit.family in ("", family)]
    return max(spent, key=lambda limit: limit.left, default=None)


class Standing(NamedTuple):
    """How far a request has come. others: another account is ready, or the chain goes on. bound: its session has a
    cache where it was sent. repeats: how often it was sent to an account a second time. several: there is more than
    one account for it, or a chain. elapsed: seconds since it arrived. ready: seconds until the first of those that are
    parked is ready again. patience: seconds it may still wait in the queue."""

    others: bool
    bound: bool
    repeats: int
    several: bool
    elapsed: float
    ready: float
    patience: float


class Step(NamedTuple):
    """What to do next: go to another place, ask again where it was, or give the client what there is. delay: seconds
    to wait before it."""

    what: Literal["move", "again", "stop"]
    delay: float = 0.0


STOP = Step("stop")


def after(fault: Fault, nature: Nature, standing: Standing, *, burst: bool = False, jitter: float = 0.5) -> Step:
    """The step after a fault. burst: a 429 that ends soon. jitter: a number from 0 to 1."""
    if not may_move(fault, nature) or standing.elapsed >= LATEST:
        return STOP
    again = standing.repeats < REPEATS
    waits = again and standing.ready <= standing.patience and standing.elapsed + standing.ready < LATEST
    if burst and waits and standing.bound:
        return Step("again", _spread(standing.ready, jitter))
    if standing.others:
        return Step("move")
    if fault is Fault.LIMITED:
        return Step("again", _spread(standing.ready, jitter)) if waits else STOP
    if fault in _PASSING and again and standing.several:
        return Step("again", _BACKOFF * 2**standing.repeats * (1 + jitter))
    return STOP


def _spread(ready: float, jitter: float) -> float:
    """What those who wait for one account wait beside the line, so that they do not come back together."""
    return min(1.0, ready / 4) * jitter


# Which of several errors tells the client most: when it will work again, what to mend, what happened.
_RANKS = {429: 0, 401: 1, 402: 1, 403: 2, 529: 3, 503: 3}


#: Behind all errors that somebody answered with.
LAST = (9, True)


def rank(status: int, *, own: bool) -> tuple[int, bool]:
    """The place of an error among those of one request; the lowest is the one to give. own: fairlead's words, not the
    upstream's."""
    return _RANKS.get(status, 4), own


def span(seconds: float) -> str:
    """A length of time for people: 8 s, 38 min, 5 h, 3 days."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"
