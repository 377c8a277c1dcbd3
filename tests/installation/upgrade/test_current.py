"""The link `current` is there at all times."""

import contextlib
import os
import struct
import sys
import threading
from types import SimpleNamespace

import pytest

from router.installation.upgrade import versions
from router.installation.upgrade.junction import make_mount_point
from router.installation.upgrade.versions import find_current, point_current, read_link


def test_what_a_junction_holds():
    """The tag, the length of what follows, where the two names are, and these, by [MS-FSCC]."""
    data = make_mount_point("C:\\f\\1.0.0")
    tag, length, reserved, *places = struct.unpack_from("<LHHHHHH", data)
    names = data[16:]
    assert (tag, length, reserved) == (0xA0000003, len(data) - 8, 0)
    assert names[places[0] : places[0] + places[1]].decode("utf-16-le") == "\\??\\C:\\f\\1.0.0"
    assert names[places[2] : places[2] + places[3]].decode("utf-16-le") == "C:\\f\\1.0.0"
    assert names[places[1] : places[2]] == names[places[2] + places[3] :] == b"\0\0"


def test_a_reader_never_finds_it_missing(tmp_path):
    """While it is pointed to and fro, who reads it finds one of the two."""
    for version in ("1.0.0", "2.0.0"):
        (tmp_path / "versions" / version).mkdir(parents=True)
    point_current(tmp_path, "1.0.0")
    found, done = set(), threading.Event()

    def read():
        while not done.is_set():
            try:
                found.add(os.path.basename(os.readlink(tmp_path / "current")))
            except OSError as error:
                found.add(repr(error))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        point_current(tmp_path, f"{number % 2 + 1}.0.0")
    done.set()
    reader.join()
    assert found <= {"1.0.0", "2.0.0"}
    assert find_current(tmp_path) == "2.0.0"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_an_installer_has_it_away(tmp_path, monkeypatch):
    """A link that is missing is looked for again, and so often only."""
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            with contextlib.suppress(FileExistsError):
                os.symlink("versions/1.0.0", tmp_path / "current")

    monkeypatch.setattr(versions, "time", SimpleNamespace(sleep=sleep))
    assert read_link(tmp_path / "current", 2) == ""
    assert read_link(tmp_path / "current", 10) == "versions/1.0.0"
    assert len(waits) == 2
