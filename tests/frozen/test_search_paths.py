"""No library that is shipped looks for others in a folder of the machine that built it."""

import ctypes
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None or shutil.which("readelf") is None,
    reason="needs gcc and readelf of Linux",
)


@pytest.fixture
def make(tmp_path):
    """Links a library whose search path is this text."""

    def link(path, *options):
        source, made = tmp_path / "a.c", tmp_path / "liba.so"
        source.write_text("int answer(void) { return 42; }\n")
        command = ["gcc", "-shared", "-fPIC", *options, "-o", made, source, "-lm", "-Wl,--no-as-needed"]
        subprocess.run([*command, *([f"-Wl,-rpath,{path}"] if path else [])], check=True)
        return made

    return link


def tags(path):
    """The lines of the dynamic section that name a search path, and those that name a library."""
    said = subprocess.check_output(["readelf", "--dynamic", "--wide", path], text=True)
    lines = said.splitlines()
    return [line for line in lines if "PATH)" in line], [
        line.split(maxsplit=1)[1] for line in lines if "NEEDED" in line
    ]


@pytest.mark.parametrize("option", ["-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"], ids=["runpath", "rpath"])
@pytest.mark.parametrize("path", ["/home/builder/lib", "$ORIGIN:/opt/lib", "relative"])
def test_a_builders_folder_is_taken_out(script, make, tmp_path, option, path):
    """The copy has no search path, needs the same libraries, and can be loaded; the file itself stays as it is."""
    made = make(path, option)
    before = made.read_bytes()
    assert script("search_paths").find_foreign([made]) == [f"liba.so ({path})"]
    (tmp_path / "out").mkdir()
    copied = script("search_paths").copy_without_foreign(made, tmp_path / "out")
    assert copied == tmp_path / "out" / "liba.so"
    assert tags(copied) == ([], tags(made)[1])
    assert script("search_paths").find_foreign([copied]) == []
    assert ctypes.CDLL(str(copied)).answer() == 42
    assert made.read_bytes() == before


@pytest.mark.parametrize("path", ["", "$ORIGIN", "$ORIGIN/../x:${ORIGIN}"], ids=["none", "own", "both"])
def test_what_moves_with_it_stays(script, make, tmp_path, path):
    """A library that looks beside itself is not copied."""
    made = make(path)
    assert script("search_paths").find_foreign([made]) == []
    assert script("search_paths").copy_without_foreign(made, tmp_path) == made


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(60), b"MZ", b"#!/bin/sh\n"])
def test_other_files(script, tmp_path, data):
    """Scripts and programs of other systems and machines have none."""
    (tmp_path / "file").write_bytes(data)
    assert script("search_paths").find_foreign([tmp_path / "file"]) == []


def test_a_build_refuses_it(building, make):
    """The gate of the build names the library and its path."""
    with pytest.raises(building.BuildError, match=r"liba\.so \(/home/builder/lib\)"):
        building.check_search_paths([make("/home/builder/lib")])
    building.check_search_paths([make("$ORIGIN")])
