"""The model's new name takes the old one's place in the pieces that are held."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from router.exchange.body.upload import _splice


@given(st.binary(min_size=1, max_size=60), st.data())
def test_splice(body, data):
    """Wherever the pieces were cut and the value stands, only it is replaced."""
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start + 1, len(body)))
    value = data.draw(st.binary(max_size=20))
    pieces, at = deque(), 0
    while at < len(body):
        size = data.draw(st.integers(1, 20))
        pieces.append(body[at : at + size])
        at += size
    spliced = _splice(pieces, start, end, value)
    assert b"".join(spliced) == body[:start] + value + body[end:]
    assert all(spliced) or not value
