"""Portions of a limit that processes share."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.portions import Arbiter, Grant, Portion, Recall

KEY = ("backend", "box", "rpm")


class Process:
    """One process, and what it has used."""

    def __init__(self):
        self.need = 0
        self.portion = Portion(self._ask, lambda: self.give(self.portion.give_back(self.used)))
        self.give = None
        self.used = 0

    def _ask(self, need):
        self.need = need


def settle(arbiter, processes, told, now):
    """Carry out what is told until nothing more is."""
    while told:
        one = told.pop(0)
        if isinstance(one, Grant):
            processes[one.process].portion.grow(one.amount)
        else:
            assert isinstance(one, Recall)
            spare = processes[one.process].portion.give_back(processes[one.process].used)
            told += arbiter.give_back(one.process, KEY, spare, now)


def use(arbiter, processes, number, limit, now):
    """One more request at a process, if it may; True when it did."""
    one = processes[number]
    if one.portion.wait(now, one.used, 1) > now:
        settle(arbiter, processes, arbiter.ask(number, KEY, limit, one.need, now), now)
    if one.portion.wait(now, one.used, 1) > now:
        return False
    one.used += 1
    return True


@given(st.integers(1, 40), st.lists(st.integers(0, 3), max_size=150))
def test_the_whole_limit_and_no_more(limit, order):
    """Whoever asks, in any order: a request goes exactly while the sum is below the limit."""
    arbiter, processes = Arbiter(), [Process() for _ in range(4)]
    for at, number in enumerate(order):
        assert use(arbiter, processes, number, limit, float(at)) == (at < limit)
        assert sum(one.portion.held for one in processes) <= limit


@given(st.integers(1, 40), st.lists(st.integers(0, 3), max_size=80), st.integers(0, 40), st.lists(st.integers(0, 3)))
def test_a_limit_of_which_others_use_a_part(limit, before, elsewhere, after):
    """Once all have given back what they do not use, what is left goes to whoever asks, all of it and no more."""
    arbiter, processes = Arbiter(), [Process() for _ in range(4)]
    for at, number in enumerate(before):
        use(arbiter, processes, number, limit, float(at))
    for number, one in enumerate(processes):
        # As the parent is told of it.
        one.give = partial(arbiter.give_back, number, KEY, now=1000.0)
        one.portion.release()
    left = max(0, limit - elsewhere)
    for at, number in enumerate(after):
        used = sum(one.used for one in processes)
        assert use(arbiter, processes, number, left, 1000.0 + at) == (used < left)


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=150))
def test_what_is_free_again_goes_to_whoever_asks(limit, steps):
    """What a process has ended is anybody's."""
    arbiter, processes = Arbiter(), [Process() for _ in range(4)]
    for at, (number, ends) in enumerate(steps):
        if ends:
            processes[number].used = max(0, processes[number].used - 1)
            continue
        before = sum(one.used for one in processes)
        assert use(arbiter, processes, number, limit, float(at)) == (before < limit)


def test_what_an_ended_process_used_still_counts():
    """Its portion is free once what it used counts no more."""
    arbiter, processes = Arbiter(), [Process(), Process()]
    assert use(arbiter, processes, 0, 8, 0.0)
    held = processes[0].portion.held
    arbiter.end(0, 1.0, lambda key: 61.0)
    assert sum(use(arbiter, processes, 1, 8, 2.0) for _ in range(20)) == 8 - held
    assert sum(use(arbiter, processes, 1, 8, 63.0) for _ in range(20)) == held
