"""An interrupt from the keyboard ends an async function only where it waits."""

import contextlib
import signal

import pytest
import trio

from router.host.clock import AwakeClock
from router.host.event_loop import run_async


@contextlib.contextmanager
def keyboard():
    """Python's own handler, which trio takes over: a process that runs tests may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_a_checkpoint():
    """A coroutine that was called is awaited first, so Python never says that it was not."""
    reached = []

    async def wait():
        reached.append("awaited")
        await trio.sleep_forever()

    async def work():
        called = wait()
        signal.raise_signal(signal.SIGINT)
        reached.append("called")
        try:
            await called
        finally:
            reached.append("ended")

    with keyboard(), pytest.raises(KeyboardInterrupt):
        run_async(work)
    assert reached == ["called", "awaited", "ended"]


def test_arguments_results_and_clock():
    """They are those of the function; deadlines go by the clock that was given."""

    async def add(left, right):
        await trio.lowlevel.checkpoint()
        return left + right, trio.lowlevel.current_clock()

    clock = AwakeClock()
    assert run_async(add, 1, 2, clock=clock) == (3, clock)
