"""Pieces of a body as one: what comes out is what went in, however large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.net.server.body_buffer import LARGE, BodyBuffer


@given(st.lists(st.one_of(st.binary(max_size=9), st.integers(0, LARGE // 2).map(bytes))))
def test_it_is_the_same(pieces):
    """Small, large, and over the border between them; bytes in any case."""
    gathered = BodyBuffer()
    for piece in pieces:
        gathered.append(piece)
    assert type(gathered.join()) is bytes
    assert gathered.join() == b"".join(pieces)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_one_piece(kind):
    """Whatever kind of piece the parser gives."""
    gathered = BodyBuffer()
    gathered.append(kind(b"abc"))
    assert gathered.join() == b"abc"
    assert type(gathered.join()) is bytes
