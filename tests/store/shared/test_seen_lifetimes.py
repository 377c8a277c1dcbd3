"""What was seen of caches is known at once, after a restart, and to other processes of the home."""

import pytest

from router.policy.facts.lifetimes import MAX_AGE_SECONDS
from router.store.database.writer import Ledger
from router.store.home.home import open_home
from router.store.shared.seen_lifetimes import SqliteSeenLifetimes


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def begun(tmp_path, clock):
    """Makes the lifetimes of one home, as a process that starts has them; all are closed at the end."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    said, ledgers = [], []

    def begin():
        ledger = Ledger(home, said.append)
        ledgers.append(ledger)
        found = SqliteSeenLifetimes(ledger, clock=clock)
        ledger.start()
        assert ledger.flush(10)
        return found, ledger

    yield begin
    for ledger in ledgers:
        ledger.close()
    assert said == []


def test_at_once_and_after_a_restart(begun, clock):
    """In memory before anything is written; from the file in the next process."""
    found, ledger = begun()
    found.note_kept("box", "m", 300)
    found.note_dropped("box", "m", 900)
    assert found.seen("box", "m") == (300, 900, clock.now)
    ledger.close()
    found, _ = begun()
    assert found.seen("box", "m") == (300, 900, clock.now)
    assert found.seen("box", "other") is None


def test_other_processes_see_changes(begun, clock):
    """What one process sees, the others know after their next look."""
    one, first = begun()
    other, second = begun()
    one.note_dropped("box", "m", 900)
    first.flush(10)
    second.flush(10)
    second.flush(10)  # the look follows what was written for the flush before
    assert other.seen("box", "m") == (0, 900, clock.now)


def test_what_was_not_seen_again_is_forgotten(begun, clock):
    """After a month: providers change their caches."""
    found, ledger = begun()
    found.note_kept("box", "m", 300)
    ledger.close()
    clock.now += MAX_AGE_SECONDS + 1
    found, _ = begun()
    assert found.seen("box", "m") is None
