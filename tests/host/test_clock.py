"""The clock of deadlines stands still while the process does; a reading of all clocks tells that it did."""

import pytest
import trio

from router.host.clock import JUMP, AwakeClock, ClockReading, measure_jump, read_clocks


class Hands:
    """A clock that a test sets."""

    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


def test_it_goes_with_the_time():
    """Second for second, however often it is asked."""
    hands = Hands()
    clock = AwakeClock(hands)
    begin = clock.current_time()
    for _ in range(100):
        hands.at += JUMP - 0.1
        assert clock.current_time() - begin == pytest.approx(hands.at - 1000)


def test_a_planned_sleep_is_no_stop():
    """However long trio has nothing to do."""
    hands = Hands()
    clock = AwakeClock(hands)
    begin = clock.current_time()
    assert clock.deadline_to_sleep_time(begin + 3600) == pytest.approx(3600)
    hands.at += 3605
    assert clock.current_time() - begin == pytest.approx(3605)


@pytest.mark.parametrize("planned", [0.0, 5.0])
def test_a_stop_takes_no_time(planned):
    """An hour in which nothing ran: the deadline that was next is due, and none after it."""
    hands = Hands()
    clock = AwakeClock(hands)
    begin = clock.current_time()
    clock.deadline_to_sleep_time(begin + planned)
    hands.at += 3600
    assert clock.current_time() - begin == pytest.approx(planned)
    hands.at += 1
    assert clock.current_time() - begin == pytest.approx(planned + 1)


def test_deadlines_outlive_a_stop():
    """A trio run that is stopped for an hour: a deadline of 60 s has its 60 s after it."""
    hands = Hands()

    class Stopped(AwakeClock):
        def deadline_to_sleep_time(self, deadline):
            seconds = super().deadline_to_sleep_time(deadline)
            hands.at += max(seconds, 0)  # trio's sleep, in no time
            return min(seconds, 0)

    async def main():
        with trio.move_on_after(60) as scope:
            await trio.sleep(5)
            hands.at += 3600
            await trio.sleep(50)
        assert not scope.cancelled_caught
        with trio.move_on_after(60) as scope:
            await trio.sleep(61)
        assert scope.cancelled_caught

    trio.run(main, clock=Stopped(hands))


BEFORE = ClockReading(100.0, 5000.0, 200.0)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (ClockReading(105.0, 5005.0, 205.0), 0),
        (ClockReading(105.2, 5005.3, 205.2), 0.2),
        (ClockReading(105.0, 8605.0, 3805.0), 3600),  # suspended, on Linux
        (ClockReading(3705.0, 8605.0, None), 3600),  # suspended or stopped, where the monotonic clock goes on
        (ClockReading(105.0, 5065.0, 205.0), 60),  # somebody set the time
        (ClockReading(105.0, 4945.0, 205.0), 60),  # and set it back
    ],
)
def test_a_jump(after, seconds):
    """The clocks did not move together, or not as planned."""
    assert measure_jump(BEFORE, after, 5.0) == pytest.approx(seconds, abs=0.11)


def test_this_systems_clocks_move_together():
    """Two readings at once show no jump."""
    assert measure_jump(read_clocks(), read_clocks(), 0.0) < 1
