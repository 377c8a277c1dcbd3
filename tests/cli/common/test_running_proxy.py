"""What commands are told by a proxy that has just started."""

import pytest
import trio
from trio.testing import MockClock

from router.cli.common.running_proxy import fetch_listed_status

from ..inspect.test_status import backend
from ..inspect.test_status import status as make_status


class Starting:
    """A proxy that has the backends' lists of models after so many answers."""

    def __init__(self, answers):
        self.left = answers
        self.asked = 0

    async def fetch_status(self):
        self.asked += 1
        self.left -= 1
        one = backend("box", models=0)
        one.loading = self.left >= 0
        return make_status(one)


@pytest.mark.parametrize(("answers", "asked"), [(0, 1), (3, 4)])
def test_lists_are_waited_for(answers, asked):
    """It is asked until it has them, and once where it has them; a backend that lists nothing is not waited for."""
    proxy = Starting(answers)
    found = trio.run(fetch_listed_status, proxy, clock=MockClock(autojump_threshold=0))
    assert ([one.loading for one in found.backends], proxy.asked) == ([False], asked)


def test_a_list_that_does_not_come():
    """After some seconds what is there counts."""

    async def main():
        found = await fetch_listed_status(Starting(1000))
        return found, trio.current_time()

    clock = MockClock(autojump_threshold=0)
    began = clock.current_time()
    found, ended = trio.run(main, clock=clock)
    assert [one.loading for one in found.backends] == [True]
    assert 5 <= ended - began < 6
