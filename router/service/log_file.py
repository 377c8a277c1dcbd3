"""The end of a log that is a file, and what is written to it from then on."""

import codecs
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_BLOCK = 65536
_LIMIT = 8 << 20
_BETWEEN = 0.25


def read_end(path: Path, lines: int) -> list[str]:
    """The last lines of a log and of the one before it; none where there is none that can be read."""
    found: list[str] = []
    for one in (path, path.with_name(f"{path.name}.1")):
        if len(found) < lines:
            found = [*_read_lines(one, lines - len(found)), *found]
    return found


def _read_lines(path: Path, lines: int) -> list[str]:
    try:
        with path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            data = b""
            while at > 0 and data.count(b"\n") <= lines and len(data) < _LIMIT:
                begin = max(0, at - _BLOCK)
                file.seek(begin)
                data = file.read(at - begin) + data
                at = begin
    except OSError:
        return []
    return data.decode("utf-8", "replace").splitlines()[-lines:] if lines else []


def follow(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """The texts that are written to a log from now on, for ever. One that was renamed is read to its end, then the new
    one from its beginning; so is one that was emptied."""
    file = None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with contextlib.ExitStack() as stack:
        first = True
        while True:
            if file is None:
                with contextlib.suppress(OSError):
                    file = stack.enter_context(path.open("rb"))
                    if first:
                        file.seek(0, os.SEEK_END)
                first = False
            if file is not None:
                while data := file.read(_BLOCK):
                    yield decoder.decode(data)
                if file.tell() > os.fstat(file.fileno()).st_size:
                    file.seek(0)
                elif _is_other(path, file.fileno()):
                    stack.close()
                    file = None
                    continue
            sleep(_BETWEEN)


def _is_other(path: Path, descriptor: int) -> bool:
    """True once another file has the name."""
    if os.name == "nt":
        return False  # it is emptied there
    try:
        there, mine = os.stat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)
