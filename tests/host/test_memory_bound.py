"""The bound for all buffers together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Unavailable
from router.host.memory_bound import LIMIT, MemoryBound


def test_the_bound_is_256_mib():
    """As promised; at it there is room for nothing, below it for all that fits."""
    assert LIMIT == 256 << 20
    buffers = MemoryBound()
    buffers.reserve(LIMIT)
    with pytest.raises(Unavailable) as caught:
        buffers.reserve(1)
    assert caught.value.status == 503
    assert caught.value.retry_after == 1
    assert "256 MiB" in caught.value.message
    buffers.release(1)
    buffers.reserve(1)


@given(st.lists(st.integers(0, 60), max_size=20))
def test_what_is_refused_is_not_counted(sizes):
    """Whatever comes and goes, no more is held than allowed, and nothing is left at the end."""
    buffers = MemoryBound(100)
    taken = []
    for size in sizes:
        if sum(taken) + size > 100:
            with pytest.raises(Unavailable):
                buffers.reserve(size)
            buffers.release(taken.pop())
        else:
            buffers.reserve(size)
            taken.append(size)
        assert buffers.reserved == sum(taken) <= 100
    for size in taken:
        buffers.release(size)
    assert buffers.reserved == 0
