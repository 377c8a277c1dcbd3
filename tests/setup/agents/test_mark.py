"""The mark of files for agents: a file that nobody changed is known, and any change is seen."""

import pytest
from hypothesis import given, strategies

from router import __version__
from router.setup.agents.mark import COMMENTS, MARKDOWN, read_mark, sign

LINES = strategies.lists(
    strategies.text(strategies.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), min_size=1
)


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_marked_text_is_known(comment):
    """With either comment, and with the ends of lines of the other systems."""
    text = sign("one\n\ntwo\n", comment)
    assert text.startswith("one\n\ntwo\n")
    for one in (text, text.replace("\n", "\r\n")):
        assert read_mark(one) == (__version__, True)


@given(LINES, strategies.integers(0, 10_000), strategies.sampled_from("xX \n"))
def test_any_change_is_seen(lines, place, char):
    """One character more, anywhere above the mark's end."""
    text = sign("".join(f"{line}\n" for line in lines), MARKDOWN)
    assert read_mark(text).intact
    at = place % (text.index("sha256:") + 71)
    changed = text[:at] + char + text[at:]
    mark = read_mark(changed)
    assert mark is None or not mark.intact


@pytest.mark.parametrize("text", ["", "---\nname: fairlead\n---\n", "<!-- fairlead agent file 1 -->\n"])
def test_a_text_without_a_mark(text):
    """It is of somebody else."""
    assert read_mark(text) is None


def test_what_follows_the_mark_is_a_change():
    """So is a second mark."""
    text = sign("one\n", MARKDOWN)
    assert not read_mark(text + "two\n").intact
    assert not read_mark(text + text).intact
    assert read_mark(text + "two\n").version == ""
