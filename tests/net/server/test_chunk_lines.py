"""The lines around chunks, in any pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.net.server.chunk_lines import ChunkLines

BODIES = {
    b"5\r\nhello\r\n0\r\n\r\n": True,
    b"3;a=b\r\n\n\r\n\r\n2 \r\n\r\n\r\n0\r\nX: y\r\n\r\n": True,
    b"5\nhello\r\n0\r\n\r\n": False,
    b"5\r\nhello\r\n0\r\nX: y\n\r\n": False,
    b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n": False,
    b"5\r\nhello\r\n0\r\n\n": False,
    b"5\r\nhello\r\nx\r\n": False,
}


def passes(pieces):
    lines = ChunkLines()
    try:
        for piece in pieces:
            lines.check(piece)
    except RouterError:
        return False
    return True


@settings(max_examples=100)
@given(st.sampled_from(sorted(BODIES)), st.lists(st.integers(0, 60), max_size=6))
def test_any_split_means_the_same(body, cuts):
    """What is refused does not depend on where the network cut it; what follows the body is not looked at."""
    data = body + (b"\n\0 the next request" if BODIES[body] else b"")
    cuts = sorted(cut for cut in cuts if cut < len(data))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert passes(pieces) is BODIES[body]


@pytest.mark.parametrize("size", [0, 1, 65_535, 1 << 20])
def test_data_is_not_looked_at(size):
    """A chunk may hold what no line may."""
    assert passes([b"%x\r\n" % size, b"\n" * size, *([b"\r\n0\r\n"] if size else []), b"\r\n"])
