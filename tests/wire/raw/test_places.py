"""Values are found where they stand, and changed there; all else stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.raw.json.object_end import ObjectEnd
from router.wire.raw.json.places import (
    Malformed,
    Place,
    Splice,
    apply_splices,
    find_members,
    find_value,
    iter_elements,
    move_into_string,
    read_index,
    read_text,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def spaced(value, ascii_only):
    return json.dumps(value, ensure_ascii=ascii_only, separators=(" ,", "\t:\n"))


@given(value=st.dictionaries(st.text(), VALUES, max_size=5), ascii_only=st.booleans())
def test_members(value, ascii_only):
    """Each member of an object is found by its name, however it is written."""
    text = f" {spaced(value, ascii_only)} rest"
    place = find_value(text)
    assert json.loads(text[place.begin : place.end]) == value
    found = find_members(text, place, value)
    assert {name: json.loads(text[one.begin : one.end]) for name, one in found.items()} == value


@given(value=st.lists(VALUES, max_size=6), ascii_only=st.booleans())
def test_elements(value, ascii_only):
    """And each element of a list."""
    text = spaced(value, ascii_only)
    assert [json.loads(text[one.begin : one.end]) for one in iter_elements(text, find_value(text))] == value


@given(value=VALUES, sizes=st.lists(st.integers(1, 9), min_size=1), ascii_only=st.booleans())
def test_the_end_of_a_value_in_pieces(value, sizes, ascii_only):
    """The end is where it is, however the text is cut."""
    text = spaced([value], ascii_only)
    end, at, turn = ObjectEnd(), 0, 0
    while not end.closed:
        piece = (text + "]}")[at : at + sizes[turn % len(sizes)]]
        at, turn = at + end.feed(piece), turn + 1
    assert at == len(text)


@given(
    held=st.text(st.sampled_from('aé😀"\\\n/\ud83d')),
    places=st.lists(st.integers(0, 20), min_size=1, max_size=4).map(sorted),
    ascii_only=st.booleans(),
)
def test_changes_inside_of_a_string(held, places, ascii_only):
    """What is put between the characters that a string holds is there when it is read, and no escape is cut."""
    text = f"[{json.dumps(held, ensure_ascii=ascii_only)}]"
    place = Place(1, len(text) - 1)
    held = read_text(text, place)  # two halves that met are one character
    splices = [Splice(at, at, '<"é>') for at in sorted(min(at, len(held)) for at in places)]
    new = apply_splices(text, move_into_string(text, place, splices))
    assert json.loads(new) == [apply_splices(held, splices)]


def test_what_stands_twice():
    """The last one of a name counts, as for those who decode it."""
    text = '{"a":1,"\\u0061":2}'
    assert find_members(text, find_value(text), ("a",)) == {"a": Place(16, 17)}


@pytest.mark.parametrize(
    "text", ["", "{", '{"a"', '{"a":', '{"a":1', '{"a" 1}', '{"a":1,}', "{1:2}", '{"a":}', '{"a":1 "b":2}', '{"\\x":1}']
)
def test_what_is_no_object(text):
    """It is noticed where it is met."""
    with pytest.raises(Malformed):
        find_members(text, find_value(text), ("a",))


@pytest.mark.parametrize("text", ["[", "[1", "[1,", "[1,]", "[1 2]", '["a]'])
def test_what_is_no_list(text):
    """As above."""
    with pytest.raises(Malformed):
        list(iter_elements(text, Place(0, len(text))))


def test_other_values():
    """What is no object has no members, what is no list no elements, what is no text no text."""
    for text in ("1", "null", '"a"'):
        assert find_members(text, find_value(text), ("a",)) == {}
        assert list(iter_elements(text, find_value(text))) == []
    assert find_members("1", None, ("a",)) == {}
    assert [read_text(text, find_value(text)) for text in ("1", "{}", '"a"')] == [None, None, "a"]
    assert [read_index(text, find_value(text)) for text in ("0", "12", "-1", "1.0", '"1"', "9" * 12)] == [0, 12] + [
        None
    ] * 4
