"""The home folder: private files, written whole or not at all.

Rules of this file: a file is replaced by rename, so that a reader sees the old one or the new one; what is read,
changed and written back is done under `lock`; names are relative to the home, with `/` between folders.
"""

import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path

from router.errors import CommandError
from router.settings import Secret
from router.store.home.folders import open_folder
from router.store.home.permissions import (
    FILE_LIMIT,
    check_data_file,
    check_folder,
    check_home,
    check_lock,
    failed,
    make_folder,
    read_configured,
    read_private,
    shown,
    word,
)
from router.store.home.place import find_config_dir, find_home

LOCK_PATIENCE = 10.0
CLIENT_KEY = "client.key"
OPERATOR_TOKEN = "operator.token"  # noqa: S105 - a file name
#: The form of the tokens that fairlead generates.
TOKEN = rb"fl-[A-Za-z0-9_-]{43}"


def open_home(environ: Mapping[str, str]) -> "Home":
    """The home that FAIRLEAD_HOME names, else ~/.fairlead; created when missing. Its configuration is in the folder
    that FAIRLEAD_CONFIG_DIR names, if it does. Raises CommandError."""
    path, config = Path(find_home(environ)), find_config_dir(environ)
    if config and not os.path.isdir(config):
        raise CommandError(f"the configuration folder {shown(Path(config))} does not exist.")
    make_folder(path)
    check_home(path)
    return Home(path, Path(config) if config else None)


