"""How the files of a release are named, and what they are named from."""

import platform
import re
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
# What an archive's name ends with.
ARCHIVES = (".tar.xz", ".zip")


class BuildError(Exception):
    """What went wrong, and what mends it."""


def version(root: Path = ROOT) -> str:
    """The version of the sources."""
    found = re.search(r'^__version__ = "(.+)"$', (root / "router" / "__init__.py").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError("router/__init__.py names no version")
    return found[1]


def musl() -> bool:
    """This Python runs on musl instead of glibc."""
    told = (sysconfig.get_config_var("SOABI"), sysconfig.get_config_var("HOST_GNU_TYPE"))
    return sys.platform == "linux" and any("musl" in str(name) for name in told)


def place(*, signed: bool = False) -> str:
    """The system and machine that results are named by, such as linux-x86_64 or macos-arm64-unsigned.

    Linux programs carry no signature of their own, so that their names say nothing of one.
    """
    machine = platform.machine().lower()
    system = SYSTEMS.get(sys.platform, sys.platform)
    parts = [system, MACHINES.get(machine, machine)]
    parts += ["musl"] if musl() else []
    parts += ["unsigned"] if system != "linux" and not signed else []
    return "-".join(parts)


def one_file(*, signed: bool = False) -> str:
    """The name of the program in one file."""
    return f"fairlead-{place(signed=signed)}{'.exe' if sys.platform == 'win32' else ''}"


def megabytes(size: int) -> str:
    """A size as people read it."""
    return f"{size / (1 << 20):.1f} MB"
