"""The tree that a deb or an rpm installs, from the Linux archive of the release."""

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from router.installation.upgrade.manifest import ReleaseFile

from .archive import unpack
from .description import Description
from .share import Share


class Layout(NamedTuple):
    """Where a family of systems keeps what differs between them."""

    zsh: str
    licence: str
    changes: str


DEBIAN = Layout(
    "usr/share/zsh/vendor-completions", "usr/share/doc/fairlead/copyright", "usr/share/doc/fairlead/NEWS.md.gz"
)
FEDORA = Layout(
    "usr/share/zsh/site-functions", "usr/share/licenses/fairlead/LICENSE", "usr/share/doc/fairlead/CHANGELOG.md"
)


def stage(described: Description, file: ReleaseFile, share: Share, layout: Layout, tree: Path) -> None:
    """Fill an empty folder with all that is installed below /, with the modes and the time that it will have."""
    lib = tree / "usr/lib"
    lib.mkdir(parents=True)
    program = unpack(described, file, lib)
    # They stand where man looks for them.
    shutil.rmtree(program / "_internal" / "man", ignore_errors=True)
    for name, data in _texts(share, layout):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    link = tree / "usr/bin/fairlead"
    link.parent.mkdir()
    link.symlink_to("../lib/fairlead/fairlead")


def _texts(share: Share, layout: Layout) -> Iterator[tuple[str, bytes]]:
    for name, data in share.man.items():
        yield f"usr/share/man/man{name[-1]}/{name}.gz", squeeze(data)
    yield "usr/share/bash-completion/completions/fairlead", share.completions["bash"]
    yield f"{layout.zsh}/_fairlead", share.completions["zsh"]
    yield "usr/share/fish/vendor_completions.d/fairlead.fish", share.completions["fish"]
    # Read by systemd --user; enabled by whoever wants it: systemctl --user enable --now fairlead
    yield "usr/lib/systemd/user/fairlead.service", share.unit
    yield layout.licence, share.license
    yield layout.changes, squeeze(share.changes) if layout.changes.endswith(".gz") else share.changes


def squeeze(data: bytes) -> bytes:
    """gzip without a time, as Debian wants it."""
    return gzip.compress(data, 9, mtime=0)


def settle(tree: Path, epoch: int) -> None:
    """Give every file and folder of a tree the modes and the one time that it is packed with."""
    for path in sorted(tree.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    tree.chmod(0o755)
    os.utime(tree, (epoch, epoch))
