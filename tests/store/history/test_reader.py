"""Reading history.db as it is found: of any schema, damaged, newer, or not there."""

import time
from contextlib import closing

import pytest

from router.errors import CommandError
from router.store.database.migrations import MIGRATIONS, NewerSchema, migrate
from router.store.database.open import connect, open_history
from router.store.history import read_requests, read_usage, reader


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_from_every_older_schema(home, version):
    """A file of any version is read as it is, and migrated to the newest by the next writer, with its rows."""
    path = home.at("history.db")
    with closing(connect(path)) as db:
        if version:
            migrate(db, MIGRATIONS[:version])
            columns = len(db.execute("PRAGMA table_info(owners)").fetchall())
            row = ("x", "a", "main", "responses", 1, "")[:columns]
            db.execute(f"INSERT INTO owners VALUES ({', '.join('?' * columns)})", row)
    path.chmod(0o600)
    with reader.open_reader(home) as db:
        assert (db is not None) == (version >= 2)
        if db is not None:
            assert read_requests.read_latest(db, 5) == []
            assert read_usage.summarize(db, 0, time.time()).limits == []
    db, aside = open_history(home)
    with closing(db):
        assert aside is None
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("SELECT count(*) FROM owners").fetchone() == (int(version > 0),)
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (0,)


def test_files_that_cannot_be_read(home):
    """Without a file there is no history; a damaged or newer one is an error with a remedy."""
    path = home.at("history.db")
    with reader.open_reader(home) as db:
        assert db is None
    open_history(home)[0].close()
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(CommandError, match="newer fairlead"), reader.open_reader(home):
        pass
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(CommandError, match="damaged") as caught, reader.open_reader(home):
        pass
    assert "mv " in caught.value.hint


def test_a_row_of_an_older_schema(home):
    """It is shown as it was written, before and after the file is migrated to the newest schema; values that were not
    stored then are not known."""
    path = home.at("history.db")
    with closing(connect(path)) as db:
        migrate(db, MIGRATIONS[:2])
        db.execute("INSERT INTO names VALUES (1, ''), (2, 'm')")
        values = "1, 'req_1', 5000, 1, 1, 1, '/v1/messages', 2, 2, 1, 1, 200, 1, 1, 0, NULL, 9"
        db.execute(f"INSERT INTO requests VALUES ({values}, 3, 4, 0, 0, 0, NULL, 1, '', 0, 1, 0.5, 1, 0, '')")
    path.chmod(0o600)
    found = []
    for _ in range(2):
        with reader.open_reader(home) as db:
            found.append(read_requests.find_request(db, "req_1"))
        open_history(home)[0].close()
    assert found[0] == found[1]
    assert (found[0].request_class, found[0].agent, found[0].prompt_id) == (None, None, None)
    assert (found[0].model, found[0].attempts, found[0].tries, found[0].bound, found[0].used_5h) == (
        "m",
        1,
        [],
        None,
        None,
    )


def test_an_older_fairlead_that_still_runs(home):
    """What it had prepared before the file was migrated can still be written, and is read with what it lacks unknown;
    one that starts now leaves the file alone."""
    path = home.at("history.db")
    with closing(connect(path)) as db:
        migrate(db, MIGRATIONS[:5])
        names = [row[1] for row in db.execute("PRAGMA table_info(requests)")]
        attempt = f"INSERT INTO attempts VALUES ({', '.join('?' * 10)})"
        migrate(db)
        db.execute("INSERT INTO names VALUES (1, ''), (2, 'b/main')")
        values = {"id": "req_1", "time": 5000, "account": 2, "path": "/", "losses": "", "notes": ""}
        nullable = {"sent_ms", "bound", "session", "turns", "given_up", "used_5h", "resets_5h", "used_7d", "resets_7d"}
        row = [values.get(name, None if name in nullable else 1) for name in names]
        db.execute(f"INSERT INTO requests ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", row)
        db.execute(attempt, (5000, "req_1", 0, 1, 1, 2, 401, 1, 1, ""))
    path.chmod(0o600)
    with reader.open_reader(home) as db:
        found = read_requests.find_request(db, "req_1")
    assert (found.error_text, found.route, found.tries[0].status, found.tries[0].text) == (None, None, 401, "")
    with closing(connect(path)) as db, pytest.raises(NewerSchema):
        migrate(db, MIGRATIONS[:5])
