"""history.db's one writer: rows go into a bounded queue, one thread writes them in batches.

Rules of this file: `add` never waits and never fails; a row that does not fit, or cannot be written, is dropped and
counted. A row leaves the queue once its batch is committed, at most COMMIT_SECONDS after the first of the batch came,
so that a crash loses less than the last second. Reading blocks: it is for threads, over a connection of its own. While
the file cannot be used the rows wait in the queue and the file is tried again, unless trying is no use.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from router.store.database.location import NAME, locate
from router.store.database.open import Busy, Corrupt, Unusable, connect, open_history, translate_errors
from router.store.home.home import Home

if TYPE_CHECKING:
    import sqlite3

# Rows that may wait. 10,000 requests may wait in all; the others have just ended and are no rows yet.
PENDING = 8_500
# Half a second of the fastest traffic: each commit costs as much as a hundred rows.
BATCH = 2048
# Leaves half of the last second to the commit itself.
COMMIT_SECONDS = 0.5
MAINTENANCE_SECONDS = 10.0
RETRY_SECONDS = 60.0
# Another process holds the file for as long as it makes or converts it.
BUSY_RETRY_SECONDS = 1.0
#: Seconds for what waits at the end. A busy machine takes longer than two for some hundred rows, which would be lost.
CLOSE_SECONDS = 10.0
# How long the writer leaves the interpreter to the requests between two pieces of its work.
PAUSE_SECONDS = 0.002
_OPEN_PATIENCE = 5.0
_SAID_LIMIT = 20

Row = tuple[Any, ...]
#: Writes rows of one kind within the batch's transaction. A batch that fails is rolled back and written again.
Writing = Callable[["sqlite3.Connection", "list[Any]"], None]
#: Work of the writer besides rows: bounding a table, reading changes by other processes. It commits by itself.
Maintenance = Callable[["sqlite3.Connection"], None]


class _Waiting(msgspec.Struct, gc=False):
    """A row that waits to be written. Not a tuple: many tuples make the garbage collector run, which costs more than
    the row."""

    statement: str | Writing
    row: Any


class Ledger:
    """The database of one home, as one process uses it. say: logs a line for the user; it must not wait."""

    def __init__(self, home: Home, say: Callable[[str], None], *, retry: float = RETRY_SECONDS):
        #: Rows that were lost.
        self.dropped = 0
        #: Why nothing is written to disk, None while the file can be used.
        self.problem: str | None = None
        self._home = home
        place = locate(home)
        self.path = place.path
        #: Why the file is not in the home, None when it is.
        self.elsewhere = place.elsewhere or None
        self._say = say
        self._retry = retry
        self._said: set[str] = set()
        self._pending: deque[_Waiting] = deque()
        self._maintenance: list[Maintenance] = []
        self._preparations: list[Callable[[], None]] = []
        self._endings: list[Callable[[], None]] = []
        self._wake = threading.Event()
        self._enough = threading.Event()
        self._opened = threading.Event()
        self._flushes: deque[threading.Event] = deque()
        self._starting = threading.Lock()
        self._reading = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._hopeless = False
        self._suspect = False
        self._due = 0.0
        # Rows of the next batch.
        self._size = BATCH
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def add_maintenance(self, work: Maintenance) -> None:
        """Have the writer do this work at its start and then every MAINTENANCE_SECONDS. To be called before `start`."""
        self._maintenance.append(work)

    def add_preparation(self, preparation: Callable[[], None]) -> None:
        """Have the writer's thread call this before it writes, also while the file cannot be used. It may add rows, by
        `extend`. To be called before `start`."""
        self._preparations.append(preparation)

    def add_ending(self, ending: Callable[[], None]) -> None:
        """Have `close` call this first: it may block for a bounded time."""
        self._endings.append(ending)

    def start(self) -> None:
        """Start the writer; again without effect. For any thread."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()

    def add(self, statement: str | Writing, row: Any) -> None:
        """Queue one row for a statement, which is SQL with the row as its values, or a function. Successive rows of one
        statement are written together."""
        self.extend(statement, (row,))
        self.wake()
        if len(self._pending) == BATCH:
            self._enough.set()

    def extend(self, statement: str | Writing, rows: Sequence[Any]) -> None:
        """Queue rows as `add` does, without waking the writer: for a preparation, after which the queue is written."""
        room = 0 if self._hopeless else max(0, PENDING - len(self._pending))
        if len(rows) > room:
            self.dropped += len(rows) - room
            rows = rows[:room]
        self._pending.extend([_Waiting(statement, row) for row in rows])

    def wake(self) -> None:
        """Have rows prepared and written within COMMIT_SECONDS."""
        if not self._wake.is_set():
            self._wake.set()

    def flush_soon(self) -> None:
        """Flush the queue and run maintenance now, rather than with the next batch."""
        self._wake.set()
        self._enough.set()

    def flush(self, seconds: float = 2.0) -> bool:
        """Flush the queue and wait for that; False when it takes longer than `seconds`. Starts the writer, as a proxy
        does when all is loaded: what is queued till then would outlive an erasure. Blocks."""
        done = threading.Event()
        self._flushes.append(done)
        self.flush_soon()
        self.start()
        return done.wait(seconds)

    def read(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """The rows that a query finds; [] when the file cannot be used. Blocks, also while the file is being opened."""
        import sqlite3

        if not self._opened.wait(_OPEN_PATIENCE):
            return []
        with self._reading:
            if self._writer is None:
                return []
            try:
                if self._reader is None:
                    self._reader = connect(self.path)
                    self._reader.execute("PRAGMA query_only = ON")
                return self._reader.execute(query, values).fetchall()
            except sqlite3.Error:
                self._close_reader()
                return []

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._pending)

    def pause(self) -> None:
        """Sleep for PAUSE_SECONDS, so that requests get the interpreter: for the writer's thread, between the pieces of
        its work, since requests are slower while it runs."""
        if not self._stopping:
            time.sleep(PAUSE_SECONDS)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what is left, waiting at most `seconds`."""
        for ending in self._endings:
            ending()
        self._stopping = True
        # Where no thread has begun, what waits may not be rows yet: preparations make them.
        if self._thread is None and (self._pending or self._wake.is_set()):
            self.start()
        self._wake.set()
        self._enough.set()
        if self._thread is not None:
            self._thread.join(seconds)

    # The writer's thread

    def _run(self) -> None:
        self._open()
        self._maintain()
        while not self._stopping:
            if self._wake.wait(MAINTENANCE_SECONDS):
                self._enough.wait(COMMIT_SECONDS)
            # Cleared before the queue is read: what comes from here on wakes the next round.
            self._enough.clear()
            self._wake.clear()
            self._write()
            self._maintain()
        self._write()
        self._close_file()

    def _open(self) -> None:
        try:
            writer, aside = open_history(self._home, suspect=self._suspect, say=self._say)
        except Unusable as error:
            self._give_up(str(error), lasting=error.lasting)
        except Busy:
            self._give_up("another process holds it", again=min(self._retry, BUSY_RETRY_SECONDS))
        except Exception as error:
            # An unknown error must not end the thread; it is unlikely to go away by itself.
            self._give_up(f"{type(error).__name__}: {error}", lasting=True)
        else:
            self._writer = writer
            if aside is not None:
                self._say(f"{NAME} was damaged: it is now {aside.name}, and a new one was begun.")
        self._opened.set()

    def _give_up(self, why: str, *, lasting: bool = False, again: float | None = None) -> None:
        """Close the file and go on in memory; each reason is reported once. again: seconds after which it is tried
        again, where that is not as usual."""
        self._close_file()
        self._hopeless = lasting
        pause = self._retry if again is None else again
        self._due = time.monotonic() + pause
        if lasting:
            self.dropped += len(self._pending)
            self._pending.clear()
        self.problem = why
        more = "" if lasting else f"; it is tried again every {pause:g} s"
        self._say_once(f"{NAME} is not in use, what it would hold is kept in memory only{more}: {why}")

    def _say_once(self, text: str) -> None:
        """Report each text once: a disk that is full from time to time would cause a line a minute."""
        if text not in self._said and len(self._said) < _SAID_LIMIT:
            self._said.add(text)
            self._say(text)

    def _write(self) -> None:
        """Write the queue; rows that cannot be written now stay in it."""
        flushes = len(self._flushes)
        self._prepare()
        while self._pending and (db := self._open_writer()) is not None:
            size = self._size
            batch = [self._pending.popleft() for _ in range(min(size, len(self._pending)))]
            if not self._write_batch(db, batch):
                self._pending.extendleft(reversed(batch))
                if self._stopping and self._size == size:
                    return
        for _ in range(flushes):
            self._flushes.popleft().set()

    def _prepare(self) -> None:
        for prepare in self._preparations:
            try:
                prepare()
            except Exception as error:
                # A defect in one of them must not end the writer of all the others.
                self._say_once(f"{NAME}: {prepare.__name__} failed: {error}")

    def _open_writer(self) -> "sqlite3.Connection | None":
        """The connection that writes; None while the file cannot be used. Opening is tried again when it is due."""
        if self._writer is None and not self._hopeless and time.monotonic() >= self._due:
            self._open()
        return self._writer

    def _write_batch(self, db: "sqlite3.Connection", batch: list[_Waiting]) -> bool:
        """Commit a batch; False to keep its rows. Of rows that the file does not take, those are dropped that fail by
        themselves: smaller batches find them."""
        try:
            with translate_errors(self.path):
                self._commit(db, batch)
        except Busy:
            return False
        except Corrupt:
            self._reopen_checked()
            return False
        except Unusable as error:
            self._give_up(str(error))
            return False
        except Exception as error:
            if len(batch) > 1:
                self._size = len(batch) // 2
                return False
            self.dropped += 1
            self._say_once(f"{NAME}: a row that it does not take is lost: {_describe(error)}")
        self._size = min(BATCH, 2 * self._size)
        self._suspect = False
        if self.problem is not None:
            self.problem = None
            self._say_once(f"{NAME} is written again.")
        return True

    def _reopen_checked(self) -> None:
        """Have the whole file checked and opened again: at once, unless the last check found no damage."""
        if self._suspect:
            self._give_up(f"{self.path} is damaged, and looks whole when it is checked")
            return
        self._close_file()
        self._suspect = True
        self._due = 0.0

    def _commit(self, db: "sqlite3.Connection", batch: list[_Waiting]) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in groupby(batch, key=attrgetter("statement")):
                together = [one.row for one in rows]
                if isinstance(statement, str):
                    db.executemany(statement, together)
                else:
                    statement(db, together)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _maintain(self) -> None:
        for work in list(self._maintenance):
            if self._writer is None:
                return
            try:
                with translate_errors(self.path):
                    work(self._writer)
            except Busy:
                continue
            except Corrupt:
                self._reopen_checked()
            except Unusable as error:
                self._give_up(str(error))
            except Exception as error:
                # A defect in one of them must not end the writer of all the others.
                self._maintenance.remove(work)
                self._say(f"{NAME}: {work.__name__} failed and is not done again: {error}")

    def _close_file(self) -> None:
        """Close both connections."""
        with self._reading:
            self._close_reader()
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _describe(error: Exception) -> str:
    """An error without what is in the row: SQLite names columns, other errors may hold values."""
    import sqlite3

    return f"{type(error).__name__}{f': {error}' if isinstance(error, sqlite3.Error) else ''}"
