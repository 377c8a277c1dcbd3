"""Numbers in texts of others: a whole number within bounds, or nothing; never an error."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire import stored_responses
from router.wire.chat.answer.call_reader import _read_index
from router.wire.model_lists import anthropic
from router.wire.model_lists.listed import ListedModel
from router.wire.raw.whole_numbers import parse_whole

ODD = [
    *("", " ", "-1", "+1", "1.0", "1e3", "1_0", "0x1", " 1", "1 ", "\u0661", "\u00b2", "\uff11", "nan", "inf", "None"),
    *("9" * 16, "9" * 5000, "0" * 5000, "000000001" + "0" * 5000, "1" + "\x00", "true", "[]"),
]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_whole_number_is_none(text):
    """Signs, spaces, other scripts, fractions, and more digits than any bound has."""
    assert parse_whole(text, 0, 10**14) is None


@given(st.integers(0, 10**15 - 1))
def test_numbers_within_their_bounds(number):
    """As written, with leading zeros; bounds are included."""
    assert parse_whole(str(number), 0, 10**15) == number
    assert parse_whole(str(number).rjust(15, "0"), number, number) == number
    assert parse_whole(str(number), number + 1, 10**16) is None
    assert number == 0 or parse_whole(str(number), 0, number - 1) is None


@given(st.text() | st.from_regex(r"[0-9]{1,6000}", fullmatch=True))
def test_any_limit_is_a_page_or_a_refusal(text):
    """In both vendors' lists; and as the index of a call, it is one or none."""
    query = f"limit={quote(text)}"
    entry = {"items": [], "inputs": 0}
    for read in (
        lambda: anthropic.page(
            ["m"], lambda names: [ListedModel(name=name, owner="b", label=name) for name in names], query
        ),
        lambda: stored_responses.list_inputs("resp_1", {"resp_1": entry}, query),
    ):
        with contextlib.suppress(BadRequest):
            read()
    index = _read_index(text)
    assert index is None or 0 <= index <= 1_000_000
