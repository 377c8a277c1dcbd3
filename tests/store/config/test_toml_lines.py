"""The line of each key of a TOML text."""

import tomllib

import pytest
from hypothesis import HealthCheck, given, settings

from router.store.config.toml_lines import locate

from ...settings.documents import documents


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_each_key_is_found_where_it_was_written(document):
    """In every form that TOML has: tables, arrays of tables, dotted and quoted keys, inline tables, long strings."""
    tree = tomllib.loads(document.text)
    found = locate(document.text)
    for path, line in document.lines.items():
        assert found[path] == line, path
    for path in found:
        node = tree
        for key in path:
            node = node[key]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_line_ends_of_windows_count_the_same(document):
    """CRLF is one line end."""
    assert locate(document.text.replace("\n", "\r\n")) == locate(document.text)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a=1", ("a",), 1),
        ("\n\na.b = 1", ("a", "b"), 3),
        ("[t]\n\n[t.u]\nv=1", ("t", "u", "v"), 4),
        ("[t]\nx=1\n[t.u]\n", ("t",), 1),
        ("[[r]]\nx=1\n[[r]]\nx=2\n[r.when]\ny=1", ("r", 1, "when", "y"), 6),
        ("[[r]]\n[[r.s]]\n[[r.s]]\na=1\n[[r]]\n[[r.s]]\nb=1", ("r", 1, "s", 0, "b"), 7),
        ("r = [\n {a=1},\n {a=2, b={c=3}},\n]\nz=1", ("r", 1, "b", "c"), 3),
        ("r = [\n {a=1},\n {a=2},\n]\nz=1", ("z",), 5),
        ('s = """\n[no]\nx = 1\n"""\ny=1', ("y",), 5),
        ("s = '''\n'''''\ny=1", ("y",), 3),
        ('s = "\\"" # x = [\ny=1', ("y",), 2),
        ("\"a.b\" . 'c d' = 1", ("a.b", "c d"), 1),
        ('"\\u0061" = 1', ("a",), 1),
        ("a = 1 # c\r\nb = 2\r\n", ("b",), 2),
        ("[a]\n[b]\n[a.c]\nd=1", ("a", "c", "d"), 4),
    ],
)
def test_forms(text, path, line):
    """One text for each form, written by hand."""
    tomllib.loads(text)
    assert locate(text)[path] == line


def test_nothing_has_no_keys():
    """An empty text, and one of comments."""
    assert locate("") == locate("# a = 1\n\n") == {}
