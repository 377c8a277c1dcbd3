"""The channels of a release of the stand-in program, generated as a release does it."""

import subprocess
import sys
from pathlib import Path

from router.installation.upgrade.manifest import Release, ReleaseFile

from .fake_release import ROOT, make_release

KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"


def generate(release: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run packaging/channels.py on release.json of a folder."""
    command = [
        sys.executable,
        str(ROOT / "packaging" / "channels.py"),
        str(release / "release.json"),
        "--out",
        str(out),
    ]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)


def make(folder: Path, *channels: str, signed: tuple[str, ...] = ()) -> tuple[Release, Path]:
    """A release in folder/release and these channels in folder/out."""
    release = make_release(folder / "release", "0.3.0", signed=signed)
    only = [word for channel in channels for word in ("--only", channel)]
    done = generate(folder / "release", folder / "out", "--key", KEY, *only)
    assert done.returncode == 0, done.stderr
    return release, folder / "out"


def find(release: Release, system: str, arch: str, libc: str = "", form: str = "folder") -> ReleaseFile:
    [found] = [
        file for file in release.files if (file.os, file.arch, file.libc, file.form) == (system, arch, libc, form)
    ]
    return found


def address(file: ReleaseFile) -> str:
    return f"https://github.com/fairlead/fairlead/releases/download/v0.3.0/{file.name}"
