"""The answers of one home, as one process reads and writes them.

Rules of this file: everything blocks, so it is for threads; while the file cannot be used no answer is found in it, and
it is tried again after RETRY_SECONDS; what is wrong with it is logged once.
"""

import hmac
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from router.errors import CommandError
from router.store.answer_cache.schema import Foreign, explain_problem, open_cache
from router.store.database.location import locate_cache
from router.store.database.open import Busy, Corrupt, Unusable, translate_errors
from router.store.home.home import Home

if TYPE_CHECKING:
    import sqlite3

_Found = TypeVar("_Found")

#: The file with the key that requests are hashed with.
KEY_NAME = "answer_cache.key"
#: Bytes of the largest answer that is kept.
ENTRY_LIMIT = 8 << 20
RETRY_SECONDS = 60.0
_OVERHEAD = 256
_FIND = "SELECT at, cost, about, body FROM answers WHERE key = ? AND at > ? AND at <= ?"
_USE = "UPDATE answers SET hits = hits + 1, used = ? WHERE key = ?"
_KEEP = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"
_EXPIRED = "DELETE FROM answers WHERE until <= ?"
_SIZE = "SELECT count(*), coalesce(sum(size), 0) FROM answers WHERE part = ?"
_OLDEST = "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE part = ? ORDER BY used, key LIMIT ?)"
_TOTALS = (
    "SELECT part, count(*), sum(size), sum(hits), total(hits * coalesce(cost, 0)), min(at), max(used) FROM answers "
    "WHERE until > ? GROUP BY part ORDER BY part"
)


class About(msgspec.Struct, omit_defaults=True):
    """What is kept of an answer beside its body."""

    content_type: str
    backend: str
    account: str
    #: Of a translated answer, as `messages->chat`; '' for one that was passed on.
    translation: str = ""


class Answer(NamedTuple):
    """An answer that was kept."""

    about: About
    #: Without content coding.
    body: bytes
    #: Seconds since it came.
    age: float
    #: What it cost, in billionths of a US dollar; None for an unknown price.
    cost: int | None


class Part(msgspec.Struct):
    """The answers of one rule or model."""

    name: str
    answers: int
    bytes: int
    #: How often those that are kept were given again, and what that saved.
    hits: int
    saved_usd: float
    #: Seconds since 1970: when the oldest came, and when one was given or kept last.
    oldest: float
    used: float


class Answers:
    """The answers of one home. say: logs a line for the user; it must not wait."""

    def __init__(self, home: Home, say: Callable[[str], None], *, clock: Callable[[], float] = time.time):
        self._home = home
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._path: Path | None = None
        self._key = b""
        self._retry = 0.0
        #: Why no answer is kept or found, None while the file can be used.
        self.problem: str | None = None

    def sign(self, request: bytes) -> bytes:
        """The key of a request's answer: a hash that nobody can make without the home's own key. b'' where that key
        cannot be read."""
        with self._lock:
            if not self._key:
                try:
                    self._key = self._home.token(KEY_NAME).reveal().encode("ascii")
                except CommandError as error:
                    self._note_problem(f"{str(error).rstrip('.')}. {error.hint}".strip())
                    return b""
        return hmac.digest(self._key, request, "sha256")

    def find(self, key: bytes, ttl: float) -> Answer | None:
        """The answer of that key that came less than `ttl` seconds ago; counts it as given. None for none."""

        def read(db: "sqlite3.Connection") -> Answer | None:
            now = self._clock()
            row = db.execute(_FIND, (key, now - ttl, now)).fetchone()
            if row is None:
                return None
            at, cost, about, body = row
            answer = Answer(msgspec.json.decode(about, type=About), _decompress(body), now - at, cost)
            db.execute(_USE, (now, key))
            return answer

        return self._use(read)

    def keep(
        self, key: bytes, part: str, about: About, body: bytes, cost: int | None, *, ttl: float, most: int
    ) -> bool:
        """Keep an answer, and delete what is too old, and of this part what was unused for longest beyond `most` bytes.
        False where it is too large, or the file cannot be used."""
        packed, described = _compress(body), msgspec.json.encode(about)
        size = len(packed) + len(described) + _OVERHEAD
        if size > min(ENTRY_LIMIT, most):
            return False

        def write(db: "sqlite3.Connection") -> bool:
            now = self._clock()
            db.execute("BEGIN IMMEDIATE")
            try:
                db.execute(_EXPIRED, (now,))
                db.execute(_KEEP, (key, part, now, now, now + ttl, size, cost, described, packed))
                rows, taken = db.execute(_SIZE, (part,)).fetchone()
                while taken > most:
                    # The new one fits by itself and is the last to go.
                    db.execute(_OLDEST, (part, max(1, rows // 50)))
                    rows, taken = db.execute(_SIZE, (part,)).fetchone()
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return True

        return bool(self._use(write))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def _use(self, work: "Callable[[sqlite3.Connection], _Found]") -> _Found | None:
        """What the work on the file gives; None where the file cannot be used."""
        with self._lock:
            try:
                db = self._open()
                if db is None:
                    return None
                with translate_errors(self._find_path()):
                    found = work(db)
            except Busy:
                return None
            except (Unusable, Corrupt, Foreign) as error:
                self._fail(error)
            except Exception as error:
                # A row, or the file's schema, that this version does not understand.
                self._fail(Corrupt(type(error).__name__))
            else:
                self.problem = None
                return found
        return None

    def _open(self) -> "sqlite3.Connection | None":
        if self._db is not None and self._inode == _read_inode(self._find_path()):
            return self._db
        self._close()
        if time.monotonic() < self._retry or not self._home.there():
            return None
        self._db = open_cache(self._home)
        self._inode = _read_inode(self._find_path())
        return self._db

    def _find_path(self) -> Path:
        """The path of the file, which takes a look at the file systems that are mounted."""
        if self._path is None:
            self._path = locate_cache(self._home).path
        return self._path

    def _fail(self, error: Exception) -> None:
        self._close()
        self._retry = time.monotonic() + RETRY_SECONDS
        fix = ": `fairlead cache clear` begins a new one" if isinstance(error, Corrupt | Foreign) else ""
        self._note_problem(explain_problem(self._home, error) + fix)

    def _note_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._say(f"warning: no answer is kept or given again: {problem}.")

    def _close(self) -> None:
        db, self._db, self._inode = self._db, None, None
        if db is not None:
            db.close()


def list_parts(db: "sqlite3.Connection", now: float) -> list[Part]:
    """The answers that are kept, by rule or model. now: seconds since 1970. Raises sqlite3.Error."""
    return [
        Part(part, answers, size, hits, saved / 1e9, oldest, used)
        for part, answers, size, hits, saved, oldest, used in db.execute(_TOTALS, (now,))
    ]


def _read_inode(path: os.PathLike[str]) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _compress(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # pyright: ignore[reportMissingTypeStubs]

    return zstd.compress(data)


def _decompress(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # pyright: ignore[reportMissingTypeStubs]

    return zstd.decompress(data)
