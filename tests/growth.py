"""Measures how the time of some work grows with its input."""

import time


def least_seconds(work, value, times=3):
    """The least processor time of some runs: what other programs take does not count, nor does a single pause."""
    found = []
    for _ in range(times):
        began = time.thread_time()
        work(value)
        found.append(time.thread_time() - began)
    return min(found)


def grows_evenly(make, work, size, *, factor=3.0):
    """Assert that twice the input takes less than `factor` times as long. make: an input of a size."""
    for attempt in range(3):
        once, twice = least_seconds(work, make(size)), least_seconds(work, make(2 * size))
        # Two milliseconds are within what the clock and the memory's state make of the same work.
        if twice < factor * once + 0.002:
            return
        assert attempt < 2, f"{size} take {once:.4f} s, twice as many {twice:.4f} s"
