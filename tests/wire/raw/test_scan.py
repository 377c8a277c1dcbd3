"""Searches in steps find what searches at once do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.raw import scan

DATA = st.text("ab\n", max_size=60).map(str.encode)
GAP = re.compile(rb"b\s{0,3}a")
NEEDLES = st.sampled_from([b"a", b"ab", b"\n\n", b"abab", b"\nb"])


@pytest.fixture(scope="module", autouse=True)
def small_steps():
    """Steps of a few bytes."""
    patch = pytest.MonkeyPatch()
    patch.setattr(scan, "STEP", 5)
    yield
    patch.undo()


@given(DATA, NEEDLES, st.integers(0, 60), st.integers(0, 70) | st.none())
def test_the_first_and_the_last_are_found(data, needle, start, end):
    """Wherever the search begins and ends, and where a step ends within the needle."""
    assert scan.find(data, needle, start, end) == data.find(needle, start, end)
    assert scan.rfind(data, needle, start, end) == data.rfind(needle, start, end)
    assert scan.contains(data, needle) == (needle in data) == (needle in scan.Steps(data))
    assert scan.Steps(data).find(needle, start, end) == data.find(needle, start, end)
    assert scan.Steps(data).rfind(needle, start, end) == data.rfind(needle, start, end)


@given(DATA)
def test_the_first_match_is_found(data):
    """The same as in all of the data, wherever a step ends."""
    found, expected = scan.search(GAP, data, 5), GAP.search(data)
    assert (found and found.span()) == (expected and expected.span())


@given(st.text(" \n\ta", max_size=30).map(str.encode))
def test_blanks_are_told_from_all_else(data):
    """In whichever step there is something else."""
    assert scan.is_blank(data) == (not data.strip())


@given(DATA, st.sampled_from([b"a", b"ab", b"\nb"]))
def test_all_are_counted(data, needle):
    """Those between two steps too, and none twice."""
    assert scan.count(data, needle) == scan.Steps(data).count(needle) == data.count(needle)
