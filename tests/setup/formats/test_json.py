"""JSON with comments: what is read, where it stands, and what is refused."""

import json

import pytest
from hypothesis import given, settings

from router.setup.formats.document import Change, InvalidDocument, Item, with_change
from router.setup.formats.json_edit import JSON, JSONC
from router.setup.formats.json_scan import DEPTH_LIMIT

from ...growth import grows_evenly
from ..documents import texts


@given(texts())
@settings(max_examples=150, deadline=None)
def test_reads_any_layout(sample):
    """Comments, trailing commas and spaces of any kind do not change the value."""
    text, value = sample
    assert JSONC.parse(text) == value


@given(texts(spaces=(" ", "\n", "\t")))
@settings(max_examples=100, deadline=None)
def test_agrees_with_the_standard_library(sample):
    """The strict form takes what json takes, and refuses what it refuses."""
    text, _ = sample
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(InvalidDocument):
            JSON.parse(text)
    else:
        assert JSON.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ('{"a": 1,\n "a": 2}', 2, 2, "stands twice"),
        ('{"a": 1\n "b": 2}', 2, 2, "expected a comma"),
        ('{"a" 1}', 1, 6, "expected a colon"),
        ("{a: 1}", 1, 2, "name in double quotes"),
        ('{"a": 1', 1, 8, "} lacks"),
        ('{"a": "x\n"}', 1, 7, "does not end"),
        ('{"a": "\\x"}', 1, 7, "escape"),
        ('{"a": tru}', 1, 7, "unexpected"),
        ('{"a": }', 1, 7, "unexpected"),
        ('{"a":', 1, 6, "ends in the middle"),
        ("{} {}", 1, 4, "more behind"),
        ("/* x", 1, 1, "comment does not end"),
        ("[" * (DEPTH_LIMIT + 2), 1, DEPTH_LIMIT + 2, "deep"),
        ("[" + "1" * 5000 + "]", 1, 2, "too long"),
        ('{"a": 01}', 1, 8, "expected a comma"),
    ],
)
def test_says_where_a_text_is_not_valid(text, line, column, reason):
    """With line and column, from 1."""
    with pytest.raises(InvalidDocument) as caught:
        JSONC.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason


@pytest.mark.parametrize("text", ['{"a": 1, // x\n"b": 2}', '{"a": 1,}', "[1,]", "/**/{}"])
def test_the_strict_form_takes_no_comment_and_no_last_comma(text):
    """A tool that reads neither drops the whole file."""
    assert JSONC.parse(text) is not None
    with pytest.raises(InvalidDocument):
        JSON.parse(text)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("{}", ("a",), '{\n  "a": 1\n}'),
        ('{"b":2}', ("a",), '{"b":2,"a":1}'),
        ('{"b": 2}', ("a",), '{"b": 2, "a": 1}'),
        ('{\n\t"b": 2\n}\n', ("a",), '{\n\t"b": 2,\n\t"a": 1\n}\n'),
        ('{\n\t"b": 2, // two\n}\n', ("a",), '{\n\t"b": 2, // two\n\t"a": 1,\n}\n'),
        ('{\n  "b": 2 // two\n}\n', ("a",), '{\n  "b": 2, // two\n  "a": 1\n}\n'),
        ('{\n  "b": {}\n}\n', ("b", "a"), '{\n  "b": {\n    "a": 1\n  }\n}\n'),
        ('{"a": 2 /* two */}', ("a",), '{"a": 1 /* two */}'),
        ("[]", (Item("", 1),), "[\n  1\n]"),
        ("[2]", (Item("", 1, first=True),), "[1, 2]"),
        ("", ("a",), '{\n  "a": 1\n}\n'),
        ("// mine\n", ("a",), '// mine\n{\n  "a": 1\n}\n'),
    ],
)
def test_sets_in_the_style_of_the_text(text, path, expected):
    """Indentation, spaces behind colons, trailing commas and comments are those of what stands there."""
    assert JSONC.set(text, path, 1) == expected
    assert JSONC.parse(expected) == with_change(JSONC.parse(text), Change(path, 1))


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a":1}', ("a",), "{}"),
        ('{"a":1,"b":2}', ("a",), '{"b":2}'),
        ('{"a":1,"b":2}', ("b",), '{"a":1}'),
        ('{\n  "a": 1,\n  "b": 2\n}', ("a",), '{\n  "b": 2\n}'),
        ('{\n  "a": 1, // one\n  "b": 2\n}', ("b",), '{\n  "a": 1 // one\n}'),
        ('{\n  "a": 1,\n  "b": 2,\n}', ("b",), '{\n  "a": 1,\n}'),
        ('{\n  // about a\n  "a": 1\n}', ("a",), "{\n  // about a\n}"),
        ('{"l": [1, 2]}', ("l", Item("", 2)), '{"l": [1]}'),
    ],
)
def test_removes_a_member_with_its_comma(text, path, expected):
    """And with its line, where nothing else stands on it; comments stay."""
    assert JSONC.remove(text, path) == expected
    JSONC.parse(expected)


def test_time_grows_with_the_text():
    """Also of one that is made to be read again and again."""
    for piece in ('{"a": "\\\\', "[[1, 2], ", "/* * ", '{"k": [], // x\n '):
        grows_evenly(lambda size, piece=piece: (piece * 60)[:-1] * size, _try, 40, slack=0.01)


def _try(text):
    try:
        JSONC.parse(text)
    except InvalidDocument:
        return
