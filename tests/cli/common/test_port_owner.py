"""The process that holds a port, as another user's process can make it look."""

import os
import sys

import pytest

from router.cli.common.port_owner import find_port_owner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's /proc")

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LINE = "   0: 0100007F:0D80 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1\n"


def make_proc(folder, name):
    """A /proc with one process that listens on port 3456."""
    (folder / "net").mkdir()
    (folder / "net" / "tcp").write_text(HEAD + LINE)
    (folder / "77" / "fd").mkdir(parents=True)
    os.symlink("socket:[4242]", folder / "77" / "fd" / "3")
    (folder / "77" / "comm").write_bytes(name + b"\n")
    return folder


def test_the_process_is_named(tmp_path):
    """By its number and its name."""
    assert find_port_owner(3456, make_proc(tmp_path, b"nginx")) == "pid 77, nginx"


@pytest.mark.parametrize(
    "name", [b"\x1b]0;pwned\x07", b"\x1b[2J\x1b[H", b"a\rb\nc", b"\xff\xfe\x80", "\u202ecba".encode(), b"\xc2\x9b31m"]
)
def test_its_name_is_no_control(tmp_path, name):
    """A process gives itself any 15 bytes for a name; none of them acts on the terminal."""
    shown = find_port_owner(3456, make_proc(tmp_path, name))
    assert shown.startswith("pid 77, ")
    assert shown.isprintable()


def test_a_process_that_does_not_count(tmp_path):
    """The other one that listens on the same port is named; without one, none is."""
    proc = make_proc(tmp_path, b"fairlead")
    assert find_port_owner(3456, proc, but=77) == ""
    (proc / "net" / "tcp6").write_text(HEAD + LINE.replace("4242", "5353"))
    (proc / "88" / "fd").mkdir(parents=True)
    os.symlink("socket:[5353]", proc / "88" / "fd" / "3")
    (proc / "88" / "comm").write_bytes(b"vite\n")
    assert find_port_owner(3456, proc, but=77) == "pid 88, vite"
    assert find_port_owner(3456, proc, but=88) == "pid 77, fairlead"
