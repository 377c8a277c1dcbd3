"""Find the process that listens on a port, as far as the system shows it to this user."""

import os
import socket
import sys
from pathlib import Path

from router.settings.kinds import clean

# The state LISTEN in /proc/net/tcp.
_LISTENING = "0A"


def find_port_owner(port: int, proc: Path = Path("/proc")) -> str:
    """The process as `pid 4121, nginx`; '' when it is not visible. Linux only."""
    if sys.platform != "linux":
        return ""
    links = {f"socket:[{inode}]" for inode in _read_listening_inodes(port, proc)}
    if not links:
        return ""
    for folder in proc.iterdir():
        if folder.name.isdecimal() and _holds_any(folder / "fd", links):
            return f"pid {folder.name}{_read_name(folder)}"
    return ""


def find_free_port_after(port: int) -> int | None:
    """The next of up to 49 higher ports that can be bound on loopback; None when all are in use."""
    for candidate in range(port + 1, min(port + 50, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    return None


def _read_listening_inodes(port: int, proc: Path) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _holds_any(folder: Path, links: set[str]) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(folder / name) in links:
                return True
        except OSError:
            continue
    return False


def _read_name(folder: Path) -> str:
    try:
        # A process gives itself its name, of any 15 bytes.
        return ", " + clean((folder / "comm").read_text("utf-8", "replace").strip())
    except OSError:
        return ""
