"""What build.py promises of its results: the same bytes everywhere, and no newer system than it says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..patience import PATIENCE

ROOT = Path(__file__).parents[2]


def tree(folder):
    """Every file of a folder: its place, its content, whether it can be run."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make(folder, *, stamp):
    """A small folder to pack; stamp: the time of its files."""
    (folder / "fairlead" / "sub").mkdir(parents=True)
    for name, content, mode in (("z", b"1", 0o700), ("a", b"22", 0o640), ("sub/b", b"", 0o600)):
        path = folder / "fairlead" / name
        path.write_bytes(content)
        path.chmod(mode)
        os.utime(path, (stamp, stamp))
    return folder / "fairlead"


def test_archives_depend_on_content_alone(building, tmp_path):
    """Times, owners and the place of the files do not show in an archive; what can be run can still be run."""
    packed = [
        building.pack(make(tmp_path / str(stamp), stamp=stamp), tmp_path / f"{stamp}-out")
        for stamp in (10**9, 10**9 + 7)
    ]
    assert packed[0].read_bytes() == packed[1].read_bytes()
    shutil.unpack_archive(packed[0], tmp_path / "again")
    again, before = tree(tmp_path / "again" / "fairlead"), tree(tmp_path / str(10**9) / "fairlead")
    assert again == before
    assert sys.platform == "win32" or [name for name, (_, runs) in again.items() if runs] == ["z"]


@pytest.mark.parametrize(
    ("content", "newest"),
    [
        (b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0", "2.34"),
        (b"\x7fELF\0GLIBC_PRIVATE\0", "0"),
        (b"\x7fELF text GLIBC_2.99 in the middle\0", "0"),
        (b"#!/bin/sh\n\0GLIBC_2.99\0", "0"),
    ],
)
def test_newest_glibc(building, tmp_path, content, newest):
    """Version names of programs and libraries count, as numbers; text that looks alike does not."""
    (tmp_path / "file").write_bytes(content)
    assert building.newest_glibc([tmp_path / "file"]) == newest


@pytest.mark.parametrize("arguments", [[], ["--out", str(ROOT / "build")]])
def test_wrong_use(arguments):
    """It writes nowhere unless told, and not over its own recipe."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "build" / "build.py"), *arguments],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode in (1, 2)
    assert b"--out" in done.stderr
    assert b"Traceback" not in done.stderr


def test_two_builds_are_identical(building, tmp_path):
    """Built again in another folder, beside other packages, the program is the same to the bit.

    FAIRLEAD_BINARY names the first build; without it both are made here.
    """
    pytest.importorskip("PyInstaller")
    first = os.environ.get("FAIRLEAD_BINARY")
    if first is None:
        assert list(building.build("folder", tmp_path / "first"))
        first = tmp_path / "first" / "fairlead" / "fairlead"
    copy = tmp_path / "elsewhere"
    for name in ("build", "router", "packaging"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path / "second"
    command = [sys.executable, str(copy / "build" / "build.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    one, two = tree(Path(first).parent), tree(out / "fairlead")
    assert sorted(one) == sorted(two)
    assert [name for name in one if one[name] != two[name]] == []
    assert len(one) > 10
