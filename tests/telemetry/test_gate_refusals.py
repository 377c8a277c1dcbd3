"""Refused requests cost a count each, and a bounded number a minute is recorded."""

from hypothesis import given
from hypothesis import strategies as st

from router.telemetry.gate_refusals import ALL, EACH, NO_KEY, REASONS, WRONG_KEY, GateRefusals


def test_each_is_counted_and_few_are_recorded():
    """Ten of one kind, and again in the next minute."""
    refusals = GateRefusals()
    for minute in range(3):
        recorded = [refusals.count(NO_KEY, "", 100.0 + 60 * minute + at / 100) for at in range(1000)]
        assert recorded == [at < EACH for at in range(1000)]
    assert refusals.counts == {NO_KEY: 3000}


def test_another_reason_is_recorded_in_a_flood():
    """The wrong key of a tool of the user's own, while a page floods."""
    refusals = GateRefusals()
    for _ in range(10_000):
        refusals.count(NO_KEY, "", 5.0)
    assert refusals.count(WRONG_KEY, "", 6.0)
    assert refusals.count(NO_KEY, "codex", 6.0)


@given(st.lists(st.tuples(st.sampled_from(REASONS), st.text(max_size=3), st.floats(0, 30)), max_size=400))
def test_what_is_recorded_is_bounded_whatever_comes(asked):
    """Also when the kinds of clients are made up; and all are counted."""
    refusals = GateRefusals()
    now, recorded = 1000.0, []
    for reason, client, wait in asked:
        now += wait / 100
        if refusals.count(reason, client, now):
            recorded.append(now)
    for moment in recorded:
        assert sum(moment <= one < moment + 60 for one in recorded) <= 2 * ALL
    assert sum(refusals.counts.values()) == len(asked)
