"""The exchange of budgets with other processes, in virtual time, over a scripted store."""

import pytest
import trio
from trio.testing import MockClock

from router.budget.sync import BURST, LOCAL_SECONDS, LOOK_SECONDS, PATIENCE, BudgetSync
from router.store.interfaces import SharedState, SyncMessage


class Shared:
    """A store that answers after a while, or never. delay: None for never. pause: that it wants between exchanges."""

    def __init__(self, delay=0.01, pause=0.0):
        self.problem, self.delay, self.calls = None, delay, []
        self.pause = pause
        self.sequence = 0

    def subscribe(self, receive):
        self._receive = receive

    def publish(self, message):
        self.calls.append(message)
        self.sequence = message.sequence
        self._answer()

    def look(self):
        self.calls.append("look")
        self._answer()

    def leave(self):
        self.calls.append("leave")

    def _answer(self):
        async def later(state):
            await trio.sleep(self.delay)
            self._receive(state)

        if self.delay is not None:
            trio.lowlevel.spawn_system_task(later, SharedState(self.sequence, {}, (), {}))


class Guard:
    """A participant whose state the test sets."""

    def __init__(self):
        self.active, self.has_news, self.busy, self.holds = True, True, False, False
        self.received, self.alone = [], 0

    def publish(self, sequence, *, give_back):
        self.holds = self.holds and not give_back
        return SyncMessage(sequence, {}, lift=give_back)

    def receive(self, state, sequence):
        self.received.append((state.sequence, sequence))

    def use_local_state(self):
        self.alone += 1


@pytest.fixture
def exchanged():
    """Runs `use(sync, shared, guard)` while the exchange goes on."""

    def run(use, **options):
        shared, guard = Shared(**options), Guard()

        async def main():
            sync = BudgetSync(guard, shared)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sync.run)
                await use(sync, shared, guard)
                nursery.cancel_scope.cancel()

        trio.run(main, clock=MockClock(autojump_threshold=0))
        return shared, guard

    return run


def test_what_is_published_is_read_back(exchanged):
    """A wait ends once the state that holds this process's message was received; then what is known is current."""

    async def use(sync, shared, guard):
        await sync.next_exchange()
        assert guard.received == [(1, 1)]
        await sync.current()
        assert len(shared.calls) == 1

    exchanged(use)


def test_without_news_a_process_only_looks(exchanged):
    """A process that has nothing to publish any more reads the state when it is older than it may be."""

    async def use(sync, shared, guard):
        await sync.next_exchange()
        guard.has_news = False
        await trio.sleep(LOOK_SECONDS + 0.1)
        await sync.current()
        assert [call if call == "look" else call.sequence for call in shared.calls] == [1, "look"]
        assert guard.received[-1] == (1, 1)

    exchanged(use)


@pytest.mark.parametrize(("pause", "most"), [(0.25, BURST + 40), (0.0, 1000)])
def test_a_store_may_want_a_pause(exchanged, pause, most):
    """Requests that ask all the time have an exchange each where the store wants no pause; else a few at once, then one
    a pause."""

    async def use(sync, shared, guard):
        guard.busy = True
        begun = trio.current_time()
        times = []
        while trio.current_time() < begun + 10:
            await sync.next_exchange()
            times.append(trio.current_time() - begun)
        assert times[BURST - 1] < 0.1
        assert most - 10 <= len(shared.calls) <= most + 1
        await trio.sleep(10)
        quiet = trio.current_time()
        await sync.next_exchange()
        assert trio.current_time() - quiet <= 0.1, "a request does not wait when the exchanges were few"

    exchanged(use, pause=pause)


def test_a_wait_is_for_an_exchange_that_begins_later(exchanged):
    """What happened while an exchange is under way is in none of its messages, so the next one is waited for."""

    async def use(sync, shared, guard):
        sync.wake()
        await trio.sleep(0.001)
        assert len(shared.calls) == 1
        await sync.next_exchange()
        assert [call.sequence for call in shared.calls] == [1, 2]

    exchanged(use)


def test_a_silent_store_is_given_up(exchanged):
    """After PATIENCE the local state decides, and requests do not wait again for LOCAL_SECONDS."""

    async def use(sync, shared, guard):
        began = trio.current_time()
        await sync.next_exchange()
        assert trio.current_time() - began == pytest.approx(PATIENCE, abs=0.2)
        await sync.next_exchange()
        assert trio.current_time() - began == pytest.approx(PATIENCE, abs=0.2)
        assert guard.alone == 2
        await trio.sleep(LOCAL_SECONDS + 1)
        shared.delay = 0.01
        await sync.next_exchange()
        assert guard.alone == 2
        assert guard.received

    exchanged(use, delay=None)


def test_a_store_with_a_problem_is_not_waited_for(exchanged):
    """Nothing is published while the store says that it cannot be used."""

    async def use(sync, shared, guard):
        shared.problem = "full"
        began = trio.current_time()
        await sync.next_exchange()
        assert trio.current_time() == began
        assert (guard.alone, shared.calls) == (1, [])

    exchanged(use)


def test_shares_are_given_back_when_nothing_happens(exchanged):
    """A process that is quiet, and one that ends, gives its unused shares back."""

    async def use(sync, shared, guard):
        guard.holds = True
        await sync.next_exchange()
        await trio.sleep(2)
        assert [call.lift for call in shared.calls] == [False, True]

    shared, _ = exchanged(use)
    assert [getattr(call, "lift", call) for call in shared.calls] == [False, True, True, "leave"]


def test_a_process_without_rules_says_nothing(exchanged):
    """While there is nothing to guard nothing is exchanged, until something waits for it, as a resume does."""

    async def use(sync, shared, guard):
        guard.active = False
        sync.wake()
        await trio.sleep(60)
        assert shared.calls == []
        await sync.next_exchange()
        assert len(shared.calls) == 1

    exchanged(use)
