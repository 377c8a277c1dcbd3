"""Signs a built program in a place of its own, where nothing that others wrote runs: Python's standard library only.

  python build/sign.py open DIST WORK       unpack the unsigned archive in DIST below WORK, the one file beside it
  python build/sign.py run WORK COMMAND     run COMMAND FILE for each program and library, libraries first
  python build/sign.py close WORK DIST OUT  pack again, without -unsigned in the names, the list of contents renewed

Between `open` and `close` a tool of the system or of its maker signs what is in WORK; `run` is for one that signs a
file at a time. What WORK has no signed form of (--keep-file: the one file on macOS) goes to OUT as it is.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import sbom
from archives import pack, unpack
from binaries import binaries
from naming import ARCHIVES, BuildError

MARK = "-unsigned"


def main() -> int:
    """Run one of the three steps; 0 when all is well."""
    parser = argparse.ArgumentParser(description="Sign a built program.")
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", help="unpack what is to be signed")
    opening.add_argument("dist", type=Path)
    opening.add_argument("work", type=Path)
    running = commands.add_parser("run", help="sign each file by a command")
    running.add_argument("work", type=Path)
    running.add_argument("sign", metavar="COMMAND")
    closing = commands.add_parser("close", help="pack what was signed")
    closing.add_argument("work", type=Path)
    closing.add_argument("dist", type=Path)
    closing.add_argument("out", type=Path)
    for each in (opening, closing):
        each.add_argument("--keep-file", action="store_true", help="leave the program in one file unsigned")
    options = parser.parse_args()
    try:
        if options.command == "open":
            open_unsigned(options.dist, options.work, keep_file=options.keep_file)
        elif options.command == "run":
            print(f"signed {sign(options.work, options.sign)} files")
        else:
            for path in close_signed(options.work, options.dist, options.out, keep_file=options.keep_file):
                print(path.name)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def open_unsigned(dist: Path, work: Path, *, keep_file: bool = False) -> Path:
    """Unpack the archive of `dist` below `work`; its top folder. The one file is copied beside it."""
    work.mkdir(parents=True, exist_ok=True)
    top = unpack(_archive(dist), work)
    if not keep_file:
        shutil.copy2(_one_file(dist), work / _one_file(dist).name)
    return top


def sign(target: Path, command: str) -> int:
    """Run the command for each program and library of a folder, or for a file; how many. Raises BuildError."""
    files = binaries(target) if target.is_dir() else [target]
    for path in files:
        if subprocess.run([*shlex.split(command), str(path)], check=False).returncode:
            raise BuildError(f"signing {path.name} failed: {command}")
    return len(files)


def close_signed(work: Path, dist: Path, out: Path, *, keep_file: bool = False) -> list[Path]:
    """Pack `work` into `out` under the names of signed files; what was written. BuildError when nothing was signed."""
    out.mkdir(parents=True, exist_ok=True)
    unsigned, before = _archive(dist), _one_file(dist)
    [folder] = (path for path in work.iterdir() if path.is_dir())
    stem = _stem(unsigned.name).replace(MARK, "")
    archive = pack(folder, out / stem)
    if archive.read_bytes() == unsigned.read_bytes():
        archive.unlink()
        raise BuildError(f"nothing in {work} was signed")
    listed = out / f"{stem}.cdx.json"
    shutil.copyfile(dist / f"{_stem(unsigned.name)}.cdx.json", listed)
    sbom.rehash(listed, folder)
    after = out / (before.name if keep_file else before.name.replace(MARK, ""))
    shutil.copy2(before if keep_file else work / before.name, after)
    return [archive, listed, after]


def _archive(dist: Path) -> Path:
    found = [path for path in dist.iterdir() if path.name.endswith(ARCHIVES) and MARK in path.name]
    if len(found) != 1:
        raise BuildError(f"{dist} has {len(found)} unsigned archives, not one")
    return found[0]


def _one_file(dist: Path) -> Path:
    others = (*ARCHIVES, ".json")
    found = [path for path in dist.glob("fairlead-*") if not path.name.endswith(others) and MARK in path.name]
    if len(found) != 1:
        raise BuildError(f"{dist} has {len(found)} unsigned programs in one file, not one")
    return found[0]


def _stem(name: str) -> str:
    for ending in ARCHIVES:
        name = name.removesuffix(ending)
    return name


if __name__ == "__main__":
    sys.exit(main())
