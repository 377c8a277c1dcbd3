"""What a built program is made of: each file and each bundled module belongs to one component.

A component is a locked package, CPython, a native library, or fairlead itself. Versions are read from what is there:
from the installed package, from the interpreter, or from the library by the function that tells it.
"""

import ctypes
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import bytecode
from naming import BuildError, version


@dataclass(frozen=True)
class Native:
    """A library that is no Python package. SPDX names its licence; build/license-texts/NAME.txt is the text."""

    name: str
    spdx: str
    #: Its own files, where it has some.
    files: str
    #: The Python modules that use it: bundled with one of them it is inside even without a file of its own.
    modules: tuple[str, ...] = ()
    #: How it tells its version: `module:attribute` of Python, or the name of a C function.
    told: tuple[str, ...] = ()


NATIVES = (
    Native("openssl", "Apache-2.0", r"lib(ssl|crypto)[-.\d]", ("_ssl", "_hashlib"), ("ssl:OPENSSL_VERSION",)),
    Native("zlib", "Zlib", r"(lib)?z(lib1)?\.(so|dll|\d|dylib)", ("zlib",), ("zlib:ZLIB_RUNTIME_VERSION",)),
    Native("libffi", "MIT", r"libffi[-.]", ("_ctypes", "_cffi_backend"), ("ffi_get_version",)),
    Native("sqlite", "blessing", r"(lib)?sqlite3[-.]", ("_sqlite3",), ("sqlite3:sqlite_version",)),
    Native("expat", "MIT", r"libexpat[-.]", ("pyexpat",), ("pyexpat:EXPAT_VERSION", "XML_ExpatVersion")),
    Native("bzip2", "bzip2-1.0.6", r"(lib)?bz2[-.]", ("_bz2",), ("BZ2_bzlibVersion",)),
    Native("xz", "0BSD", r"(lib)?lzma[-.]", ("_lzma",), ("lzma_version_string",)),
    Native("libmpdec", "BSD-2-Clause", r"libmpdec[-.]", ("_decimal",), ("decimal:__libmpdec_version__",)),
    Native("libuuid", "BSD-3-Clause", r"libuuid[-.]", ()),
    Native("gcc-runtime", "GPL-3.0-only WITH GCC-exception-3.1", r"lib(gcc_s|stdc\+\+)[-.]"),
    Native(
        "zstd",
        "BSD-3-Clause",
        r"libzstd[-.]",
        ("backports.zstd", "_zstd"),
        ("backports.zstd:zstd_version", "compression.zstd:zstd_version"),
    ),
    Native("libyaml", "MIT", r"libyaml[-.]", ("yaml._yaml",), ("yaml._yaml:get_version_string",)),
    Native("libsodium", "ISC", r"libsodium[-.]", ("nacl._sodium",)),
)

# Files of the interpreter: its library, the archive of its first modules, and on Windows the C runtime that it brings.
INTERPRETER = re.compile(
    r"(libpython3[\d.]*\.(so[\d.]*|dylib)|python3\d*\.dll|Python|base_library\.zip"
    r"|(vcruntime|msvcp|concrt)\d+\w*\.dll|ucrtbase\.dll|api-ms-win-.*\.dll)"
)
CPYTHON, LOADER, OWN = "cpython", "pyinstaller", "fairlead"


@dataclass
class Component:
    """One thing that is inside. name: canonical; files: places below the program's folder; modules: Python's names."""

    name: str
    #: `pypi`, `native`, or `own`.
    kind: str
    version: str
    spdx: str
    #: Where the version is from: `package`, `interpreter`, `library`, `system` (its package of the build system), or
    #: empty where nothing tells one.
    source: str
    files: list[str] = field(default_factory=list[str])
    modules: list[str] = field(default_factory=list[str])


