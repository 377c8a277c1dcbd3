"""The limits that errors told are known at once, after a restart, and to other processes of the home."""

import pytest

from router.policy.facts.learned import ENTRIES, MAX_AGE_SECONDS
from router.store.database.writer import Ledger
from router.store.home.home import open_home
from router.store.shared.learned_limits import SqliteLearnedLimits


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def begun(tmp_path, clock):
    """Makes the limits of one home, as a process that starts has them; all are closed at the end."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    said, ledgers = [], []

    def begin():
        ledger = Ledger(home, said.append)
        ledgers.append(ledger)
        limits = SqliteLearnedLimits(ledger, clock=clock)
        ledger.start()
        assert ledger.flush(10)
        return limits, ledger

    yield begin
    for ledger in ledgers:
        ledger.close()
    assert said == []


def test_at_once_and_after_a_restart(begun, clock):
    """In memory before anything is written; from the file in the next process."""
    limits, ledger = begun()
    limits.learn("box", "m", window=4096, max_input=None)
    assert limits.learned("box", "m") == (4096, None, clock.now)
    ledger.close()
    limits, _ = begun()
    assert limits.learned("box", "m") == (4096, None, clock.now)
    assert limits.learned("box", "other") is None


def test_other_processes_see_changes(begun, clock):
    """What one process learns or finds to be wrong, the others know after their next look."""
    one, first = begun()
    other, second = begun()
    one.learn("box", "m", window=None, max_input=9000)
    first.flush(10)
    second.flush(10)
    second.flush(10)  # the look follows what was written for the flush before
    assert other.learned("box", "m") == (None, 9000, clock.now)
    other.note_taken("box", "m", 9001)
    second.flush(10)
    first.flush(10)
    first.flush(10)
    assert one.learned("box", "m") is None


def test_old_limits_are_forgotten(begun, clock):
    """After a month without the error."""
    limits, ledger = begun()
    limits.learn("box", "m", window=4096, max_input=None)
    ledger.close()
    clock.now += MAX_AGE_SECONDS + 1
    limits, _ = begun()
    assert limits.learned("box", "m") is None


def test_the_table_is_bounded(begun, clock):
    """The file holds no more than memory does."""
    limits, ledger = begun()
    for number in range(ENTRIES + 5):
        clock.now += 1
        limits.learn("box", f"m{number}", window=4096, max_input=None)
    ledger.close()
    _, ledger = begun()
    [[rows]] = ledger.read("SELECT count(*) FROM learned_limits")
    assert rows == ENTRIES
