"""The least time between two requests over several processes: exact, each in turn, and no message for one alone."""

import itertools
import random
from collections import deque

import pytest

from router.policy.accounts.portions import AGAIN_SECONDS
from router.policy.accounts.send_token import Handed, SendToken, TokenArbiter

KEY = ("backend", "box", "interval")


class Port:
    """A parent and its processes, whose messages take a moment each."""

    def __init__(self, count, interval, seed=0):
        self.now = 0.0
        self.interval = interval
        self.arbiter = TokenArbiter()
        self.sent = []
        self.messages = 0
        self.waiting = [0] * count
        self._chance = random.Random(seed)
        self._mail = deque()
        self.tokens = [self._make(number) for number in range(count)]
        self.gone = set()

    def _make(self, number):
        return SendToken(
            lambda: self._post(lambda: self.arbiter.ask(number, KEY, self.interval)),
            lambda following: self._post(lambda: self.arbiter.give_back(number, KEY, following)),
        )

    def _post(self, deliver):
        self.messages += 1
        self._mail.append((self.now + 0.001, lambda: self._tell(deliver())))

    def _tell(self, told):
        for one in told:
            if one.process not in self.gone:
                self._mail.append((self.now + 0.001, lambda one=one: self._take(one)))

    def _take(self, one):
        token = self.tokens[one.process]
        if isinstance(one, Handed):
            token.take(one.following)
        else:
            token.recall(waiting=self.waiting[one.process] > 0)

    def end(self, number):
        """A process ends at once."""
        self.gone.add(number)
        self._tell(self.arbiter.end(number, self.now))

    def step(self, seconds=0.01):
        """Let time pass."""
        self.now += seconds
        while self._mail and self._mail[0][0] <= self.now:
            self._mail.popleft()[1]()
        order = [number for number in range(len(self.tokens)) if number not in self.gone]
        self._chance.shuffle(order)
        for number in order:
            if self.waiting[number] and self.tokens[number].wait(self.now) <= self.now:
                self.waiting[number] -= 1
                self.sent.append((self.now, number))
                self.tokens[number].use(self.now + self.interval)


@pytest.mark.parametrize("seed", range(5))
def test_the_time_between_two_requests_is_kept_over_all(seed):
    """No two requests of any processes are closer, none comes much later, and processes take turns."""
    port = Port(3, 1.0, seed)
    port.waiting = [10, 10, 10]
    while sum(port.waiting):
        port.step()
    moments = [moment for moment, _ in port.sent]
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert len(port.sent) == 30
    assert min(gaps) >= 1.0 - 1e-9
    assert max(gaps) <= 1.0 + 0.05
    assert {number for _, number in port.sent[:3]} == {0, 1, 2}


def test_one_that_is_alone_asks_nobody():
    """After the first request no message is needed while no other process has one."""
    port = Port(2, 0.5)
    port.waiting = [20, 0]
    while sum(port.waiting):
        port.step()
    assert port.messages == 1


def test_who_has_the_token_and_ends_does_not_take_it_along():
    """After the interval, from the end of the process on, another one sends."""
    port = Port(2, 1.0)
    port.waiting = [1, 0]
    while sum(port.waiting):
        port.step()
    port.waiting = [0, 1]
    port.end(0)
    ended = port.now
    while sum(port.waiting):
        port.step()
        assert port.now < ended + 2
    assert port.sent[-1][1] == 1
    assert port.now >= ended + 1.0 - 1e-9


def test_a_holder_that_cannot_send_passes_it_on():
    """A process that another limit holds back keeps the token from others for a moment only."""
    port = Port(2, 0.1)
    port.tokens[0].wait(0.0)
    port.step()
    port.step()
    # A request waits here, and something else than the time keeps it.
    held = port.tokens[0]
    port.waiting = [0, 1]
    held.recall(waiting=True)
    assert port.waiting[1]
    port.step(AGAIN_SECONDS + 0.2)
    held.wait(port.now)
    for _ in range(60):
        port.step()
    assert [number for _, number in port.sent] == [1]
