"""Which process a number stands for: the system gives the numbers of ended processes to others, of other users too."""

import os
import sys
from pathlib import Path

_PROC = Path("/proc")
_DARWIN_INFO, _DARWIN_SIZE = 3, 136  # PROC_PIDTBSDINFO and its struct proc_bsdinfo, <sys/proc_info.h>


def alive(pid: int) -> bool:
    """True while a process of this user has that number; it may be of another program."""
    if not 0 < pid < 1 << 31:
        return False
    if sys.platform == "win32":
        return bool(_read_windows_birth(pid))
    try:
        os.kill(pid, 0)
    except OSError:
        # PermissionError: another user's.
        return False
    return _is_own_and_runs(pid)


def is_same(pid: int, born: str) -> bool:
    """True while the process of that number is the one that began then. born: of `find_birth`; "" is not compared."""
    if not alive(pid):
        return False
    return not born or find_birth(pid) in ("", born)


def find_birth(pid: int) -> str:
    """When a process began, as a text that no other process of that number has; "" where the system does not say."""
    try:
        if sys.platform == "linux":
            return _read_linux_birth(pid, _PROC)
        if sys.platform == "darwin":
            return _read_darwin_birth(pid)
        if sys.platform == "win32":
            return _read_windows_birth(pid)
    except (OSError, ValueError, IndexError, AttributeError):
        return ""
    return ""


def _is_own_and_runs(pid: int) -> bool:
    """False for a process of another user, which root may signal too, and for one that has ended and that its parent
    has not waited for; True where the system does not say."""
    if sys.platform != "linux":
        return True
    try:
        for line in (_PROC / str(pid) / "status").read_text("utf-8", "replace").splitlines():
            if line.startswith("State:") and line.split()[1:2] in (["Z"], ["X"]):
                return False
            if line.startswith("Uid:"):
                return str(os.getuid()) in line.split()[1:3]
    except OSError:
        # Hidden by the mount's options, or ended in this moment.
        return True
    return True


def _read_linux_birth(pid: int, proc: Path) -> str:
    """Clock ticks since the boot, and the boot's name: proc(5)."""
    # The name, in brackets, may hold spaces and brackets.
    fields = (proc / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    boot = (proc / "sys/kernel/random/boot_id").read_text("ascii", "replace").strip()
    return f"{boot} {int(fields[19])}"


def _read_darwin_birth(pid: int) -> str:
    import ctypes
    import struct

    buffer = ctypes.create_string_buffer(_DARWIN_SIZE)
    libc = ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)
    if libc.proc_pidinfo(pid, _DARWIN_INFO, ctypes.c_uint64(0), buffer, _DARWIN_SIZE) != _DARWIN_SIZE:
        return ""
    # The last two fields: pbi_start_tvsec, pbi_start_tvusec.
    seconds, micros = struct.unpack("QQ", buffer.raw[-16:])
    return f"{seconds}.{micros:06}"


def _read_windows_birth(pid: int) -> str:
    """When the process was created; "" for one that has ended."""
    if sys.platform != "win32":
        return ""
    import ctypes

    # os.kill(pid, 0) would send Ctrl-C there.
    limited_information, still_active = 0x1000, 259
    handle = ctypes.windll.kernel32.OpenProcess(limited_information, False, pid)
    if not handle:
        return ""
    try:
        code, times = ctypes.c_ulong(), [ctypes.c_uint64() for _ in range(4)]
        ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        if code.value != still_active:
            return ""
        ctypes.windll.kernel32.GetProcessTimes(handle, *(ctypes.byref(one) for one in times))
        return f"created {times[0].value}"
    finally:
        ctypes.windll.kernel32.CloseHandle(handle)
