"""The top level of a request body is found without parsing the rest, and edits leave every other byte alone."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire.raw.json.top_level import DEPTH_LIMIT, MODEL_LIMIT, peek, read_model, wants_stream

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
NAMES = st.text(max_size=6) | st.sampled_from(["stream", "system", "a", "b", "é", "ééé", "a/b", 'q"', "n\n"])
OBJECTS = st.tuples(st.dictionaries(NAMES, VALUES, max_size=6), VALUES, st.integers(0, 6)).map(
    lambda parts: with_model(*parts)
)
FORMS = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",", ": ")]),
        "indent": st.sampled_from([None, None, 2, "\t"]),
        "ensure_ascii": st.booleans(),
    }
)
MARGINS = st.text(" \t\r\n", max_size=7)


def with_model(members, model, place):
    """The object with a model among its members."""
    pairs = [pair for pair in members.items() if pair[0] != "model"]
    return dict([*pairs[:place], ("model", model), *pairs[place:]])


def written(value, form, before="", after=""):
    """The value as a body."""
    return (before + json.dumps(value, **form) + after).encode()


@settings(max_examples=200)
@given(OBJECTS, FORMS, MARGINS, MARGINS)
@example({"model": "x"}, {}, "", "\n")
@example({"model": "x", "b": 1}, {"separators": (",", ":")}, "", "\n\n\n")
@example({"model": "x", "ééé": 1}, {"separators": (",", ":"), "ensure_ascii": False}, "", "")
@example({"model": "x", "\x00": 1, "b": [1.5, {}]}, {"separators": (",", ":")}, "", "")
def test_every_value_is_found_where_it_stands(value, form, before, after):
    """Each ASCII-named member's span holds exactly its value, and so does `value`, in any layout."""
    body = written(value, form, before, after)
    top = peek(body)
    for name, wanted in value.items():
        if not name.isascii():
            continue
        assert name in top
        assert top.value(name) == wanted
        start, end = top.span(name)
        text = body[start:end]
        assert json.loads(text) == wanted
        assert text == text.strip()
        assert bytes(top.raw(name)) == text


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ensure_ascii", [False, True])
def test_a_name_beyond_ascii_is_found(indent, ensure_ascii):
    """A member's name is what it decodes to, escaped or not."""
    body = json.dumps({"model": "m", "größe": 1, "中": 2}, indent=indent, ensure_ascii=ensure_ascii).encode()
    top = peek(body)
    assert (top.value("größe"), top.value("中")) == (1, 2)
    assert "absent" not in top
    assert top.raw("absent") is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model": "a", "model": "b"}',
        b'{\n "model": "a",\n "x": 1,\n "model": "a"\n}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"stream":true,"model":"a","stream":false}',
        # As long as the spaced form of its distinct members.
        b'{"model":"","a":1,"b":1,"c":1,"d":1,"e":1,"model":"y"}',
        b'{"stream":1,"a":1,"b":1,"c":1,"d":1,"e":1,"model":"y","stream":true}',
    ],
)
def test_a_model_or_stream_given_twice_is_refused(body):
    """Two parties could read two different requests."""
    with pytest.raises(BadRequest, match="twice"):
        peek(body)


def test_other_names_may_stand_twice():
    """Nothing is decided by them, so they pass as they are."""
    body = b'{"a":1,"model":"m","a":2,"inner":{"model":"x","model":"y"}}'
    assert read_model(peek(body)) == "m"


# Text with brackets: inside the nesting, and behind it.
DECOYS = {
    "none": ("", ""),
    "open": ("[{" * 300, "[{" * 300),
    "closed": ("}]" * 300, "}]" * 300),
    "quoted": ('\\" [ \\\\' * 90, '\\" } \\\\' * 90),
}


