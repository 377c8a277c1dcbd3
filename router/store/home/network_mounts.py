"""Detects whether a folder is on a network file system, where SQLite's shared memory and locks do not work."""

import os
import sys
from pathlib import Path

_NETWORK = frozenset(
    (
        "9p",
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "drvfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "sshfs",
        "webdav",
    )
)
_DRIVE_REMOTE = 4
# struct statfs of macOS with 64-bit inodes: f_fstypename follows eight numbers and an id.
_STATFS_SIZE, _TYPE_AT, _TYPE_SIZE = 2168, 72, 16


def network_type(path: Path) -> str:
    """The type of the network file system that a folder is on; "" for a local one, or where it is not known."""
    try:
        if sys.platform == "win32":
            return _read_windows_type(path)
        if sys.platform == "darwin":
            return _filter_network_type(_read_darwin_type(path))
        return _filter_network_type(
            mounted_type(Path("/proc/self/mountinfo").read_text("utf-8", "replace"), path.stat().st_dev)
        )
    except (OSError, AttributeError, ValueError):
        return ""


def _filter_network_type(kind: str) -> str:
    # FUSE puts its own name in front: fuse.sshfs.
    return kind if kind.removeprefix("fuse.") in _NETWORK else ""


def mounted_type(mountinfo: str, device: int) -> str:
    """The type of the file system with this device number, "" when none has it. mountinfo: as proc(5) has it."""
    number = f"{device >> 8 & 0xFFF}:{device & 0xFF | device >> 12 & 0xFFF00}"
    for line in mountinfo.splitlines():
        mount, _, system = line.partition(" - ")
        if mount.split(" ")[2:3] == [number]:
            return system.split(" ")[0]
    return ""


def _read_darwin_type(path: Path) -> str:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    # Intel macs keep the old name for the structure with 32-bit inodes.
    statfs = getattr(libc, "statfs$INODE64", None) or libc.statfs
    buffer = ctypes.create_string_buffer(_STATFS_SIZE)
    if statfs(os.fsencode(path), buffer) != 0:
        return ""
    return buffer.raw[_TYPE_AT : _TYPE_AT + _TYPE_SIZE].split(b"\0")[0].decode("ascii", "replace")


def _read_windows_type(path: Path) -> str:
    if sys.platform != "win32":
        return ""
    import ctypes

    anchor = path.resolve().anchor
    return "network drive" if ctypes.windll.kernel32.GetDriveTypeW(anchor) == _DRIVE_REMOTE else ""
