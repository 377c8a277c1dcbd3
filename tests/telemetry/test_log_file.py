"""The access log's file: nothing that another user prepared is followed, written to or waited for."""

import os
import socket
import stat
import sys

import pytest

from router.telemetry import log_file
from router.telemetry.log_file import LogFile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
OTHER = 12345


def write(path, data=b"line\n"):
    """Open the log, write to it as its thread does, and close it."""
    file = LogFile(str(path))
    os.write(file.descriptor, data)
    file.rotate()
    file.close()


def make_link(path):
    path.symlink_to(path.parent / "victim")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_link, "it is a link; name the file itself"),
        (os.mkfifo, "it is a pipe, not a file"),
        (os.mkdir, "(?i)is a directory"),
        (make_socket, "it is a socket, not a file"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, make, said):
    """At once, with what it is; nothing is written to where a link leads."""
    victim = tmp_path / "victim"
    victim.write_text("his")
    make(tmp_path / "access.log")
    with pytest.raises(OSError, match=said):
        write(tmp_path / "access.log")
    assert victim.read_text() == "his"


def test_a_pipe_with_a_reader_is_refused(tmp_path):
    """It opens, and is still no file."""
    path = tmp_path / "access.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="pipe"):
        write(path)
    os.close(reader)


def test_a_link_to_nowhere_makes_no_file(tmp_path):
    """O_CREAT through a link would make a file of this user where another wants it."""
    (tmp_path / "access.log").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="link"):
        write(tmp_path / "access.log")
    assert not (tmp_path / "made").exists()


def test_a_link_of_ones_own_in_a_folder_of_ones_own_is_followed(tmp_path):
    """As ~/logs to another disk: relative, absolute, several, with dots."""
    (tmp_path / "disk" / "logs").mkdir(parents=True)
    (tmp_path / "one").symlink_to("disk")
    (tmp_path / "two").symlink_to(tmp_path / "one" / "." / "logs")
    write(tmp_path / "two" / "access.log")
    write(f"{tmp_path}//disk/../one/./logs/access.log")
    assert (tmp_path / "disk" / "logs" / "access.log").read_bytes() == b"line\n" * 2


def test_a_loop_of_links_ends(tmp_path):
    """With the system's error."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"(?i)symbolic links"):
        write(tmp_path / "a" / "access.log")


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_link_that_others_could_replace_is_refused(tmp_path, mode):
    """In a folder that others can write; with the sticky bit only its owner can replace it."""
    (tmp_path / "real").mkdir()
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "logs").symlink_to(tmp_path / "real")
    shared.chmod(mode)
    with pytest.raises(OSError, match="another user could change"):
        write(shared / "logs" / "access.log")
    assert not list((tmp_path / "real").iterdir())
    shared.chmod(mode | stat.S_ISVTX)
    write(shared / "logs" / "access.log")


@as_root
def test_a_link_of_another_user_is_refused(tmp_path):
    """Also in a sticky folder, such as /tmp."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "real").mkdir()
    (shared / "logs").symlink_to(tmp_path / "real")
    os.lchown(shared / "logs", OTHER, OTHER)
    with pytest.raises(OSError, match="another user could change"):
        write(shared / "logs" / "access.log")


@as_root
def test_a_file_of_another_user_is_refused(tmp_path):
    """He could read what is appended."""
    path = tmp_path / "access.log"
    path.touch()
    os.chown(path, OTHER, OTHER)
    with pytest.raises(OSError, match="belongs to another user"):
        write(path)
    assert path.read_bytes() == b""


def test_a_second_name_is_refused_where_others_can_write(tmp_path):
    """Another user can give a file of this one a second name there; in a folder of one's own it is a backup's."""
    private = tmp_path / "secret"
    private.write_text("mine")
    shared = tmp_path / "shared"
    shared.mkdir()
    os.link(private, shared / "access.log")
    shared.chmod(0o1777)
    with pytest.raises(OSError, match="second name"):
        write(shared / "access.log")
    assert private.read_text() == "mine"
    shared.chmod(0o700)
    write(shared / "access.log")


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("make", [make_link, os.mkfifo], ids=["link", "pipe"])
def test_prepared_names_of_older_files_are_not_followed(tmp_path, monkeypatch, place, make):
    """Rotation moves or replaces what is there, never what it leads to, and waits for nobody."""
    monkeypatch.setattr(log_file, "FILE_BYTES", 10)
    victim = tmp_path / "victim"
    victim.write_text("his")
    make(tmp_path / f"access.log.{place}")
    for number in range(8):
        write(tmp_path / "access.log", b"a long line %d\n" % number)
    assert victim.read_text() == "his"
    assert (tmp_path / "access.log.1").read_bytes() == b"a long line 7\n"
    assert (tmp_path / "access.log.4").read_bytes() == b"a long line 4\n"


def test_rotation_stays_in_the_folder_that_was_opened(tmp_path, monkeypatch):
    """A folder that was moved away meanwhile, with a link in its place, is still the one."""
    monkeypatch.setattr(log_file, "FILE_BYTES", 10)
    (tmp_path / "logs").mkdir()
    (tmp_path / "other").mkdir()
    file = LogFile(str(tmp_path / "logs" / "access.log"))
    (tmp_path / "logs").rename(tmp_path / "moved")
    (tmp_path / "logs").symlink_to("other")
    os.write(file.descriptor, b"a long line\n")
    file.rotate()
    file.close()
    assert sorted(entry.name for entry in (tmp_path / "moved").iterdir()) == ["access.log", "access.log.1"]
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no such devices")
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/stderr", "/dev/null", "/dev//stdout"])
def test_streams_of_the_process_and_the_null_device_work(path, capfd, monkeypatch):
    """They are written to and never rotated."""
    monkeypatch.setattr(log_file, "FILE_BYTES", 1)
    write(path)
    out = "".join(capfd.readouterr())
    assert out == ("" if path == "/dev/null" else "line\n")
    assert not os.path.exists("/dev/stdout.1")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device")
def test_other_devices_are_refused():
    """A device may do anything with what is written to it."""
    with pytest.raises(OSError, match="a device"):
        write("/dev/zero")


def test_nothing_is_left_open_by_a_refusal(tmp_path):
    """Each try would take two descriptors."""
    os.mkfifo(tmp_path / "access.log")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        with pytest.raises(OSError, match="pipe"):
            LogFile(str(tmp_path / "access.log"))
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert before == after


def test_a_relative_path_counts_from_where_the_proxy_started(tmp_path, monkeypatch):
    """Also its rotation, wherever the process is later."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(log_file, "FILE_BYTES", 1)
    file = LogFile("access.log")
    monkeypatch.chdir("/")
    os.write(file.descriptor, b"line\n")
    file.rotate()
    file.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["access.log", "access.log.1"]
