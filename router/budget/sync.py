"""Rounds of one process with the others of its home, through history.db: what it has to tell, and what stands there.

Rules of this file: one round at a time, beside the requests. Who waits for a round waits for the end of one that
begins from then on. A process that has nothing to tell only looks. Where history.db cannot be used, or nothing is heard
for PATIENCE, the process goes on alone, and is not held up again for ALONE_SECONDS.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

import trio

from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry, Priced
from router.store.shared.budgets import Round, Seen, Spending

ROUND_SECONDS = 0.4
#: No decision is made on what was seen longer ago.
LOOK_SECONDS = 0.9
PATIENCE = 10.0
ALONE_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_BEAT_SECONDS = 20.0


class Party(Protocol):
    """Who takes part. active: False while there is nothing to guard. restless: there is something to tell. busy:
    something may change soon. holds: it keeps what it has no request for."""

    @property
    def active(self) -> bool: ...
    @property
    def restless(self) -> bool: ...
    @property
    def busy(self) -> bool: ...
    @property
    def holds(self) -> bool: ...

    def tell(self, turn: int, *, give_back: bool) -> Round:
        """What the others are to hear."""
        ...

    def hear(self, seen: Seen, turn: int) -> None:
        """What stands in the file. turn: of the last round that was begun."""
        ...

    def go_on_alone(self) -> None:
        """Nothing could be shared."""
        ...


class Rounds:
    """The rounds of one process. price: what a request cost, for the ledger's thread."""

    def __init__(
        self,
        party: Party,
        ledger: Ledger,
        price: Callable[[HistoryEntry], Priced],
        *,
        clock: Callable[[], float] = time.time,
    ):
        self._party = party
        self._spending = Spending(ledger, price, self._told, clock=clock)
        self._turn = self._heard_turn = 0
        self._heard_at = self._wrote_at = self._alone_since = -1e9
        self._token: trio.lowlevel.TrioToken | None = None
        self._fresh = False
        # wake: something happened. hurry: somebody waits for the round whose end is `next`.
        self._wake, self._hurry, self._next, self._heard = trio.Event(), trio.Event(), trio.Event(), trio.Event()

    def wake(self) -> None:
        """Something happened: have a round soon."""
        self._wake.set()

    async def current(self) -> None:
        """Wait until what is known is not older than LOOK_SECONDS."""
        if trio.current_time() - self._heard_at > LOOK_SECONDS:
            await self.over()

    async def over(self) -> None:
        """Wait for the end of a round that begins from here on."""
        if trio.current_time() - self._alone_since < ALONE_SECONDS:
            self._party.go_on_alone()
            return
        ended = self._next
        self._wake.set()
        self._hurry.set()
        await ended.wait()

    async def run(self) -> None:
        """Take part until cancelled."""
        self._token = trio.lowlevel.current_trio_token()
        try:
            while True:
                await self._wake.wait()
                if not self._party.active and not self._hurry.is_set():
                    self._wake = trio.Event()
                else:
                    await self._while_busy()
        finally:
            if self._turn:
                self._hand_in(give_back=True)
            self._spending.leave()

    async def _while_busy(self) -> None:
        """Rounds for as long as something happens; at their end nothing is held, so that others may have it."""
        busy = True
        while busy:
            self._wake = trio.Event()
            await self._round(give_back=False)
            with trio.move_on_after(ROUND_SECONDS):
                await self._hurry.wait()
            busy = self._wake.is_set() or self._party.busy
        if self._party.holds:
            await self._round(give_back=True)

    async def _round(self, *, give_back: bool) -> None:
        spending = self._spending
        ended, self._next = self._next, trio.Event()
        self._hurry = trio.Event()
        self._fresh = False
        if spending.problem is None:
            if give_back or self._party.restless or trio.current_time() - self._wrote_at > _BEAT_SECONDS:
                self._hand_in(give_back=give_back)
            else:
                spending.look()
        patience = trio.current_time() + PATIENCE
        while not self._is_told and spending.problem is None and trio.current_time() < patience:
            self._heard = trio.Event()
            # Nobody tells of a file that turns out not to be usable.
            with trio.move_on_after(_AGAIN_SECONDS):
                await self._heard.wait()
        if not self._is_told:
            self._alone_since = trio.current_time()
            self._party.go_on_alone()
        ended.set()

    @property
    def _is_told(self) -> bool:
        """True once the round that is under way was read back."""
        return self._fresh and self._heard_turn >= self._turn

    def _hand_in(self, *, give_back: bool) -> None:
        self._turn += 1
        self._wrote_at = trio.current_time()
        self._spending.hand_in(self._party.tell(self._turn, give_back=give_back))

    def _told(self, seen: Seen) -> None:
        """In the ledger's thread."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._hear, seen)

    def _hear(self, seen: Seen) -> None:
        self._fresh = True
        self._heard_turn = seen.turn
        self._heard_at = trio.current_time()
        self._alone_since = -1e9
        self._party.hear(seen, self._turn)
        self._heard.set()
