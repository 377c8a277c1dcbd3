"""Texts of other programs: read with comments, and refused by line before a parser takes long for them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.config.import_text import parse_tree, strip_comments
from router.errors import CommandError

from ...growth import grows_evenly

PARTS = {
    "slashes behind a comma": ",\n" + "/" * 61 + "\n",
    "empty comments behind a comma": "," + "/**/" * 40,
    "slashes": "/",
    "begun comments": "/*",
    "begun comments behind a comma": ",/*",
    "commas": ",",
    "commas and spaces": ", \n",
    "open strings": '"',
    "escapes": "\\",
    "escaped quotes": '\\"',
    "spaces": ", " + " " * 50,
}


@pytest.mark.parametrize("part", PARTS)
def test_comments_are_stripped_in_linear_time(part):
    """A divider of slashes behind a comma is ordinary, and no text takes longer than its length explains."""
    grows_evenly(lambda size: "{" + PARTS[part] * (size // len(PARTS[part])) + "}", strip_comments, 100_000)


@pytest.mark.parametrize("divider", ["/" * 60, "/**/" * 40, "/* " + "/" * 200 + " */", "//" + "*" * 200])
def test_dividers_behind_a_comma(divider):
    """As people write them."""
    text = f'{{"Providers": [], {divider}\n"Router": {{}},\n{divider}\n}}'
    assert parse_tree(text, "x.json") == {"Providers": [], "Router": {}}


TEXTS = st.text('a"\\/*,:{}[]\n', max_size=8)
TREES = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
BETWEEN = st.sampled_from(["", " ", "\n", "// a, ]\n", "/* }, */", "/**/", "/***/ // x\n", "//\n/*/*/"])


@given(st.dictionaries(TEXTS, TREES, max_size=4), BETWEEN, st.booleans())
def test_a_text_with_comments_is_the_text_without(tree, between, trailing):
    """Comments and trailing commas anywhere but in strings; lines keep their numbers."""
    indented = json.dumps(tree, indent=1)
    lines = indented.split("\n")
    if trailing:
        lines = [
            line + ","
            if at + 1 < len(lines) and lines[at + 1].strip()[:1] in ("]", "}") and line[-1] not in "[{"
            else line
            for at, line in enumerate(lines)
        ]
    text = ("\n" + between).join(lines)
    assert parse_tree("{" + text.removeprefix("{"), "x.json") == tree
    assert strip_comments(text).count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n" + "b: " + "1:" * 200_000 + "1", "larger than 256 KiB"),
        ("a: 1\n" + "b: " + "1:" * 50_000 + "1", "line 2: it is longer than 8,192 characters"),
        ("a: 1\nb: [\n" + "1,\n" * 9000 + "2," * 3000 + "]", "items in brackets"),
        ("a: &a {x: 1}\n" + "b: {<<: *a}\n" * 101, "line 102: the file has over 100 merge keys (<<)"),
        ("a: 1\nb:\n" + "  [\n" * 65, "line 67: brackets are nested over 64 deep"),
        ("a: 1\n" * 10_001, "over 10,000 lines"),
    ],
)
def test_yaml_that_takes_long_is_refused(text, said):
    """Before it is parsed, with the line where there is one."""
    with pytest.raises(CommandError) as caught:
        parse_tree(text, "x.yaml")
    assert str(caught.value).startswith("x.yaml")
    assert said in str(caught.value)
