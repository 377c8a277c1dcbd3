"""Bars and curves: nothing that is there looks like nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.tui.charts import draw_bar, draw_curve


@pytest.mark.parametrize(
    ("share", "bar"),
    [(0, "░░░░░"), (0.001, "█░░░░"), (0.5, "██░░░"), (0.99, "████░"), (1, "█████"), (1.7, "█████"), (-1, "░░░░░")],
)
def test_a_bar_shows_each_use_and_each_rest(share, bar):
    """A little in use is seen, and a little that is left too."""
    assert draw_bar(share, 5) == bar


def test_a_curve_shows_the_newest_last():
    """The highest value is the full block; zero is empty, and a little is not."""
    assert draw_curve([0, 1, 100], 3) == " ▁█"
    assert draw_curve([0, 0], 5) == "  "
    assert draw_curve([], 5) == ""
    assert draw_curve([1, 1, 1, 1, 4], 3) == "▂▃█"


@given(st.lists(st.floats(0, 1e12), max_size=200), st.integers(0, 80))
def test_a_curve_fits(values, size):
    """It is never longer than the room, and only empty where every value of its place is zero."""
    curve = draw_curve(values, size)
    assert len(curve) <= size
    if size and any(values):
        assert curve.strip()
