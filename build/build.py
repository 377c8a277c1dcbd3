"""Builds the program: `python build/build.py --out DIR`, on Linux, macOS and Windows, for the system it runs on.

Needs what `pip install '.[build]'` brings. Writes into DIR:
  fairlead/                           the folder form: the program and its _internal folder
  fairlead-VERSION-OS-ARCH.tar.xz     that folder packed (.zip on Windows)
  fairlead-OS-ARCH                    with --form file: all in one file (.exe on Windows)
  fairlead-VERSION-OS-ARCH.cdx.json   with --sbom: what is inside, as CycloneDX
A build for musl has -musl in its names, one for macOS or Windows without a signature -unsigned. The order: freeze and
strip, sign (--sign), smoke test (--smoke), pack. The same sources, interpreter and locked dependencies give the same
bytes, in any folder, until something is signed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Beside this file; for who loads it from elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bytecode
import sbom
from archives import STAMP, pack
from binaries import newest_glibc, numbers, of_glibc
from components import Component, components, frozen_modules
from licenses import collect_licenses, settle_licenses
from naming import ROOT, BuildError, megabytes, musl, one_file, place, version
from search_paths import find_foreign
from sign import sign

__all__ = ["BuildError", "build", "main", "newest_glibc", "pack", "place", "version"]

# That of Linux is 11.8 MB, of which the fourth protocol, the clouds and the client of a team's server are 0.5.
ARCHIVE_LIMIT = int(13.5 * (1 << 20))
# Debian 12 and Ubuntu 24.04 have it. A release builds in an older system and asks for less.
GLIBC = "2.36"


@dataclass(frozen=True)
class Wanted:
    """What else a build does than to freeze and pack."""

    glibc: str = GLIBC
    #: A command that signs the file named behind it; empty: nothing is signed.
    sign: str = ""
    smoke: bool = False
    sbom: bool = False
    sizes: bool = False


def main() -> int:
    """Build, check and pack; 0 when all is well."""
    options = _parser().parse_args()
    out = Path(options.out).resolve()
    wanted = Wanted(options.glibc, options.sign, options.smoke, options.sbom, options.sizes)
    try:
        _check_place(out)
        if options.form == "file" and (wanted.sbom or wanted.sizes):
            raise BuildError("--sbom and --sizes read the folder form; use --form folder or both")
        forms = ("folder", "file") if options.form == "both" else (options.form,)
        for form in forms:
            for line in build(form, out, wanted):
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
    parser.add_argument("--sign", default="", metavar="COMMAND", help="signs the file whose name is put behind it")
    parser.add_argument("--smoke", action="store_true", help="run build/smoke.py before packing")
    parser.add_argument("--sbom", action="store_true", help="write the list of what is inside, from the lock")
    parser.add_argument("--sizes", action="store_true", help="print what each component takes")
    return parser


def _check_place(out: Path) -> None:
    if out == ROOT / "build":
        raise BuildError("build/ holds the recipe; choose another folder, such as --out dist")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") == 0 and sys.platform == "linux":
        raise BuildError("this Python has no shared library, which PyInstaller needs; use one built with it")


def build(form: str, out: Path, wanted: Wanted | None = None) -> Iterator[str]:
    """Build one form into `out`; yields what is to be said. Raises BuildError."""
    wanted = wanted or Wanted()
    folder = form == "folder"
    with tempfile.TemporaryDirectory() as scratch:
        made = freeze(form, Path(scratch))
        if folder and sys.platform != "win32":
            bytecode.bundle(made)
        found = settle(made) if folder else []
        out.mkdir(parents=True, exist_ok=True)
        target = out / ("fairlead" if folder else one_file(signed=bool(wanted.sign)))
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        shutil.move(made, target)
    files = sorted(path for path in target.rglob("*") if path.is_file()) if folder else [target]
    yield f"{target.name}   {len(files)} files, {megabytes(sum(path.stat().st_size for path in files))}"
    if sys.platform == "linux":
        check_search_paths(files)
        yield check_libc(files, wanted.glibc)
    if wanted.sign:
        yield f"signed {sign(target, wanted.sign)} files"
    if wanted.smoke:
        smoke(target / f"fairlead{'.exe' if sys.platform == 'win32' else ''}" if folder else target)
    if not folder:
        return
    name = f"fairlead-{version()}-{place(signed=bool(wanted.sign))}"
    archive = pack(target, out / name)
    size = archive.stat().st_size
    yield f"{archive.name}   {megabytes(size)}"
    if size > ARCHIVE_LIMIT:
        raise BuildError(f"the archive is over {megabytes(ARCHIVE_LIMIT)}: something large came in")
    if wanted.sizes:
        yield from sbom.sizes(target, found)
    if wanted.sbom:
        listed = out / f"{name}.cdx.json"
        listed.write_text(sbom.describe(target, found, signed=bool(wanted.sign)), "utf-8", newline="\n")
        yield f"{listed.name}   {len(found)} components"


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


def settle(folder: Path) -> list[Component]:
    """Find the owner of all that is in a frozen folder, and leave the licence texts of these, each of which has one."""
    program = next(path for path in folder.iterdir() if path.is_file())
    inside = [*frozen_modules(program), *bytecode.read(folder)]
    settle_licenses(folder, [component.name for component in components(folder, inside)])
    return components(folder, inside)


def check_libc(files: list[Path], glibc: str) -> str:
    """What of the system's C library is needed; BuildError when it is the other one, or too new."""
    if musl():
        strangers = of_glibc(files)
        if strangers:
            raise BuildError(f"made for glibc, not for musl: {', '.join(strangers)}")
        return "needs musl"
    needed = newest_glibc(files)
    if numbers(needed) > numbers(glibc):
        asking = sorted(path.name for path in files if numbers(newest_glibc([path])) > numbers(glibc))
        raise BuildError(f"it needs glibc {needed}; {glibc} is the newest allowed (--glibc): {', '.join(asking)}")
    return f"needs glibc {needed} or newer"


def check_search_paths(files: list[Path]) -> None:
    """BuildError when a library would look for others in a folder of the machine that built it."""
    found = find_foreign(files)
    if found:
        raise BuildError(f"a library would look in a folder of its builder: {', '.join(found)}")


def smoke(program: Path) -> None:
    """Run the smoke test on a built program; BuildError when a check fails."""
    if subprocess.run([sys.executable, str(ROOT / "build" / "smoke.py"), str(program)], check=False).returncode:
        raise BuildError("the smoke test failed; nothing is packed")


if __name__ == "__main__":
    sys.exit(main())
