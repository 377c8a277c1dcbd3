"""The schema goes forward, all or nothing, and never back."""

import sqlite3
import threading

import pytest

from router.store.database.migrations import MIGRATIONS, NewerSchema, migrate
from router.store.database.open import connect


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.db"


@pytest.fixture
def db(path):
    connection = connect(path)
    yield connection
    connection.close()


def version(db):
    return db.execute("PRAGMA user_version").fetchone()[0]


def tables(db):
    return {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_from_nothing(db):
    """A new file gets every step; a second time changes nothing."""
    migrate(db)
    assert version(db) == len(MIGRATIONS)
    assert "owners" in tables(db)
    migrate(db)
    assert version(db) == len(MIGRATIONS)


def test_from_an_older_version(db):
    """Only the steps that are missing are taken, and rows stay."""
    steps = (("CREATE TABLE a (x)",), ("CREATE TABLE b (x)", "INSERT INTO b SELECT x FROM a"))
    migrate(db, steps[:1])
    db.execute("INSERT INTO a VALUES (7)")
    migrate(db, steps)
    assert db.execute("SELECT x FROM b").fetchall() == [(7,)]
    assert version(db) == 2


def test_a_step_that_fails(db):
    """Nothing of any step remains, and the version stays."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, (("CREATE TABLE a (x)",), ("CREATE TABLE b (x)", "NO SQL")))
    assert (version(db), tables(db)) == (0, set())
    assert not db.in_transaction


def test_a_newer_version(db):
    """It is refused as it is."""
    db.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerSchema) as caught:
        migrate(db)
    assert caught.value.found == 99
    assert tables(db) == set()


def test_many_at_once(path):
    """Processes that start together migrate once."""
    problems = []
    gate = threading.Barrier(8)

    def one():
        db = connect(path)
        try:
            gate.wait()
            migrate(db)
        except Exception as error:
            problems.append(error)
        finally:
            db.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