class Home:
    """Access to the files of one home; made by `open_home`, which has checked the folder. All methods block. config:
    the folder that has config.toml and backends in its place, which is only read."""

    def __init__(self, path: Path, config: Path | None = None):
        self.path = path
        self.config = config
        self._inode = _read_inode(path)

    def at(self, name: str) -> Path:
        """The path of a file of the home."""
        return (self.config if self.config and is_configuration(name) else self.path).joinpath(*name.split("/"))

    def is_read_only(self, name: str) -> bool:
        """True for a file of a configuration that is only read."""
        return self.config is not None and is_configuration(name)

    def there(self) -> bool:
        """False once the folder was removed; another one in its place is another home."""
        return self._inode is not None and _read_inode(self.path) == self._inode

    def read(self, name: str) -> bytes | None:
        """The content of a file, None when there is none. Raises CommandError for one others could read."""
        if self.is_read_only(name):
            return read_configured(self.at(name))
        try:
            with self._folder(name) as folder:
                data = read_private(self.at(name), folder)
        except FileNotFoundError:
            return None
        if data is not None and len(data) > FILE_LIMIT:
            raise CommandError(f"{shown(self.at(name))} is larger than 1 MiB; fairlead writes no such file.")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Replace a file as one step that survives a crash; mode 0600. Raises CommandError."""
        path = self.at(name)
        self._check_writable(name)
        make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with self._folder(name) as folder:
                try:
                    _write_new(temporary, data, folder)
                    _replace(temporary, path, folder)
                    _sync_folder(folder)
                except OSError:
                    with contextlib.suppress(OSError):
                        _unlink(temporary, folder)
                    raise
        except OSError as error:
            raise failed(path, "written", error) from None

    def create(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet, mode 0600, without waiting for the disk. Raises OSError, CommandError."""
        make_folder(self.at(name).parent)
        with self._folder(name) as folder:
            _write_new(self.at(name), data, folder, sync=False)

    def open_to_append(self, name: str) -> int:
        """A descriptor that writes to the end of a file of the home itself, mode 0600. Raises CommandError."""
        path = self.at(name)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        # Opening a FIFO would wait for its reader.
        check_data_file(path)
        try:
            with self._folder(name) as folder:
                descriptor = os.open(path if folder is None else path.name, flags, 0o600, dir_fd=folder)
            if sys.platform != "win32":
                os.fchmod(descriptor, 0o600)
        except OSError as error:
            raise failed(path, "opened", error) from None
        return descriptor

    def remove(self, name: str) -> bool:
        """Remove a file; False when there was none. Raises CommandError."""
        self._check_writable(name)
        try:
            with self._folder(name) as folder:
                _unlink(self.at(name), folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed(self.at(name), "removed", error) from None
        return True

    def names(self, folder: str, suffix: str) -> list[str]:
        """The sorted names of a folder's files with this suffix, without it; temporary files are left out."""
        if not self.is_read_only(folder):
            self._check_parent(folder + "/")
        try:
            entries = os.listdir(self.at(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed(self.at(folder), "read", error) from None
        return sorted(
            name.removesuffix(suffix) for name in entries if name.endswith(suffix) and not name.startswith(".")
        )

    def token(self, name: str) -> Secret:
        """The token in the file of that name (operator.token, client.key), generated at its first use. Raises
        CommandError."""
        text = self.read(name)
        if text is None:
            with self.lock():
                text = self.read(name)
                if text is None:
                    # The prefix prevents a leading dash, which command lines take for an option.
                    text = f"fl-{secrets.token_urlsafe(32)}".encode()
                    self.write(name, text + b"\n")
        if not re.fullmatch(rb"[\x21-\x7e]{32,256}\n?", text):
            path = self.at(name)
            raise CommandError(f"{shown(path)} holds no token.", f"Remove it, a new one is made:   rm {word(path)}")
        return Secret(text.decode().strip())

    def peek(self, name: str) -> Secret | None:
        """What the file of that name holds, to be compared only: who else could read it does not matter. None when
        there is no such file, or nothing in it."""
        # Without waiting: a pipe in its place would never give anything.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self.at(name), flags), "rb") as file:
                text = (file.read(FILE_LIMIT) or b"").decode("utf-8", "replace").strip()
        except OSError:
            return None
        return Secret(text) if text else None

    @contextlib.contextmanager
    def lock(self, name: str = ".lock", patience: float = LOCK_PATIENCE) -> Generator[None]:
        """Hold the home's lock: for reading, changing and writing back. Not re-entrant. name: of another lock, for what
        takes longer. patience: seconds to wait for it. Raises CommandError."""
        path = self.at(name)
        if path.parent != self.path and self.path.exists():
            # A home that was removed is not made anew.
            make_folder(path.parent)
        try:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            with self._folder(name) as folder:
                descriptor = os.open(path if folder is None else path.name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            raise failed(path, "opened", error) from None
        try:
            check_lock(path, os.fstat(descriptor))
            _acquire(descriptor, path, patience)
            yield
        finally:
            # Closing releases the lock, on every system.
            os.close(descriptor)

    @contextlib.contextmanager
    def _folder(self, name: str) -> Generator[int | None]:
        """The folder of a file, as `open_folder` gives it."""
        self._check_parent(name)
        with open_folder(self.path, self._inode, tuple(name.split("/")[:-1])) as folder:
            yield folder

    def _check_writable(self, name: str) -> None:
        """Raise CommandError for a file of a configuration that is only read."""
        if self.is_read_only(name):
            raise CommandError(
                f"{shown(self.at(name))} is in a configuration folder that fairlead only reads.",
                "Change it where it comes from; a running proxy takes it up by itself.",
            )

    def _check_parent(self, name: str) -> None:
        parent = self.at(name.rpartition("/")[0]) if "/" in name else self.path
        if parent != self.path and (parent.is_symlink() or parent.exists()):
            check_folder(parent)


def is_configuration(name: str) -> bool:
    """True for what can be in a folder of its own, which is only read."""
    return name.partition("/")[0] in ("config.toml", "backends")


def _read_inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _write_new(path: Path, data: bytes, folder: int | None, *, sync: bool = True) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    if folder is None:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    else:
        descriptor = os.open(path.name, flags | getattr(os, "O_CLOEXEC", 0), 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def _replace(source: Path, target: Path, folder: int | None) -> None:
    if folder is None:
        os.replace(source, target)
    else:
        os.replace(source.name, target.name, src_dir_fd=folder, dst_dir_fd=folder)


def _unlink(path: Path, folder: int | None) -> None:
    if folder is None:
        path.unlink()
    else:
        os.unlink(path.name, dir_fd=folder)


def _sync_folder(folder: int | None) -> None:
    if folder is not None:
        os.fsync(folder)


def _acquire(descriptor: int, path: Path, patience: float) -> None:
    # Polled: a blocking lock has no time limit, so that no error could name the file.
    until = time.monotonic() + patience
    while not _try_lock(descriptor, path):
        if time.monotonic() > until:
            raise CommandError(f"another fairlead command holds {shown(path)}.", "Wait for it to end, then try again.")
        time.sleep(0.02)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise failed(path, "locked", error) from None
    return True
