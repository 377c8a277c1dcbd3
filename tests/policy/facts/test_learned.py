"""The limits that errors told: what is believed, how they change, and how many are held."""

import pytest

from router.policy.facts.learned import ENTRIES, LearnedLimit, LearnedLimits

DAY = 86_400


def learned(*told):
    """Limits that were told one after the other, a minute apart: (window, max_input)."""
    limits = LearnedLimits()
    for at, (window, max_input) in enumerate(told):
        limits.learn("box", "m", window=window, max_input=max_input, at=at * 60.0)
    return limits.learned("box", "m")


@pytest.mark.parametrize("tokens", [0, 127, -1, 1 << 63, 100_000_001, None], ids=str)
def test_absurd_numbers_are_no_limits(tokens):
    """No model has such a limit, whatever a server says."""
    limits = LearnedLimits()
    assert limits.learn("box", "m", window=tokens, at=1.0) is None
    assert limits.learned("box", "m") is None
    assert limits.learn("box", "m", window=4096, max_input=tokens, at=1.0) == LearnedLimit(4096, None, 1.0)


def test_each_error_adds_what_it_tells():
    """The last error decides; what it does not tell stays, unless both cannot be true."""
    assert learned((4096, None)) == LearnedLimit(4096, None, 0.0)
    assert learned((4096, None), (None, 3000)) == LearnedLimit(4096, 3000, 60.0)
    assert learned((None, 8000), (4096, None)) == LearnedLimit(4096, 4096, 60.0)
    assert learned((4096, None), (8192, None)) == LearnedLimit(8192, None, 60.0)


def test_what_is_known_is_not_told_again():
    """The same limit is stored once a day: errors of one conversation repeat it."""
    limits = LearnedLimits()
    assert limits.learn("box", "m", window=4096, at=0.0) is not None
    assert limits.learn("box", "m", window=4096, at=60.0) is None
    assert limits.learn("box", "m", window=4096, at=DAY + 1.0) == LearnedLimit(4096, None, DAY + 1.0)


def test_an_answer_contradicts_a_limit():
    """A model that took more has another limit by now."""
    limits = LearnedLimits()
    limits.learn("box", "m", window=4096, max_input=4000, at=0.0)
    assert not limits.note_taken("box", "m", 4000)
    assert not limits.note_taken("box", "other", 9000)
    assert limits.note_taken("box", "m", 4001)
    assert limits.learned("box", "m") is None


def test_the_oldest_go_first():
    """Names are the callers' choice, so their number and length are bounded."""
    limits = LearnedLimits()
    limits.learn("box", "m" * 257, window=4096, at=0.0)
    for number in range(ENTRIES + 2):
        limits.learn("box", f"m{number}", window=4096, at=float(number))
    known = [number for number in range(ENTRIES + 2) if limits.learned("box", f"m{number}")]
    assert known == list(range(2, ENTRIES + 2))
    assert limits.learned("box", "m" * 257) is None


def test_stored_limits_replace_those_in_memory():
    """What another process stored or deleted holds here too; what was learned since the last look stays."""
    limits = LearnedLimits()
    limits.learn("box", "old", window=4096, at=10.0)
    limits.learn("box", "new", window=4096, at=30.0)
    stored = [("box", "other", LearnedLimit(None, 9000, 5.0)), ("box", "new", LearnedLimit(1024, None, 15.0))]
    limits.replace_all(stored, since=20.0)
    assert limits.learned("box", "old") is None
    assert limits.learned("box", "new") == LearnedLimit(4096, None, 30.0)
    assert limits.learned("box", "other") == LearnedLimit(None, 9000, 5.0)


def test_what_answers_have_shown_is_remembered():
    """The most of it, by model, for a bounded number of them."""
    limits = LearnedLimits()
    assert limits.taken("box", "m") == 0
    for tokens in (10, 4000, 300):
        limits.note_taken("box", "m", tokens)
    assert (limits.taken("box", "m"), limits.taken("box", "other")) == (4000, 0)
    for place in range(ENTRIES):
        limits.note_taken("box", f"m{place}", 1)
    assert (limits.taken("box", "m"), len(limits._taken)) == (0, ENTRIES)
