"""history.db is opened as a private file of this home; what is damaged is kept, what is newer is left alone."""

import os
import sqlite3
import stat
import sys
from contextlib import closing

import pytest

from router.store.database import location
from router.store.database.migrations import MIGRATIONS, migrate
from router.store.database.open import Corrupt, Unusable, connect, open_history, translate_errors
from router.store.home.permissions import make_private

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


@pytest.fixture
def path(home):
    return home.at("history.db")


def opened(home, **options):
    """Open, write a row, close; where a damaged file went."""
    db, aside = open_history(home, **options)
    with closing(db):
        db.execute("INSERT INTO owners VALUES ('resp_1', 'a', 'main', 'responses', 1, '')")
    return aside


def rows(path):
    with closing(connect(path)) as db:
        return [row[0] for row in db.execute("SELECT id FROM owners")]


@POSIX
def test_private(home, path):
    """The file and its companions can be read by this user only."""
    before = os.umask(0)
    try:
        db, _ = open_history(home)
        with closing(db):
            db.execute("INSERT INTO owners VALUES ('x', 'a', 'm', 'files', 1, '')")
            modes = {name: stat.S_IMODE(os.stat(f"{path}{name}").st_mode) for name in ("", "-wal", "-shm")}
    finally:
        os.umask(before)
    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}


def test_settings(home):
    """WAL, each commit on the disk, the log bounded."""
    db, aside = open_history(home)
    with closing(db):
        assert aside is None
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_conversion_is_told_before_it(home, path):
    """Whoever opens a file of an older version is told before it is converted what that means; a new file is silent."""
    told = []
    with closing(open_history(home, say=told.append)[0]):
        assert told == []
    path.unlink()
    make_private(path)
    with closing(connect(path)) as db:
        migrate(db, MIGRATIONS[:5])
    versions = []

    def say(text):
        told.append(text)
        with closing(connect(path)) as db:
            versions.append(db.execute("PRAGMA user_version").fetchone()[0])

    open_history(home, say=say)[0].close()
    [text] = told
    assert f"is converted from version 5 to {len(MIGRATIONS)}" in text
    assert "an older fairlead that is started from now on will not use it" in text
    assert versions == [5]


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o400])
def test_a_wrong_mode(home, path, mode):
    """A file others can read, or this user cannot write, is refused with the command that mends it, and then used."""
    opened(home)
    path.chmod(mode)
    with pytest.raises(Unusable, match="chmod 600") as caught:
        open_history(home)
    assert not caught.value.lasting
    path.chmod(0o600)
    open_history(home)[0].close()


@POSIX
@pytest.mark.parametrize("exists", [True, False])
def test_a_link(home, path, tmp_path, exists):
    """A link is refused, wherever it leads, and nothing is made there."""
    target = tmp_path / "elsewhere.db"
    if exists:
        target.touch(mode=0o600)
    path.symlink_to(target)
    with pytest.raises(Unusable, match="is a link"):
        open_history(home)
    assert target.exists() is exists
    assert not exists or target.stat().st_size == 0


@POSIX
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", None)], ids=["folder", "pipe"])
def test_no_plain_file(home, path, make):
    """A folder or a pipe in its place is refused."""
    make(path, 0o600)
    with pytest.raises(Unusable, match="not a plain file"):
        open_history(home)


def test_rubbish_is_moved_aside(home, path):
    """A file that is no database is kept under another name, numbered, and a new one begun."""
    for number in (1, 2):
        path.write_bytes(b"garbage %d" % number * 1000)
        path.chmod(0o600)
        aside = opened(home)
        assert aside == path.with_name(f"history.db.corrupt-{number}")
        assert aside.read_bytes() == b"garbage %d" % number * 1000
        assert rows(path) == ["resp_1"]


def test_too_many_damaged_ones(home, path):
    """The tenth is left in place: the disk must be at fault, and nothing is deleted."""
    for number in range(1, 10):
        path.with_name(f"history.db.corrupt-{number}").touch()
    path.write_bytes(b"garbage" * 1000)
    path.chmod(0o600)
    with pytest.raises(Unusable, match="9 damaged files") as caught:
        open_history(home)
    assert caught.value.lasting
    assert path.read_bytes() == b"garbage" * 1000


def test_damage_inside(home, path):
    """A page lost in the middle is found when the file is suspected; the good part can still be had."""
    db, _ = open_history(home)
    with closing(db):
        db.executemany(
            "INSERT INTO owners VALUES (?, 'a', 'main', 'responses', 1, '')", [(f"resp_{n:05}",) for n in range(5000)]
        )
    data = bytearray(path.read_bytes())
    data[20 * 4096 : 24 * 4096] = b"\xff" * 4 * 4096
    path.write_bytes(data)
    aside = opened(home, suspect=True)
    assert aside.read_bytes() == data
    assert rows(path) == ["resp_1"]


def test_a_false_suspicion(home, path):
    """A whole file stays: another process may have begun a new one already."""
    opened(home)
    db, aside = open_history(home, suspect=True)
    db.close()
    assert aside is None
    assert rows(path) == ["resp_1"]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_newer_version(home, path, mode):
    """It is named and left alone for good, in whatever mode it was written."""
    opened(home)
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute(f"PRAGMA journal_mode = {mode}")
    before = path.read_bytes()
    with pytest.raises(Unusable, match=r"newer fairlead .* 99") as caught:
        open_history(home)
    assert caught.value.lasting
    assert path.read_bytes() == before


def test_a_network_file_system(home, path, monkeypatch):
    """SQLite's locks do not work there, and there is no other folder: no file is made, and the error has the remedy."""
    monkeypatch.setattr(location, "network_type", lambda folder: "nfs4")
    with pytest.raises(Unusable, match=r"network file system .nfs4.*XDG_STATE_HOME") as caught:
        open_history(home)
    assert caught.value.lasting
    assert not path.exists()


@POSIX
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home(home, path):
    """The error says so, with the remedy."""
    home.path.chmod(0o500)
    try:
        with pytest.raises(Unusable, match="FAIRLEAD_HOME"):
            open_history(home)
    finally:
        home.path.chmod(0o700)


@pytest.mark.parametrize("code", [8, 10, 13, 14, 23, 10 | 3 << 8, 8 | 5 << 8])
def test_what_sqlite_says_of_the_file(path, code):
    """Each fault of a disk has a text, extended codes included."""
    error = sqlite3.OperationalError("as SQLite words it")
    error.sqlite_errorcode = code
    with pytest.raises(Unusable, match=r"history\.db cannot be used: "), translate_errors(path):
        raise error


def test_what_sqlite_says_of_a_statement(path):
    """An error of a statement is raised as it is; that of a damaged file is translated."""
    with pytest.raises(sqlite3.IntegrityError), translate_errors(path):
        raise sqlite3.IntegrityError("UNIQUE")
    damaged = sqlite3.DatabaseError("malformed")
    damaged.sqlite_errorcode = 11
    with pytest.raises(Corrupt), translate_errors(path):
        raise damaged
