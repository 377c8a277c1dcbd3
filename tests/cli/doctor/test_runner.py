"""Checks run side by side, each and all within bounds, and stand in their order."""

import time
from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from router.cli.doctor.row import Check, Row
from router.cli.doctor.runner import run_checks


def run(*checks, seconds=15.0):
    """What the checks find, on a clock that jumps."""
    return trio.run(run_checks, checks, None, seconds, clock=MockClock(autojump_threshold=0.05))


def sleeping(identity, seconds, limit=5.0):
    async def check(situation):
        await trio.sleep(seconds)
        return [Row(identity, "ok", "done")]

    return Check(identity, check, limit)


def test_their_order_is_kept():
    """The last one is done first."""
    rows = run(sleeping("a", 3), sleeping("b", 2), sleeping("c", 1))
    assert [row.id for row in rows] == ["a", "b", "c"]


def test_a_slow_one_is_skipped():
    """The others have what they found."""
    rows = run(sleeping("a", 60), sleeping("b", 1))
    assert [(row.id, row.status, row.text) for row in rows] == [
        ("a", "info", "skipped: it took longer than 5 s"),
        ("b", "ok", "done"),
    ]


def test_all_together_have_a_bound():
    """Those that had no turn are told of too."""
    rows = run(*(sleeping(str(number), 4) for number in range(40)), seconds=6)
    assert [row.id for row in rows] == [str(number) for number in range(40)]
    texts = Counter(row.text for row in rows)
    assert texts == {"done": 16, "skipped: all checks together took too long": 24}


def test_a_defect_is_a_row(monkeypatch):
    """With its kind alone, since its message may hold anything; the others count all the same."""
    monkeypatch.delenv("FAIRLEAD_TRACEBACK", raising=False)

    def broken(situation):
        raise ValueError("sk-a-secret")

    async def in_a_task(situation):
        async with trio.open_nursery():
            raise KeyError("sk-a-secret")

    first, second, third = run(Check("a", broken), Check("b", in_a_task), sleeping("c", 0))
    assert (first.id, first.status) == ("a", "fail")
    assert first.text == "this check ended with ValueError, which is a bug in fairlead"
    assert first.fix == "For a report: FAIRLEAD_TRACEBACK=1 fairlead doctor a"
    assert second.text == "this check ended with KeyError, which is a bug in fairlead"
    assert third.status == "ok"


def test_a_traceback_is_to_be_had(monkeypatch):
    """As for every command."""
    monkeypatch.setenv("FAIRLEAD_TRACEBACK", "1")

    def broken(situation):
        raise ValueError

    with pytest.raises(BaseExceptionGroup) as caught:
        run(Check("a", broken))
    assert caught.group_contains(ValueError)


def test_blocking_ones_stand_in_nobodys_way():
    """A thread that waits for ever is left behind."""
    hold = []

    def stuck(situation):
        while not hold:
            time.sleep(0.01)
        return []

    try:
        rows = trio.run(run_checks, [Check("a", stuck, 0.05), sleeping("b", 0)], None)
        assert [row.status for row in rows] == ["info", "ok"]
    finally:
        hold.append(True)


def test_subjects_are_those_of_the_checks():
    """Unless a row has one of its own."""

    def find(situation):
        return [Row("a", "ok", "one"), Row("a", "ok", "two", subject="b")]

    assert [row.subject for row in run(Check("a", find, subject="x"))] == ["x", "b"]