def nested(depth, kind, decoy, pad, indent):
    """A body of exactly that many levels."""
    inner = 1
    decoy, behind = decoy
    for level in range(depth - 1):
        # A third of the way in, text stands beside the nesting too.
        both = level == depth * 2 // 3
        if kind == "objects" or (kind == "mixed" and level % 2):
            inner = {"d": decoy, "k": inner} if both else {"k": inner}
        else:
            inner = [decoy, inner] if both else [inner]
    value = {"model": "m", "pad": ["x" * 60] * pad, "deep": inner, "behind": behind}
    return json.dumps(value, indent=indent, separators=None if indent else (",", ":")).encode()


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("pad", [0, 2000])
@pytest.mark.parametrize("decoy", DECOYS)
@pytest.mark.parametrize("kind", ["arrays", "objects", "mixed"])
def test_nesting_has_a_limit(kind, decoy, pad, indent):
    """200 levels pass and 201 do not, whatever stands in strings and however large the body is."""
    body = nested(DEPTH_LIMIT, kind, DECOYS[decoy], pad, indent)
    assert (len(body) > 100_000) == bool(pad)
    assert read_model(peek(body)) == "m"
    with pytest.raises(BadRequest, match="200 levels"):
        peek(nested(DEPTH_LIMIT + 1, kind, DECOYS[decoy], pad, indent))


@pytest.mark.parametrize("kind", ["arrays", "objects", "mixed"])
def test_texts_that_cancel_brackets_hide_no_more_than_a_parser_survives(kind):
    """The quick judgement can be fooled by texts made for it (wire/depth.py); no such body is then dangerous."""
    cancelling = ("]}" * 300, "[{" * 300)
    assert read_model(peek(nested(DEPTH_LIMIT, kind, cancelling, 0, None))) == "m"
    deep = b"[" * 100_000 + b'"' + b"]" * 100_000 + b'"' + b"]" * 100_000
    with pytest.raises(BadRequest, match="200 levels"):
        peek(b'{"model":"m","deep":' + deep + b',"behind":"' + b"[" * 100_000 + b'"}')


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_bottomless_nesting_is_refused(bracket, depth):
    """Nor does nesting that no parser survives do harm."""
    with pytest.raises(BadRequest):
        peek(b'{"model":"m","x":' + bracket * depth)


ODD = [
    b"",
    b" ",
    b"[]",
    b"1",
    b'"model"',
    b"null",
    b"{",
    b"{}",
    b"{}}",
    b'{"model"}',
    b'{"model":}',
    b'{"model":"m",}',
    b'{"model":"m"} x',
    b'{"model":"m"}{"model":"n"}',
    b'{"model":"\xff"}',
    b'{"model": "\xff"}',
    b'{"\xff":1,"model":"m"}',
    b'{"model":"\xed\xa0\x80"}',
    b'{"model":"\\ud800"}',
    b'{"model":"m", "t":"\\ud83d"}',
    b'{"model":NaN}',
    b'{"model":-Infinity,"stream":NaN}',
    b'{"model":"m","x":NaN}',
    b'{"model":"a\nb"}',
    b'{"model":"m\x00"}',
    b'{"model":"m","stream":"\xff"}',
    b'\xef\xbb\xbf{"model":"m"}',
    b'\xff\xfe{\x00"\x00',
    b"{'model':'m'}",
    b'{"model":"m","n":' + b"1" * 5000 + b"}",
    b'{"model":"m",  "n":' + b"1" * 5000 + b"}",
    b'{"model":' + b"1" * 5000 + b"}",
    b'{"model":1e999}',
    b'{"model":"m","n":1e' + b"9" * 5000 + b"}",
]


def looked_at(body):
    """All that is asked of a body; what it refuses, it refuses as BadRequest."""
    for look in (lambda: peek(body), lambda: read_model(peek(body)), lambda: wants_stream(peek(body))):
        try:
            look()
        except BadRequest as error:
            said = error.message
        else:
            continue
        assert said
        assert said.isprintable()


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_bodies_are_read_or_refused(body):
    """Nothing a client sends raises anything but BadRequest."""
    looked_at(body)


