"""Shows that a build depends on nothing but its sources, interpreter and locked packages.

  python build/rebuild.py build [--form F]   build twice, from two copies of the sources, into two folders; compare
  python build/rebuild.py compare ONE TWO    compare two folders of results; the first file that differs is named

Exits 0 when all bytes are equal, else 1. `compare` needs nothing but Python's standard library. An archive that differs
is looked into, so that the file inside it is named.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from archives import unpack
from naming import ARCHIVES, ROOT, BuildError

SOURCES = ("build", "router", "pyproject.toml", "README.md", "LICENSE")


def main() -> int:
    """Run one of the commands; 0 when all bytes are equal."""
    parser = argparse.ArgumentParser(description="Build again and compare.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build twice and compare")
    building.add_argument("--form", choices=("folder", "file", "both"), default="both", help="default: both")
    comparing = commands.add_parser("compare", help="compare two folders of results")
    comparing.add_argument("one", type=Path)
    comparing.add_argument("two", type=Path)
    options = parser.parse_args()
    try:
        if options.command == "compare":
            told = compare(options.one, options.two)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                one, two = (build_copy(Path(scratch) / name, options.form) for name in ("one", "a longer name"))
                told = compare(one, two)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(told)
    return 0


def build_copy(place: Path, form: str) -> Path:
    """Copy the sources to `place` and build there; the folder of the results."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)
    out = place / "dist"
    command = [sys.executable, str(place / "build" / "build.py"), "--out", str(out), "--form", form]
    if subprocess.run(command, cwd=place, check=False).returncode:
        raise BuildError("the build failed")
    return out


def compare(one: Path, two: Path) -> str:
    """What was compared; BuildError names the first file that only one has, or whose bytes or mode differ."""
    names = [files_below(folder) for folder in (one, two)]
    if names[0] != names[1]:
        [name, *_] = sorted(names[0] ^ names[1])
        raise BuildError(f"{name} is only in {one if name in names[0] else two}")
    if not names[0]:
        raise BuildError(f"{one} has no files")
    # What is in the folder is in the archive too: the file inside is named before the archive.
    for name in sorted(names[0], key=lambda name: (name.endswith(ARCHIVES), name)):
        first, second = one / name, two / name
        if first.read_bytes() != second.read_bytes():
            raise BuildError(_difference(first, second, name))
        if os.access(first, os.X_OK) != os.access(second, os.X_OK):
            raise BuildError(f"{name} can be run in one of the two only")
    return f"{len(names[0])} files are equal"


def files_below(folder: Path) -> set[str]:
    """The places of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _difference(one: Path, two: Path, name: str) -> str:
    if name.endswith(ARCHIVES):
        with tempfile.TemporaryDirectory() as scratch:
            tops = [unpack(path, Path(scratch) / side) for path, side in ((one, "one"), (two, "two"))]
            try:
                compare(*tops)
            except BuildError as error:
                return f"{name} differs: {error}"
        return f"{name} differs in its packing alone: order, times, owners or modes"
    first, second = one.read_bytes(), two.read_bytes()
    at = next(
        (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    return f"{name} differs: {len(first)} and {len(second)} bytes, first at byte {at}"


if __name__ == "__main__":
    sys.exit(main())
