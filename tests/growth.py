"""Measures how the time of some work grows with its input."""

import contextlib
import gc
import math
import sys
import time

_FEWEST, _MOST = 2, 12


def grows_evenly(make, work, size, *, factor=3.0, slack=0.002):
    """Assert that twice the input takes less than `factor` times as long. make: an input of a size. slack: seconds that
    are within what the clock and the memory's state make of the same work. The work is done without the garbage
    collector: it runs once so many objects are new, and looks at all that this process holds, of other tests too."""
    inputs = {count: make(count) for count in (size, 2 * size)}

    def measure(count):
        with _no_collection():
            began = time.thread_time()
            work(inputs[count])
            return time.thread_time() - began

    seconds_grow_evenly(measure, size, factor=factor, slack=slack)


@contextlib.contextmanager
def _no_collection():
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def seconds_grow_evenly(measure, size, *, factor=3.0, slack=0.002):
    """The same of seconds that `measure` gives for a size. They are the processor's, and of each size the least of some
    runs, in turns: what other programs take does not count, and a busy machine makes both slower alike."""
    once = twice = math.inf
    for run in range(1, _MOST + 1):
        once, twice = min(once, measure(size)), min(twice, measure(2 * size))
        if run >= _FEWEST and twice < factor * once + slack:
            return
    raise AssertionError(f"{size} take {once:.4f} s, twice as many {twice:.4f} s, at the least of {_MOST} runs")


def count_work(run):
    """How many lines and calls of Python a function runs: the same each time, on any machine."""
    counted = 0

    def trace(frame, event, argument):
        nonlocal counted
        counted += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return counted
