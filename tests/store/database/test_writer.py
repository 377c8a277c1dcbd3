"""The one writer of history.db: it never delays a request, and loses at most the last second."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from router.store.database import writer as module
from router.store.database.open import connect
from router.store.database.writer import COMMIT_SECONDS, PENDING, Ledger

from ...patience import PATIENCE

INSERT = "INSERT INTO owners VALUES (?, 'a', 'main', 'responses', 1, '')"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture
def path(home):
    return home.at("history.db")


@pytest.fixture
def begun(home):
    """Makes ledgers, closed at the end. said: the lines that they logged."""

    class Begun:
        def __init__(self):
            self.said, self.ledgers = [], []

        def __call__(self, **options):
            self.ledgers.append(Ledger(home, self.said.append, **options))
            return self.ledgers[-1]

    made = Begun()
    yield made
    for ledger in made.ledgers:
        ledger.close()


def ids(path):
    """The rows of the file."""
    with closing(connect(path)) as db:
        return {row[0] for row in db.execute("SELECT id FROM owners")}


def until(condition, seconds=PATIENCE):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stop_writes_all(begun, path):
    """Also what was added a moment ago, and what came before the thread was started."""
    ledger = begun()
    for number in range(1000):
        ledger.add(INSERT, (f"r{number}",))
    ledger.close()
    assert ids(path) == {f"r{number}" for number in range(1000)}
    assert (ledger.dropped, begun.said) == (0, [])


def test_a_stop_before_the_writer_began(begun, path):
    """What preparations have not made rows of yet is written too: as for a proxy that hardly lived."""
    ledger = begun()
    ledger.add_preparation(lambda: ledger.extend(INSERT, [("early",)]))
    ledger.wake()
    ledger.close()
    assert ids(path) == {"early"}


def test_within_the_last_second(begun, path):
    """A row is in the file less than a second after it was added."""
    ledger = begun()
    ledger.start()
    for number in range(3):
        ledger.add(INSERT, (f"r{number}",))
        time.sleep(0.95)
        assert f"r{number}" in ids(path)


def test_nothing_is_made_for_nothing(begun, home):
    """A ledger that was not started or used leaves no file, and a proxy's start does not load sqlite3."""
    begun().close()
    assert not home.at("history.db").exists()
    program = "import sys, router.server.serve; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE).returncode == 0


def test_a_full_queue(begun):
    """What does not fit is dropped and counted, without waiting."""
    ledger = begun()
    before = time.monotonic()
    for number in range(PENDING + 7):
        ledger.add(INSERT, (f"r{number}",))
    assert ledger.dropped == 7
    assert time.monotonic() - before < 1


def test_a_locked_file(begun, path, monkeypatch):
    """Another process that holds the file is waited for; `add` and `read` go on meanwhile, and no row is lost."""
    monkeypatch.setattr("router.store.database.open.BUSY_SECONDS", 0.2)
    ledger = begun()
    ledger.add(INSERT, ("before",))
    ledger.start()
    until(lambda: ledger.read("SELECT id FROM owners"))
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(600):
            ledger.add(INSERT, (f"r{number}",))
        time.sleep(0.8)
        assert ledger.read("SELECT count(*) FROM owners") == [(1,)]
        other.execute("ROLLBACK")
    until(lambda: ledger.read("SELECT count(*) FROM owners") == [(601,)])
    assert (ledger.dropped, begun.said) == (0, [])


@pytest.mark.parametrize("bad", [{0}, {700}, {3, 4, 2050}, set(range(0, 3000, 100))])
def test_rows_no_file_would_take(begun, path, bad):
    """They are dropped and counted, and told once for each cause, without what is in them; all others of their batch
    are written, in their order; the writer goes on."""
    ledger = begun()
    for number in range(3000):
        row = ("\udcff",) if number % 2 else (2**63,)
        ledger.add(INSERT, row if number in bad else (f"r{number}",))
    ledger.add("INSERT INTO nothing VALUES (?)", (1,))
    ledger.start()
    until(lambda: ledger.dropped == len(bad) + 1)
    ledger.add(INSERT, ("good",))
    ledger.close()
    assert ids(path) == {"good"} | {f"r{number}" for number in range(3000) if number not in bad}
    assert ledger.dropped == len(bad) + 1
    causes = {"UnicodeEncodeError" if number % 2 else "OverflowError" for number in bad}
    lost = "history.db: a row that it does not take is lost: "
    assert sorted(begun.said) == sorted(
        f"{lost}{cause}" for cause in {*causes, 'OperationalError: near "nothing": syntax error'}
    )


