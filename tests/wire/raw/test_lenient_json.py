"""The second look at JSON that the fast decoder refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.raw.json import large_json, lenient_json

EMOJI, LOST = "\U0001f600", "\ufffd"


@pytest.mark.parametrize(
    ("text", "value", "replaced"),
    [
        ('{"a":NaN,"b":[-Infinity,1e999,1]}', {"a": None, "b": [None, None, 1]}, ["a", "b[0]", "b[1]"]),
        ('{"a":"\\ud83d"}', {"a": LOST}, ["a"]),
        ('{"a":{"b":["x\\ude00y"]}}', {"a": {"b": [f"x{LOST}y"]}}, ["a.b[0]"]),
        ('{"a":"\\ud83d\\ude00"}', {"a": EMOJI}, []),
        ('{"\\ud83d":1}', {LOST: 1}, [""]),
        ('{"a":"\x01\n"}', {"a": "\x01\n"}, []),
        ('\ufeff{"a":1}', {"a": 1}, []),
        ("null", None, []),
    ],
)
def test_what_sdks_take(text, value, replaced):
    """The value, and the places of what was replaced."""
    found = lenient_json.decode(text)
    assert (found.value, found.replaced) == (value, replaced)
    assert lenient_json.decode(text.encode("utf-8")).value == value
    json.dumps(found.value, allow_nan=False).encode()


@pytest.mark.parametrize(
    "text", ["", "{", "{'a':1}", '{"a":1,}', '{"a":1} x', "undefined", "[1] [2]", '{"a":tru}', "\x00"]
)
def test_what_they_refuse(text):
    """It stays an error."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's own
        lenient_json.decode(text)


def test_bytes_that_are_no_utf8():
    """Of a request they are named; of a stream they become U+FFFD without a name, since no half can follow."""
    assert lenient_json.decode(b'{"a":"\xff"}') == ({"a": LOST}, ["a"], False)
    assert lenient_json.decode(b'{"content":"\xff"}', pieces=True) == ({"content": LOST}, [], False)


@pytest.mark.parametrize(
    ("text", "value", "cut"),
    [
        ('{"content":"a\\ud83d"}', {"content": "a\ud83d"}, True),
        ('{"content":"\\ude00a"}', {"content": "\ude00a"}, True),
        ('{"id":"a\\ud83d"}', {"id": f"a{LOST}"}, False),
        ('{"content":"a\\ud83db"}', {"content": f"a{LOST}b"}, False),
        ('{"arguments":{"text":"\\ud83d"}}', {"arguments": {"text": LOST}}, False),
        ('{"input":{"text":"\\ud83d"},"text":"\\ud83d"}', {"input": {"text": LOST}, "text": "\ud83d"}, True),
    ],
)
def test_pieces_of_a_stream(text, value, cut):
    """Halves stay where the other may be in another piece: at the ends of text, and not inside whole arguments."""
    found = lenient_json.decode(text, pieces=True)
    assert (found.value, found.cut) == (value, cut)


TEXTS = st.text(st.sampled_from('a"\\\n\x01é€😀[,'), max_size=30) | st.text(
    st.sampled_from("\ud83d\ude00a"), max_size=40
)
VALUES = st.recursive(
    st.none() | st.sampled_from([float("nan"), float("inf"), 1.5]) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.booleans(), st.binary(max_size=2))
def test_large_values_are_read_alike(value, escaped, pieces, wrong):
    """In small windows as at once: what cannot stand in JSON, halves of characters, and bytes that are no UTF-8."""
    data = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass").replace(b"a", wrong or b"a")
    outcomes = []
    for window, text in ((1 << 20, 1 << 20), (8, 20)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large_json, "_WINDOW", window)
            patch.setattr(large_json, "LONG_TEXT", text)
            try:
                outcomes.append(lenient_json.decode(data, pieces=pieces))
            except ValueError:
                outcomes.append(None)
    assert outcomes[0] == outcomes[1]


def test_what_is_named_is_bounded():
    """At most eight places of 200 characters, however deep and long the names are."""
    value = "\ud83d"
    for _ in range(190):
        value = {"k" * 10_000: value}
    found = lenient_json.decode(json.dumps([value] * 2))
    assert [len(path) <= 200 for path in found.replaced] == [True, True]
    assert len(lenient_json.decode(json.dumps(["\ud83d"] * 50)).replaced) == 8


def test_depth_is_refused():
    """Nesting over the stack raises what callers expect."""
    with pytest.raises((ValueError, RecursionError)):
        lenient_json.decode("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("plain", "plain"),
        ("\ud83d\ude00", EMOJI),
        ("\ud83d\ud83d\ude00", f"{LOST}{EMOJI}"),
        ("\ude00\ud83d", f"{LOST}{LOST}"),
        ("\udcff", LOST),
        (EMOJI, EMOJI),
    ],
)
def test_mended_text(text, mended):
    """Halves beside each other are joined, each other one is U+FFFD."""
    assert lenient_json.mend_text(text) == mended
