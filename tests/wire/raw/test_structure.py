"""What a JSON body holds is counted before it is decoded, in time and room that grow with its bytes alone."""

import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire.raw.json import structure
from router.wire.raw.json.structure import NESTED_LIMIT, TOP_MEMBERS_LIMIT, VALUES_LIMIT
from router.wire.raw.json.top_level import peek, read_model

from ...growth import grows_evenly

MANY = 1_100_000


def members(count, pad=0):
    """An object of so many distinct members."""
    return b'{"model":"m",' + b",".join(b'"%x":%d' % (number, 10**pad) for number in range(count - 1)) + b"}"


HOSTILE = {
    "distinct members": members,
    "one member again and again": lambda n: b'{"model":"m",' + b",".join([b'"a":1'] * n) + b"}",
    "one spaced member again": lambda n: b'{"model" : "m",' + b", ".join([b'"a" : 1'] * n) + b"}",
    "turns": lambda n: b'{"model":"m","messages":[' + b",".join([b"{}"] * n) + b"]}",
    "tools": lambda n: b'{"model":"m","tools":[' + b",".join([b'{"a":1}'] * n) + b"]}",
    "metadata": lambda n: b'{"model":"m","metadata":' + members(n) + b"}",
    "lists in lists": lambda n: b'{"model":"m","input":[' + b",".join([b"[]"] * n) + b"]}",
    "numbers": lambda n: b'{"model":"m","input":[' + b",".join([b"1"] * n) + b"]}",
    "texts": lambda n: b'{"model":"m","input":[' + b",".join([b'""'] * n) + b"]}",
    "values that are no JSON": lambda n: b'{"model":"m","input":[' + b",".join([b"NaN"] * n) + b"]}",
    "members behind one that is no JSON": lambda n: b'{"model":NaN,' + members(n)[1:],
    "members of escapes": lambda n: b'{"model":"m",' + b",".join(b'"\\\\%x\\"":"\\""' % i for i in range(n)) + b"}",
    "an object that does not end": lambda n: members(n)[:-1],
    "a list": lambda n: b"[" + b",".join([b"1"] * n) + b"]",
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_body_of_millions_of_values_is_refused_before_it_is_decoded(shape):
    """The caller gets a 400, and the values were never made: no more memory is used than a few times the body's."""
    body = HOSTILE[shape](MANY)
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest) as error:
            peek(body)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()
    assert error.value.status == 400


def looked_at(body):
    with contextlib.suppress(BadRequest):
        peek(body)


@pytest.mark.parametrize("shape", HOSTILE)
def test_twice_as_many_values_take_less_than_three_times_as_long(shape):
    """Growth with the size alone, whether they are refused or not."""
    grows_evenly(HOSTILE[shape], looked_at, 200_000, slack=0.05)


@pytest.mark.parametrize("pad", [0, 300])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_top_level_has_a_limit(pad, indent):
    """1,000 members pass and 1,001 do not, in a small body and in a large one, in any layout."""
    for count in (TOP_MEMBERS_LIMIT, TOP_MEMBERS_LIMIT + 1):
        body = members(count, pad)
        if indent is not None:
            body = json.dumps(json.loads(body), indent=indent).encode()
        if count == TOP_MEMBERS_LIMIT:
            assert read_model(peek(body)) == "m"
        else:
            with pytest.raises(BadRequest, match="1,000 members"):
                peek(body)


def test_a_key_that_stands_many_times_counts_each_time():
    """Else a small body would be walked for as long as its decoded form is large."""
    again = b",".join([b'"a":1'] * 5000)
    with pytest.raises(BadRequest, match="1,000 members"):
        peek(b'{"model":"m",' + again + b"}")


@pytest.mark.parametrize(
    ("limit", "item", "words"),
    [(VALUES_LIMIT, "1", "1,000,000 values"), (NESTED_LIMIT - 4, "[]", "250,000 objects, lists and members")],
)
def test_values_have_a_limit(limit, item, words):
    """At the limit a body passes, with one value more it does not."""
    for count in (limit - 1, limit + 2):
        body = ('{"model":"m","input":[' + ",".join([item] * count) + "]}").encode()
        if count < limit:
            assert read_model(peek(body)) == "m"
        else:
            with pytest.raises(BadRequest, match=words):
                peek(body)


def test_what_stands_in_texts_does_not_count():
    """A prompt may hold any number of brackets, colons and commas, beside escaped quotes."""
    text = 'f(a, b): {"x": [1, 2]} \\ \\\\" ' * 200_000
    for form in ({}, {"separators": (",", ":")}, {"indent": 1}):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}, **form).encode()
        assert read_model(peek(body)) == "m"


def test_members_of_long_fields_are_not_the_tops():
    """Thousands of turns and tools are as usual."""
    turns = [{"role": "user", "content": [{"type": "text", "text": "x" * 90}]}] * 9000
    for name in ("messages", "input", "own"):
        assert read_model(peek(json.dumps({"model": "m", name: turns}).encode())) == "m"


TEXTS = st.text('ab"\\[]{}:,', max_size=12)
TREES = st.recursive(
    TEXTS | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300)
@given(TREES, st.integers(1, 9), st.booleans())
def test_strings_are_left_out_wherever_the_text_is_cut(tree, piece, spaced):
    """What is counted is what the value holds."""
    body = json.dumps(tree, separators=None if spaced else (",", ":")).encode()
    before, structure._PIECE = structure._PIECE, piece
    try:
        marks = b"".join(structure.outside_strings(body))
    finally:
        structure._PIECE = before

    def held(value):
        if isinstance(value, list):
            return [
                max(0, len(value) - 1) + sum(held(one)[0] for one in value),
                1 + sum(held(one)[1] for one in value),
            ]
        if isinstance(value, dict):
            return [
                max(0, len(value) - 1) + sum(held(one)[0] for one in value.values()),
                1 + len(value) + sum(held(one)[1] for one in value.values()),
            ]
        return [0, 0]

    assert list(structure._count(marks)) == held(tree)
