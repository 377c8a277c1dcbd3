"""Deadlines: met at the time they were moved to last, whatever they were before."""

import math

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from router.net.server.deadlines import Deadline

MOVES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 4), st.one_of(st.integers(0, 60), st.just(math.inf), st.none())),
    max_size=60,
)


def run(main):
    """Run in virtual time."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@given(MOVES)
def test_met_at_the_last_time(moves):
    """Each is met once, when the time it was moved to last has come, and not before; one that ended (None) never is."""
    met, expected = [], []

    async def main():
        found = {}
        for number in range(5):
            found[number] = Deadline(lambda number=number: met.append((trio.current_time(), number)))
        left = dict.fromkeys(found, math.inf)
        now = 0.0
        for wait, number, at in sorted(moves, key=lambda move: move[0]):
            # Half a second beside the whole ones, so that no move is made in the moment of a deadline.
            then = wait + 0.5
            expected.extend((due, one) for one, due in left.items() if due < then)
            left.update({one: math.inf for one, due in left.items() if due < then})
            await trio.sleep(then - now)
            now = then
            if at is None:
                found[number].cancel()
                left.pop(number, None)
            elif number in left:
                due = now + at + 0.25
                found[number].move(due)
                left[number] = due
        expected.extend((due, one) for one, due in left.items() if due < math.inf)
        await trio.sleep(200)

    run(main)
    assert sorted(met) == sorted(expected)


def test_the_past_is_met_at_once():
    """One that is moved into the past is met before the clock moves on."""
    met = []

    async def main():
        await trio.sleep(5)
        Deadline(lambda: met.append(trio.current_time())).move(1)
        await trio.testing.wait_all_tasks_blocked()

    run(main)
    assert met == [5]


def test_later_costs_nothing():
    """Moves to a later time leave nothing behind, and those that ended are forgotten long before their time."""

    async def main():
        one = Deadline(lambda: None)
        for number in range(10_000):
            one.move(1000 + number)
        assert len(one.timer) == 1
        for _ in range(10_000):
            short = Deadline(lambda: None)
            short.move(10**6)
            short.cancel()
        assert len(one.timer) < 2000

    run(main)


def test_each_run_has_its_own():
    """What was left in one run of trio is no concern of the next."""

    async def main():
        one = Deadline(lambda: None)
        one.move(10)
        return len(one.timer)

    assert [run(main), run(main)] == [1, 1]