def components(folder: Path, modules: Iterable[str]) -> list[Component]:
    """What a frozen folder holds, by name; BuildError names the files and modules of no known owner.

    modules: names of what is inside the program or the one file of modules (`frozen_modules`, `bytecode.read`).
    Licence texts count as no file: they belong to what the other files and modules belong to.
    """
    found: dict[str, Component] = {}
    orphans: list[str] = []
    texts = folder / "_internal" / "licenses"
    for path in sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink()):
        if texts in path.parents:
            continue
        place = path.relative_to(folder).as_posix()
        owner = _owner_of_file(PurePosixPath(place))
        if owner is None:
            orphans.append(place)
        else:
            _entry(found, owner, folder).files.append(place)
    for name in sorted(modules):
        owner = _owner_of_module(name)
        if owner is None:
            orphans.append(name)
        else:
            _entry(found, owner, folder).modules.append(name)
    if orphans:
        raise BuildError(f"of no known package (build/components.py): {', '.join(orphans)}")
    names = _bundled_names(found.values())
    for native in NATIVES:
        if any(module in names for module in native.modules):
            _entry(found, native.name, folder)
    for path in sorted(path for path in texts.rglob("*") if path.is_file()):
        owner = path.relative_to(texts).parts[0]
        if owner in found:
            found[owner].files.append(path.relative_to(folder).as_posix())
    return [found[name] for name in sorted(found)]


def _owner_of_file(place: PurePosixPath) -> str | None:
    parts = place.parts[1:] if place.parts[0] == "_internal" else place.parts
    if parts == place.parts:
        # Beside _internal stands the program: PyInstaller's loader with the start of ours inside.
        return LOADER
    if parts[0] == "man" or parts == (bytecode.NAME,):
        return OWN
    if parts[0].endswith(".dist-info"):
        return _canonical(parts[0].split("-")[0])
    for native in NATIVES:
        if re.match(native.files, parts[-1]) and not re.search(r"\.(pyc|pyd|cpython-.*)$", parts[-1]):
            return native.name
    if INTERPRETER.fullmatch(parts[-1]) or re.fullmatch(r"python3\.\d+|lib-dynload|Python\.framework", parts[0]):
        return CPYTHON
    package = _files_of_packages().get("/".join(parts))
    if package is not None:
        return package
    return _owner_of_module(".".join((*parts[:-1], parts[-1].split(".")[0])))


def _owner_of_module(name: str) -> str | None:
    top = name.split(".", maxsplit=1)[0]
    if top == "router":
        return OWN
    if top.startswith(("pyi", "_pyi")):
        return LOADER
    packages = _modules_of_packages()
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        owner = packages.get(".".join(parts[:length]))
        if owner is not None:
            return owner
    standard = top in sys.stdlib_module_names or top.startswith(("_sysconfig", "_pyrepl")) or top == "__future__"
    return CPYTHON if standard else None


@cache
def _files_of_packages() -> dict[str, str]:
    """Every installed file that is no module, by its place below site-packages."""
    return {
        str(path): _canonical(found.metadata["Name"])
        for found in metadata.distributions()
        for path in found.files or ()
        if path.suffix not in (".py", ".pyc") and ".." not in path.parts
    }


