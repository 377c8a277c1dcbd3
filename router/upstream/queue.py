"""The admission queue of one backend: which requests run now, which wait, and for what.

Rules of this file: the request that came first goes first, unless it cannot use any account that is ready (because it
failed there, or because its ids bind it to another one). A place is taken by `try_acquire` or `acquire` and given back
by `release`, whatever happens between. A request that is cancelled while it waits frees its place at once. The first
waiter watches the time for all: it looks again when the first limit ends, when a place is given back, and every
LOOK_SECONDS, since the machine may have slept meanwhile.

`ask(now)` takes an account if one is ready and then returns None; else it returns when the next will be ready.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from router.host.clock import boot_time
from router.policy.accounts.portions import AGAIN_SECONDS
from router.policy.accounts.rate_limit import RateLimit, RateSettings

if TYPE_CHECKING:
    from router.policy.accounts.portions import Portion

LOOK_SECONDS = 5.0

Ask = Callable[[float], float | None]


class QueueTimeout(Exception):
    """A request waited, or would have to wait, too long."""

    def __init__(self, limit: str, until: float):
        super().__init__(limit)
        #: The limit that delayed it: `accounts`, `max_concurrent`, `rpm`, `tpm`, `min_interval`, or `max_queued` when
        #: too many requests were waiting already.
        self.limit = limit
        #: When that ends, on the queue's clock; infinite when it is not known.
        self.until = until


@dataclass(eq=False, slots=True)
class Waiter:
    """A request that waits for a place."""

    ask: Ask
    arrived: float
    tokens: int
    #: True when all plain waiters would get the same answer from `ask`.
    plain: bool
    #: Set when it may have been admitted, or is to look again.
    wake: trio.Event = field(default_factory=trio.Event)
    admitted: bool = False
    #: The limit that delayed it, as in QueueTimeout; '' while none did.
    held: str = ""


class AdmissionQueue:
    """The requests at one backend."""

    def __init__(self, *, limit: int = 1000, most: int = 1000, clock: Callable[[], float] = boot_time):
        #: How many run at a time.
        self.limit = self.places = limit
        #: This process's part of them, where several share them.
        self.portion: Portion | None = None
        #: How many may wait.
        self.most = most
        #: This process's part of these.
        self.line: Portion | None = None
        self.rate_limit = RateLimit(RateSettings())
        self.running = 0
        self.clock = clock
        self._waiting: list[Waiter] = []
        # Requests that wait for a part of `most`, and what is set once that is another.
        self._entering = 0
        self._line_changed = trio.Event()
        self._held = ""
        self._next = math.inf
        self._moved = -math.inf
        self._since = 0.0

    def set_places(self, places: int) -> None:
        """Let so many run at a time; where several processes share them, this one's part."""
        self.places = places
        self.limit = places if self.portion is None else min(places, self.portion.held)

    def _ask_for_place(self, now: float) -> None:
        if self.portion is not None and self.limit < self.places:
            self.portion.wait(now, self.running, 1)

    def set_limits(self, limits: RateSettings) -> None:
        """Apply these limits from now on; requests that were counted stay counted."""
        if limits != self.rate_limit.limits:
            self.rate_limit.limits = limits

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def held(self) -> str:
        """The limit that requests wait for, as in QueueTimeout; '' while none waits."""
        return self._held if self._waiting else ""

    def stalled(self) -> float | None:
        """For how many seconds no request was admitted although one waits; None when none waits."""
        return self.clock() - max(self._moved, self._since) if self._waiting else None

    def try_acquire(self, ask: Ask, now: float, tokens: int = 0) -> bool:
        """Take a place at once; False when that is not possible."""
        if self._waiting or self.running >= self.limit:
            self._ask_for_place(now)
            return False
        if self.rate_limit.limits.any and self.rate_limit.wait(now, tokens).until > now:
            return False
        if ask(now) is not None:
            return False
        self._begin(now, tokens)
        return True

    async def acquire(self, ask: Ask, *, patience: float, arrived: float, tokens: int = 0, plain: bool = True) -> str:
        """Take a place when it is this request's turn, after at most `patience` seconds; returns the limit that delayed
        it last, '' for none. arrived: requests are admitted in this order. plain: all plain requests would get the same
        answer from `ask`. Raises QueueTimeout."""
        now = self.clock()
        if len(self._waiting) >= self.most:
            raise QueueTimeout("max_queued", math.inf)
        if self.line is not None:
            await self._enter(self.line)
        waiter = Waiter(ask, arrived, tokens, plain)
        self._insert(waiter, now)
        try:
            await self._wait(waiter, now + patience)
        except BaseException:
            if waiter.admitted:
                self.release()
            raise
        finally:
            if not waiter.admitted:
                self._waiting.remove(waiter)
                self._wake_first()
        return waiter.held

    @property
    def lined_up(self) -> int:
        """How many of those that may wait are taken here."""
        return len(self._waiting) + self._entering

    def note_line(self) -> None:
        """Let those enter that fit into this process's part, after that has changed."""
        self._line_changed.set()
        self._line_changed = trio.Event()

    async def _enter(self, line: "Portion") -> None:
        """Wait for a moment until this process's part of `most` has room for one more. Raises QueueTimeout."""
        self._entering += 1
        try:
            with trio.move_on_after(AGAIN_SECONDS):
                while self.lined_up > line.held:
                    line.wait(self.clock(), self.lined_up, 0)
                    await self._line_changed.wait()
            if self.lined_up > line.held:
                raise QueueTimeout("max_queued", math.inf)
        finally:
            self._entering -= 1

    def release(self, tokens: int = 0) -> None:
        """Give a place back. tokens: used beyond what was counted when it was taken."""
        self.running -= 1
        if tokens:
            self.rate_limit.correct_tokens(self.clock(), tokens)
        if self._waiting:
            self._advance(self.clock())

    def recheck(self) -> None:
        """Admit the requests that may run now, after an account became ready or a limit changed."""
        if self._waiting:
            self._advance(self.clock())

    def _insert(self, waiter: Waiter, now: float) -> None:
        if not self._waiting:
            self._since = now
        at = len(self._waiting)
        while at and self._waiting[at - 1].arrived > waiter.arrived:
            at -= 1
        self._waiting.insert(at, waiter)

    async def _wait(self, waiter: Waiter, end: float) -> None:
        while True:
            now, before = self.clock(), self._next
            self._advance(now)
            if waiter.admitted:
                return
            waiter.held = self._held
            first = self._waiting[0] is waiter
            if not first and self._next < before:
                self._wake_first()  # it watches the time for this request too
            if now >= end or (first and self._next > end and self._held != "max_concurrent"):
                raise QueueTimeout(self._held, self._next)
            until = min(end, self._next if first else math.inf, now + LOOK_SECONDS)
            with trio.move_on_after(until - now):
                await waiter.wake.wait()
            if not waiter.admitted:
                waiter.wake = trio.Event()

    def _advance(self, now: float) -> None:
        """Admit the requests that may run, in order."""
        self._next = math.inf
        plain_ones_wait = False
        for waiter in tuple(self._waiting):
            if self.running >= self.limit:
                self._held = "max_concurrent"
                self._ask_for_place(now)
                return
            wait = self.rate_limit.wait(now, waiter.tokens)
            if wait.until > now:
                self._held, self._next = wait.limit, wait.until
                return
            if waiter.plain and plain_ones_wait:
                continue
            ready = waiter.ask(now)
            if ready is not None:
                self._held, self._next = "accounts", min(self._next, ready)
                plain_ones_wait = plain_ones_wait or waiter.plain
                continue
            self._waiting.remove(waiter)
            waiter.admitted = True
            waiter.wake.set()
            self._begin(now, waiter.tokens)
            self._wake_first()

    def _wake_first(self) -> None:
        """Have the first waiter look again: it may be another one than before."""
        if self._waiting:
            self._waiting[0].wake.set()

    def _begin(self, now: float, tokens: int) -> None:
        self.running += 1
        self._moved = now
        if self.rate_limit.limits.any:
            self.rate_limit.count_request(now, tokens)
