"""history.db stays within its bytes, on the disk too: the oldest requests go first."""

import os
import time
from contextlib import closing

import pytest

from router.policy.accounts.attempt import AttemptRecord
from router.store.database.open import open_history
from router.store.database.writer import Ledger
from router.store.history import trim
from router.store.history.name_table import OTHER, NameTable
from router.store.history.record import History
from router.store.history.trim import Trimmer

from .test_record import entry

MIB = 1 << 20


def grown(ledger, db, first, count, **fields):
    """Write so many requests, a minute apart, from the number of the first one on."""
    history = History(ledger, lambda _: (1, "list"), lambda: 30)
    began = time.time() - 86400
    for start in range(first, first + count, 1000):
        entries = [
            entry(number, started=began + number / 100, notes=f"{number} " + "x" * 300, **fields)
            for number in range(start, start + 1000)
        ]
        db.execute("BEGIN IMMEDIATE")
        history._write(db, entries)
        db.execute("COMMIT")


def numbers(db):
    return [int(name[4:], 16) for (name,) in db.execute("SELECT id FROM requests ORDER BY seq")]


@pytest.fixture
def opened(home):
    ledger = Ledger(home, print)
    db, _ = open_history(home)
    with closing(db):
        yield ledger, db
    ledger.close(5)


def trimmer(size):
    return Trimmer(NameTable(), lambda: 30, lambda: size)


def test_the_file_stays_within_its_bound(opened, home):
    """However much is written: the newest rows stay, and new ones take the place of the oldest."""
    ledger, db = opened
    cut = trimmer(8 * MIB)
    for first in range(0, 60_000, 5000):
        grown(ledger, db, first, 5000)
        cut.trim(db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = numbers(db)
    assert left == [*range(left[0], 60_000)]
    assert 5000 < len(left) < 40_000
    assert os.path.getsize(home.at("history.db")) <= 12 * MIB


def test_a_file_that_is_far_too_large_gets_small(opened, home):
    """Of an older version, or of a larger bound: also what it takes on the disk."""
    ledger, db = opened
    grown(ledger, db, 0, 20_000)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.getsize(home.at("history.db")) > 6 * MIB
    trimmer(2 * MIB).trim(db)
    assert os.path.getsize(home.at("history.db")) <= 2.5 * MIB
    assert numbers(db)[-1:] in ([], [19_999])


def test_nothing_goes_while_there_is_room(opened):
    """Only the days count then."""
    ledger, db = opened
    grown(ledger, db, 0, 1000)
    trimmer(64 * MIB).trim(db)
    assert len(numbers(db)) == 1000


def test_attempts_go_with_their_requests(opened, monkeypatch):
    """Else they would fill the file without end."""
    ledger, db = opened
    monkeypatch.setattr(trim, "_TRIM_ROWS", 500)
    tries = tuple(AttemptRecord(at=0.1, backend="b", account="a", status=500, text="broken") for _ in range(2))
    grown(ledger, db, 0, 3000, tries=tries)
    trimmer(1).trim(db)
    for table in ("requests", "attempts", "attempt_errors"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_sums_of_many_names_are_bounded_too(opened):
    """Callers choose the names, and there is a sum for each in each hour."""
    ledger, db = opened
    for hour in range(50):
        entries = [entry(hour * 100 + at, model=f"m{at}", started=time.time() - hour * 3600) for at in range(100)]
        db.execute("BEGIN IMMEDIATE")
        History(ledger, lambda _: (1, "list"), lambda: 30)._write(db, entries)
        db.execute("COMMIT")
    before = db.execute("SELECT count(*) FROM rollups").fetchone()[0]
    cut = trimmer(MIB // 2)
    for _ in range(3):
        cut.trim(db)
    assert 0 < db.execute("SELECT count(*) FROM rollups").fetchone()[0] < before


def test_names_are_bounded_in_bytes(opened):
    """Those that callers choose; the proxy's own are stored all the same."""
    _, db = opened
    names = NameTable(size=1000)
    names.begin(db)
    found = {names.number(f"{number:03}" + "é" * 100, chosen=True) for number in range(50)}
    assert len(found) == 6
    assert names.number(OTHER) in found
    assert names.number("own") not in found
    again = NameTable(size=1000)
    again.begin(db)
    assert again.number("new", chosen=True) == names.number(OTHER)
    again.forget_unused(db)
    again.begin(db)
    assert again.number("new", chosen=True) != 0
