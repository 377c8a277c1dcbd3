"""The file of the cache of answers: what is kept in it, for how long, how much, and what a bad file does."""

import os
import sqlite3
import stat
import sys
from contextlib import closing

import pytest

from router.errors import CommandError
from router.store.answer_cache import answers as module
from router.store.answer_cache.answers import About, Answers, list_parts
from router.store.answer_cache.schema import clear_cache, read_cache
from router.store.database.location import locate_cache

ABOUT = About("application/json", "box", "main", "messages->chat")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def begun(home):
    """Opens the answers of one home, as a process that starts does; all are closed at the end."""
    found, clock = [], Clock()

    def begin():
        said = []
        answers = Answers(home, said.append, clock=clock)
        answers.said, answers.clock = said, clock
        found.append(answers)
        return answers

    yield begin
    for answers in found:
        answers.close()


def keep(answers, key, body=b"answer", *, cost=None, ttl=60.0, most=1 << 20, part="model m"):
    return answers.keep(key, part, ABOUT, body, cost, ttl=ttl, most=most)


def test_what_is_kept_is_found(begun):
    """With its age and its cost, also by the next process; by no other key."""
    answers = begun()
    key = answers.sign(b"request")
    assert answers.find(key, 60) is None
    assert keep(answers, key, b"the answer", cost=1500)
    answers.clock.now += 12
    assert answers.find(key, 60) == (ABOUT, b"the answer", 12.0, 1500)
    answers.close()
    again = begun()
    assert again.sign(b"request") == key != again.sign(b"request 2")
    assert again.find(key, 60) == (ABOUT, b"the answer", 12.0, 1500)
    assert again.find(again.sign(b"request 2"), 60) is None
    assert answers.said == again.said == []


def test_the_key_is_the_homes_own(begun, tmp_path):
    """Another home has other keys for the same request, so that a file says nothing of requests elsewhere."""
    from router.store.home.home import open_home

    other = Answers(open_home({"FAIRLEAD_HOME": str(tmp_path / "other")}), print)
    assert other.sign(b"request") != begun().sign(b"request")


def test_an_old_answer_is_none(begun):
    """It is given for as long as its own time and the present setting both say."""
    answers = begun()
    keep(answers, b"1", ttl=60)
    answers.clock.now += 59
    assert answers.find(b"1", 60) is not None
    assert answers.find(b"1", 30) is None
    answers.clock.now += 1
    assert answers.find(b"1", 60) is None
    # The next one that is kept takes it out of the file.
    keep(answers, b"2")
    with read_cache(answers._home) as db:
        assert [row[0] for row in db.execute("SELECT key FROM answers")] == [b"2"]


def test_an_answer_of_the_future_is_none(begun):
    """The clock was set back: nobody knows how old it is."""
    answers = begun()
    keep(answers, b"1")
    answers.clock.now -= 10
    assert answers.find(b"1", 60) is None


def test_a_part_is_bounded(begun):
    """Beyond its size the answers go that were unused for longest; those of other parts stay."""
    answers = begun()
    keep(answers, b"other", os.urandom(1000), part="model o")
    for number in range(10):
        answers.clock.now += 1
        assert keep(answers, b"%d" % number, os.urandom(1000), most=5000)
        answers.find(b"0", 60)  # it is used all the time
    found = {number for number in range(10) if answers.find(b"%d" % number, 60)}
    assert found == {0, 8, 9}
    assert answers.find(b"other", 60)
    with read_cache(answers._home) as db:
        parts = list_parts(db, answers.clock.now)
    assert [(part.name, part.answers) for part in parts] == [("model m", 3), ("model o", 1)]
    assert parts[0].bytes <= 5000


def test_too_large_an_answer(begun, monkeypatch):
    """One that takes more than its part may, or than any answer may, is not kept, and drives out no other."""
    answers = begun()
    assert keep(answers, b"1")
    assert not keep(answers, b"2", os.urandom(3000), most=2000)
    monkeypatch.setattr(module, "ENTRY_LIMIT", 1000)
    assert not keep(answers, b"3", os.urandom(3000))
    assert answers.find(b"1", 60)


def test_hits_are_counted(begun):
    """How often the answers that are there were given, and what that saved."""
    answers = begun()
    keep(answers, b"1", cost=2_000_000)
    keep(answers, b"2")
    for key in (b"1", b"1", b"2"):
        answers.find(key, 60)
    with read_cache(answers._home) as db:
        [part] = list_parts(db, answers.clock.now)
    assert (part.answers, part.hits, part.saved_usd) == (2, 3, 0.004)


