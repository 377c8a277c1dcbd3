"""Two versions of the program to release: copies of the sources with other version numbers, the throw-away keys in
them, and, in the newer one, one more step in history.db's schema.

Whole: built by build.py from each copy, which takes minutes, so that the results are kept by a hash of all that goes
in. Short: made from one built folder, by exchanging three of its modules.
"""

import hashlib
import importlib.util
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "0.91.0", "0.92.0"
# What a build reads of the sources.
SOURCES = ("router", "build", "packaging", "pyproject.toml", "README.md", "LICENSE")
VERSION_FILE = "router/__init__.py"
KEYS_FILE = "router/installation/upgrade/release_keys.py"
SCHEMA_FILE = "router/store/database/migrations.py"
CHANGES_FILE = "packaging/CHANGELOG.md"


@dataclass(frozen=True, slots=True)
class Version:
    """A built version. files: the folder of what is published; tree: the sources it was built from."""

    number: str
    files: Path
    tree: Path

    @property
    def archive(self) -> Path:
        """The folder form for this system, packed."""
        return self.files / f"fairlead-{self.number}-{_place()}.tar.xz"

    @property
    def file(self) -> Path | None:
        """The program in one file; None in the short form, which has none."""
        path = self.files / f"fairlead-{_place()}"
        return path if path.is_file() else None


def copy_sources(tree: Path, number: str, keys: Iterable[str], *, newer: bool) -> None:
    """Copy the sources into a new folder and change what makes them version `number`. keys: minisign public keys that
    the program is to trust. newer: whether history.db's schema has one more step."""
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    _replace(tree / VERSION_FILE, r'^__version__ = ".+"$', f'__version__ = "{number}"')
    listed = "".join(f'    "{key}",\n' for key in keys)
    _replace(
        tree / KEYS_FILE,
        r"^PUBLIC_KEYS: tuple\[str, \.\.\.\] = \([^)]*\)$",
        f"PUBLIC_KEYS: tuple[str, ...] = (\n{listed})",
    )
    entry = f"## {number} (2026-01-01)\n\n### Changed\n- Rehearsed as version {number}.\n"
    changes = tree / CHANGES_FILE
    changes.write_text(changes.read_text("utf-8").replace("\n## ", f"\n{entry}\n## ", 1), "utf-8")
    if newer:
        step = '    ("CREATE TABLE rehearsed (id INTEGER PRIMARY KEY)",),\n)\n'
        _replace(tree / SCHEMA_FILE, r"(?s)(^MIGRATIONS: .*?\n)\)\n", rf"\g<1>{step}")


def _replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"), count=1, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path.name} has no line that is to be changed: {pattern}")
    path.write_text(text, "utf-8")


def build_whole(number: str, keys: Iterable[str], cache: Path, *, newer: bool) -> Version:
    """Build a version in both forms, or find it in the cache. Raises subprocess.CalledProcessError."""
    keys = tuple(keys)
    place = cache / f"{number}-{_fingerprint(keys)}"
    if not (place / "files").is_dir():
        shutil.rmtree(place, ignore_errors=True)
        copy_sources(place / "tree", number, keys, newer=newer)
        command = [sys.executable, str(place / "tree" / "build" / "build.py"), "--out", str(place / "made")]
        subprocess.run([*command, "--form", "both"], check=True, stdout=subprocess.DEVNULL, cwd=place)
        shutil.rmtree(place / "made" / "fairlead")
        (place / "made").rename(place / "files")
    return Version(number, place / "files", place / "tree")


def _fingerprint(keys: tuple[str, ...]) -> str:
    """A hash of all that a build reads."""
    found = hashlib.sha256(repr((keys, sys.version)).encode())
    for line in sorted(f"{entry.name} {entry.version}" for entry in metadata.distributions()):
        found.update(line.encode())
    for name in SOURCES:
        source = ROOT / name
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and not {"__pycache__", "rehearsal", "rehearse.py"} & set(path.parts):
                found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def change_built(program: Path, number: str, keys: Iterable[str], out: Path, *, newer: bool) -> Version:
    """Make a version from a built folder (that with the program and _internal), in the folder form only."""
    tree, folder = out / "tree", out / "made" / "fairlead"
    copy_sources(tree, number, keys, newer=newer)
    shutil.copytree(program, folder, symlinks=True)
    bytecode = _bytecode()
    inside = bytecode.read(folder)
    for name in (VERSION_FILE, KEYS_FILE, SCHEMA_FILE):
        if ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__") not in inside:
            raise ValueError(f"{program} has no {name}: it was not built from these sources")
        compiled = folder / "_internal" / Path(name).with_suffix(".pyc")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        # As build.py does it: no assertions and docstrings, and no stamp of the source.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(tree / name), str(compiled), name, optimize=2, doraise=True, invalidation_mode=mode)
    bytecode.bundle(folder)
    files = out / "files"
    files.mkdir()
    # Packed in a hurry: the program is what is rehearsed. build.py is tested by its own bytes.
    with tarfile.open(files / f"fairlead-{number}-{_place()}.tar.xz", "w:xz", preset=0) as packed:
        packed.add(folder, "fairlead")
    return Version(number, files, tree)


def _bytecode() -> ModuleType:
    """build/bytecode.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("bytecode", ROOT / "build" / "bytecode.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _place() -> str:
    machine = platform.machine().lower()
    return f"{sys.platform}-{ {'aarch64': 'arm64'}.get(machine, machine) }"


def default_cache() -> Path:
    """The folder that keeps builds and root file systems between rehearsals, for this user alone."""
    user = str(os.getuid()) if sys.platform != "win32" else "user"
    folder = Path(tempfile.gettempdir()) / f"fairlead-rehearsal-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if sys.platform != "win32" and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise PermissionError(f"{folder} belongs to another user; name a folder by --cache")
    return folder
