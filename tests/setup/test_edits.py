"""Changes and their undo: to the byte, and after others have changed the rest of the text."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.setup import edits
from router.setup.edits import ChangedSince, apply_changes, undo
from router.setup.formats.document import MISSING, Change, Item, UnsupportedChange, get, with_change
from router.setup.formats.json_edit import JSONC
from router.setup.formats.registry import FORMATS
from router.setup.formats.yaml_edit import YAML

from .documents import KEYS, VALUES, texts

CHANGES = st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), VALUES), min_size=1, max_size=3)


@given(texts(), CHANGES, st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=250, deadline=None)
def test_undo_gives_the_same_text(sample, changes, newline):
    """Whatever the layout, and whatever is set, replaced or made; in between the value is the one that was meant."""
    text, value = sample
    wanted = value
    try:
        for path, part in changes:
            wanted = with_change(wanted, Change(tuple(path), part))
        changed, made = apply_changes(JSONC, text, [Change(tuple(path), part) for path, part in changes], newline)
    except UnsupportedChange:
        assume(False)
    assert JSONC.parse(changed) == wanted
    # A part that a later change of the same list went into is not as it was written.
    assume(not edits.list_changed(JSONC, changed, made))
    assert undo(JSONC, changed, made) == text


@given(texts(), st.lists(KEYS, min_size=1, max_size=3), VALUES, KEYS, VALUES)
@settings(max_examples=150, deadline=None)
def test_undo_after_other_edits(sample, path, part, other, value):
    """What somebody adds or changes elsewhere stays; only what was set goes."""
    text, before = sample
    assume(other != path[0] and get(before, tuple(path)) != part)
    try:
        changed, made = apply_changes(JSONC, text, [Change(tuple(path), part)], "\n")
        edited, _ = apply_changes(JSONC, changed, [Change((other,), value)], "\n")
    except UnsupportedChange:
        assume(False)
    assert JSONC.parse(undo(JSONC, edited, made)) == with_change(before, Change((other,), value))


SAMPLES = {
    "jsonc": ('{\n  // mine\n  "a": 1\n}\n', ("p", "x"), {"u": 1}, '  "a": 1', '  "b": [2],\n  "a": 3'),
    "toml": ("# mine\na = 1\n\n[t]\nb = 2\n", ("p", "x"), {"u": 1}, "a = 1", 'a = 3\nz = "y"'),
    "yaml": ("# mine\na: 1\nl:\n- n: q\n", ("l", Item("n", "x")), {"n": "x", "u": [1]}, "a: 1", "b: 2\na: 3"),
    "script": ("export A=1\n", ("block",), "one", "A=1", "A=2"),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_undo_in_every_format(name, newline):
    """To the byte; also with lines of others in between, which stay."""
    form = FORMATS[name]
    text, path, value, old, new = SAMPLES[name]
    text = text.replace("\n", newline)
    changed, made = apply_changes(form, text, [Change(path, value)], newline)
    assert changed.count("\n") == changed.count(newline)
    assert undo(form, changed, made) == text
    old, new = old.replace("\n", newline), new.replace("\n", newline)
    assert undo(form, changed.replace(old, new), made) == text.replace(old, new)


@pytest.mark.parametrize("name", ["jsonc", "toml", "yaml"])
def test_undo_where_the_own_lines_stand_otherwise(name):
    """Moved or written in another way, with the same value: they are removed all the same, and nothing else."""
    form = FORMATS[name]
    text, others = {
        "jsonc": ('{"a": 1}', '{"p":{"x":{"u":1}},\n "a": 1}'),
        "toml": ("a = 1\n", "a = 1\np.x.u = 1\n"),
        "yaml": ("a: 1\n", "p: {x: {u: 1}}\na: 1\n"),
    }[name]
    _, made = apply_changes(form, text, [Change(("p", "x"), {"u": 1})], "\n")
    if name == "yaml":
        with pytest.raises(UnsupportedChange):
            undo(form, others, made)
    else:
        assert form.parse(undo(form, others, made)) == {"a": 1}


def test_undo_restores_what_was_replaced():
    """With its own spelling."""
    text = '{"model": "a\\u0062c", "n": 1.0}'
    changed, made = apply_changes(JSONC, text, [Change(("model",), "x"), Change(("n",), 2)], "\n")
    assert JSONC.parse(changed) == {"model": "x", "n": 2}
    assert undo(JSONC, changed, made) == text


def test_undo_is_refused_where_the_own_part_changed():
    """With what is there now, or that nothing is."""
    text = '{"model": "a"}'
    changed, made = apply_changes(JSONC, text, [Change(("model",), "x"), Change(("url",), "y")], "\n")
    for now, there in ((changed.replace('"y"', '"z"'), "z"), (changed.replace('"model": "x", ', ""), MISSING)):
        with pytest.raises(ChangedSince) as caught:
            undo(JSONC, now, made)
        assert [value for _, value in caught.value.edits] == [there]


def test_what_somebody_took_back_is_undone():
    """A part that is gone, or as it was before, is nothing to refuse."""
    changed, made = apply_changes(JSONC, '{"model": "a"}', [Change(("model",), "x"), Change(("url",), "y")], "\n")
    assert undo(JSONC, '{"model": "a", "k": 1}', made) == '{"model": "a", "k": 1}'
    assert changed == '{"model": "x", "url": "y"}'


def test_what_is_so_already_is_not_ours():
    """It stays when the rest is undone."""
    text = '{"url": "y"}'
    changed, made = apply_changes(JSONC, text, [Change(("url",), "y"), Change(("v",), 1, only_missing=True)], "\n")
    assert len(made) == 1
    assert undo(JSONC, changed, made) == text
    assert apply_changes(JSONC, '{"v": 2}', [Change(("v",), 1, only_missing=True)], "\n") == ('{"v": 2}', [])


def test_a_change_that_would_reach_further_is_refused():
    """An alias of YAML stands for a text elsewhere, which would change too."""
    text = "a: &m\n  k: 1\nb: *m\n"
    with pytest.raises(UnsupportedChange):
        apply_changes(YAML, text, [Change(("b", "k"), 2)], "\n")


def test_what_the_tool_changes_itself_is_undone_all_the_same():
    """A time that it sets anew is no change of the user's, and goes with the rest."""
    text = '{"v": 1}'
    changes = [Change(("p", "u"), 1), Change(("p", "at"), "monday", volatile=True)]
    changed, made = apply_changes(JSONC, text, changes, "\n")
    assert undo(JSONC, changed.replace("monday", "tuesday"), made) == text
    assert edits.list_missing(JSONC, changed.replace("monday", "tuesday"), made) == []
