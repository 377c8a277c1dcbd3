"""The log of a proxy in the background: what it would print at a terminal, in a file of the home.

Rules of this file: it is the process's standard error. At LIMIT it becomes `proxy.log.1` and a new one is begun, by
whichever of the proxies that write to it looks first; on Windows, where an open file cannot be renamed, it is emptied.
"""

import contextlib
import os
import sys

from router.errors import CommandError
from router.store.home.home import Home

NAME = "proxy.log"
LIMIT = 4 << 20


def open_log(home: Home) -> int:
    """A descriptor that writes to the end of the log. Raises CommandError."""
    return home.open_to_append(NAME)


class BackgroundLog:
    """The log that is this process's standard output and error."""

    def __init__(self, home: Home, limit: int = LIMIT):
        self._home = home
        self._limit = limit

    def trim(self) -> None:
        """Begin a new file where this one is full, or was renamed by another proxy."""
        with contextlib.suppress(OSError, CommandError):
            if not self._home.there():
                return
            path, mine = self._home.at(NAME), os.fstat(2)
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
                    os.replace(path, path.with_name(f"{NAME}.1"))
            self._reopen()

    def _reopen(self) -> None:
        descriptor = open_log(self._home)
        try:
            os.dup2(descriptor, 2)
            os.dup2(descriptor, 1)
        finally:
            os.close(descriptor)
