"""File permissions of the home: which users may read and change its files.

Rules of this file: the home belongs to this user and no other user can write in it; a file in it is a plain file of
this user that no other user can read, never a link. What breaks a rule is refused with what helps,
never repaired in silence: a key that others could read may have been read already.
On Windows the access lists of the user's profile protect the home; only links are refused there. Secrets outside the
home, and a folder of configuration, may have been mounted: `mounted` has the rules for those.
"""

import errno
import os
import shlex
import stat
import sys
from pathlib import Path

from router.errors import CommandError
from router.store.home.mounted import Unsafe, open_mounted

FILE_LIMIT = 1 << 20


def shown(path: Path) -> str:
    """The path as messages show it, with `~` for the user's own folder."""
    own = os.path.expanduser("~")
    text = str(path)
    return "~" + text[len(own) :] if own != "/" and text.startswith(own + os.sep) else text


def failed(path: Path, what: str, error: OSError, *, home: bool = True) -> CommandError:
    """The error for a system call on `path` that failed; `what` completes "cannot be …". home: True for a path in the
    home."""
    other = ", or use another folder:   FAIRLEAD_HOME=/absolute/path fairlead …" if home else ", or use another file."
    return CommandError(
        f"{shown(path)} cannot be {what}: {error.strerror or error}.",
        f"Make it {'readable' if what == 'read' else 'writable'} for your user{other}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        else "",
    )


def make_folder(path: Path) -> None:
    """Create a folder that only this user can enter; one that exists stays as it is. Raises CommandError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise CommandError(
            f"{shown(path)} is not a folder.", f"Move it away:   mv {word(path)} {word(path)}.old"
        ) from None
    except OSError as error:
        raise failed(path, "created", error) from None


def check_home(path: Path) -> None:
    """Refuse a home that another user owns or can write in. Raises CommandError with the fix."""
    try:
        entry, target = path.lstat(), path.stat()
    except OSError as error:
        raise failed(path, "read", error) from None
    if sys.platform != "win32":
        # The link itself too: its owner could point it elsewhere.
        _check_owner(path, entry)
        _check_owner(path, target)
        _check_writers(path, target)


def check_folder(path: Path) -> None:
    """Refuse a folder inside the home that is a link, or not this user's alone to change."""
    try:
        entry = path.lstat()
    except OSError as error:
        raise failed(path, "read", error) from None
    if stat.S_ISLNK(entry.st_mode):
        raise _explain_link(path)
    check_open_folder(path, entry)


def check_open_folder(path: Path, entry: os.stat_result) -> None:
    """Refuse a folder that is not this user's alone to change. entry: of the folder that was opened, since another one
    may be at the path by now."""
    if sys.platform != "win32":
        _check_owner(path, entry)
        _check_writers(path, entry)


def check_data_file(path: Path) -> None:
    """Refuse a file beside others of the home that is a link, no plain file, or another user's; one that is not there
    passes."""
    try:
        entry = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise failed(path, "read", error) from None
    if stat.S_ISLNK(entry.st_mode):
        raise _explain_link(path)
    if not stat.S_ISREG(entry.st_mode):
        raise CommandError(f"{shown(path)} is not a plain file.", f"Remove it:   rm -r {word(path)}")
    if sys.platform != "win32":
        _check_owner(path, entry)


def check_lock(path: Path, entry: os.stat_result) -> None:
    """Refuse a lock that is no plain file of this user: others could hold theirs for ever. entry: of the open file."""
    if not stat.S_ISREG(entry.st_mode):
        raise CommandError(f"{shown(path)} is not a plain file.", f"Remove it:   rm -r {word(path)}")
    _check_owner(path, entry)


def read_private(path: Path, folder: int | None = None) -> bytes | None:
    """The content of a private file, None when there is none. folder: the descriptor of its folder, where the path is
    not to be walked again. Raises CommandError when a rule is broken."""
    return _read(path, FILE_LIMIT, home=True, folder=folder)


def read_secret(path: Path, limit: int) -> bytes | None:
    """The content of a secret's file outside the home, by the same rules, or by those for mounted files where it is a
    link or root's. limit: in bytes. Raises CommandError."""
    return _read_mounted(path, limit) if _is_mounted(path) else _read(path, limit, home=False)


def read_configured(path: Path) -> bytes | None:
    """The content of a file in a folder of configuration that is only read. Raises CommandError."""
    return _read(path, FILE_LIMIT, home=False) if sys.platform == "win32" else _read_mounted(path, FILE_LIMIT)


