"""For how long a cache was seen to keep a prompt: what answers show, what they refute, and how much is held."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from router.policy.facts.lifetimes import ENTRIES, LEAST_SECONDS, NAME_LIMIT, SeenLifetimes

DAY = 86_400.0


def after(*events, at=1000.0):
    """The lifetime behind these: (kept or dropped, seconds), each a second later."""
    found = SeenLifetimes()
    for number, (how, seconds) in enumerate(events):
        getattr(found, f"note_{how}")("b", "m", seconds, at=at + number)
    seen = found.seen("b", "m")
    return None if seen is None else seen[:2]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ([], None),
        ([("kept", LEAST_SECONDS - 1), ("dropped", LEAST_SECONDS - 1)], None),
        ([("kept", 300)], (300, 0)),
        ([("kept", 300), ("kept", 200)], (300, 0)),
        ([("kept", 300), ("kept", 400)], (400, 0)),
        ([("dropped", 900)], (0, 900)),
        ([("dropped", 900), ("dropped", 600)], (0, 600)),
        ([("dropped", 600), ("dropped", 900)], (0, 600)),
        ([("kept", 300), ("dropped", 900)], (300, 900)),
        ([("dropped", 100), ("kept", 300)], (300, 0)),
        ([("kept", 300), ("dropped", 300)], (300, 0)),
        ([("dropped", 300), ("kept", 300)], (300, 0)),
    ],
)
def test_what_answers_show(events, wanted):
    """The longest pause that a prompt outlasted, the shortest that it did not; a longer hit refutes a miss."""
    assert after(*events) == wanted


@given(st.lists(st.tuples(st.sampled_from(["kept", "dropped"]), st.integers(0, 10_000)), max_size=20))
def test_a_prompt_is_gone_later_than_it_was_there(events):
    """In whichever order they came; within a tenth of the longest and the shortest that were told."""
    seen = after(*events)
    told = [seconds for how, seconds in events if how == "kept" and seconds >= LEAST_SECONDS]
    if seen is None:
        assert not told
        return
    kept, dropped = seen
    assert not dropped or dropped > kept
    assert kept <= max(told, default=0) <= kept + kept // 10 + 1


def test_little_is_stored():
    """What is the same within a tenth is stored once a day, so that it is not forgotten."""
    found = SeenLifetimes()
    assert found.note_kept("b", "m", 300, at=0.0) == (300, 0, 0.0)
    assert found.note_kept("b", "m", 320, at=9.0) is None
    assert found.note_kept("b", "m", 290, at=DAY) == (300, 0, DAY)
    assert found.note_dropped("b", "m", 900, at=DAY) == (300, 900, DAY)
    assert found.note_dropped("b", "m", 880, at=DAY + 9) is None
    assert found.note_dropped("b", "m", 880, at=2 * DAY) == (300, 880, 2 * DAY)


def test_models_apart():
    """By backend and model; one without a name, or with a long one, is not held."""
    found = SeenLifetimes()
    found.note_kept("b", "m", 300, at=0.0)
    assert found.seen("b", "n") is found.seen("c", "m") is None
    for name in ("", "x" * (NAME_LIMIT + 1)):
        assert found.note_kept("b", name, 300, at=0.0) is found.note_dropped("b", name, 300, at=0.0) is None


def test_the_table_is_bounded():
    """The one that was seen longest ago goes first."""
    found = SeenLifetimes()
    for number in range(ENTRIES + 2):
        found.note_kept("b", f"m{number}", 300, at=float(number))
    assert found.seen("b", "m1") is None
    assert found.seen("b", "m2") is not None


def test_what_is_stored_is_taken_over():
    """What was seen since, and may not be stored yet, stays; the rest is as it is stored."""
    found = SeenLifetimes()
    found.note_kept("b", "old", 300, at=1.0)
    found.note_kept("b", "new", 300, at=9.0)
    one = SeenLifetimes()
    stored = one.note_kept("b", "other", 70, at=2.0)
    found.replace_all([("b", "other", stored)], since=5.0)
    assert found.seen("b", "old") is None
    assert (found.seen("b", "new").kept, found.seen("b", "other").kept) == (300, 70)
