"""A deb of each Linux program, which is not part of a distribution: no scripts run, nothing is enabled."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from router.installation.upgrade.manifest import ReleaseFile

from .archive import newest_glibc
from .description import HOMEPAGE, MAINTAINER, SUMMARY, ChannelError, Description, fill
from .linux import DEBIAN, settle, squeeze, stage
from .share import Share

_ARCHES = (("amd64", "x86_64"), ("arm64", "arm64"))


def generate(described: Description, share: Share, out: Path) -> None:
    """Raises ChannelError, also where dpkg-deb is missing."""
    if shutil.which("dpkg-deb") is None:
        raise ChannelError("dpkg-deb is not here.", "Install dpkg, or leave the deb out with --only.")
    for name, arch in _ARCHES:
        _build(described, described.need("linux", arch, libc="glibc"), share, name, out)


def _build(described: Description, file: ReleaseFile, share: Share, arch: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir()
        stage(described, file, share, DEBIAN, tree)
        _complete_documentation(described, share, tree)
        control = tree / "DEBIAN"
        installed = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
        control.mkdir()
        (control / "md5sums").write_text(_sums(tree), "utf-8")
        (control / "control").write_text(_control(described, arch, newest_glibc(tree), installed), "utf-8")
        settle(tree, described.epoch)
        out.mkdir(parents=True, exist_ok=True)
        target = out / f"fairlead_{described.version}_{arch}.deb"
        environ = {
            **os.environ,
            "SOURCE_DATE_EPOCH": str(described.epoch),
            # The number of threads decides how xz cuts its blocks.
            "DPKG_DEB_THREADS_MAX": "1",
        }
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z9", "--build", str(tree), str(target)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ChannelError(f"dpkg-deb failed: {done.stderr.strip()}", "Its message says why.")


def _complete_documentation(described: Description, share: Share, tree: Path) -> None:
    text = "\n".join(f" {line}" if line.strip() else " ." for line in share.license.decode().splitlines())
    (tree / DEBIAN.licence).write_text(fill("copyright", {"HOMEPAGE": HOMEPAGE, "LICENSE_TEXT": text}), "utf-8")
    day = format_datetime(datetime.fromtimestamp(described.epoch, UTC))
    entry = f"fairlead ({described.version}) stable; urgency=medium\n\n"
    entry += f"  * Release {described.version}; see NEWS.md.gz.\n\n -- {MAINTAINER}  {day}\n"
    (tree / "usr/share/doc/fairlead/changelog.gz").write_bytes(squeeze(entry.encode()))
    overrides = tree / "usr/share/lintian/overrides/fairlead"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(fill("lintian-overrides", {}), "utf-8")


def _sums(tree: Path) -> str:
    """What `dpkg --verify` compares: MD5, because dpkg knows no other."""
    lines: list[str] = []
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and "DEBIAN" not in path.parts:
            sum_ = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            lines.append(f"{sum_}  {path.relative_to(tree)}\n")
    return "".join(lines)


def _control(described: Description, arch: str, glibc: str, installed: int) -> str:
    fields = {
        "Package": "fairlead",
        "Version": described.version,
        "Architecture": arch,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(-(-installed // 1024)),
        "Depends": f"libc6 (>= {glibc})" if glibc else "libc6",
        "Recommends": "ca-certificates",
        "Section": "net",
        "Priority": "optional",
        "Homepage": HOMEPAGE,
        "Description": SUMMARY,
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return (
        head
        + " Coding agents and SDK programs send their requests to one address on this\n"
        + " machine; fairlead passes each to the provider that has its model, translates\n"
        + " between the protocols, pools keys and keeps budgets.\n"
    )
