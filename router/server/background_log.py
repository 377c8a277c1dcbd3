"""The log of a proxy in the background: what it would print at a terminal, in a file of the home or, for a service, in
one that its manager has opened.

Rules of this file: it is the process's standard error. At LIMIT it becomes `proxy.log.1` and a new one is begun, by
whichever of the proxies that write to it looks first; on Windows, where an open file cannot be renamed, it is emptied.
"""

import contextlib
import os
import stat
import sys
from pathlib import Path

from router.errors import CommandError
from router.store.home.home import Home
from router.store.home.permissions import failed

NAME = "proxy.log"
LIMIT = 4 << 20


def open_log(home: Home, path: Path | None = None) -> int:
    """A descriptor that writes to the end of the log. path: where it is not the home's. Raises CommandError."""
    return home.open_to_append(NAME) if path is None else open_file(path)


def open_file(path: Path) -> int:
    """A descriptor that writes to the end of a log outside of a home. Raises CommandError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise failed(path, "opened", error, home=False) from None


def is_own_output(path: Path) -> bool:
    """True when standard error is that file."""
    with contextlib.suppress(OSError):
        there, mine = os.lstat(path), os.fstat(2)
        return stat.S_ISREG(mine.st_mode) and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
    return False


class BackgroundLog:
    """The log that is this process's standard output and error."""

    def __init__(self, home: Home, limit: int = LIMIT, *, path: Path | None = None):
        self._home = home
        self._path = path
        self._limit = limit

    def trim(self) -> None:
        """Begin a new file where this one is full, or was renamed by another proxy."""
        with contextlib.suppress(OSError, CommandError):
            if not self._home.there():
                return
            path, mine = self._path or self._home.at(NAME), os.fstat(2)
            full = mine.st_size >= self._limit
            if sys.platform == "win32":
                if full:
                    os.ftruncate(2, 0)
                return
            with contextlib.suppress(FileNotFoundError):
                there = os.lstat(path)
                if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                    if not full:
                        return
                    os.replace(path, path.with_name(f"{path.name}.1"))
            self._reopen()

    def _reopen(self) -> None:
        descriptor = open_log(self._home, self._path)
        try:
            os.dup2(descriptor, 2)
            os.dup2(descriptor, 1)
        finally:
            os.close(descriptor)