@settings(max_examples=250)
@given(st.binary(max_size=40) | OBJECTS.map(lambda value: written(value, {})), st.data())
def test_damaged_bodies_are_read_or_refused(body, data):
    """Nor do random bytes, nor valid bodies with bytes cut out or put in."""
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, len(body)))
    looked_at(body[:at] + data.draw(st.binary(max_size=3)) + body[until:])


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"model" "m"}', "line 1, column 10 (byte 9)"),
        (b'{\n  "model": "m"\n  "b": 1\n}', "line 3, column 3 (byte 19)"),
        ('{"é": 1,\n "b": x}'.encode(), "line 2, column 7 (byte 16)"),
        (b'{"model":"m"} x', "(byte 14)"),
        (b"", "(byte 0)"),
        (b'{"a":[1,2,}', "(byte 10)"),
    ],
)
def test_an_error_says_where_it_is(body, place):
    """Line, column and byte of what is no JSON."""
    with pytest.raises(BadRequest) as caught:
        peek(body)
    assert place in caught.value.message


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('"gpt-5"', "gpt-5"),
        ('"llama3:8b"', "llama3:8b"),
        ('"a b"', "a b"),
        ('"a\\/b"', "a/b"),
        ('"\\u00e9"', "é"),
        ('"é"', "é"),
        ("null", None),
        (json.dumps("x" * MODEL_LIMIT), "x" * MODEL_LIMIT),
        (json.dumps("é" * 128), "é" * 128),
        ('"' + "é" * 128 + '"', "é" * 128),
    ],
)
@pytest.mark.parametrize("layout", ['{{"model":{}}}', '{{ "model" : {} }}', '{{"model":{},"n":NaN}}'])
def test_a_model_name_is_what_it_decodes_to(layout, text, name):
    """Up to 256 bytes of anything printable; null is no name."""
    assert read_model(peek(layout.format(text).encode())) == name


@pytest.mark.parametrize(
    "text",
    [
        json.dumps("x" * (MODEL_LIMIT + 1)),
        json.dumps("é" * 129),
        '"' + "é" * 129 + '"',
        '""',
        '"  "',
        '"a\\nb"',
        '"a\\u0000"',
        '"a\\u007f"',
        '"a\\u0085"',
        '"\\ud800"',
        "1",
        "true",
        "[]",
        '["gpt-5"]',
        "{}",
    ],
)
@pytest.mark.parametrize("layout", ['{{"model":{}}}', '{{ "model" : {} }}'])
def test_no_sensible_model_name_is_refused(layout, text):
    """Too long, empty, with control characters, or no string."""
    with pytest.raises(BadRequest, match='"model"'):
        read_model(peek(layout.format(text).encode()))


def test_a_request_may_name_no_model():
    """Then there is none."""
    assert read_model(peek(b'{"a":1}')) is None
    assert read_model(peek(b"{}")) is None


@pytest.mark.parametrize(("text", "wanted"), [("true", True), ("false", False), ("null", False)])
@pytest.mark.parametrize("layout", ['{{"stream":{}}}', '{{ "stream" : {} }}'])
def test_a_stream_is_asked_for_by_true(layout, text, wanted):
    """And by nothing else."""
    assert wants_stream(peek(layout.format(text).encode())) is wanted


def test_without_the_field_no_stream_is_asked_for():
    """Absent is false."""
    assert wants_stream(peek(b'{"model":"m"}')) is False


@pytest.mark.parametrize("text", ['"true"', "1", "0", "{}", "[]", "NaN"])
def test_a_stream_that_is_no_truth_value_is_refused(text):
    """The upstream might take it for true, and the answer would not be what the client reads."""
    with pytest.raises(BadRequest, match='"stream"'):
        wants_stream(peek(b'{"stream":' + text.encode() + b"}"))
