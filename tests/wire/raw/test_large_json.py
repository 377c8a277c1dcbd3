"""Large JSON is decoded and encoded as small JSON is."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.raw import large_json

TEXTS = st.text(
    st.sampled_from('a"\\/é€😀\n\u2028\x01') | st.characters(exclude_categories=("Cs",)), max_size=60
) | st.sampled_from(["\0long text 0", "\0long text 9 and more than sixteen", "long text 1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module", autouse=True)
def small_steps():
    """Steps of a few bytes, so that small values take many."""
    patch = pytest.MonkeyPatch()
    patch.setattr(large_json, "_AT_ONCE", 8)
    patch.setattr(large_json, "LONG_TEXT", 16)
    yield
    patch.undo()


def take(_):
    """Any list is short enough."""


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_a_value_is_decoded_as_by_the_decoder(value, ascii_only, indent):
    """Also where texts are cut: never in a character or an escape, though there are many."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert large_json.decode(data, take) == msgspec.json.decode(data)


@given(VALUES)
def test_a_value_is_encoded_as_by_the_encoder(value):
    """The same bytes, however long its texts are."""
    assert large_json.encode(value) == msgspec.json.encode(value)


@given(TEXTS)
def test_a_text_is_framed(text):
    """Between the bytes before it and behind it."""
    assert large_json.frame_text(b"<", text, b">") == b"<" + msgspec.json.encode(text) + b">"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":[1,2,3,',
        b'["' + b"a" * 40,
        b'["' + b"a" * 40 + b"\x01" + b'"]',
        b'["' + b"a" * 40 + b"\xff" + b'"]',
        b'["' + b"a" * 40 + b'\\ud83d"]',
        b'{"a":"' + b"b" * 40 + b'"} x',
    ],
)
def test_what_the_decoder_refuses_is_refused(data):
    """An end that is missing, a bare control character, half a character, and more behind the value."""
    with pytest.raises((msgspec.DecodeError, UnicodeError)):
        large_json.decode(data, take)


def test_a_list_is_shown_before_its_entries_are_decoded():
    """So that one with too many can be refused."""
    seen = []
    assert large_json.decode(b'{"a": [' + b"1, " * 40 + b"2]}", lambda one: seen.append(len(one))) is not None
    assert seen == [41]


@pytest.mark.parametrize("fake", [r"\u0000long text 0", r"\u0000long\u0020text 0", r"\u0000long text 7"])
def test_a_text_that_is_like_a_mark_stays(fake):
    """However it is spelled, it is not taken for the place of another text."""
    data = b'{"a": "' + b"b" * 40 + b'", "c": "' + fake.encode() + b'"}'
    assert large_json.decode(data, take) == json.loads(data)
