"""Reads and replaces the configuration files of tools.

Rules of this file: what is replaced is what was read: the bytes are compared once more just before the rename. A link
is followed and its target is replaced, in the target's own folder, with the mode and the owner that it had. A file that
has several names, or that this user may not replace, is left alone (`NotWritable`).
"""

import contextlib
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from router.errors import CommandError
from router.setup.formats.document import SIZE_LIMIT
from router.store.home.permissions import shown

_BOM = "\ufeff"
_NEW_MODE = 0o600


class NotWritable(Exception):
    """A file cannot be replaced; the message says why, as a clause about the file."""


class ConfigFile(NamedTuple):
    """A file as it was read."""

    #: As the tool names it.
    path: Path
    #: With links followed.
    real: Path
    #: None when there is none.
    data: bytes | None
    #: Permission bits; those of new files when there is none.
    mode: int = _NEW_MODE
    links: int = 1
    #: User and group.
    owner: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The text without a byte order mark, "" when there is no file."""
        return (self.data or b"").decode("utf-8").removeprefix(_BOM)

    @property
    def newline(self) -> str:
        """What ends most lines."""
        text = self.text
        crlf = text.count("\r\n")
        return "\r\n" if crlf > text.count("\n") - crlf else "\n"

    def encode(self, text: str) -> bytes:
        """A text as bytes, with the byte order mark that the file has."""
        begin = _BOM if (self.data or b"").startswith(_BOM.encode()) else ""
        return (begin + text).encode("utf-8")


def compute_hash(data: bytes | None) -> str:
    """SHA-256 in hexadecimal digits; "" for a file that is not there."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def read_config(path: Path) -> ConfigFile:
    """Read a file. Raises CommandError for one that is no plain file, too large, not readable, or not in UTF-8."""
    real = Path(os.path.realpath(path))
    try:
        entry = real.stat()
        if not stat.S_ISREG(entry.st_mode):
            raise CommandError(f"{shown(path)} is not a plain file.", "Nothing was changed.")
        if entry.st_size > SIZE_LIMIT:
            raise CommandError(f"{shown(path)} is larger than 1 MiB.", "Nothing was changed.")
        data = real.read_bytes()
    except FileNotFoundError:
        return ConfigFile(path, real, None)
    except NotADirectoryError:
        raise CommandError(f"{shown(path.parent)} is not a folder.", "Nothing was changed.") from None
    except OSError as error:
        raise CommandError(
            f"{shown(path)} cannot be read: {error.strerror or error}.", "Nothing was changed."
        ) from None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{shown(path)} line {line}: the text is not UTF-8.", "Nothing was changed.") from None
    owner = None if sys.platform == "win32" else (entry.st_uid, entry.st_gid)
    return ConfigFile(path, real, data, stat.S_IMODE(entry.st_mode), entry.st_nlink, owner)


def check_writable(file: ConfigFile) -> None:
    """Refuse what must not be replaced. Raises NotWritable."""
    if file.links > 1:
        raise NotWritable("it is a hard link: replaced, it would be parted from its other name")
    folder = _find_folder(file.real)
    if file.data is not None and file.real.exists() and not os.access(file.real, os.W_OK):
        raise NotWritable("it is read-only")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotWritable(f"{shown(folder)} is read-only")


def _find_folder(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next((one for one in path.parents if one.exists()), path.parent)


def list_missing_folders(path: Path) -> list[Path]:
    """The folders above a file that are not there, outermost first."""
    return [one for one in reversed(path.parents) if not one.exists()]


def write_config(file: ConfigFile, data: bytes, mode: int) -> None:
    """Replace a file that still is as it was read, or make it. Raises NotWritable, CommandError when it changed."""
    check_writable(file)
    temporary = file.real.with_name(f".{file.real.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file.real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise NotWritable(f"{shown(file.real.parent)} cannot be written to ({error.strerror})") from None
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            if sys.platform != "win32":
                _keep_owner(out.fileno(), file)
                os.fchmod(out.fileno(), mode)
            out.flush()
            os.fsync(out.fileno())
        check_unchanged(file)
        os.replace(temporary, file.real)
    except OSError as error:
        raise NotWritable(f"it cannot be replaced ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _keep_owner(descriptor: int, file: ConfigFile) -> None:
    if sys.platform == "win32" or file.owner is None:
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != file.owner:
        try:
            os.fchown(descriptor, *file.owner)
        except OSError:
            raise NotWritable("it belongs to another user or group") from None


def check_unchanged(file: ConfigFile) -> None:
    """Raises CommandError when a file is not as it was read."""
    try:
        now: bytes | None = file.real.read_bytes()
    except FileNotFoundError:
        now = None
    except OSError as error:
        raise NotWritable(f"it cannot be read again ({error.strerror})") from None
    if now != file.data or Path(os.path.realpath(file.path)) != file.real:
        raise CommandError(
            f"{shown(file.path)} was changed by another program in the meantime.",
            "It was left as it is. Run the command again.",
        )


def remove_config(file: ConfigFile, folders: Sequence[Path]) -> None:
    """Remove a file that still is as it was read, then those of the folders that are empty. Raises NotWritable,
    CommandError when it changed."""
    check_unchanged(file)
    try:
        file.real.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise NotWritable(f"it cannot be removed ({error.strerror})") from None
    for folder in sorted(folders, key=lambda one: -len(one.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
