"""What belongs to an installation beside the program: man pages, completions, the unit, licence and changes."""

import io
import os
import platform
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from router.service.definition import Wanted
from router.service.unit import make_unit

from .archive import unpack
from .description import HOMEPAGE, ROOT, ChannelError, Description

#: Shell -> the name of its completions.
COMPLETIONS = {"bash": "fairlead.bash", "zsh": "_fairlead", "fish": "fairlead.fish", "powershell": "fairlead.ps1"}
#: The service of a package: for every user, who enables it with `systemctl --user enable --now fairlead`.
_INSTALLED = Wanted(("/usr/bin/fairlead",))
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Share:
    """All by file name. completions: by shell."""

    man: Mapping[str, bytes]
    completions: Mapping[str, bytes]
    unit: bytes
    license: bytes
    changes: bytes

    def files(self) -> dict[str, bytes]:
        """As they are laid out in the archive that Homebrew and the AUR take."""
        return {
            **{f"man/{name}": data for name, data in self.man.items()},
            **{f"completions/{COMPLETIONS[shell]}": data for shell, data in self.completions.items()},
            "fairlead.service": self.unit,
            "LICENSE": self.license,
            "CHANGELOG.md": self.changes,
        }


def collect(described: Description, *, man: Path, completions: Path | None) -> Share:
    """man: a folder of man pages. completions: a folder of them; None runs the program that the release has for this
    system. Raises ChannelError when something is missing."""
    pages = {path.name: path.read_bytes() for path in sorted(man.glob("*.[15]"))} if man.is_dir() else {}
    if "fairlead.1" not in pages:
        raise ChannelError(f"{man} has no fairlead.1.", "Name the folder of the man pages with --man.")
    return Share(
        man=pages,
        completions=_read(completions) if completions else _ask(described),
        unit=make_unit(_INSTALLED, documentation=f"man:fairlead(1) {HOMEPAGE}").encode(),
        license=(ROOT / "LICENSE").read_bytes(),
        changes=(ROOT / "packaging" / "CHANGELOG.md").read_bytes(),
    )


def _read(folder: Path) -> dict[str, bytes]:
    missing = [name for name in COMPLETIONS.values() if not (folder / name).is_file()]
    if missing:
        raise ChannelError(f"{folder} has no {', '.join(missing)}.", "`fairlead completions SHELL` prints each.")
    return {shell: (folder / name).read_bytes() for shell, name in COMPLETIONS.items()}


def _ask(described: Description) -> dict[str, bytes]:
    machine = _MACHINES.get(platform.machine().lower(), "")
    found = described.find("linux", machine, libc="glibc") if platform.system() == "Linux" else None
    if found is None:
        raise ChannelError(
            "the release has no program that runs here, to print its completions.",
            "Give a folder that has them with --completions.",
        )
    with tempfile.TemporaryDirectory() as scratch:
        program = unpack(described, found, Path(scratch)) / "fairlead"
        environ = {**os.environ, "FAIRLEAD_HOME": str(Path(scratch) / "home")}
        return {shell: _print_completions(program, shell, environ) for shell in COMPLETIONS}


def _print_completions(program: Path, shell: str, environ: Mapping[str, str]) -> bytes:
    done = subprocess.run([program, "completions", shell], env=environ, capture_output=True, timeout=60, check=False)
    if done.returncode or not done.stdout.strip():
        told = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise ChannelError(
            f"`fairlead completions {shell}` of the built program failed: {told or 'it printed nothing'}.",
            "Give a folder that has the completions with --completions.",
        )
    return done.stdout


def pack(share: Share, described: Description) -> tuple[str, bytes]:
    """The archive of it, and its name: nothing but the files decides its bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:xz", preset=9, format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(share.files().items()):
            entry = tarfile.TarInfo(f"fairlead-share/{name}")
            entry.size, entry.mtime, entry.mode = len(data), described.epoch, 0o644
            entry.uname = entry.gname = "root"
            tar.addfile(entry, io.BytesIO(data))
    return f"fairlead-{described.version}-share.tar.xz", made.getvalue()
