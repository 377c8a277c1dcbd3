"""`.env` files: what is read of them, what is set, and that nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.setup.edits import apply_changes, undo
from router.setup.formats.document import Change, UnsupportedChange
from router.setup.formats.dotenv_edit import DOTENV

KEY = "GEMINI_API_KEY"
LINES = st.sampled_from(
    [
        "",
        "# a comment with A=1",
        "A=1",
        "export B = two words  # why",
        "C='three # no comment'",
        'D="two\nlines"',
        "E=",
        "F='open",
        f"{KEY}=old",
        f"  {KEY}: old",
        "no assignment",
        "G=`b\\`c` # x",
    ]
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# A=1\n\n", None),
        ("A=1", {"A": "1"}),
        (" export A = 1 # one\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A='x # y' # z\n", {"A": "x # y"}),
        ('A="one\ntwo\\nthree"\nB=2\n', {"A": "one\ntwo\nthree", "B": "2"}),
        ("A='open\nB=2\n", {"A": "'open", "B": "2"}),
        ("A='x'y\n", {"A": "'x'y"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A.b-c=1\nÄ=2\nno line\nexport\n=3\nx y=4\n", {"A.b-c": "1"}),
    ],
)
def test_read(text, value):
    """As dotenv does: quotes over several lines, comments, `export`, and the last of one name."""
    assert DOTENV.parse(text) == value


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("", "v", f"{KEY}=v\n"),
        ("A=1", "v", f"A=1\n{KEY}=v\n"),
        (f"{KEY}='old' # mine\nA=1\n", "v", f"{KEY}=v # mine\nA=1\n"),
        (f'{KEY}="two\nlines"\n', "http://localhost:1", f"{KEY}=http://localhost:1\n"),
        (f"{KEY}=\n", "v", f"{KEY}=v\n"),
        ("", "x-key: v", f"{KEY}='x-key: v'\n"),
    ],
)
def test_set(text, value, expected):
    """At its place, else at the end; a comment behind it stays."""
    assert DOTENV.set(text, (KEY,), value) == expected
    assert DOTENV.parse(expected)[KEY] == value


@pytest.mark.parametrize("value", ["it's", "a\nb x", "a\\b"])
def test_a_value_without_one_form(value):
    """Refused, since programs read its quotes in different ways."""
    with pytest.raises(UnsupportedChange):
        DOTENV.set("", (KEY,), value)


@given(lines=st.lists(LINES, max_size=8), ending=st.sampled_from(["", "\n"]), newline=st.sampled_from(["\n", "\r\n"]))
def test_set_and_taken_back(lines, ending, newline):
    """In any file the other variables stay as they are, and undo gives the same bytes."""
    text = newline.join(lines) + ending
    try:
        changed, edits = apply_changes(DOTENV, text, [Change((KEY,), "new")], newline)
    except UnsupportedChange:
        # A quote that an earlier line has left open would end in the new line.
        assert "'open" in text or '"two' in text
        return
    before, after = DOTENV.parse(text) or {}, DOTENV.parse(changed)
    assert {**before, KEY: "new"} == after
    assert undo(DOTENV, changed, edits) == text
