"""A junction of Windows, pointed elsewhere in one step: there is no moment without it.

Windows replaces no folder by rename. But what a junction holds can be set anew while it is there:
FSCTL_SET_REPARSE_POINT replaces the data of a reparse point of the same kind ([MS-FSCC], Mount Point Reparse Data
Buffer).
"""

import struct
import sys
from pathlib import Path

_MOUNT_POINT = 0xA0000003
_SET_REPARSE_POINT = 0x000900A4
_GENERIC_WRITE, _SHARE_ALL, _OPEN_EXISTING = 0x40000000, 0x7, 3
# A folder, and the junction itself in the place of what it points to.
_BACKUP_SEMANTICS, _OPEN_REPARSE_POINT = 0x02000000, 0x00200000


def make_mount_point(target: str) -> bytes:
    """What a junction to an absolute path holds: REPARSE_DATA_BUFFER, the path for the system and as it is shown."""
    real, shown = f"\\??\\{target}".encode("utf-16-le"), target.encode("utf-16-le")
    end = b"\0\0"
    # Where each begins in what follows, and its bytes without the end.
    data = struct.pack("<4H", 0, len(real), len(real + end), len(shown)) + real + end + shown + end
    return struct.pack("<LHH", _MOUNT_POINT, len(data), 0) + data


def point_junction(junction: Path, target: Path) -> None:
    """Point a junction that is there to another folder. Raises OSError."""
    if sys.platform != "win32":
        raise OSError("there are no junctions here")
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = wintypes.HANDLE
    flags = _BACKUP_SEMANTICS | _OPEN_REPARSE_POINT
    handle = kernel.CreateFileW(str(junction), _GENERIC_WRITE, _SHARE_ALL, None, _OPEN_EXISTING, flags, None)
    if handle == wintypes.HANDLE(-1).value:
        raise ctypes.WinError(ctypes.get_last_error())
    handle = wintypes.HANDLE(handle)
    try:
        data = make_mount_point(str(target))
        written = wintypes.DWORD()
        if not kernel.DeviceIoControl(
            handle, _SET_REPARSE_POINT, data, len(data), None, 0, ctypes.byref(written), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
    finally:
        kernel.CloseHandle(handle)
