"""Network file systems are detected by the table of mounts."""

import os
import sys
from pathlib import Path

import pytest

from router.store.home.network_mounts import mounted_type, network_type

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:45 / /mnt/share rw shared:3 master:1 - cifs //server/share rw
41 22 0:46 / /home/me rw - nfs4 server:/home rw
42 22 0:300 / /mnt/far\\040away rw - fuse.sshfs me@host: rw
43 22 259:1048575 / /data rw - xfs /dev/nvme0n1p1 rw
short line
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ((8, 1), "ext4"),
        ((0, 45), "cifs"),
        ((0, 46), "nfs4"),
        ((0, 300), "fuse.sshfs"),
        ((259, 1048575), "xfs"),
        ((7, 7), ""),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="how device numbers are put together differs")
def test_mounted_type(device, kind):
    """The entry with the folder's device number says the type."""
    assert mounted_type(MOUNTS, os.makedev(*device)) == kind


def test_here(tmp_path):
    """A folder on a disk of this machine is on none; one that is not there cannot be told."""
    assert network_type(tmp_path) == ""
    assert network_type(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("kind", "found"), [("nfs4", "nfs4"), ("fuse.sshfs", "fuse.sshfs"), ("9p", "9p"), ("ext4", "")]
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_table_decides(tmp_path, monkeypatch, kind, found):
    """The type of the folder's own mount counts."""
    number = tmp_path.stat().st_dev
    table = f"1 0 {os.major(number)}:{os.minor(number)} / / rw - {kind} x rw\n"
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *rest: table if str(self).startswith("/proc") else read(self, *rest)
    )
    assert network_type(tmp_path) == found
