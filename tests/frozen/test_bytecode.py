"""The one file of modules holds what the files held, byte for byte, and entry.py loads it as Python loads files."""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..patience import PATIENCE

ENTRY = Path(__file__).parents[2] / "build" / "entry.py"
# `main` is what entry.py calls; `shared` is a namespace, which has no module of its own.
SOURCES = {
    "router/__init__.py": "here = 'package'",
    "router/__main__.py": """
def main():
    import os
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    import importlib.resources
    import router
    import router.deep.leaf
    import shared.part
    try:
        import router.missing
    except ModuleNotFoundError as error:
        print(error.name)
    data = importlib.resources.files("router.deep").joinpath("data.txt").read_text("ascii")
    print(router.here, router.deep.leaf.value, shared.part.value, data)
    print(router.__path__, router.deep.leaf.__file__, type(router.deep.leaf.__loader__).__name__)
    return 7
""",
    "router/deep/__init__.py": "",
    "router/deep/leaf.py": "from . import __name__ as above\nvalue = above + '.leaf'",
    "shared/part.py": "value = 'part'",
}


@pytest.fixture
def folder(tmp_path):
    """A frozen folder whose modules are files, with a package's data beside one."""
    inside = tmp_path / "fairlead" / "_internal"
    for name, source in SOURCES.items():
        path = inside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        py_compile.compile(str(path), str(path.with_suffix(".pyc")), name, doraise=True)
        path.unlink()
    (inside / "router" / "deep" / "data.txt").write_text("data")
    return tmp_path / "fairlead"


def test_the_file_holds_the_code_of_the_files(script, folder):
    """Each module is in the one file, in any order of its making the same bytes; folders without data go with them."""
    bytecode = script("bytecode")
    inside = folder / "_internal"
    again = shutil.copytree(folder, folder.with_name("again"))
    before = {path.relative_to(inside).as_posix(): path.read_bytes()[16:] for path in inside.rglob("*.pyc")}
    bytecode.bundle(folder)
    bytecode.bundle(again)
    held = bytecode.read(folder)
    assert {name: held[name][1] for name in held} == {
        "router": True,
        "router.__main__": False,
        "router.deep": True,
        "router.deep.leaf": False,
        "shared.part": False,
    }
    assert held["router.deep.leaf"][0] == before["router/deep/leaf.pyc"]
    assert held["router"][0] == before["router/__init__.pyc"]
    assert (inside / bytecode.NAME).read_bytes() == (again / "_internal" / bytecode.NAME).read_bytes()
    assert {path.relative_to(inside).as_posix() for path in inside.rglob("*")} == {
        bytecode.NAME,
        "router",
        "router/deep",
        "router/deep/data.txt",
    }


def test_what_is_loaded_first_stays_a_file(script, folder):
    """Python starts, and entry.py reads the one file, by modules that are found without it."""
    for name in ("encodings/utf_8.pyc", "os.pyc", "json/decoder.pyc"):
        path = folder / "_internal" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(20))
    script("bytecode").bundle(folder)
    assert (folder / "_internal" / "encodings" / "utf_8.pyc").exists()
    assert (folder / "_internal" / "os.pyc").exists()
    assert "json.decoder" in script("bytecode").read(folder)


def test_a_second_bundle_exchanges_modules(script, folder):
    """A file laid beside the one file takes the place of that module alone."""
    bytecode = script("bytecode")
    bytecode.bundle(folder)
    before = bytecode.read(folder)
    (folder / "_internal" / "router" / "deep" / "leaf.pyc").write_bytes(bytes(16) + b"new")
    bytecode.bundle(folder)
    assert bytecode.read(folder) == before | {"router.deep.leaf": (b"new", False)}


@pytest.mark.skipif(sys.platform == "win32", reason="there the modules are in the program")
def test_entry_loads_as_from_files(script, folder):
    """Packages, a namespace's part, data and a module that is missing: all as without the one file."""
    inside = folder / "_internal"
    shutil.copy(ENTRY, inside / "entry.py")

    def run(**streams):
        # Isolated, Python does not look beside the script, as the frozen program does.
        path = f"import sys, runpy; sys.path.insert(0, {str(inside)!r})"
        start = f"{path}; runpy.run_path({str(inside / 'entry.py')!r}, run_name='__main__')"
        command = [sys.executable, "-I", "-S", "-c", start]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False, **streams)
        assert done.returncode == 7, done.stderr
        return done.stdout

    from_files = run()
    script("bytecode").bundle(folder)
    from_one = run()
    assert "package router.deep.leaf part data" in from_one
    assert from_one.replace("Modules", "SourcelessFileLoader") == from_files
    assert from_one != from_files
    assert os.listdir(inside / "router") == ["deep"]
    # `main` opens standard input anew: it was closed at the start, and the one file is not in its place.
    assert run(preexec_fn=lambda: os.close(0)) == from_one
