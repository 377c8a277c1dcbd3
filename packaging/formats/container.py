"""The context from which a container image is built: the unpacked programs of both machines, and the Containerfile.

docker buildx build --platform linux/amd64,linux/arm64 -f Containerfile .
"""

from pathlib import Path

from .archive import unpack
from .description import HOMEPAGE, LICENSE, ROOT, SUMMARY, Description, fill, write
from .linux import settle

_ARCHES = (("amd64", "x86_64"), ("arm64", "arm64"))
#: The uid and gid that the image runs as: `nonroot` of its base.
USER = 65532


def generate(described: Description, out: Path) -> None:
    """Raises ChannelError where a program is missing."""
    for name, arch in _ARCHES:
        target = out / name
        target.mkdir(parents=True, exist_ok=False)
        unpack(described, described.need("linux", arch, libc="glibc"), target)
    values = {
        "SUMMARY": SUMMARY,
        "VERSION": described.version,
        "LICENSE": LICENSE,
        "HOMEPAGE": HOMEPAGE,
        "DATE": described.release.date,
    }
    write(out / "Containerfile", fill("Containerfile", values))
    write(out / "LICENSE", (ROOT / "LICENSE").read_text("utf-8"))
    # An empty folder is copied by no tool that is sure of it.
    write(out / "data" / ".keep", "")
    settle(out, described.epoch)