def _is_mounted(path: Path) -> bool:
    """True for a link, and for a file of root's that is not this user's."""
    if sys.platform == "win32":
        return False
    try:
        entry = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(entry.st_mode) or (entry.st_uid == 0 and os.getuid() != 0)


def _read_mounted(path: Path, limit: int) -> bytes | None:
    try:
        descriptor = open_mounted(path)
    except FileNotFoundError:
        return None
    except Unsafe as unsafe:
        raise CommandError(f"{shown(path)} {unsafe}.") from None
    except OSError as error:
        raise failed(path, "read", error, home=False) from None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise CommandError(f"{shown(path)} is larger than {limit // 1024} KiB.")
    return data


def _read(path: Path, limit: int, *, home: bool, folder: int | None = None) -> bytes | None:
    flags = os.O_RDONLY
    if sys.platform == "win32":
        flags |= os.O_BINARY
        if path.is_symlink():
            raise _explain_link(path, home=home)
    else:
        # Non-blocking: opening a pipe in place of the file must not hang.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags) if folder is None else os.open(path.name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise _explain_link(path, home=home) from None
        raise failed(path, "read", error, home=home) from None
    try:
        _check_file(path, os.fstat(descriptor), limit, home=home)
    except CommandError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit + 1)


def make_private(path: Path, holds: str = "it holds a history") -> None:
    """Create an empty file that only this user can read; check one that exists. holds: why nobody else may read it, in
    words. Raises CommandError.

    One that exists is never opened: closing it again would drop the locks this process holds on it (POSIX).
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        entry = path.lstat()
        if stat.S_ISLNK(entry.st_mode):
            raise _explain_link(path) from None
        _check_private(path, entry, holds)
        if not entry.st_mode & stat.S_IWUSR:
            mode = stat.S_IMODE(entry.st_mode)
            raise CommandError(
                f"{shown(path)} may not be written (mode {mode:04o}).", f"Allow it:   chmod 600 {word(path)}"
            ) from None
    except OSError as error:
        raise failed(path, "created", error) from None


def _check_file(path: Path, entry: os.stat_result, limit: int, *, home: bool) -> None:
    if stat.S_ISREG(entry.st_mode) and entry.st_size > limit:
        raise CommandError(
            f"{shown(path)} is larger than 1 MiB; fairlead writes no such file."
            if home
            else f"{shown(path)} is larger than {limit // 1024} KiB; expected the key alone."
        )
    _check_private(path, entry, "it holds a secret", home=home)


def _check_private(path: Path, entry: os.stat_result, holds: str, *, home: bool = True) -> None:
    if not stat.S_ISREG(entry.st_mode):
        raise CommandError(f"{shown(path)} is not a plain file.", f"Remove it:   rm -r {word(path)}" if home else "")
    if sys.platform == "win32":
        return
    _check_owner(path, entry, home=home)
    if entry.st_mode & 0o077:
        mode = stat.S_IMODE(entry.st_mode)
        raise CommandError(
            f"{shown(path)} can be read by others (mode {mode:04o}); {holds}.",
            f"Close it:   chmod 600 {word(path)}",
        )


def _check_owner(path: Path, entry: os.stat_result, *, home: bool = True) -> None:
    if sys.platform == "win32" or entry.st_uid == os.getuid():
        return
    raise CommandError(
        f"{shown(path)} belongs to {_find_user_name(entry.st_uid)}, not to {_find_user_name(os.getuid())}.",
        "Use a folder of your own:   FAIRLEAD_HOME=/absolute/path fairlead …"
        if home
        else "Use a file of your own, with the key alone in it and mode 0600.",
    )


def _check_writers(path: Path, entry: os.stat_result) -> None:
    if entry.st_mode & 0o022:
        mode = stat.S_IMODE(entry.st_mode)
        raise CommandError(
            f"{shown(path)} can be changed by other users (mode {mode:04o}).", f"Close it:   chmod 700 {word(path)}"
        )


def _explain_link(path: Path, *, home: bool = True) -> CommandError:
    real = word(Path(os.path.realpath(path)))
    return CommandError(
        f"{shown(path)} is a link; what it points to could be changed from elsewhere.",
        f"Put the real one in its place:   mv {real} {word(path)}" if home else f"Name the real one:   {real}",
    )


def word(path: Path) -> str:
    """The path as one word of a command line."""
    return shlex.quote(str(path))


def _find_user_name(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
