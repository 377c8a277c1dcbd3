"""An rpm of each Linux program: no scripts run, nothing is enabled."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from router.installation.upgrade.manifest import ReleaseFile

from .archive import newest_glibc
from .description import HOMEPAGE, LICENSE, MAINTAINER, SUMMARY, ChannelError, Description, fill, write
from .linux import FEDORA, settle, stage
from .share import Share

_ARCHES = (("x86_64", "x86_64"), ("aarch64", "arm64"))
# Folders that other packages own.
_OWN = ("usr/lib/fairlead", "usr/share/doc/fairlead", "usr/share/licenses/fairlead")


def generate(described: Description, share: Share, out: Path) -> None:
    """Raises ChannelError, also where rpmbuild is missing."""
    if shutil.which("rpmbuild") is None:
        raise ChannelError("rpmbuild is not here.", "Install rpm-build (Debian: rpm), or leave rpm out with --only.")
    for name, arch in _ARCHES:
        _build(described, described.need("linux", arch, libc="glibc"), share, name, out)


def _build(described: Description, file: ReleaseFile, share: Share, arch: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        tree = place / "tree"
        tree.mkdir()
        stage(described, file, share, FEDORA, tree)
        settle(tree, described.epoch)
        glibc = newest_glibc(tree)
        values = {
            "VERSION": described.version,
            "SUMMARY": SUMMARY,
            "LICENSE": LICENSE,
            "HOMEPAGE": HOMEPAGE,
            "MAINTAINER": MAINTAINER,
            "REQUIRES": f"libc.so.6(GLIBC_{glibc})(64bit)" if glibc else "glibc",
            "FILES": "\n".join(_list(tree)),
        }
        write(place / "fairlead.spec", fill("fairlead.spec", values))
        command = ["rpmbuild", "-bb", "--quiet", "--target", f"{arch}-linux"]
        for name, value in (("_topdir", place / "top"), ("staged", tree), ("_dbpath", place / "db")):
            command += ["--define", f"{name} {value}"]
        environ = {**os.environ, "SOURCE_DATE_EPOCH": str(described.epoch), "HOME": scratch}
        done = subprocess.run(
            [*command, str(place / "fairlead.spec")], env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChannelError(f"rpmbuild failed: {done.stderr.strip()}", "Its message says why.")
        out.mkdir(parents=True, exist_ok=True)
        [built] = (place / "top" / "RPMS").rglob("*.rpm")
        shutil.copyfile(built, out / f"fairlead-{described.version}-1.{arch}.rpm")


def _list(tree: Path) -> list[str]:
    """The lines of %files: each file, and the folders that are this package's own."""
    lines: list[str] = []
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if any(character in name for character in '"%*?[{\\ '):
            raise ChannelError(
                f"{name} has a character that a spec reads as something else.", "Rename it in the build."
            )
        if path.is_dir() and not path.is_symlink():
            if any(name == own or name.startswith(f"{own}/") for own in _OWN):
                lines.append(f"%dir /{name}")
        elif name.startswith("usr/share/doc/"):
            lines.append(f"%doc /{name}")
        elif name.startswith("usr/share/licenses/"):
            lines.append(f"%license /{name}")
        else:
            lines.append(f"/{name}")
    return lines
