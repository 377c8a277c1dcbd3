"""The deadline of an attempt: its own where another may follow, else the exchange's."""

import math

import trio
from trio.testing import MockClock

from router.exchange.deadline import AttemptDeadline, ExchangeDeadline
from router.net.server.cancel_reason import CancelReason


class Connection:
    def __init__(self):
        self.deadlines = []

    def set_deadline(self, seconds, why, *, now=None):
        self.deadlines.append((seconds, why))


def test_of_the_last_attempt():
    """It is the connection's; behind the head the relay moves it."""
    connection = Connection()
    deadline = ExchangeDeadline(connection)
    deadline.move(3, CancelReason.CONNECT)
    deadline.await_whole(100, 0.0)
    deadline.reach_head()
    assert connection.deadlines == [(3, CancelReason.CONNECT), (100, CancelReason.TOTAL)]


def test_of_an_attempt_that_another_may_follow():
    """It is a scope of the attempt; once the head came, and for a whole answer, only the exchange's holds."""

    async def main():
        await trio.sleep(5)
        scope = trio.CancelScope()
        deadline = AttemptDeadline(scope)
        assert deadline.reason is CancelReason.TOTAL
        deadline.move(3, CancelReason.CONNECT)
        assert (scope.deadline, deadline.reason) == (trio.current_time() + 3, CancelReason.CONNECT)
        deadline.move(4, CancelReason.FIRST_BYTE)
        assert (scope.deadline, deadline.reason) == (trio.current_time() + 4, CancelReason.FIRST_BYTE)
        deadline.reach_head()
        assert (scope.deadline, deadline.reason) == (math.inf, CancelReason.TOTAL)
        deadline.move(3, CancelReason.CONNECT)
        deadline.await_whole(100, 0.0)
        assert scope.deadline == math.inf

    trio.run(main, clock=MockClock(autojump_threshold=0))
