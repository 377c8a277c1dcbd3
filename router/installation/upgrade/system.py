"""The system that a program is for, in the words of release.json."""

import os
import platform
import sys
from typing import NamedTuple

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


class System(NamedTuple):
    """A system and its machine."""

    os: str
    arch: str
    #: `glibc` or `musl` on Linux, else ''.
    libc: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.os, self.arch, self.libc if self.libc == "musl" else "") if part)


def find_system() -> System:
    """The system of the running program; names that no release has stay as the system gives them."""
    machine = platform.machine().lower()
    return System(
        _SYSTEMS.get(sys.platform, sys.platform),
        _MACHINES.get(machine, machine),
        _find_libc(),
    )


def _find_libc() -> str:
    if sys.platform != "linux":
        return ""
    try:
        # The program's own C library answers, so that a program for musl on a system with both is told right.
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        name = ""
    return "glibc" if name.startswith("glibc") else "musl"
