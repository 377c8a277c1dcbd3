"""A disk that becomes full in the midst of an upgrade, a real one: a small tmpfs, which only root may mount."""

import contextlib
import subprocess
import sys

import pytest

from router.installation.upgrade import steps, versions

from .conftest import NEW, OLD, make_archive, script

#: What may need no room: names of the same folder, and links that are short.
WITHOUT_ROOM = ("switch", "place_version", "point_current", "clean")


def fill(folder):
    """Write until nothing more fits."""
    with (folder / "filling").open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


@pytest.fixture
def disk(tmp_path):
    """A disk of 8 MB below the installation's data."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        *((steps, name) for name in ("fetch", "open_archive", "describe", "keep_current", "switch")),
        *((versions, name) for name in ("write_record", "place_version", "point_current", "clean")),
    ],
)
def test_full_before_a_step(disk, request, server, monkeypatch, owner, step):
    """The error names it, the old version runs, no part stays; with room again the upgrade ends well."""
    installed = request.getfixturevalue("installed")
    server.publish(archive=make_archive(("fairlead/fairlead", script(NEW), {}), ("fairlead/big", b"x" * 900_000, {})))
    inner = getattr(owner, step)

    def outer(*arguments, **options):
        fill(disk)
        return inner(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, outer)
        code, _, err = installed.run()
    said = " ".join(err.split())
    assert code or step in WITHOUT_ROOM, step
    if code:
        assert "cannot be written: No space left on device" in said
        assert "The installed version was not changed." in said
    assert installed.current == (OLD if code else NEW)
    assert not [name for name in installed.left if name.startswith((".part", ".gone"))]
    assert not [*disk.rglob(".kept.json.*"), *disk.rglob(".current-*")]
    (disk / "filling").unlink()
    assert installed.run()[0] == 0
    assert (installed.current, installed.left) == (NEW, [OLD, NEW])
