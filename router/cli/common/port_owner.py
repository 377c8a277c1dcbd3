"""Find the process that listens on a port, as far as the system shows it to this user."""

import contextlib
import os
import socket
import sys
from pathlib import Path

from router.net.loopback import LOCALHOST, has_address
from router.settings.kinds import clean

# The state LISTEN in /proc/net/tcp.
_LISTENING = "0A"


def find_port_owner(port: int, proc: Path = Path("/proc"), *, but: int = 0) -> str:
    """The process as `pid 4121, nginx`, or its user where only that is visible; '' where nothing is. but: the id of a
    process that does not count. Linux only: other systems have no such folder."""
    found = _read_listening_inodes(port, proc)
    links = {f"socket:[{inode}]" for inode in found}
    if not links:
        return ""
    if but:
        links -= _read_links(proc / str(but) / "fd")
    for folder in proc.iterdir():
        if folder.name.isdecimal() and int(folder.name) != but and not links.isdisjoint(_read_links(folder / "fd")):
            return f"pid {folder.name}{_read_name(folder)}"
    return "" if but else f"of user {_find_user_name(int(next(iter(found.values()))))}"


def find_free_port_after(port: int) -> int | None:
    """The next of up to 49 higher ports that can be bound on loopback; None when all are in use."""
    addresses = [address for address in LOCALHOST if has_address(address)]
    return next(
        (one for one in range(port + 1, min(port + 50, 65536)) if all(_is_free(at, one) for at in addresses)), None
    )


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _read_listening_inodes(port: int, proc: Path) -> dict[str, str]:
    """The sockets that listen on a port, each with the number of its user."""
    found: dict[str, str] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found[fields[9]] = fields[7]
    return found


def _read_links(folder: Path) -> set[str]:
    """What the descriptors of a process are, as far as this user may see them."""
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    found: set[str] = set()
    for name in names:
        with contextlib.suppress(OSError):
            found.add(os.readlink(folder / name))
    return found


def _find_user_name(uid: int) -> str:
    if sys.platform == "win32":
        return str(uid)
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read_name(folder: Path) -> str:
    try:
        # A process gives itself its name, of any 15 bytes.
        return ", " + clean((folder / "comm").read_text("utf-8", "replace").strip())
    except OSError:
        return ""
