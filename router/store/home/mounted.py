"""Files that something else put in place for this process to read: mounted secrets and configuration.

Kubernetes mounts them as links, `key -> ..data/key` and `..data -> ..2026_12_01`, so that all files of a mount change
at one moment; they belong to root, and this process reads them as a member of their group.

Rules of this file: every folder and link on the way belongs to root or to this user, and in none of the folders can
another user replace an entry; what a link leads to is in the folder of the path that was named; the file belongs to
root or to this user, and no other user reads it. Then only root and this user can change what is read, or what the path
leads to. POSIX alone.
"""

import os
import stat
import sys
from collections import deque
from pathlib import Path

_HOPS = 40
# What a file of root's may allow; of the group, since this user is in it where the file can be read at all.
_OF_ROOT, _OF_USER = 0o640, 0o700
# Times that a file is looked for anew, since the mount was changed meanwhile.
_LOOKS = 3


class Unsafe(Exception):
    """Another user could change or read it. Its text completes "PATH …"."""


def open_mounted(path: Path) -> int:
    """A descriptor of a file that was put in place for this process. Raises Unsafe, FileNotFoundError, OSError."""
    for look in range(_LOOKS):
        try:
            return _open(path)
        except FileNotFoundError:
            # A folder of an earlier change goes as soon as the link leads to the next one.
            if look == _LOOKS - 1 or not os.path.lexists(path):
                raise
    raise AssertionError


def _open(path: Path) -> int:
    real = _resolve(os.path.abspath(path))
    folder = os.path.realpath(path.parent)
    if os.path.commonpath((folder, real)) != folder:
        raise Unsafe(f"is a link that leads out of its folder; name the real one: {real}")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(real, flags)
    try:
        _check_file(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _resolve(path: str) -> str:
    """The path without links. Raises Unsafe for one that another user could lead elsewhere."""
    at, left, hops = "/", deque(path.split("/")), 0
    _check_folder(at, os.lstat(at))
    while left:
        part = left.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        place = os.path.join(at, part)
        entry = os.lstat(place)
        _check_owner(place, entry)
        if stat.S_ISLNK(entry.st_mode):
            hops += 1
            if hops > _HOPS:
                raise Unsafe("is a link that leads round in a circle")
            target = os.readlink(place)
            at = "/" if target.startswith("/") else at
            left.extendleft(reversed(target.split("/")))
            continue
        at = place
        if stat.S_ISDIR(entry.st_mode):
            _check_folder(place, entry)
    return at


def _check_owner(place: str, entry: os.stat_result) -> None:
    if not _is_own(entry.st_uid):
        raise Unsafe(f"can be changed by another user: {place} belongs to user {entry.st_uid}")


def _check_folder(place: str, entry: os.stat_result) -> None:
    """Refuse a folder in which others can put something in the place of its entries."""
    if entry.st_mode & 0o022 and not entry.st_mode & stat.S_ISVTX and not _is_read_only(place):
        mode = stat.S_IMODE(entry.st_mode)
        raise Unsafe(f"can be changed by other users: they can write in {place} (mode {mode:04o})")


def _check_file(entry: os.stat_result) -> None:
    if not stat.S_ISREG(entry.st_mode):
        raise Unsafe("is not a plain file")
    _check_owner("it", entry)
    mode = stat.S_IMODE(entry.st_mode)
    if mode & ~(_OF_ROOT if entry.st_uid == 0 else _OF_USER):
        problem = f"can be read by others (mode {mode:04o})"
        if sys.platform == "win32" or entry.st_uid == os.geteuid():
            raise Unsafe(f"{problem}; mount it with 0440 or less")
        raise Unsafe(f"belongs to root and {problem}. Use a file of your own, or mount it with 0440 or less")


def _is_own(uid: int) -> bool:
    return sys.platform == "win32" or uid in (0, os.geteuid())


def _is_read_only(place: str) -> bool:
    """True in a mount that nobody writes through."""
    return sys.platform != "win32" and bool(os.statvfs(place).f_flag & os.ST_RDONLY)