def test_reading_cannot_write(begun):
    """Nor fail: a query that makes no sense finds nothing."""
    ledger = begun()
    ledger.add(INSERT, ("x",))
    ledger.start()
    until(lambda: ledger.read("SELECT id FROM owners"))
    assert ledger.read("DELETE FROM owners RETURNING id") == []
    assert ledger.read("SELECT nothing") == []
    assert ledger.read("SELECT id FROM owners") == [("x",)]


def test_damage_in_use(begun, path):
    """A file that is damaged while the writer runs is moved aside, logged once, and no row of the batch is lost."""
    ledger = begun()
    ledger.start()
    ledger.add(INSERT, ("before",))
    until(lambda: ledger.read("SELECT id FROM owners"))
    with closing(connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 4)
    with closing(sqlite3.connect(path)) as other:
        # Another process's change makes the writer read its pages anew.
        other.execute("PRAGMA user_version = 1")
    ledger.add(INSERT, ("after",))
    until(lambda: begun.said)
    ledger.close()
    assert begun.said == ["history.db was damaged: it is now history.db.corrupt-1, and a new one was begun."]
    assert ids(path) == {"after"}
    assert path.with_name("history.db.corrupt-1").exists()


@POSIX
def test_a_cause_that_is_mended(begun, path):
    """Logged once, tried again, logged when it is over; rows that waited are written."""
    path.touch(mode=0o644)
    ledger = begun(retry=0.05)
    ledger.start()
    ledger.add(INSERT, ("x",))
    time.sleep(1.2)
    assert len(begun.said) == 1
    assert "chmod 600" in begun.said[0]
    assert "chmod 600" in ledger.problem
    path.chmod(0o600)
    ledger.add(INSERT, ("y",))
    until(lambda: len(begun.said) == 2)
    ledger.close()
    assert begun.said[1] == "history.db is written again."
    assert ledger.problem is None
    assert ids(path) == {"x", "y"}


def test_a_newer_file(begun, path):
    """It is left alone for good: rows are counted as dropped, nothing is read."""
    begun().start()
    begun.ledgers[0].close()
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    ledger = begun(retry=0.0)
    ledger.start()
    until(lambda: begun.said)
    ledger.add(INSERT, ("x",))
    assert ledger.read("SELECT id FROM owners") == []
    assert ledger.dropped == 1
    time.sleep(0.7)
    assert len(begun.said) == 1
    assert ids(path) == set()


def test_preparations(begun, path):
    """They are done before each batch is written, also while the file cannot be used; one that fails ends nothing."""
    done = []

    def prepare():
        done.append(len(done))
        ledger.extend(INSERT, [(f"row-{done[-1]}",)])

    def fail():
        raise ValueError("of ours")

    ledger = begun(retry=0.0)
    ledger.add_preparation(prepare)
    ledger.add_preparation(fail)
    ledger.start()
    assert ledger.flush()
    assert ids(path) == {"row-0"}
    assert begun.said == ["history.db: fail failed: of ours"]
    ledger.close()
    assert ids(path) == {f"row-{number}" for number in done}
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    ledger = begun()
    ledger.add_preparation(prepare)
    ledger.start()
    count = len(done)
    assert ledger.flush()
    assert len(done) > count


def test_what_is_flushed(begun, path):
    """It is written at once, by a writer that is started where none runs yet, and by one alone; the wait is bounded for
    a file that is held."""
    ledger = begun()
    ledger.add(INSERT, ("early",))
    with ThreadPoolExecutor(4) as early:
        assert all(early.map(lambda _: ledger.flush(), range(4)))
    assert ids(path) == {"early"}
    assert [thread.name for thread in threading.enumerate()].count("ledger") == 1
    for number in range(20):
        ledger.add(INSERT, (f"x{number}",))
        before = time.monotonic()
        assert ledger.flush()
        assert time.monotonic() - before < COMMIT_SECONDS
        assert f"x{number}" in ids(path)
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.add(INSERT, ("y",))
        assert not ledger.flush(0.2)
        other.execute("ROLLBACK")
    until(lambda: "y" in ids(path))


