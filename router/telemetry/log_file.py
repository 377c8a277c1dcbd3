"""Opens and rotates the access log's file, in any folder that the user names.

Rules of this file: nothing that another user prepared is followed or written to. A link is followed only where nobody
but this user and root can put one; the file is a plain file of this user; all further steps go by the open folder, not
by its path, which may lead elsewhere by then.
"""

import errno
import os
import stat
import sys
from collections import deque
from contextlib import suppress

FILE_BYTES = 20 << 20
FILES = 5
# Links of the system to what this process has open already.
_STREAMS = {
    **dict.fromkeys(("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"), 1),
    **dict.fromkeys(("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"), 2),
}
_DEVICES = frozenset(("/dev/null", "/dev/full"))
_HOPS = 40
_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
# Non-blocking: opening a pipe in place of the file must not hang. It means nothing for plain files.
_FILE = _FLAGS | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_INNER_FOLDER = _FOLDER | getattr(os, "O_NOFOLLOW", 0)


class LogFile:
    """The file, open to be appended to. Raises OSError with the reason as its `strerror`."""

    def __init__(self, path: str):
        #: Where the lines are written.
        self.descriptor = -1
        self._path = path
        self._folder: int | None = None
        self._rotates = False
        plain = os.path.normpath(path)
        if plain in _STREAMS and sys.platform != "win32":
            self.descriptor = os.dup(_STREAMS[plain])
        elif plain in _DEVICES:
            self.descriptor = os.open(plain, _FLAGS)
        elif sys.platform == "win32":
            self._name = path
            self.descriptor, self._rotates = os.open(path, _FLAGS | os.O_CREAT, 0o600), True
        else:
            self._folder, self._name = _enter(path)
            try:
                self.descriptor, self._rotates = self._open(), True
            except BaseException:
                self.close()
                raise

    def rotate(self) -> None:
        """Once the file has FILE_BYTES, begin a new one and keep FILES in all: FILE, FILE.1, …; a failure leaves the
        one that is open."""
        try:
            if not self._rotates or os.fstat(self.descriptor).st_size < FILE_BYTES:
                return
            for number in range(FILES - 1, 0, -1):
                older = f"{self._name}.{number - 1}" if number > 1 else self._name
                with suppress(FileNotFoundError):
                    # A link or pipe in the place of an older file is moved or replaced itself.
                    os.replace(older, f"{self._name}.{number}", src_dir_fd=self._folder, dst_dir_fd=self._folder)
            fresh = self._open()
        except OSError:
            return
        os.close(self.descriptor)
        self.descriptor = fresh

    def close(self) -> None:
        """Close it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        if self._folder is not None:
            os.close(self._folder)
        self.descriptor, self._folder = -1, None

    def _open(self) -> int:
        if self._folder is None:
            return os.open(self._name, _FLAGS | os.O_CREAT, 0o600)
        try:
            found = os.open(self._name, _FILE, 0o600, dir_fd=self._folder)
        except OSError as error:
            # Of a link and of a pipe without a reader the error says neither.
            raise self._explain(error) from None
        try:
            self._check(os.fstat(found))
        except BaseException:
            os.close(found)
            raise
        return found

    def _explain(self, error: OSError) -> OSError:
        try:
            entry = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return error
        if stat.S_ISLNK(entry.st_mode):
            real = os.path.realpath(self._path)
            return _refuse(self._path, f"it is a link; name the file itself: {real}")
        if not stat.S_ISREG(entry.st_mode) and error.errno in (errno.ENXIO, errno.EOPNOTSUPP):
            return _refuse(self._path, f"it is {_name_kind(entry.st_mode)}, not a file")
        return error

    def _check(self, entry: os.stat_result) -> None:
        """Refuse what another user may have put there."""
        if sys.platform == "win32":
            return
        if not stat.S_ISREG(entry.st_mode):
            raise _refuse(self._path, f"it is {_name_kind(entry.st_mode)}, not a file")
        if not _is_own(entry.st_uid):
            raise _refuse(self._path, "it belongs to another user")
        if entry.st_nlink > 1 and self._folder is not None and _is_open_to_others(os.fstat(self._folder)):
            raise _refuse(self._path, "it has a second name, and others can write in its folder")


def _enter(path: str) -> tuple[int, str]:
    """The open folder of a file, and the file's name in it. No link is followed that another user could have made."""
    left = deque(part for part in path.split("/") if part not in ("", "."))
    if not left or path.endswith("/"):
        raise _refuse(path, "it is a folder")
    folder = os.open("/" if path.startswith("/") else ".", _FOLDER)
    hops = 0
    try:
        while len(left) > 1:
            part = left.popleft()
            try:
                inner = os.open(part, _INNER_FOLDER, dir_fd=folder)
            except OSError as error:
                entry = os.stat(part, dir_fd=folder, follow_symlinks=False) if error.errno != errno.ENOENT else None
                if entry is None or not stat.S_ISLNK(entry.st_mode):
                    raise OSError(error.errno, error.strerror, path) from None
                _check_link(path, part, entry, os.fstat(folder))
                if (hops := hops + 1) > _HOPS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
                target = os.readlink(part, dir_fd=folder)
                left.extendleft(reversed([one for one in target.split("/") if one not in ("", ".")]))
                if not target.startswith("/"):
                    continue
                inner = os.open("/", _FOLDER)
            os.close(folder)
            folder = inner
        return folder, left[0]
    except BaseException:
        os.close(folder)
        raise


def _check_link(path: str, part: str, entry: os.stat_result, folder: os.stat_result) -> None:
    """Refuse a link in a path that another user made or could replace."""
    if not _is_own(entry.st_uid) or (_is_open_to_others(folder) and not folder.st_mode & stat.S_ISVTX):
        raise _refuse(path, f"{part} in it is a link that another user could change; name the real path")


def _is_own(uid: int) -> bool:
    """True for this user, and for root, who may do anything here."""
    if sys.platform == "win32":
        return True
    return uid in (0, os.geteuid())


def _is_open_to_others(folder: os.stat_result) -> bool:
    """True for a folder in which another user but root can make files."""
    return bool(folder.st_mode & 0o022) or not _is_own(folder.st_uid)


def _refuse(path: str, why: str) -> OSError:
    return OSError(errno.EPERM, why, path)


def _name_kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for matches, name in kinds if matches(mode)), "a device")
