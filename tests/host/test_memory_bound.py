"""The bound for all buffers together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Unavailable
from router.host.memory_bound import LIMIT, Buffers


def test_the_bound_is_256_mib():
    """As promised; at it there is room for nothing, below it for all that fits."""
    assert LIMIT == 256 << 20
    buffers = Buffers()
    buffers.take(LIMIT)
    with pytest.raises(Unavailable) as caught:
        buffers.take(1)
    assert caught.value.status == 503
    assert caught.value.retry_after == 1
    assert "256 MiB" in caught.value.message
    buffers.give(1)
    buffers.take(1)


@given(st.lists(st.integers(0, 60), max_size=20))
def test_what_is_refused_is_not_counted(sizes):
    """Whatever comes and goes, no more is held than allowed, and nothing is left at the end."""
    buffers = Buffers(100)
    taken = []
    for size in sizes:
        if sum(taken) + size > 100:
            with pytest.raises(Unavailable):
                buffers.take(size)
            buffers.give(taken.pop())
        else:
            buffers.take(size)
            taken.append(size)
        assert buffers.held == sum(taken) <= 100
    for size in taken:
        buffers.give(size)
    assert buffers.held == 0
