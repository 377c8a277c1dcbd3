"""The built archives of a release: checked, unpacked, and what they need."""

import hashlib
import os
import re
import tarfile
from pathlib import Path

from router.installation.upgrade.manifest import ReleaseFile

from .description import ChannelError, Description

_PAGE = re.compile(r"fairlead/_internal/man/[a-z-]+\.[15]")


def unpack(described: Description, file: ReleaseFile, target: Path) -> Path:
    """Unpack a Linux archive of the release, after a check of its hash; its top folder. Raises ChannelError."""
    path = described.folder / file.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ChannelError(f"{path} cannot be read: {error.strerror}.", "Name its folder with --files.") from None
    if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
        raise ChannelError(f"{path} is not the file that release.json describes.", "Build the release again.")
    with tarfile.open(path, "r:xz") as tar:
        # Python has the filter from 3.11.4 on.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(target)
    top = target / "fairlead"
    if [entry.name for entry in target.iterdir() if entry.name != "home"] != ["fairlead"]:
        raise ChannelError(f"{path} holds more than the folder fairlead.", "Build the release again.")
    if not os.access(top / "fairlead", os.X_OK):
        raise ChannelError(f"{path} has no program fairlead/fairlead.", "Build the release again.")
    return top


def list_man_pages(described: Description, file: ReleaseFile) -> list[str]:
    """The names of the man pages in an archive, in order. Raises ChannelError when it has none."""
    path = described.folder / file.name
    try:
        with tarfile.open(path, "r:xz") as tar:
            names = sorted(entry.name for entry in tar if entry.isfile() and _PAGE.fullmatch(entry.name))
    except (OSError, tarfile.TarError) as error:
        raise ChannelError(f"{path} cannot be read: {error}.", "Name its folder with --files.") from None
    if not names:
        raise ChannelError(f"{path} has no man pages.", "Build the release again.")
    return names


def newest_glibc(tree: Path) -> str:
    """The highest version of glibc that the programs and libraries of a tree name; empty when they name none."""
    found: set[str] = set()
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if data.startswith(b"\x7fELF"):
                found |= {text.decode() for text in re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", data)}
    return max(found, key=lambda text: [int(part) for part in text.split(".")], default="")