@cache
def _modules_of_packages() -> dict[str, str]:
    """Every installed module by its dotted name; a package of a shared namespace by its own part."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = _canonical(distribution.metadata["Name"])
        for path in distribution.files or ():
            if ".." in path.parts or path.suffix not in (".py", ".so", ".pyd") or ".dist-info" in path.parts[0]:
                continue
            module = ".".join((*path.parts[:-1], path.name.split(".")[0])).removesuffix(".__init__")
            found[module] = name
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bundled_names(found: Iterable[Component]) -> set[str]:
    """Dotted names of the modules that are files, or inside the program, or built into the interpreter."""
    names = set(sys.builtin_module_names)
    for component in found:
        names.update(component.modules)
        for place in component.files:
            parts = PurePosixPath(place).parts[1:]
            if parts:
                parts = parts[2:] if parts[0].startswith("python3.") else parts
                names.add(".".join((*parts[:-1], parts[-1].split(".")[0])).removesuffix(".__init__"))
    return names


def _entry(found: dict[str, Component], name: str, folder: Path) -> Component:
    if name not in found:
        found[name] = _describe(name, folder)
    return found[name]


def _describe(name: str, folder: Path) -> Component:
    native = next((native for native in NATIVES if native.name == name), None)
    if native is not None:
        number, source = _native_version(native, folder)
        # liblzma was in the public domain before it took a licence.
        old = name == "xz" and re.match(r"5\.[0-5]\.", number)
        return Component(name, "native", number, "LicenseRef-public-domain" if old else native.spdx, source)
    if name in (CPYTHON, "python"):
        return Component(CPYTHON, "native", sys.version.split()[0], "PSF-2.0", "interpreter")
    if name == OWN:
        return Component(OWN, "own", version(), "MIT", "package")
    package = metadata.distribution(name)
    return Component(name, "pypi", package.version, _license_of(package), "package")


def _license_of(package: metadata.Distribution) -> str:
    """What the package says of its licence: an expression of SPDX, or its own words."""
    for key in ("License-Expression", "License"):
        told = str((package.metadata.get_all(key) or [""])[0]).strip()
        if told and told != "UNKNOWN" and "\n" not in told:
            return told
    classified = [
        str(line).rsplit(" :: ", 1)[1] for line in package.metadata.get_all("Classifier") or () if "License" in line
    ]
    return " OR ".join(line.removesuffix(" License") for line in classified)


def _native_version(native: Native, folder: Path) -> tuple[str, str]:
    """The version and who told it; both empty when nothing does."""
    files = [path for path in folder.rglob("*") if re.match(native.files, path.name) and ".so" in path.name]
    for told in native.told:
        module, _, attribute = told.partition(":")
        value = _asked_of_python(module, attribute) if attribute else _asked_of_library(told, files)
        number = re.search(r"\d+(\.\d+)+[a-z]?", value)
        if number:
            return number[0], "interpreter" if attribute else "library"
    number = _asked_of_system(files[0]) if files else ""
    return (number, "system") if number else ("", "")


def _asked_of_python(module: str, attribute: str) -> str:
    try:
        value: Any = importlib.import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return ""
    return str(value() if callable(value) else value)


def _asked_of_library(function: str, files: list[Path]) -> str:
    """What a C function without arguments says, asked of the library's own file or of what the interpreter has."""
    for path in [*map(str, files), None]:
        try:
            call = getattr(ctypes.CDLL(path), function)
        except (OSError, AttributeError, TypeError):
            continue
        call.restype = ctypes.c_char_p
        return (call() or b"").decode("ascii", "replace")
    return ""


def _asked_of_system(path: Path) -> str:
    """The version of the build system's package that a library came from, without the system's own additions."""
    for command in (
        ["dpkg-query", "--show", "--showformat", "${Version}", _debian_package(path)],
        ["rpm", "--query", "--whatprovides", "--queryformat", "%{VERSION}", f"/lib64/{path.name}"],
    ):
        if shutil.which(command[0]) and command[-1]:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
            number = re.match(r"(?:\d+:)?(\d+(\.\d+)+)", done.stdout)
            if done.returncode == 0 and number:
                return number[1]
    return ""


def _debian_package(path: Path) -> str:
    if not shutil.which("dpkg-query"):
        return ""
    done = subprocess.run(["dpkg-query", "--search", path.name], capture_output=True, encoding="utf-8", check=False)
    return done.stdout.split(": ")[0].split(",")[0] if done.returncode == 0 else ""


def frozen_modules(program: Path) -> list[str]:
    """The modules that PyInstaller packed into the program itself; needs PyInstaller."""
    reader: Any = importlib.import_module("PyInstaller.archive.readers").CArchiveReader(str(program))
    inside: list[str] = []
    for name in reader.toc:
        if name.startswith("PYZ"):
            inside += list(reader.open_embedded_archive(name).toc)
    return sorted(inside)
