"""Opens a folder of the home once, so that what is done in it cannot be led elsewhere.

A path is walked anew by each call: who owns a folder above the home could put another one there in between. So files
are opened, renamed and removed relative to the descriptor of a folder that was checked after it was opened,
and no link in the home is followed. Windows has no such calls; there the paths are used, after the same checks.
"""

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path

from router.errors import CommandError
from router.store.home.permissions import check_open_folder, failed, shown

# Windows lacks some of them, and opens no folder.
_INNER_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def open_folder(home: Path, inode: int | None, parts: tuple[str, ...]) -> Generator[int | None]:
    """The descriptor of a folder in the home; None on Windows. inode: of the home as it was first seen. parts: the
    folder's path in it. Raises FileNotFoundError where there is none, CommandError for one that is not to be used."""
    if sys.platform == "win32":
        yield None
        return
    path = home
    try:
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failed(home, "read", error) from None
    try:
        if inode is not None and os.fstat(descriptor).st_ino != inode:
            raise CommandError(f"{shown(home)} was replaced by another folder.", "Run the command again, or restart.")
        check_open_folder(home, os.fstat(descriptor))
        for part in parts:
            path = path / part
            inner = _open_inner(path, part, descriptor)
            os.close(descriptor)
            descriptor = inner
            check_open_folder(path, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


def _open_inner(path: Path, part: str, folder: int) -> int:
    try:
        return os.open(part, _INNER_FOLDER, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failed(path, "read", error) from None
