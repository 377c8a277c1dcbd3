"""Unpacks the archive of a release into a new folder.

Its hash is known to be right; these checks hold for an archive that was made wrongly or by somebody with the key. All
is below `fairlead/`; only files, folders and links to places inside; no name twice, none through a link; not more bytes
than were announced, before and after decompression. Modes are 0755 for programs and folders, else 0644.
"""

import io
import lzma
import os
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

TOP = "fairlead"
MEMBERS = 20_000
#: Bytes of an archive beside the files' own: heads, padding, long names.
_OVERHEAD_PER_MEMBER = 4096
_PIECE = 1 << 18
#: Files that are written to the disk side by side.
_AT_ONCE = 8


class BadArchive(Exception):
    """An archive that is refused; the text says why."""


class _Member(NamedTuple):
    """An entry of an archive."""

    name: str
    #: `file`, `folder` or `link`.
    kind: str
    size: int = 0
    program: bool = False
    #: Of a link.
    target: str = ""
    open: Callable[[], IO[bytes]] = io.BytesIO


def unpack(archive: Path, into: Path, *, unpacked: int) -> Path:
    """Unpack into a new folder; returns INTO/fairlead, all of it on the disk. unpacked: bytes of all files, at most.
    Raises BadArchive, OSError."""
    into.mkdir()
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                _write_all(_iter_zip(packed), into, unpacked)
        else:
            with (
                lzma.open(archive) as plain,
                tarfile.open(fileobj=_Bounded(plain, unpacked), mode="r|") as packed,
            ):
                _write_all(_iter_tar(packed, into), into, unpacked)
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, EOFError, UnicodeError, NotImplementedError) as error:
        raise BadArchive(f"the archive cannot be read: {error}") from None
    top = into / TOP
    if not top.is_dir():
        raise BadArchive(f"the archive holds no folder {TOP}")
    return top


class _Bounded(io.RawIOBase):
    """What is decompressed, until it is more than the files and their heads can be."""

    def __init__(self, plain: IO[bytes], unpacked: int):
        self._plain = plain
        self._left = unpacked + MEMBERS * _OVERHEAD_PER_MEMBER

    def read(self, size: int = -1, /) -> bytes:
        data = self._plain.read(min(size, _PIECE) if size >= 0 else _PIECE)
        self._left -= len(data)
        if self._left < 0:
            raise BadArchive("the archive unpacks to more than was announced")
        return data


def _iter_tar(packed: tarfile.TarFile, into: Path) -> Iterator[_Member]:
    # Python has it from 3.11.4 on. It refuses nothing that the checks of this file let pass: it is a second look.
    check = getattr(tarfile, "data_filter", None)
    for entry in packed:
        try:
            if check is not None:
                check(entry, str(into))
        except tarfile.TarError as error:
            raise BadArchive(f"the archive holds what is refused: {error}") from None
        if entry.isreg():
            opened = packed.extractfile(entry)
            assert opened is not None
            yield _Member(entry.name, "file", entry.size, bool(entry.mode & 0o100), open=lambda file=opened: file)
        elif entry.isdir():
            yield _Member(entry.name, "folder")
        elif entry.issym():
            yield _Member(entry.name, "link", target=entry.linkname)
        else:
            raise BadArchive(f"the archive holds {entry.name[:80]!a}, which is no file, folder or link")


def _iter_zip(packed: zipfile.ZipFile) -> Iterator[_Member]:
    for entry in packed.infolist():
        mode = entry.external_attr >> 16
        if entry.is_dir():
            yield _Member(entry.filename.rstrip("/"), "folder")
        elif stat.S_IFMT(mode) in (0, stat.S_IFREG) and not entry.flag_bits & 1:
            program = bool(mode & 0o100) or entry.filename.endswith((".exe", ".dll", ".pyd"))
            yield _Member(
                entry.filename,
                "file",
                entry.file_size,
                program,
                open=lambda entry=entry: packed.open(entry),
            )
        else:
            raise BadArchive(f"the archive holds {entry.filename[:80]!a}, which is no plain file")


