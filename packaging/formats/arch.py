"""The AUR: PKGBUILD, and .SRCINFO, which says the same in the form that the AUR reads."""

import hashlib
from pathlib import Path

from .description import HOMEPAGE, LICENSE, MAINTAINER, SUMMARY, Description, fill, write

_ARCHES = (("x86_64", "x86_64"), ("aarch64", "arm64"))


def generate(described: Description, share: tuple[str, bytes], out: Path) -> None:
    """share: name and bytes of the archive of man pages and completions. Raises ChannelError."""
    name, data = share
    files = {arch: described.need("linux", ours, libc="glibc") for arch, ours in _ARCHES}
    values = {
        "VERSION": described.version,
        "SUMMARY": SUMMARY,
        "HOMEPAGE": HOMEPAGE,
        "LICENSE": LICENSE,
        "MAINTAINER": MAINTAINER,
        "SHARE_URL": described.url(name),
        "SHARE_SHA256": hashlib.sha256(data).hexdigest(),
    }
    for arch, file in files.items():
        values[f"URL_{arch.upper()}"] = described.url(file.name)
        values[f"SHA256_{arch.upper()}"] = file.sha256
    write(out / "PKGBUILD", fill("PKGBUILD", values))
    write(out / ".SRCINFO", fill("SRCINFO", values))
