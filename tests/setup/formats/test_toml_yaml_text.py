"""TOML, YAML and marked blocks: what is set, what stays as it is, and what is refused."""

import pytest

from router.setup.formats.document import Change, InvalidDocument, Item, UnsupportedChange, with_change
from router.setup.formats.text_edit import SCRIPT
from router.setup.formats.toml_edit import TOML
from router.setup.formats.yaml_edit import YAML

ENTRY = {"name": "x", "roles": ["chat"]}


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", ("m",), "x", 'm = "x"\n'),
        ("a = 1 # one\n\n[t]\nb = 2\n", ("m",), "x", 'a = 1 # one\nm = "x"\n\n[t]\nb = 2\n'),
        ("[p.o]\nn = 1\n", ("p", "x"), {"u": "v"}, '[p.o]\nn = 1\n\n[p.x]\nu = "v"\n'),
        ("p = {o = {n = 1}}\n", ("p", "x"), {"u": "v"}, 'p = {o = {n = 1},x = {u = "v"}}\n'),
        ('m = "y" # which\n', ("m",), "x", 'm = "x" # which\n'),
    ],
)
def test_toml(text, path, value, expected):
    """Keys come before the first table, tables at the end; comments stay."""
    assert TOML.set(text, path, value) == expected
    assert TOML.parse(expected) == with_change(TOML.parse(text), Change(path, value))


def test_toml_that_is_not_valid():
    """With line and column; also names that stand twice."""
    with pytest.raises(InvalidDocument) as caught:
        TOML.parse("a = 1\nb = = 2\n")
    assert (caught.value.line, caught.value.column) == (2, 5)
    with pytest.raises(InvalidDocument, match="overwrite"):
        TOML.parse("a = 1\na = 2\n")


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", ("k",), "v", "k: v\n"),
        ("# c\n", ("k",), "v", "# c\nk: v\n"),
        ("a: 1", ("k",), "yes", "a: 1\nk: 'yes'"),
        ("k: old # why\n", ("k",), "v", "k: v # why\n"),
        (
            "models:\n  - name: a # one\n  # end\nz: 1\n",
            ("models", Item("name", "x")),
            ENTRY,
            "models:\n  - name: a # one\n  - name: x\n    roles:\n    - chat\n  # end\nz: 1\n",
        ),
        (
            "models:\n- name: a\n",
            ("models", Item("name", "x", first=True)),
            ENTRY,
            "models:\n- name: x\n  roles:\n  - chat\n- name: a\n",
        ),
        ("models:\nz: 1\n", ("models", Item("name", "x")), ENTRY, "models:\n- name: x\n  roles:\n  - chat\nz: 1\n"),
        ("models: []\n", ("models", Item("name", "x")), ENTRY, 'models: [{"name": "x", "roles": ["chat"]}]\n'),
        (
            "models: [{name: a}]\n",
            ("models", Item("name", "x", first=True)),
            ENTRY,
            'models: [{"name": "x", "roles": ["chat"]}, {name: a}]\n',
        ),
        ("t: {a: 1}\n", ("t", "k"), "v", 't: {a: 1, "k": "v"}\n'),
    ],
)
def test_yaml(text, path, value, expected):
    """In the form of what stands there; comments and blank lines stay."""
    assert YAML.set(text, path, value) == expected
    assert YAML.parse(expected) == with_change(YAML.parse(text), Change(path, value))


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\na: 2\n", 2), ("a: 1\n\tb: 2\n", 2), ("a: [1\n", 2), ("a: 1\n---\nb: 2\n", 2)]
)
def test_yaml_that_is_not_valid(text, line):
    """Names that stand twice, tabs, brackets that do not close, several documents: with the line."""
    with pytest.raises(InvalidDocument) as caught:
        YAML.parse(text)
    assert caught.value.line == line


def test_yaml_that_cannot_be_changed_at_one_place():
    """A list in brackets that ends with a comma, and a mapping in the place of a text."""
    with pytest.raises(UnsupportedChange):
        YAML.set("models: [a,]\n", ("models", Item("", "x")), "x")
    with pytest.raises(UnsupportedChange):
        YAML.set("models: a\n", ("models", Item("name", "x")), ENTRY)


@pytest.mark.parametrize(("before", "after"), [("", ""), ("export A=1\n", ""), ("a", "\nb\n"), ("a\n", "b\n")])
def test_block(before, after):
    """One marked block, at the end or at its place; what stands around it stays."""
    text = SCRIPT.set(before, ("block",), "one\ntwo")
    assert SCRIPT.parse(text) == {"block": "one\ntwo"}
    again = SCRIPT.set(text + after, ("block",), "three")
    assert SCRIPT.parse(again) == {"block": "three"}
    assert SCRIPT.remove(again, ("block",)).replace("\n", "") == (before + after).replace("\n", "")


def test_block_whose_marks_are_no_pair():
    """One mark alone, or two blocks, are refused."""
    text = SCRIPT.set("", ("block",), "x")
    for wrong in (text + text, text.rpartition("# <<<")[0]):
        with pytest.raises(InvalidDocument):
            SCRIPT.parse(wrong)