def test_chores(begun):
    """They are done at the start and periodically; one that fails does not end the writer."""
    done = threading.Event()

    def lose(db):
        done.set()
        raise sqlite3.OperationalError("no such table")

    ledger = begun()
    ledger.add_maintenance(lose)
    ledger.start()
    assert done.wait(PATIENCE)
    ledger.add(INSERT, ("x",))
    until(lambda: ledger.read("SELECT id FROM owners"))
    assert begun.said == ["history.db: lose failed and is not done again: no such table"]


# A process of its own: adds rows as fast as it is told, and prints when each was added.
PROGRAM = """
import sys, time
from router.store.database.writer import Ledger
from router.store.home.home import open_home
home, name, count, pause = sys.argv[1:]
def put(text):
    sys.stdout.write(text + "\\n")  # one write: two threads do it
    sys.stdout.flush()
ledger = Ledger(open_home({"FAIRLEAD_HOME": home}), lambda text: put("said " + text), retry=0.2)
ledger.start()
for number in range(int(count)):
    ledger.add("INSERT INTO owners VALUES (?, 'a', 'main', 'responses', 1, '')", (f"{name}-{number}",))
    put(f"{name}-{number} {time.monotonic()}")
    time.sleep(float(pause))
ledger.close(20)
put(f"dropped {ledger.dropped}")
"""


def started(home, name, count, pause, **options):
    """Such a process."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(home.path), name, str(count), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


@POSIX
@pytest.mark.parametrize("seed", range(5))
def test_kill_9(home, path, seed):
    """Killed at any moment, the file is whole, and all but the last second is in it."""
    process = started(home, "r", 1_000_000, 0.001)
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.2, 2.2))
    killed = time.monotonic()
    process.send_signal(signal.SIGKILL)
    lines = [line.split() for line in process.communicate()[0].splitlines()]
    due = {name for name, added in (line for line in lines if len(line) == 2) if float(added) < killed - 1}
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert due <= ids(path)
    assert not list(path.parent.glob("*.corrupt*"))


def test_four_processes(home, path):
    """They share the file from its first moment: every row of each is there."""
    processes = [started(home, f"p{number}", 1500, 0.0005) for number in range(4)]
    ends = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    assert ends == ["dropped 0"] * 4
    assert len(ids(path)) == 6000


@POSIX
def test_a_full_disk(home, path):
    """Where the file cannot grow the process goes on in memory, and logs it once; rows that were written stay."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))\n"
    program = code + PROGRAM.replace("ledger.close(20)", "ledger.close(3)")
    command = [sys.executable, "-c", program, str(home.path), "r", "6000", "0.0004"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr
    said = [line for line in process.stdout.splitlines() if line.startswith("said")]
    assert "in memory only" in said[0]
    # The log of the file is emptied at each try, so that a little can be written again.
    assert said[1:] in ([], ["said history.db is written again."])
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@POSIX
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a file system of its own")
def test_a_tiny_file_system(home):
    """A full file system, and one that became read-only, end in memory with one warning."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=700", "tmpfs", str(home.path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        process = started(home, "r", 6000, 0.0004)
        said = [line for line in process.communicate(timeout=60)[0].splitlines() if line.startswith("said")]
        assert len(said) == 1
        assert "full" in said[0]
        subprocess.run(["mount", "-o", "remount,ro", str(home.path)], check=True)
        process = started(home, "q", 10, 0.1)
        lines = process.communicate(timeout=60)[0].splitlines()  # tried again and again meanwhile
        assert [line.startswith("said") for line in lines].count(True) == 1
        assert "in memory only" in "".join(lines)
    finally:
        subprocess.run(["umount", "-l", str(home.path)], check=True)


def test_the_bound_of_a_batch(begun, path, monkeypatch):
    """Many rows at once are many commits, none of them long."""
    sizes = []
    commit = Ledger._commit
    monkeypatch.setattr(
        module.Ledger, "_commit", lambda self, db, batch: (sizes.append(len(batch)), commit(self, db, batch))
    )
    ledger = begun()
    for number in range(2 * module.BATCH + 232):
        ledger.add(INSERT, (f"r{number}",))
    ledger.start()
    ledger.close()
    assert sizes == [module.BATCH, module.BATCH, 232]
    assert len(ids(path)) == 2 * module.BATCH + 232
