"""The line before one backend: who may go now, who waits, and for what.

Rules of this file: who came first goes first, unless all that is ready is no use to it (an account it has tried, or
one that its ids pin it to). A place is taken by `go` or `wait` and given back by `leave`, whatever happens between. Who
leaves while it waits frees its place at once. The first in line keeps the time for all: it looks again when the first
limit ends, when somebody leaves, and every LOOK_SECONDS, since the machine may have slept meanwhile.

`ask(now)` is asked whether an account is ready: None when it took one, else the moment the next will be.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from router.host.clock import boot_time
from router.policy.accounts.rate_limit import RateLimit, RateSettings

LOOK_SECONDS = 5.0

Ask = Callable[[float], float | None]


class Waited(Exception):
    """It took, or would take, too long. limit: what held it: `accounts`, `max_concurrent`, `rpm`, `tpm`,
    `min_interval`, or `max_queued` when there was no place even to wait. until: when that ends, on the line's clock;
    infinite when nobody can tell."""

    def __init__(self, limit: str, until: float):
        super().__init__(limit)
        self.limit = limit
        self.until = until


@dataclass(eq=False, slots=True)
class _Place:
    ask: Ask
    arrived: float
    tokens: int
    plain: bool
    free: trio.Event = field(default_factory=trio.Event)
    admitted: bool = False


class Line:
    """The requests at one backend. limit: how many run at a time; most: how many wait."""

    def __init__(self, *, limit: int = 1000, most: int = 1000, clock: Callable[[], float] = boot_time):
        self.limit = limit
        self.most = most
        self.rate_limit = RateLimit(RateSettings())
        self.running = 0
        self.clock = clock
        self._waiting: list[_Place] = []
        self._held = ""
        self._next = math.inf
        self._moved = -math.inf
        self._since = 0.0

    def keep_to(self, limits: RateSettings) -> None:
        """Keep to these limits from now on; what was counted stays."""
        if limits != self.rate_limit.limits:
            self.rate_limit.limits = limits

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def stalled(self) -> float | None:
        """For how many seconds nobody was let go although somebody waits; None when nobody does."""
        return self.clock() - max(self._moved, self._since) if self._waiting else None

    def go(self, ask: Ask, now: float, tokens: int = 0) -> bool:
        """Take a place at once; False when that is not possible."""
        if self._waiting or self.running >= self.limit:
            return False
        if self.rate_limit.limits.any and self.rate_limit.wait(now, tokens).until > now:
            return False
        if ask(now) is not None:
            return False
        self._begin(now, tokens)
        return True

    async def wait(self, ask: Ask, *, patience: float, arrived: float, tokens: int = 0, plain: bool = True) -> None:
        """Take a place when it is one's turn, after at most `patience` seconds. arrived: who came earlier stands
        before; plain: what one is asked is asked by all that are plain. Raises Waited."""
        now = self.clock()
        if len(self._waiting) >= self.most:
            raise Waited("max_queued", math.inf)
        place = _Place(ask, arrived, tokens, plain)
        self._put(place, now)
        try:
            await self._stand(place, now + patience)
        except BaseException:
            if place.admitted:
                self.leave()
            raise
        finally:
            if not place.admitted:
                self._waiting.remove(place)
                self._poke()

    def leave(self, tokens: int = 0) -> None:
        """Give a place back. tokens: used beyond what was counted when it was taken."""
        self.running -= 1
        if tokens:
            self.rate_limit.correct_tokens(self.clock(), tokens)
        if self._waiting:
            self._advance(self.clock())

    def look(self) -> None:
        """Something changed: an account is ready, or a limit is another one."""
        if self._waiting:
            self._advance(self.clock())

    def _put(self, place: _Place, now: float) -> None:
        if not self._waiting:
            self._since = now
        at = len(self._waiting)
        while at and self._waiting[at - 1].arrived > place.arrived:
            at -= 1
        self._waiting.insert(at, place)

    async def _stand(self, place: _Place, end: float) -> None:
        while True:
            now, before = self.clock(), self._next
            self._advance(now)
            if place.admitted:
                return
            first = self._waiting[0] is place
            if not first and self._next < before:
                self._poke()  # it keeps the time for this one too
            if now >= end or (first and self._next > end and self._held != "max_concurrent"):
                raise Waited(self._held, self._next)
            until = min(end, self._next if first else math.inf, now + LOOK_SECONDS)
            with trio.move_on_after(until - now):
                await place.free.wait()
            if not place.admitted:
                place.free = trio.Event()

    def _advance(self, now: float) -> None:
        """Let go who may, in order."""
        self._next = math.inf
        plain_ones_wait = False
        for place in tuple(self._waiting):
            if self.running >= self.limit:
                self._held = "max_concurrent"
                return
            wait = self.rate_limit.wait(now, place.tokens)
            if wait.until > now:
                self._held, self._next = wait.limit, wait.until
                return
            if place.plain and plain_ones_wait:
                continue
            ready = place.ask(now)
            if ready is not None:
                self._held, self._next = "accounts", min(self._next, ready)
                plain_ones_wait = plain_ones_wait or place.plain
                continue
            self._waiting.remove(place)
            place.admitted = True
            place.free.set()
            self._begin(now, place.tokens)
            self._poke()

    def _poke(self) -> None:
        """Have the first in line look: it may be another one than before."""
        if self._waiting:
            self._waiting[0].free.set()

    def _begin(self, now: float, tokens: int) -> None:
        self.running += 1
        self._moved = now
        if self.rate_limit.limits.any:
            self.rate_limit.count_request(now, tokens)
