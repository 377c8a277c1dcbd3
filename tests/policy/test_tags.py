"""The tag of a request: what is one, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.policy.tags import HEADER, read_tag

ALPHABET = {*b"._:/@+-", *range(48, 58), *range(65, 91), *range(97, 123)}


@pytest.mark.parametrize("tag", ["a", "7", "night/run-7", "team:web@home+1", "A_b.c", "x" * 64])
def test_a_tag_is_taken_as_it_is(tag):
    """Capitals too: two spellings are two tags."""
    assert read_tag({HEADER: tag.encode()}) == tag


def test_without_a_tag():
    """No header, or an empty one."""
    assert read_tag({}) == ""
    assert read_tag({HEADER: b""}) == ""


@given(st.binary(min_size=1, max_size=200))
def test_whatever_comes_is_a_tag_or_refused(value):
    """The error quotes the beginning of a refused tag, without control characters."""
    if set(value) <= ALPHABET and value[:1].isalnum() and len(value) <= 64:
        assert read_tag({HEADER: value}) == value.decode()
        return
    with pytest.raises(BadRequest, match="expected a tag") as caught:
        read_tag({HEADER: value})
    assert len(caught.value.message) < 800
    assert not set(caught.value.message.encode()) & {*range(32), 127}
