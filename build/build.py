"""Builds the program: `python build/build.py --out DIR`, on Linux, macOS and Windows, for the system it runs on.

Needs what `pip install '.[build]'` brings. Writes into DIR:
  fairlead/                           the folder form: the program and its _internal folder
  fairlead-VERSION-OS-ARCH.tar.xz     that folder packed (.zip on Windows)
  fairlead-OS-ARCH                    with --form file: all in one file (.exe on Windows)
The same sources, interpreter and locked dependencies give the same bytes, in any folder.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
# Archives carry this time: 2020-01-01, the first that zip tools everywhere show without surprise.
STAMP = 1577836800
ARCHIVE_LIMIT = 14 << 20
# Debian 12 and Ubuntu 24.04 have it. A release builds in an older system and asks for less.
GLIBC = "2.36"


class BuildError(Exception):
    """What went wrong, and what mends it."""


def main() -> int:
    """Build, check and pack; 0 when all is well."""
    options = _parser().parse_args()
    out = Path(options.out).resolve()
    try:
        _check_place(out)
        forms = ("folder", "file") if options.form == "both" else (options.form,)
        for form in forms:
            for line in build(form, out, glibc=options.glibc):
                print(line, flush=True)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build fairlead for this system.")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--form", choices=("folder", "file", "both"), default="folder", help="default: folder")
    parser.add_argument("--glibc", default=GLIBC, help=f"newest glibc that may be needed (Linux; default {GLIBC})")
    return parser


def _check_place(out: Path) -> None:
    if out == ROOT / "build":
        raise BuildError("build/ holds the recipe; choose another folder, such as --out dist")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") == 0 and sys.platform == "linux":
        raise BuildError("this Python has no shared library, which PyInstaller needs; use one built with it")


def build(form: str, out: Path, *, glibc: str = GLIBC) -> Iterator[str]:
    """Build one form into `out`; yields what is to be said. Raises BuildError."""
    with tempfile.TemporaryDirectory() as scratch:
        made = freeze(form, Path(scratch))
        out.mkdir(parents=True, exist_ok=True)
        if form == "folder":
            target = out / "fairlead"
            if target.exists():
                shutil.rmtree(target)
        else:
            target = out / f"fairlead-{place()}{made.suffix}"
            target.unlink(missing_ok=True)
        shutil.move(made, target)
    files = sorted(path for path in target.rglob("*") if path.is_file()) if form == "folder" else [target]
    yield f"{target.name}   {len(files)} files, {_megabytes(sum(path.stat().st_size for path in files))}"
    if sys.platform == "linux":
        needed = newest_glibc(files)
        if _numbers(needed) > _numbers(glibc):
            raise BuildError(f"it needs glibc {needed}; {glibc} is the newest allowed (--glibc)")
        yield f"needs glibc {needed} or newer"
    if form == "folder":
        archive = pack(target, out / f"fairlead-{version()}-{place()}")
        size = archive.stat().st_size
        yield f"{archive.name}   {_megabytes(size)}"
        if size > ARCHIVE_LIMIT:
            raise BuildError(f"the archive is over {_megabytes(ARCHIVE_LIMIT)}: something large came in")


def freeze(form: str, scratch: Path) -> Path:
    """Run PyInstaller; the folder or file it made."""
    licenses = scratch / "licenses"
    collect_licenses(licenses)
    environ = {
        **os.environ,
        "FAIRLEAD_FORM": form,
        "FAIRLEAD_LICENSES": str(licenses),
        # Sets are written in their order of iteration.
        "PYTHONHASHSEED": "1",
        "SOURCE_DATE_EPOCH": str(STAMP),
    }
    places = ["--workpath", str(scratch / "work"), "--distpath", str(scratch / "made")]
    command = [sys.executable, "-m", "PyInstaller", "--clean", "--noconfirm", "--log-level", "WARN", *places]
    try:
        subprocess.run([*command, str(ROOT / "build" / "fairlead.spec")], env=environ, cwd=scratch, check=True)
    except subprocess.CalledProcessError:
        raise BuildError("PyInstaller failed; it needs what this brings:   pip install '.[build]'") from None
    [made] = (scratch / "made").iterdir()
    return made


def collect_licenses(target: Path) -> None:
    """Copy the licence texts of all that is bundled into `target`, one folder each."""
    for name in sorted(_bundled("fairlead")):
        found = metadata.distribution(name)
        texts = [
            path for path in found.files or () if re.search(r"licen[cs]e|copying|notice", path.name, re.IGNORECASE)
        ]
        for path in texts:
            if path.suffix not in (".py", ".pyc"):
                _copy(Path(str(found.locate_file(path))), target / name / path.name)
    own = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    if own.exists():
        _copy(own, target / "python" / own.name)


def _bundled(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """A distribution and all it needs to run here, by name."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    seen |= {name}
    for needed in map(Requirement, metadata.requires(name) or ()):
        other = canonicalize_name(needed.name)
        if other not in seen and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            seen |= _bundled(other, seen)
    return seen


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def newest_glibc(files: Iterable[Path]) -> str:
    """The highest glibc symbol version that these programs and libraries name; '0' when they name none."""
    found = {b"0"}
    for path in files:
        data = path.read_bytes()
        if data.startswith(b"\x7fELF"):
            found.update(re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", data))
    return max((text.decode() for text in found), key=_numbers)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def pack(folder: Path, stem: Path) -> Path:
    """The folder as an archive that depends on nothing but its files: sorted, one time, one owner."""
    if sys.platform == "win32":
        return _zip(folder, stem.with_name(f"{stem.name}.zip"))
    archive = stem.with_name(f"{stem.name}.tar.xz")
    with tarfile.open(archive, "w:xz", preset=9, format=tarfile.PAX_FORMAT) as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = tar.gettarinfo(path, str(path.relative_to(folder.parent)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = STAMP, 0, 0, "root", "root"
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            if entry.isfile():
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    return archive


def _zip(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes(), compresslevel=9)
    return archive


def version() -> str:
    """The version of the sources."""
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "router" / "__init__.py").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError("router/__init__.py names no version")
    return found[1]


def place() -> str:
    """The system and machine that results are named by, such as linux-x86_64."""
    machine = platform.machine().lower()
    return f"{SYSTEMS.get(sys.platform, sys.platform)}-{MACHINES.get(machine, machine)}"


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
