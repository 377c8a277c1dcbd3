"""Members of a body are replaced, added and taken out; every other byte stays."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import peek

from .test_top_level import FORMS, MARGINS, OBJECTS, written


def drafted(body, changes, *, known=True):
    splice = Splice(body, peek(body) if known else None)
    for name, value in changes.items():
        if value is None:
            splice.drop(name)
        else:
            splice.put(name, json.dumps(value).encode())
    return b"".join(splice.parts())


@settings(max_examples=150)
@given(OBJECTS, FORMS, MARGINS, MARGINS, st.text(max_size=20))
def test_a_splice_replaces_the_model_and_nothing_else(value, form, before, after, name):
    """The new body means the same but for its model; every byte in front of it and behind it is the same."""
    body = written(value, form, before, after)
    new = json.dumps(name).encode()
    spliced = drafted(body, {"model": name})
    assert json.loads(spliced) == {**value, "model": name}
    assert list(json.loads(spliced)) == list(value)
    start, end = peek(body).span("model")
    assert spliced[:start] == body[:start]
    assert spliced[start : start + len(new)] == new
    assert spliced[start + len(new) :] == body[end:]


@settings(max_examples=150)
@given(OBJECTS.filter(lambda value: "stream_options" not in value), FORMS, MARGINS, MARGINS)
def test_what_is_added_stands_first(value, form, before, after):
    """The new member stands in front of all others, and the rest is the same."""
    body = written(value, form, before, after)
    splice = Splice(body, peek(body))
    splice.put("stream_options", b'{"include_usage":true}')
    new = b"".join(splice.parts())
    pairs = json.loads(new, object_pairs_hook=list)
    assert pairs[0] == ("stream_options", [("include_usage", True)])
    assert pairs[1:] == json.loads(body, object_pairs_hook=list)
    assert new.replace(b'"stream_options":{"include_usage":true},', b"", 1) == body


@settings(max_examples=300)
@given(OBJECTS, FORMS, MARGINS, MARGINS, st.data())
def test_any_changes_at_once(value, form, before, after, data):
    """Whatever is dropped, replaced and added, the rest means and reads the same, in the same order."""
    names = st.sampled_from([*value, "new", "other"])
    changes = data.draw(st.dictionaries(names, st.none() | st.integers() | st.text(max_size=3), max_size=6))
    body = written(value, form, before, after)
    new = drafted(body, changes)
    put = {name: wanted for name, wanted in changes.items() if wanted is not None}
    kept = {name: old for name, old in value.items() if changes.get(name, 0) is not None}
    assert json.loads(new) == {**kept, **put}
    assert [name for name in json.loads(new) if name in value] == list(kept)
    top = peek(body)
    for name in kept:
        if name not in changes and name.isascii():
            assert top.raw(name) in new


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        ("a", b'{ "b" : 2 , "c":3}'),
        ("b", b'{ "a": 1 , "c":3}'),
        ("c", b'{ "a": 1, "b" : 2}'),
        ("ab", b'{ "c":3}'),
        ("bc", b'{ "a": 1}'),
        ("ac", b'{ "b" : 2}'),
        ("abc", b"{}"),
        ("x", b'{ "a": 1, "b" : 2 , "c":3}'),
    ],
)
def test_a_dropped_member_takes_its_comma_along(dropped, left):
    """First, in the middle, last, and all of them."""
    body = b'{ "a": 1, "b" : 2 , "c":3}'
    assert drafted(body, dict.fromkeys(dropped)).replace(b"{ ", b"{") == left.replace(b"{ ", b"{")


def test_an_empty_object_gets_a_member():
    """Without a comma behind it."""
    assert drafted(b'{"a":1}', {"a": None, "b": 2}) == b'{"b":2}'
    assert drafted(b" \xef\xbb\xbf{}".strip(), {"b": 2}) == b'\xef\xbb\xbf{"b":2}'


def test_behind_a_long_margin():
    """White space of any length may stand in front of the object."""
    assert drafted(b" " * 200 + b'{"model":"m"}', {"a": 1}) == b" " * 200 + b'{"a":1,"model":"m"}'


def test_reading_sees_what_was_put():
    """A second edit of a member builds upon the first."""
    body = b'{"model":"m","a":{"b":1}}'
    splice = Splice(body, peek(body))
    assert (splice.value("a"), splice.raw("x"), "a" in splice, "x" in splice) == ({"b": 1}, None, True, False)
    splice.put("a", b"[2]")
    assert (splice.value("a"), splice.raw("a")) == ([2], b"[2]")
    splice.drop("a")
    assert (splice.value("a"), "a" in splice) == (None, False)
    splice.put("a", b"3")
    assert b"".join(splice.parts()) == b'{"model":"m","a":3}'


def test_a_doubled_key_is_not_guessed_at():
    """Which of the two an upstream reads cannot be known; other members can still be replaced."""
    body = b'{"model":"m","x":1,"y":2,"x":3}'
    assert peek(body).duplicates == {"x"}
    with pytest.raises(BadRequest, match='"x" twice'):
        drafted(body, {"x": 5})
    with pytest.raises(BadRequest, match='"x" twice'):
        drafted(body, {"y": None})
    assert drafted(body, {"y": 5, "model": "n"}) == b'{"model":"n","x":1,"y":5,"x":3}'
    assert drafted(body, {"z": 1}) == b'{"z":1,' + body[1:]


def test_without_edits_the_body_is_not_copied():
    """No edit, no copy."""
    body = b'{"model":"m"}'
    assert next(iter(Splice(body, peek(body)).parts())) is body


def test_what_is_not_edited_is_not_read():
    """A body whose top level is not known is read by its first edit alone."""
    assert list(Splice(b"no JSON", None).parts()) == [b"no JSON"]
    with pytest.raises(BadRequest):
        drafted(b"no JSON", {"a": 1}, known=False)
    body = b'{"model":"m","x":1}'
    assert drafted(body, {"x": 2, "z": 3}, known=False) == drafted(body, {"x": 2, "z": 3})


def test_a_member_may_hold_what_stands_in_it():
    """Never False for a member with the text, whatever is known of the body."""
    body = b'{"model":"m","system":"word","other":"more"}'
    known, unknown = Splice(body, peek(body)), Splice(body, None)
    assert (known.may_hold("system", b"word"), known.may_hold("system", b"more")) == (True, False)
    assert (unknown.may_hold("system", b"word"), unknown.may_hold("system", b"none")) == (True, False)
    known.put("system", b'"none"')
    assert (known.may_hold("system", b"word"), known.may_hold("system", b"none")) == (False, True)
    assert not known.may_hold("absent", b"word")