def _write_all(members: Iterator[_Member], into: Path, unpacked: int) -> None:
    # In lower case: on macOS and Windows `a` and `A` are one file.
    seen: dict[str, str] = {}
    written: list[Path] = []
    left = unpacked
    for number, member in enumerate(members):
        if number >= MEMBERS:
            raise BadArchive(f"the archive holds more than {MEMBERS:,} entries")
        path = into.joinpath(*_check_name(member, seen))
        left -= member.size
        if left < 0:
            raise BadArchive("the archive unpacks to more than was announced")
        _make_folders(path if member.kind == "folder" else path.parent, into)
        if member.kind == "folder":
            continue
        if member.kind == "link":
            path.symlink_to(member.target)
        else:
            with member.open() as source:
                _write(source, path, member)
            written.append(path)
    _sync(written)


def _sync(files: Sequence[Path]) -> None:
    """Have files on the disk. Raises OSError. Several at once, which a file system writes in common: one after the
    other, each waits for a write of its own, fifteen times as long for a version's files. Not all of the file system:
    that would wait for what other programs write, and its errors are not told everywhere."""

    def sync(path: Path) -> None:
        with path.open("rb+") as file:
            os.fsync(file.fileno())

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(sync, files):
            pass


def _make_folders(path: Path, into: Path) -> None:
    """Make a folder and those above it, whatever umask says: what root installs for all is there for all to read."""
    if path != into and not path.is_dir():
        _make_folders(path.parent, into)
        path.mkdir()
        path.chmod(0o755)


def _check_name(member: _Member, seen: dict[str, str]) -> tuple[str, ...]:
    """The parts of a member's name; notes it as seen. Raises BadArchive."""
    path, shown = PurePosixPath(member.name), f"{member.name[:80]!a}"
    parts = path.parts
    odd = any(part in ("..", ".") or part.endswith((" ", ".")) for part in parts)
    if path.is_absolute() or odd or "\\" in member.name or ":" in member.name or "\0" in member.name:
        raise BadArchive(f"the archive holds the name {shown}")
    if not parts or parts[0] != TOP:
        raise BadArchive(f"the archive holds {shown}, which is not in the folder {TOP}")
    for size in range(1, len(parts)):
        if seen.get("/".join(parts[:size]).lower(), "folder") != "folder":
            raise BadArchive(f"the archive holds {shown} below what is no folder")
    key = "/".join(parts).lower()
    if key in seen and not (seen[key] == member.kind == "folder"):
        raise BadArchive(f"the archive holds {shown} twice")
    for size in range(1, len(parts)):
        seen.setdefault("/".join(parts[:size]).lower(), "folder")
    seen[key] = member.kind
    if member.kind == "link":
        _check_target(member, parts)
    return parts


def _check_target(member: _Member, parts: tuple[str, ...]) -> None:
    """Refuse a link that leads out of the folder, by its words alone: no folder on the way is a link."""
    depth = len(parts) - 1
    target = PurePosixPath(member.target)
    for part in target.parts:
        depth += -1 if part == ".." else 1
        if depth < 1:
            break
    if target.is_absolute() or not target.parts or depth < 1 or "\\" in member.target or ":" in member.target:
        raise BadArchive(f"the archive holds a link out of it: {member.name[:80]!a}")


def _write(source: IO[bytes], path: Path, member: _Member) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    left = member.size
    with os.fdopen(os.open(path, flags, 0o755 if member.program else 0o644), "wb") as file:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise BadArchive("the archive unpacks to more than was announced")
            file.write(piece)
        if sys.platform != "win32":
            os.fchmod(file.fileno(), 0o755 if member.program else 0o644)
    if left:
        raise BadArchive(f"the archive was cut inside {member.name[:80]!a}")
