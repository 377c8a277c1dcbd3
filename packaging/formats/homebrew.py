"""Homebrew: a formula, and a cask once the macOS programs are signed.

A formula's install rewrites Mach-O files and so breaks a Developer ID signature; a cask keeps it, but quarantines what
has none. So macOS is in the formula as long as its programs are unsigned, and in the cask from then on.
"""

import hashlib
from pathlib import Path

from router.installation.upgrade.manifest import ReleaseFile

from .archive import list_man_pages
from .description import HOMEPAGE, LICENSE, SUMMARY, ChannelError, Description, fill, write

_ARCHES = (("on_arm", "arm64"), ("on_intel", "x86_64"))


def generate(described: Description, share: tuple[str, bytes], out: Path) -> None:
    """share: name and bytes of the archive of man pages and completions. Raises ChannelError."""
    macs = [described.need("macos", arch) for _, arch in _ARCHES]
    if len({file.signed for file in macs}) > 1:
        raise ChannelError("one of the macOS programs is signed, the other is not.", "Sign both, or neither.")
    signed = macs[0].signed
    systems = [] if signed else [_system(described, "on_macos", macs)]
    linux = [described.need("linux", arch, libc="glibc") for _, arch in _ARCHES]
    systems.append(_system(described, "on_linux", linux))
    name, data = share
    values = {
        "SUMMARY": SUMMARY,
        "HOMEPAGE": HOMEPAGE,
        "VERSION": described.version,
        "LICENSE": LICENSE,
        "SYSTEMS": "\n\n".join(systems) if not signed else "  depends_on :linux\n\n" + systems[0],
        "SHARE_URL": described.url(name),
        "SHARE_SHA256": hashlib.sha256(data).hexdigest(),
    }
    write(out / "Formula" / "fairlead.rb", fill("formula.rb", values))
    if signed:
        write(out / "Casks" / "fairlead.rb", _cask(described, macs))


def _system(described: Description, system: str, files: list[ReleaseFile]) -> str:
    lines = [f"  {system} do"]
    for (block, _), file in zip(_ARCHES, files, strict=True):
        lines += [
            f"    {block} do",
            f'      url "{described.url(file.name)}"',
            f'      sha256 "{file.sha256}"',
            "    end",
        ]
    return "\n".join([*lines, "  end"])


def _cask(described: Description, files: list[ReleaseFile]) -> str:
    arm, intel = files
    url = described.url(arm.name).replace(described.version, "#{version}").replace("arm64", "#{arch}")
    if url != described.url(intel.name).replace(described.version, "#{version}").replace("x86_64", "#{arch}"):
        raise ChannelError(f"{arm.name} and {intel.name} differ in more than the architecture.", "Name them alike.")
    values = {
        "SUMMARY": SUMMARY,
        "HOMEPAGE": HOMEPAGE,
        "VERSION": described.version,
        "SHA256_ARM": arm.sha256,
        "SHA256_INTEL": intel.sha256,
        "URL": url,
        "MAN_PAGES": "\n".join(f'  manpage "{name}"' for name in _list_common_pages(described, arm, intel)),
    }
    return fill("cask.rb", values)


def _list_common_pages(described: Description, arm: ReleaseFile, intel: ReleaseFile) -> list[str]:
    pages = list_man_pages(described, arm)
    if pages != list_man_pages(described, intel):
        raise ChannelError(f"{arm.name} and {intel.name} have other man pages.", "Build both from the same sources.")
    return pages