@POSIX
def test_the_file_is_private(begun):
    """Nobody else can read it, nor what SQLite puts beside it, nor the key."""
    answers = begun()
    keep(answers, answers.sign(b"request"))
    files = [*answers._home.path.glob("answer_cache*")]
    assert {path.name for path in files} >= {"answer_cache.db", "answer_cache.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_it_holds_no_request(begun):
    """Of a request only the keyed hash is there."""
    answers = begun()
    request = b"canary in a prompt"
    keep(answers, answers.sign(request))
    answers.close()
    for path in answers._home.path.iterdir():
        assert path.is_dir() or request not in path.read_bytes()


def test_cleared_while_in_use(begun):
    """What another process deletes is not given any more, and nothing of it is left in the file."""
    answers = begun()
    keep(answers, b"1", body := os.urandom(2000))
    assert clear_cache(answers._home) == 1
    assert answers.find(b"1", 60) is None
    assert keep(answers, b"2")
    answers.close()
    assert body not in locate_cache(answers._home).path.read_bytes()
    assert answers.said == []


def test_a_file_that_is_gone(begun):
    """A new one is begun, and the process does not go on with the one that was removed."""
    answers = begun()
    keep(answers, b"1")
    answers.close()
    for path in answers._home.path.glob("answer_cache.db*"):
        path.unlink()
    assert answers.find(b"1", 60) is None
    assert keep(answers, b"2")
    assert begun().find(b"2", 60)


def damage(path):
    path.write_bytes(b"no database at all" * 100)


def other_database(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name)")


def newer(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 1718378851")
        db.execute("PRAGMA user_version = 99")


def other_table(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 1718378851")
        db.execute("PRAGMA user_version = 1")
        db.execute("CREATE TABLE answers (other)")


@pytest.mark.parametrize("spoil", [damage, other_database, newer, other_table])
def test_a_bad_file(begun, spoil):
    """No answer is found or kept, one line is logged, and nobody's file is changed; `cache clear` moves it away."""
    answers = begun()
    path = locate_cache(answers._home).path
    spoil(path)
    path.chmod(0o600)
    before = path.read_bytes()
    for _ in range(3):
        assert answers.find(b"1", 60) is None
        assert keep(answers, b"1") is False
    [line] = answers.said
    assert str(path.name) in line
    assert "fairlead cache clear" in line
    assert answers.problem
    if spoil is not other_table:
        assert path.read_bytes() == before
        with pytest.raises(CommandError, match=r"answer_cache\.db"), read_cache(answers._home):
            pass
        assert clear_cache(answers._home) == 0
        assert (path.parent / "answer_cache.db.aside-1").read_bytes() == before


def test_a_bad_file_is_tried_again(begun, monkeypatch):
    """Once it is mended, answers are kept again, and that is no problem any more."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    answers = begun()
    path = locate_cache(answers._home).path
    damage(path)
    path.chmod(0o600)
    assert not keep(answers, b"1")
    clear_cache(answers._home)
    assert keep(answers, b"1")
    assert answers.problem is None
    assert len(answers.said) == 1


def test_a_damaged_row(begun):
    """A body that cannot be unpacked is no answer, and no error."""
    answers = begun()
    keep(answers, b"1")
    with closing(sqlite3.connect(locate_cache(answers._home).path)) as db:
        db.execute("UPDATE answers SET body = x'00'")
        db.commit()
    assert answers.find(b"1", 60) is None
    assert len(answers.said) == 1


def test_another_process_writes(begun, monkeypatch):
    """While another process holds the file for long, there is no answer in it, and nothing is wrong with it."""
    answers = begun()
    keep(answers, b"1")
    answers._db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(locate_cache(answers._home).path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert answers.find(b"1", 60) is None
        assert not keep(answers, b"2")
        db.execute("ROLLBACK")
    assert answers.find(b"1", 60)
    assert answers.said == []


@POSIX
def test_a_file_that_others_may_read(begun):
    """Nothing is kept in it; the line says how to close it, and promises nothing that would not help."""
    answers = begun()
    path = locate_cache(answers._home).path
    path.touch(0o644)
    path.chmod(0o644)
    assert not keep(answers, b"1")
    [line] = answers.said
    assert "chmod 600" in line
    assert "cache clear" not in line


@POSIX
def test_a_key_that_others_may_read(begun):
    """Then nothing is kept, and one line says why."""
    answers = begun()
    path = answers._home.at("answer_cache.key")
    path.write_text("x" * 40)
    path.chmod(0o644)
    assert answers.sign(b"request") == answers.sign(b"request") == b""
    assert len(answers.said) == 1
