"""What the programs and libraries of a build ask of the system they run on."""

import re
from collections.abc import Iterable
from pathlib import Path

ELF = b"\x7fELF"
# Mach-O of 32 and 64 bits in both orders of bytes, the last two for several machines in one file; and Windows'.
MACH_O = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
PE = b"MZ"


def binaries(folder: Path) -> list[Path]:
    """Every program and library below a folder, in the order of signing: the programs at its top come last."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink() and _native(path)]
    return sorted(found, key=lambda path: path.parent == folder)


def _native(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4)
    return start == ELF or start in MACH_O or start[:2] == PE


def newest_glibc(files: Iterable[Path]) -> str:
    """The highest glibc symbol version that these programs and libraries name; '0' when they name none."""
    found = {b"0"}
    for path in files:
        data = path.read_bytes()
        if data.startswith(ELF):
            found.update(re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", data))
    return max((text.decode() for text in found), key=numbers)


def of_glibc(files: Iterable[Path]) -> list[str]:
    """The names of those files that were made for glibc, by its symbols or the name of its library."""
    data = ((path.name, path.read_bytes()) for path in files)
    return [name for name, text in data if text.startswith(ELF) and re.search(rb"\0(GLIBC_\d|libc\.so\.6\0)", text)]


def numbers(text: str) -> tuple[int, ...]:
    """A dotted version as numbers, to compare it."""
    return tuple(int(part) for part in text.split("."))
