"""The admission queues of one backend in several processes, in virtual time: one line, and one least time."""

import random

import pytest
import trio
from trio.testing import MockClock

from router.policy.accounts.portions import AGAIN_SECONDS, Arbiter, Grant, Portion
from router.policy.accounts.rate_limit import RateSettings
from router.server.workers.limit_shares import LimitShares
from router.upstream.queue import AdmissionQueue, QueueTimeout

LINE = ("backend", "box", "line")


class Line:
    """Queues that share how many may wait, whose messages take a moment. late: seconds that a message takes."""

    def __init__(self, nursery, count, most, late=0.001):
        self._nursery, self._late, self._most = nursery, late, most
        self._arbiter = Arbiter()
        self.queues = [AdmissionQueue(limit=0, most=most, clock=trio.current_time) for _ in range(count)]
        for number, queue in enumerate(self.queues):
            queue.line = Portion(lambda need, number=number: self._post(number, need))

    def _post(self, number, need):
        self._nursery.start_soon(self._ask, number, need)

    async def _ask(self, number, need):
        await trio.sleep(self._late)
        await self._tell(self._arbiter.ask(number, LINE, self._most, need, trio.current_time()))

    async def _tell(self, told):
        for one in told:
            queue = self.queues[one.process]
            if isinstance(one, Grant):
                queue.line.grow(one.amount)
                queue.note_line()
            else:
                spare = queue.line.give_back(queue.lined_up)
                await self._tell(self._arbiter.give_back(one.process, LINE, spare, trio.current_time()))


def run(main):
    return trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("seed", range(4))
def test_one_line_over_all(seed):
    """Of requests that come to any of the processes as many wait as may over all, and the others are told at once."""

    async def main():
        found = []

        async def one(queue):
            try:
                await queue.acquire(lambda now: None, patience=60.0, arrived=trio.current_time())
            except QueueTimeout as refused:
                found.append((refused.limit, trio.current_time()))

        chance = random.Random(seed)
        async with trio.open_nursery() as nursery:
            line = Line(nursery, 3, 7)
            for _ in range(30):
                nursery.start_soon(one, chance.choice(line.queues))
            await trio.sleep(5)
            assert sum(queue.waiting for queue in line.queues) == 7
            assert [limit for limit, _ in found] == ["max_queued"] * 23
            assert max(moment for _, moment in found) <= AGAIN_SECONDS + 0.1
            nursery.cancel_scope.cancel()

    run(main)


def test_a_parent_that_does_not_answer_keeps_nobody():
    """A request that gets no part of the line in time is refused, and leaves no place taken."""

    async def main():
        async with trio.open_nursery() as nursery:
            line = Line(nursery, 1, 7, late=60.0)
            with pytest.raises(QueueTimeout, match="max_queued"):
                await line.queues[0].acquire(lambda now: None, patience=60.0, arrived=0.0)
            assert line.queues[0].lined_up == 0
            nursery.cancel_scope.cancel()

    run(main)


def test_the_token_of_a_backend_goes_to_who_asks():
    """A worker asks for the token when a request waits for the least time, sends once it has it, and passes it on when
    another one wants it."""
    sent = []
    shares = LimitShares(lambda kind, value: sent.append((kind, value)))
    queue = AdmissionQueue()
    queue.set_limits(RateSettings(interval=5.0))
    shares.attach_queue("backend", "box", queue)
    key = ("backend", "box", "interval")
    now = queue.clock()
    shares.grow(("backend", "box", "places"), 10)
    assert not queue.try_acquire(lambda now: None, now)
    assert [value for kind, value in sent if kind == "want token"] == [(key, 5.0)]
    shares.take_token(key, 0.0)
    assert queue.try_acquire(lambda now: None, now)
    assert not queue.try_acquire(lambda now: None, now + 1)
    shares.recall_token(key)
    assert [value for kind, value in sent if kind == "pass token"] == [(key, now + 5.0)]
