"""Budgets kept in step between the processes of a store: each publishes what it spent and receives the common state.

Rules of this file: one exchange at a time, while requests run. A request that waits for an exchange waits for the end
of one that begins later. A process that has nothing to publish only reads. Where the store cannot be used, or no state
comes within PATIENCE, the process decides by its local state, and does not wait again for LOCAL_SECONDS.
"""

import contextlib
from typing import Protocol

import trio

from router.store.interfaces import SharedBudgets, SharedState, SyncMessage

EXCHANGE_SECONDS = 0.4
#: No decision is made by a state that is older.
LOOK_SECONDS = 0.9
PATIENCE = 10.0
LOCAL_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_BEAT_SECONDS = 20.0
#: So many exchanges may begin at once where the store wants a pause between them.
BURST = 3


class SyncParticipant(Protocol):
    """The part of the guard that the exchange of messages needs."""

    @property
    def active(self) -> bool:
        """False while there is nothing to guard."""
        ...

    @property
    def has_news(self) -> bool:
        """True when there is something to publish."""
        ...

    @property
    def busy(self) -> bool:
        """True while the state may change soon."""
        ...

    @property
    def holds(self) -> bool:
        """True while it holds shares that no request needs."""
        ...

    def publish(self, sequence: int, *, give_back: bool) -> SyncMessage:
        """Make the message for the other processes. give_back: hold no share that no request needs."""
        ...

    def receive(self, state: SharedState, sequence: int) -> None:
        """Apply the state that the store holds. sequence: of the last message that was published."""
        ...

    def use_local_state(self) -> None:
        """Decide by what this process knows, since the store cannot be used."""
        ...


class BudgetSync:
    """The exchange of one process with the others of its store."""

    def __init__(self, participant: SyncParticipant, shared: SharedBudgets):
        self._participant = participant
        self._shared = shared
        self._sequence = self._received_sequence = 0
        self._received_at = self._published_at = self._local_since = -1e9
        # When the next exchange would begin if all had kept the pause.
        self._due = -1e9
        self._token: trio.lowlevel.TrioToken | None = None
        self._fresh = False
        #: Set when there is something to exchange.
        self._wake = trio.Event()
        #: Set while a request waits for the exchange whose end is `_next`.
        self._urgent = trio.Event()
        self._next, self._received = trio.Event(), trio.Event()
        shared.subscribe(self._receive_in_thread)

    def wake(self) -> None:
        """Have an exchange begin soon."""
        self._wake.set()

    async def current(self) -> None:
        """Wait until what is known is not older than LOOK_SECONDS."""
        if trio.current_time() - self._received_at > LOOK_SECONDS:
            await self.next_exchange()

    async def next_exchange(self) -> None:
        """Wait for the end of an exchange that begins from here on."""
        if self.is_local:
            self._participant.use_local_state()
            return
        ended = self._next
        self._wake.set()
        self._urgent.set()
        await ended.wait()

    async def run(self) -> None:
        """Take part until cancelled."""
        self._token = trio.lowlevel.current_trio_token()
        try:
            while True:
                await self._wake.wait()
                if not self._participant.active and not self._urgent.is_set():
                    self._wake = trio.Event()
                else:
                    await self._exchange_while_busy()
        finally:
            if self._sequence:
                self._publish(give_back=True)
            self._shared.leave()

    async def _exchange_while_busy(self) -> None:
        """Exchange for as long as there is something to exchange; then give back unused shares for other processes."""
        busy = True
        while busy:
            self._wake = trio.Event()
            await self._exchange(give_back=False)
            with trio.move_on_after(EXCHANGE_SECONDS):
                await self._urgent.wait()
            busy = self._wake.is_set() or self._participant.busy
        if self._participant.holds:
            await self._exchange(give_back=True)

    async def _pace(self) -> None:
        """Wait until the store may be asked again. Requests that come meanwhile have the same exchange."""
        pause = self._shared.pause
        if pause:
            await trio.sleep_until(self._due - (BURST - 1) * pause)
            self._due = max(self._due, trio.current_time()) + pause

    async def _exchange(self, *, give_back: bool) -> None:
        await self._pace()
        ended, self._next = self._next, trio.Event()
        self._urgent = trio.Event()
        self._fresh = False
        if self._shared.problem is None:
            if give_back or self._participant.has_news or trio.current_time() - self._published_at > _BEAT_SECONDS:
                self._publish(give_back=give_back)
            else:
                self._shared.look()
        patience = trio.current_time() + PATIENCE
        while not self._is_received and self._shared.problem is None and trio.current_time() < patience:
            self._received = trio.Event()
            # A store that becomes unusable does not set the event.
            with trio.move_on_after(_AGAIN_SECONDS):
                await self._received.wait()
        if not self._is_received:
            self._local_since = trio.current_time()
            self._participant.use_local_state()
        ended.set()

    @property
    def is_local(self) -> bool:
        """True while decisions are made by what this process knows alone, since the store cannot be used."""
        return trio.current_time() - self._local_since < LOCAL_SECONDS

    @property
    def _is_received(self) -> bool:
        """True once the state that holds the last message was received."""
        return self._fresh and self._received_sequence >= self._sequence

    def _publish(self, *, give_back: bool) -> None:
        self._sequence += 1
        self._published_at = trio.current_time()
        self._shared.publish(self._participant.publish(self._sequence, give_back=give_back))

    def _receive_in_thread(self, state: SharedState) -> None:
        """Hand a state over to the event loop, from any thread."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._receive, state)

    def _receive(self, state: SharedState) -> None:
        self._fresh = True
        self._received_sequence = state.sequence
        self._received_at = trio.current_time()
        self._local_since = -1e9
        self._participant.receive(state, self._sequence)
        self._received.set()
