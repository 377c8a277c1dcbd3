"""The folder of captures: a private file for each request, for a day, while history.capture is on.

Rules of this file: `begin` and `add` never wait. At most TOGETHER requests are captured at a time, from their arrival
until their file is written, which bounds the memory. Secrets are removed before anything is written to the disk. All
users of the folder remove files that are too old or too many: a proxy each minute, commands when they run.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from router.errors import CommandError
from router.store.captures.armed import Armed, claim
from router.store.captures.format import Capture, encode
from router.store.home.home import Home
from router.store.home.permissions import make_folder, shown

FOLDER = "captures"
#: The ends of its files' names, the newest form first.
SUFFIXES = (".jsonl", ".json")
#: Bytes of each body in a file. A little more is kept in memory until it is written, so that a secret across the end is
#: still recognised.
BODY_LIMIT = 256 << 10
BODY_KEPT = BODY_LIMIT + 1024
#: The same for the one request that is captured by itself.
ARMED_KEPT = (1 << 20) - 1024
TOGETHER = 64
KEEP_SECONDS = 24 * 3600
#: The most bytes of all files together; the oldest are removed first.
FOLDER_BYTES = 512 << 20
_SWEEP_SECONDS = 60.0


#: Returns a body as text without secrets.
Redact = Callable[[bytes], str]
#: Makes the capture of a request that has ended.
MakeCapture = Callable[[Redact], Capture]


class Captures:
    """The captures of one home, as one process makes them. redact: returns a body as text without secrets. on: returns
    whether bodies are captured now."""

    def __init__(self, home: Home, redact: Redact, on: Callable[[], bool]):
        #: Requests that were not captured: there were too many at a time, or the file could not be written.
        self.dropped = 0
        self.problem: str | None = None
        #: The one request that is captured though `on` says no; None for none.
        self.armed: Armed | None = None
        self._home = home
        self._redact = redact
        self._on = on
        # Two counts, each written by one thread.
        self._begun = 0
        self._done = 0
        self._pending: deque[tuple[str, MakeCapture]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._taken = ""
        self._thread: threading.Thread | None = None

    def arm(self, armed: Armed | None) -> None:
        """Take up what is to be captured; what was taken before is not taken again."""
        if armed is None or armed.token != self._taken:
            self.armed = armed

    def take_armed(self, client: str) -> bool:
        """True for the one request that is to be captured, and room for it is reserved; no other is after it, in this
        process or another one of the home."""
        armed = self.armed
        if armed is None or not armed.fits(client, time.time()) or not self.begin():
            return False
        self.armed, self._taken = None, armed.token
        if claim(self._home, armed):
            return True
        self.cancel()
        return False

    def begin(self) -> bool:
        """Reserve room for a request; False when there is none. `add` gives it back."""
        if self._begun - self._done >= TOGETHER:
            self.dropped += 1
            return False
        self._begun += 1
        return True

    def cancel(self) -> None:
        """Give back the room of a request that is not to be captured."""
        self._begun -= 1

    def add(self, name: str, make: MakeCapture) -> None:
        """Queue what was captured. name: the request's id. make: called by the thread that writes."""
        self._pending.append((name, make))
        self._wake.set()

    def start(self) -> None:
        """Start the thread that writes and removes, once there is anything to do; again without effect."""
        if self._thread is None and (self._on() or self.armed is not None or folder(self._home) is not None):
            self._thread = threading.Thread(target=self._run, name="captures", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self, seconds: float = 2.0) -> None:
        """Write what is left, waiting at most `seconds`."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        swept = -_SWEEP_SECONDS
        written = 0
        while True:
            self._wake.clear()
            written += self._write()
            if self._stopping:
                return
            if written > FOLDER_BYTES // 8 or time.monotonic() - swept >= _SWEEP_SECONDS or not self._on():
                swept, written = time.monotonic(), 0
                self._tidy()
            self._wake.wait(_SWEEP_SECONDS)

    def _tidy(self) -> None:
        try:
            if self._on():
                # Commands know by the folder that bodies are captured.
                make_folder(self._home.at(FOLDER))
            sweep(self._home, keep_folder=self._on())
        except (CommandError, OSError) as error:
            self.problem = str(error)

    def _write(self) -> int:
        """Write all that waits; returns the number of bytes."""
        written = 0
        while self._pending:
            name, make = self._pending.popleft()
            try:
                written += _write_file(self._home, name, make(self._redact))
                self.problem = None
            except (CommandError, OSError) as error:
                self.dropped += 1
                self.problem = f"{shown(self._home.at(FOLDER))} cannot be written: {error}"
            finally:
                self._done += 1
        return written


def _write_file(home: Home, name: str, capture: Capture) -> int:
    data = encode(capture)
    home.create(f"{FOLDER}/{name}{SUFFIXES[0]}", data)
    return len(data)


def capture_notice(home: Home) -> str:
    """The text for users that bodies are captured."""
    return (
        "history.capture is on: the bodies of requests and answers are kept for 24 h in "
        f"{shown(home.at(FOLDER))}, without the secrets that fairlead knows."
    )


def folder(home: Home) -> Path | None:
    """The folder of captured bodies; None while there is none."""
    path = home.at(FOLDER)
    return path if path.is_dir() and not path.is_symlink() else None


def path_of(home: Home, name: str) -> Path | None:
    """The file with a request's bodies, None when there is none. name: its id."""
    found = folder(home)
    if found is None or not name.replace("_", "").isalnum():
        return None
    return next((path for suffix in SUFFIXES if (path := found / f"{name}{suffix}").is_file()), None)


def sweep(home: Home, *, keep_folder: bool = True, keep: float = KEEP_SECONDS) -> int:
    """Remove files older than `keep` seconds, and the oldest of too many; returns how many files are left."""
    path = folder(home)
    if path is None:
        return 0
    now = time.time()
    files: list[tuple[float, int, str]] = []
    with os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                stat = entry.stat(follow_symlinks=False)
                # A time in the future: the file was written before the clock was set back.
                files.append((stat.st_mtime if stat.st_mtime <= now + keep else 0.0, stat.st_size, entry.path))
    left, size = 0, 0
    for written, length, name in sorted(files, reverse=True):
        size += length
        if now - written < keep and size <= FOLDER_BYTES:
            left += 1
            continue
        with contextlib.suppress(OSError):
            os.unlink(name)
    if not left and not keep_folder:
        with contextlib.suppress(OSError):
            path.rmdir()
    return left
