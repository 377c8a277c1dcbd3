"""Bounds of the budgets of a team, in virtual time, under what networks, machines and servers do."""

import pytest

from router.budget.sync import BURST, LOOK_SECONDS
from router.store.team.budgets import PAUSE_SECONDS

from .plans import FAULTS, LARGE, LONG, SMALL
from .world import World

#: From a halt on the server to a process whose requests run: a round, its way, and the grain of the watch.
KNOWN_SECONDS = 1.0


def check(world):
    """What holds in every run where budgets are closed on loss."""
    oracle = world.oracle
    assert oracle.admitted > 50
    for scope, book in oracle.books.items():
        # One request that no room is left for goes alone; what killed processes had not told is charged all the same.
        assert book.over <= book.largest + book.untold, scope
        # No process that reaches the server sends one more once its knowledge is that old.
        assert book.last_admitted - book.halted_at <= LOOK_SECONDS, scope
    assert max(world.known_after, default=0.0) <= KNOWN_SECONDS
    assert max(world.calls.values()) <= world.plan.processes * (1 / PAUSE_SECONDS + BURST)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_spends_more_than_the_bound(fault):
    """Beyond a limit goes one request at most, and what killed processes had under way; a halt is known within a
    second."""
    check(World(SMALL._replace(**FAULTS[fault])).run())


def test_a_long_partition_adds_what_was_spent_alone():
    """Of those that are cut off for longer than their shares last, others are given the shares, so that what they spent
    of them comes on top, and no more."""
    books = World(LONG).run().oracle.books.values()
    assert max(book.over - book.largest for book in books) > 0
    for book in books:
        assert book.over <= book.largest + book.alone


def test_a_team_may_choose_to_go_on():
    """With `shared.on_loss = allow` each counts alone while the server is away: then the limit does not hold."""
    world = World(SMALL._replace(outages=((5, 25),), on_loss="allow")).run()
    assert max(book.over - book.largest for book in world.oracle.books.values()) > 0


def test_nobody_starves_far_from_the_limit():
    """With room for all, requests wait for the way to the server alone."""
    world = World(SMALL._replace(limit=10**9, key_limit=10**9)).run()
    oracle = world.oracle
    assert (oracle.busy, oracle.refused) == (0, 0)
    assert sorted(oracle.waits)[len(oracle.waits) // 2] < 0.05
    # A round of each process every 0.4 s at most, and those that requests wait for.
    assert world.server.scripts < 1.2 * SMALL.processes * SMALL.seconds / 0.4


def test_a_large_team_that_begins_at_once_is_served():
    """Where there is room for all that wait, a line moves at once, also while a fifth of a hundred are cut off
    (whose requests of other keys are refused); the server is idle half of the time at least."""
    world = World(LARGE._replace(processes=100, keys=1000, limit=10**7, key_limit=10**6)).run()
    oracle = world.oracle
    assert oracle.admitted > 4 * (oracle.refused + oracle.busy)
    assert sorted(oracle.waits)[len(oracle.waits) // 2] < 0.3
    assert max(world.load.values()) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_many_teams_with_all_faults(seed):
    """All faults at once, twenty times."""
    faults = {name: value for fault in FAULTS.values() for name, value in fault.items()}
    check(World(SMALL._replace(processes=20, seed=seed, **faults)).run())
