"""What the follower of a history gives: each request once, in the order in which it was written."""

import time
from contextlib import closing

import pytest

from router.store.database.open import open_history
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History, clear
from router.store.home.home import open_home
from router.watch import follow
from router.watch.follow import Follower


@pytest.fixture
def home(tmp_path):
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


def write(home, *ids):
    """Write requests as a proxy does."""
    ledger = Ledger(home, print)
    history = History(ledger, lambda entry: (None, ""), lambda: 30)
    for one in ids:
        history.add(HistoryEntry(id=one, started=time.time(), method="POST", path="/v1/messages", status=200))
    ledger.close(10)


def seen(found):
    return [one.id for one in found]


def test_each_request_comes_once(home):
    """First the newest, oldest of them first; then what is written, however many looks lie between."""
    follower = Follower(home)
    assert follower.begin(2) == []
    assert follower.look() == []
    write(home, "req_1")
    assert seen(follower.look()) == ["req_1"]
    assert follower.look() == []
    write(home, "req_2", "req_3")
    write(home, "req_4")
    assert seen(follower.look()) == ["req_2", "req_3", "req_4"]
    other = Follower(home)
    assert seen(other.begin(2)) == ["req_3", "req_4"]
    assert other.look() == []
    none = Follower(home)
    assert none.begin(0) == []
    write(home, "req_5")
    assert seen(none.look()) == seen(other.look()) == ["req_5"]


def test_more_than_a_look_gives(home, monkeypatch):
    """The rest comes with the next look, though nothing was written meanwhile."""
    monkeypatch.setattr(follow, "_MOST", 2)
    follower = Follower(home)
    follower.begin(0)
    write(home, *(f"req_{number}" for number in range(5)))
    assert [seen(follower.look()) for _ in range(4)] == [["req_0", "req_1"], ["req_2", "req_3"], ["req_4"], []]


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_history_that_was_cleared(home, after):
    """What comes after it is shown from its first on, whatever numbers it has."""
    follower = Follower(home)
    write(home, "req_a", "req_b")
    assert len(follower.begin(9)) == 2
    db, _ = open_history(home)
    with closing(db):
        clear(db)
    names = [f"req_{number}" for number in range(after)]
    write(home, *names)
    assert seen(follower.look()) == names
    assert follower.look() == []


def test_a_row_that_is_committed_late(home, monkeypatch):
    """A row is in the file before it can be read, and then neither time nor size of the file change: the file is read
    again for a while after each change, and left alone later."""
    now = [0.0]
    follower = Follower(home, lambda: now[0])
    write(home, "req_1")
    monkeypatch.setattr(follow, "_read_mark", lambda name: 1)
    assert seen(follower.begin(1)) == ["req_1"]
    write(home, "req_2")
    now[0] = 1.9
    assert seen(follower.look()) == ["req_2"]
    write(home, "req_3")
    now[0] = 2.1
    assert follower.look() == []
    now[0] = 7.0
    assert seen(follower.look()) == ["req_3"]


def test_a_look_at_nothing_new_reads_nothing(home, monkeypatch):
    """While nothing is written, most looks do not open the file."""
    now = [0.0]
    write(home, "req_1")
    follower = Follower(home, lambda: now[0])
    follower.begin(0)
    opened = []
    open_reader = follow.reader.open_reader
    monkeypatch.setattr(follow.reader, "open_reader", lambda home: opened.append(home) or open_reader(home))
    for _ in range(200):
        now[0] += 0.3
        follower.look()
    assert 10 <= len(opened) < 25
