"""The thread for large work is given out fairly: small before large, and in turn between those that ask."""

import gc
import sys
import threading

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from router.exchange.body.fair_thread import COLLECTOR_SECONDS, SWITCH_SECONDS, VERY_LARGE, FairThread, size_of
from router.wire.raw.json import deallocation

from ...patience import PATIENCE

MIB = 1 << 20


def in_turn(works):
    """The names of works in the order they ran; all ask while a first one has the thread. works: name, flow, size."""
    ran = []

    async def main():
        thread = FairThread()
        first, begun = threading.Event(), trio.Event()

        def hold():
            trio.from_thread.run_sync(begun.set)
            first.wait(PATIENCE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread.run, "first", MIB, hold)
            await begun.wait()
            for name, flow, size in works:
                nursery.start_soon(thread.run, flow, size, ran.append, name)
                await trio.testing.wait_all_tasks_blocked()
            first.set()
        assert thread.waiting == 0

    trio.run(main)
    return ran


def test_small_work_goes_before_large():
    """A request of one mebibyte does not wait for the large ones that came before it."""
    works = [("large", 1, 8 * MIB), ("larger", 2, 8 * MIB), ("small", 3, MIB)]
    assert in_turn(works) == ["small", "large", "larger"]


def test_a_flow_with_much_work_delays_no_other():
    """The second work of one connection comes after the first of each other."""
    works = [*((f"a{number}", "a", MIB) for number in range(9)), ("b0", "b", MIB), ("c0", "c", MIB)]
    assert in_turn(works)[:3] == ["a0", "b0", "c0"]


def test_large_work_comes_after_as_much_small_work():
    """Small work that keeps coming does not hold large work up for ever."""
    works = [("large", "l", 4 * MIB), *((f"s{number}", "s", MIB) for number in range(9))]
    assert in_turn(works).index("large") == 3


def test_very_large_work_has_a_thread_of_its_own():
    """Other work does not wait until it has ended."""

    async def main():
        thread = FairThread()
        begun, end = trio.Event(), threading.Event()

        def hold():
            trio.from_thread.run_sync(begun.set)
            assert end.wait(PATIENCE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread.run, 1, VERY_LARGE + 1, hold)
            await begun.wait()
            assert await thread.run(2, MIB, lambda: "done") == "done"
            end.set()

    trio.run(main)


@pytest.mark.parametrize("granted", [False, True])
def test_work_that_is_cancelled_leaves_its_turn_to_the_next(granted):
    """Before or after its turn came, and what was cancelled did not run."""

    async def main():
        thread, ran = FairThread(), []
        begun, end = trio.Event(), threading.Event()

        def hold():
            trio.from_thread.run_sync(begun.set)
            end.wait(PATIENCE)

        async def ask(name, scope):
            with scope:
                await thread.run(None, MIB, ran.append, name)

        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread.run, None, MIB, hold)
            await begun.wait()
            for name, its in (("gone", scope), ("next", trio.CancelScope())):
                nursery.start_soon(ask, name, its)
                await trio.testing.wait_all_tasks_blocked()
            if granted:
                thread._turns[0].end()
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            end.set()
        assert ran == ["next"]
        assert thread.waiting == 0

    trio.run(main)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 8)), max_size=30))
def test_all_work_runs_and_a_flow_keeps_its_order(asked):
    """Whatever the sizes, and whoever asks."""
    works = [((flow, number), flow, size * MIB) for number, (flow, size) in enumerate(asked)]
    ran = in_turn(works)
    assert sorted(ran) == sorted(name for name, *_ in works)
    for flow in range(4):
        numbers = [number for one, number in ran if one == flow]
        assert numbers == sorted(numbers)


def test_the_size_of_work_is_that_of_its_texts():
    """Other arguments do not count."""
    assert size_of((b"12", "345", 6, None, bytearray(b"7"))) == 6


def test_the_interpreter_switches_often_only_while_work_runs():
    """The loop gets the lock soon while a thread of any instance works, and not at other times."""
    usual = sys.getswitchinterval()
    seen = []

    async def main():
        first, second, begun, end = FairThread(), FairThread(), trio.Event(), threading.Event()

        def hold():
            trio.from_thread.run_sync(begun.set)
            end.wait(PATIENCE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run, None, MIB, hold)
            await begun.wait()
            await second.run(None, MIB, lambda: None)
            seen.append(sys.getswitchinterval())
            end.set()
        seen.append(sys.getswitchinterval())

    trio.run(main)
    assert seen == pytest.approx([SWITCH_SECONDS, usual])


def test_the_collector_is_stopped_while_work_runs():
    """It would look through all that the work has made; for no more than ten seconds of work after work, as the loop
    makes garbage."""
    assert gc.isenabled()
    seen = []

    async def main():
        thread, begun, end = FairThread(), trio.Event(), threading.Event()

        def hold():
            trio.from_thread.run_sync(begun.set)
            end.wait(PATIENCE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread.run, None, VERY_LARGE + 1, hold)
            await begun.wait()
            seen.append(gc.isenabled())
            await thread.run(None, MIB, lambda: None)
            seen.append(gc.isenabled())
            clock.jump(COLLECTOR_SECONDS + 1)
            await thread.run(None, MIB, lambda: None)
            seen.append(gc.isenabled())
            end.set()
        await thread.run(None, MIB, lambda: seen.append(gc.isenabled()))
        seen.append(gc.isenabled())

    clock = trio.testing.MockClock()
    trio.run(main, clock=clock)
    assert seen == [False, False, True, False, True]


def test_what_large_json_held_is_freed_before_its_work_ends():
    """In the thread: the loop never frees it, though an error came of the work."""
    freed = []

    class Held:
        def __del__(self):
            freed.append(threading.current_thread() is threading.main_thread())

    def work():
        held = [Held() for _ in range(3)]
        deallocation.note(held)
        raise ValueError(len(held))

    async def main():
        with pytest.raises(ValueError, match="3"):
            await FairThread().run(None, MIB, work)
        assert freed == [False, False, False]

    trio.run(main)
