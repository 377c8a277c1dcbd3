"""The version folders of an installation: PREFIX/versions/VERSION, the link PREFIX/current, and what is kept.

Rules of this file: a folder gets its name when it is whole, and loses it before it is deleted; `current` is there at
all times, replaced by rename or, on Windows, pointed elsewhere; what a version needs for going back to it (its files'
hashes, the history it reads) stands inside its folder.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Collection, Generator
from pathlib import Path

import msgspec

from router.errors import CommandError
from router.installation.upgrade.junction import point_junction
from router.installation.upgrade.release import parse_version
from router.store.home.permissions import shown
from router.store.home.processes import alive

LOCK, CURRENT, VERSIONS = "upgrade.lock", "current", "versions"
#: Of a version that is not of its name yet, and of one that is no more.
PART, GONE = ".part-", ".gone-"
RECORD = ".kept.json"
#: Seconds.
_BETWEEN_RENAMES = 0.02
PROGRAM = "fairlead.exe" if sys.platform == "win32" else "fairlead"


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """What is known of a version folder."""

    version: str
    #: `PRAGMA user_version` of the newest history.db that it reads; -1 when that is not known.
    history_schema: int
    #: When it was last replaced, seconds since 1970; 0 when it never was.
    left: float = 0.0
    #: File -> SHA-256 in hexadecimal digits, for a link what it points to behind `link:`.
    files: dict[str, str]


def folder_of(prefix: Path, version: str) -> Path:
    """The folder of a version."""
    return prefix / VERSIONS / version


@contextlib.contextmanager
def hold_lock(prefix: Path) -> Generator[None]:
    """Hold the lock of an installation. Raises CommandError when another upgrade has it, or it cannot be written."""
    path = prefix / LOCK
    try:
        (prefix / VERSIONS).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise explain(error, prefix) from None
    try:
        _acquire(descriptor, prefix)
        yield
    finally:
        # Closing releases the lock, on every system.
        os.close(descriptor)


def _acquire(descriptor: int, prefix: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise CommandError(f"another upgrade of {shown(prefix)} is running.", "Wait for it to end.") from None
    except OSError as error:
        raise explain(error, prefix) from None


def explain(error: OSError, place: Path) -> CommandError:
    """The error of a command for one of the disk."""
    reason, hint = error.strerror or str(error), "The installed version was not changed."
    if isinstance(error, PermissionError):
        hint += "\nRun the command as the user who installed it."
    return CommandError(f"{shown(place)} cannot be written: {reason}.", hint)


def find_current(prefix: Path) -> str:
    """The version that `current` points to, '' for none."""
    # Who installs on Windows may have it away for an instant.
    target = read_link(prefix / CURRENT, 10 if sys.platform == "win32" else 1)
    name = os.path.basename(target.rstrip("/\\"))
    return name if parse_version(name) else ""


def read_link(link: Path, tries: int) -> str:
    """What a link points to, '' for none; tried so often while there is none."""
    for number in range(tries):
        if number:
            time.sleep(_BETWEEN_RENAMES)
        with contextlib.suppress(OSError):
            return os.readlink(link)
    return ""


def point_current(prefix: Path, version: str) -> None:
    """Make `current` point to a version, in one step. Raises OSError."""
    link, new = prefix / CURRENT, prefix / f".{CURRENT}-{os.getpid()}"
    if sys.platform == "win32":
        _replace_junction(prefix, version, link, new)
        return
    new.unlink(missing_ok=True)
    os.symlink(f"{VERSIONS}/{version}", new)
    try:
        new.replace(link)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(prefix)


def _replace_junction(prefix: Path, version: str, link: Path, new: Path) -> None:
    """Point it elsewhere, or, on a file system that does not do that, replace it: there is no link then for the time
    between two renames."""
    if sys.platform != "win32":
        return
    import _winapi

    if os.path.lexists(link):
        with contextlib.suppress(OSError):
            point_junction(link, folder_of(prefix, version))
            if os.path.samefile(link, folder_of(prefix, version)):
                return
    old = prefix / f".{CURRENT}-old-{os.getpid()}"
    _winapi.CreateJunction(str(folder_of(prefix, version)), str(new))
    if os.path.lexists(link):
        link.rename(old)
    try:
        new.rename(link)
    except OSError:
        if os.path.lexists(old):
            old.rename(link)
        raise
    with contextlib.suppress(OSError):
        old.rmdir()  # removes the junction, not what it points to


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises OSError."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def hash_files(folder: Path) -> dict[str, str]:
    """The files of a version and their hashes, as `Kept.files`. Raises OSError."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link:{os.readlink(path)}"
        elif path.is_file() and not name.startswith(RECORD):
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def read_record(folder: Path) -> Kept | None:
    """What is known of a version folder; None without a record, or with one that cannot be read."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def write_record(folder: Path, kept: Kept) -> None:
    """Write it whole or not at all. Raises OSError."""
    new = folder / f"{RECORD}.{os.getpid()}"
    for left in folder.glob(f"{RECORD}.*"):
        left.unlink()
    try:
        with new.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / RECORD)
    finally:
        new.unlink(missing_ok=True)


def find_previous(prefix: Path, current: str) -> Kept | None:
    """The version that was replaced last, of those that are kept."""
    found = [(folder, read_record(folder)) for folder in _list_folders(prefix)]
    # A record of another folder's name would have that one deleted and run under this one's promises.
    kept = [one for folder, one in found if one is not None and one.version == folder.name != current and one.left]
    return max(kept, key=lambda one: one.left, default=None)


def find_time(prefix: Path) -> float:
    """Now, for `Kept.left`: later than that of every version, also after the clock was set back."""
    records = [read_record(folder) for folder in _list_folders(prefix)]
    return max(time.time(), *(one.left + 1 for one in records if one is not None), 0.0)


def place_version(part: Path, prefix: Path, version: str) -> None:
    """Give a whole folder its name; one that has it already is moved away. Raises OSError."""
    folder = folder_of(prefix, version)
    if folder.exists():
        gone = prefix / VERSIONS / f"{GONE}{version}-{os.getpid()}"
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
    part.rename(folder)
    sync_folder(folder.parent)


def clean(prefix: Path, keep: Collection[str]) -> None:
    """Delete other versions, and what ended upgrades left. What cannot be deleted, as a program that runs on Windows,
    stays for the next time."""
    for folder in _list_folders(prefix):
        if folder.name not in keep and not _is_in_use(folder):
            with contextlib.suppress(OSError):
                folder.rename(folder.with_name(f"{GONE}{folder.name}-{os.getpid()}"))
    clean_parts(prefix)


def clean_parts(prefix: Path) -> None:
    """Delete what ended upgrades left, and versions that lost their name."""
    with contextlib.suppress(OSError):
        for path in (prefix / VERSIONS).iterdir():
            number = path.name.rpartition("-")[2]
            running = number.isdecimal() and int(number) != os.getpid() and alive(int(number))
            if path.name.startswith((PART, GONE)) and not running and not _is_in_use(path):
                shutil.rmtree(path, ignore_errors=True)
        for path in prefix.glob(f".{CURRENT}-*"):
            path.unlink()


def _list_folders(prefix: Path) -> list[Path]:
    try:
        paths = sorted((prefix / VERSIONS).iterdir())
    except OSError:
        return []
    return [path for path in paths if parse_version(path.name) and path.is_dir() and not path.is_symlink()]


def _is_in_use(folder: Path) -> bool:
    """True while a process runs a program of this folder, as far as the system tells: on Linux, of this user."""
    if sys.platform != "linux":
        return False
    inside = f"{os.path.realpath(folder)}/"
    for number in os.listdir("/proc"):
        if number.isdecimal():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{number}/exe").startswith(inside):
                    return True
    return False
