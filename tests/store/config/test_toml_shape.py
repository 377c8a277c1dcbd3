"""TOML texts that a parser would take long for are refused before it, by line, in time that grows with the text."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import CommandError
from router.store.config import toml
from router.store.config.toml_shape import DEPTH_LIMIT, PARTS_LIMIT, VALUES_LIMIT, find_fault

from ...growth import grows_evenly

FAULTS = {
    "a key of 20,000 parts": ("a." * 20_000 + "b = 1", 1, "a key has over 32 parts"),
    "a header of 20,000 parts": ("x = 1\n[" + "a." * 20_000 + "b]", 2, "a key has over 32 parts"),
    "400 parts on each line": (
        "".join("a." * 400 + f"k{at} = 1\n" for at in range(1000)),
        1,
        "a key has over 32 parts",
    ),
    "nested lists": ("x = 1\n\na = " + "[" * 5000 + "]" * 5000, 3, "brackets are nested over 64 deep"),
    "nested tables": ("a = " + "{b = " * 5000, 1, "brackets are nested over 64 deep"),
    "a long number": ("a = 1\nb = " + "9" * 5000, 2, "a number has over 4,000 digits"),
    "a long number with underscores": ("b = " + "9_" * 5000 + "9", 1, "a number has over 4,000 digits"),
    "many items": ("a = [" + "1," * 500_000 + "]", 1, "the file has over 50,000 values"),
    "many keys": ("".join(f"k{at} = 1\n" for at in range(60_000)), 50_001, "the file has over 50,000 values"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_too_much_is_refused_with_its_line(name):
    """Without a look at the values, whatever a parser would make of them."""
    text, line, what = FAULTS[name]
    with pytest.raises(CommandError) as caught:
        toml.parse(text, "x.toml")
    assert str(caught.value) == f"x.toml, line {line}: {what}."


PARTS = {
    "open strings": '"',
    "open long strings": '"""',
    "escapes": 'a = "' + "\\",
    "escaped quotes": '\\"',
    "quotes of both kinds": "\"'",
    "comments": "#",
    "dots": "a.\n",
    "brackets": "[]",
    "digits": "1",
    "lines": "a = 1\n",
    "long strings": 'a = """x"""\n',
}


@pytest.mark.parametrize("part", PARTS)
def test_the_check_grows_with_the_text(part):
    """Twice the text, about twice the time."""
    grows_evenly(lambda size: PARTS[part] * (size // len(PARTS[part])), find_fault, 100_000)


def test_what_is_allowed_passes():
    """At the limits, and whatever stands in strings and comments."""
    parts = ".".join(["a"] * PARTS_LIMIT) + " = 1\n"
    deep = "b = " + "[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT + "\n"
    text = "." * 99 + "[" * 99 + "," * VALUES_LIMIT + "9" * 5000
    strings = (
        f'c = \'{text}\'\nd = "\\"{text}"\ne = \'\'\'\n\'{text}\'\'\n\'\'\'\nf = """\n\\"{text}""\n"""\n# {text}\n'
    )
    numbers = "g = [1.5, 2.5, 1e6, 2026-01-01T00:00:00.5Z]\n" * 1
    tree = toml.parse(parts + deep + strings + numbers, "x.toml").tree
    assert tree["c"] == text
    assert len(tree) == 7


KEYS = st.text("ab-_1", min_size=1, max_size=3)
VALUES = st.recursive(
    st.integers(0, 99) | st.booleans() | st.text("a.[{,='\"\\#\n1", max_size=6).map(lambda text: text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_no_ordinary_text_has_a_fault(tree):
    """What a program writes passes."""
    import tomlkit

    text = tomlkit.dumps(tree)
    assert tomllib.loads(text) == tree
    assert find_fault(text) is None
