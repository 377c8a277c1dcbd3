"""Large JSON is decoded and encoded as small JSON is."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.wire.raw.json import large_json

TEXTS = st.text(st.sampled_from('a"\\/é€😀\n\u2028\x01[]{},:') | st.characters(exclude_categories=("Cs",)), max_size=60)
# What JSON is made of: most lines of it are none, and some nearly are.
SIGNS = [*"[]{},:", "[" * 9, "]" * 9, " ", "\n", '"', '""', "\\", '\\"', "-", "1"]
PIECES = st.lists(st.sampled_from([*SIGNS, '"a"', '"a":', '"a' + "b" * 20 + '"', "null"]), max_size=40).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module", autouse=True)
def small_steps():
    """Steps of a few bytes, so that small values take many."""
    patch = pytest.MonkeyPatch()
    patch.setattr(large_json, "_WINDOW", 8)
    patch.setattr(large_json, "LONG_TEXT", 20)
    yield
    patch.undo()


def outcome_of(decode, data):
    """What a decoder gives, or that it refuses."""
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return "refused"


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_a_value_is_decoded_as_by_the_decoder(value, ascii_only, indent):
    """Also where texts are cut: never in a character or an escape, though there are many."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert large_json.decode(data) == msgspec.json.decode(data)


def is_cut(found, value):
    """True for a value with texts that are cut, and nothing else that differs."""
    if isinstance(value, str):
        return value.startswith(found) and bool(found or not value)
    if isinstance(value, dict):
        return list(found) == list(value) and all(is_cut(found[name], value[name]) for name in value)
    if isinstance(value, list):
        return len(found) == len(value) and all(map(is_cut, found, value))
    return found == value


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), st.booleans())
def test_texts_can_be_cut(value, ascii_only):
    """For who looks at the rest; all of them are still read."""
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert is_cut(large_json.decode(data, cut_texts=True), value)
    assert large_json.decode(b'["' + b"a" * 90 + b'"]', cut_texts=True) == ["a" * 20]
    with pytest.raises(msgspec.DecodeError):
        large_json.decode(b'["' + b"a" * 90 + b'\x01"]', cut_texts=True)


@given(PIECES.map(str.encode), st.sampled_from([2, 5, 8, 30]))
@example(b'{"a":1,"a":[1,2,3,4,5,6,7,8,9],"a":{"b":[1,2,3,4,5,6]}}', 8)
@example(b"[[[[[[[[[[1]]]]]]]],[[[[[[[[[]]]]]]]]]", 8)
@example(b'{"aaaaaaaaaaaaaaaaaaaa" : [1 ], "bbbbbbbbbbbbbbbbbbb": null , "c":1e5 }  ', 8)
def test_what_is_nearly_json_is_read_as_by_the_decoder(data, window):
    """The same value, or both refuse it: a bracket of the other kind, a comma too many or too few, a name that is no
    text, an end within anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_json, "_WINDOW", window)
        assert outcome_of(large_json.decode, data) == outcome_of(msgspec.json.decode, data)


@given(VALUES, st.integers(0, 200), st.sampled_from(["", ",", "]", "}", "[", "{", '"', " ", ":", "1"]))
def test_one_wrong_sign_is_read_as_by_the_decoder(value, at, sign):
    """In the place of any byte of JSON, or none in its place."""
    data = json.dumps(value).encode()
    data = data[:at] + sign.encode() + data[at + 1 :]
    assert outcome_of(large_json.decode, data) == outcome_of(msgspec.json.decode, data)


@given(st.text(st.sampled_from('\\"/é€😀\n\ua000'), max_size=200), st.booleans(), st.integers(20, 40))
def test_texts_of_escapes_are_cut_between_them(text, ascii_only, size):
    """However many stand together, so that no part is longer than the others."""
    data = json.dumps(text, ensure_ascii=ascii_only).encode()
    sizes = []

    def decode_part(part):
        sizes.append(len(part))
        return msgspec.json.decode(part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_json, "LONG_TEXT", size)
        assert large_json.decode(data, decode_part=decode_part) == text
    assert max(sizes) <= size + 2


@given(VALUES)
def test_a_value_is_encoded_as_by_the_encoder(value):
    """The same bytes, however long its texts are."""
    assert large_json.encode(value) == msgspec.json.encode(value)


@given(TEXTS)
def test_a_text_is_framed(text):
    """Between the bytes before it and behind it."""
    assert large_json.frame(b"<", text, b">") == b"<" + msgspec.json.encode(text) + b">"


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
        large_json.decode(data)


def test_a_list_is_refused_while_it_grows():
    """Its length is told before the rest of it is decoded."""
    seen = []

    def check(length):
        seen.append(length)
        if length > 20:
            raise OverflowError

    with pytest.raises(OverflowError):
        large_json.decode(b'{"a": [' + b"1, " * 40 + b"2]}", check)
    assert seen == sorted(set(seen))
    assert 20 < seen[-1] < 30


@given(st.lists(VALUES, max_size=12), VALUES)
def test_entries_under_a_name_stay_as_they_are(entries, other):
    """Those of long lists in it, and they mean the same; nothing else is left so."""
    value = {"a": other, "raw": {"content": entries, "b": other}, "c": [other]}
    data = json.dumps(value).encode()
    found = large_json.decode(data, raw="raw")
    assert msgspec.json.decode(msgspec.json.encode(found)) == msgspec.json.decode(data)
    assert found["a"] == found["c"][0] == other
    found = large_json.decode(b'{"raw": [{"a": 1}, 2, 3, 4], "b": [{"a": 1}, 2, 3, 4]}', raw="raw")
    assert any(isinstance(one, msgspec.Raw) for one in found["raw"])
    assert found["b"] == [{"a": 1}, 2, 3, 4]


def test_lists_that_are_too_deep_are_refused():
    """As the decoder refuses them; the recursion of Python is not tried."""
    with pytest.raises(RecursionError):
        large_json.decode(b"[" * 5000)
