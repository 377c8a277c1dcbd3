"""Archives that depend on nothing but the files in them: sorted, one time, one owner, two modes."""

import os
import sys
import tarfile
import zipfile
from pathlib import Path

# Archives carry this time: 2020-01-01, the first that zip tools everywhere show without surprise.
STAMP = 1577836800


def pack(folder: Path, stem: Path) -> Path:
    """Pack a folder, itself the top of the archive, into `stem` with .tar.xz (.zip on Windows) behind it."""
    if sys.platform == "win32":
        return _zip(folder, stem.with_name(f"{stem.name}.zip"))
    archive = stem.with_name(f"{stem.name}.tar.xz")
    with tarfile.open(archive, "w:xz", preset=9, format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = tar.gettarinfo(path, str(path.relative_to(folder.parent)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = STAMP, 0, 0, "root", "root"
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            if entry.isfile() or entry.islnk():
                # Two names of one file would else be packed as a file and a link to it.
                entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    return archive


def _zip(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            # The system that made it shows in the entry, and is not the same on all.
            entry.create_system, entry.external_attr = 3, (0o755 if os.access(path, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes(), compresslevel=9)
    return archive


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive of ours below `folder`; its top folder."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with tarfile.open(archive, "r:xz") as tar:
            # Python has the filter from 3.11.4 on.
            tar.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
            tar.extractall(folder)
    [top] = (path for path in folder.iterdir() if path.is_dir())
    return top
