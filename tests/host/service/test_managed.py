"""What a manager says by variables, and what it is told by datagrams."""

import os
import socket
import sys

import pytest

from router.host.service.managed import Service, read_variables, take_service

from ...patience import PATIENCE

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="datagrams of systemd")
ABSTRACT = pytest.param("@fairlead-test-{}", marks=pytest.mark.skipif(sys.platform != "linux", reason="abstract"))


@pytest.fixture
def bind(tmp_path):
    """Binds the manager's socket; the address as the manager writes it."""
    made = []

    def bind(form):
        address = form.format(os.getpid()) if form.startswith("@") else str(tmp_path / "notify")
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        made[0].bind("\0" + address[1:] if address.startswith("@") else address)
        made[0].settimeout(PATIENCE)
        return made[0], address

    yield bind
    for one in made:
        one.close()


@UNIX
@pytest.mark.parametrize("form", ["path", ABSTRACT])
def test_each_notification_is_one_datagram(bind, form):
    """READY, RELOADING with a moment of the monotonic clock, a sign of life, STOPPING: as sd_notify(3)."""
    receiver, address = bind(form)
    service = take_service({"NOTIFY_SOCKET": address})
    service.tell_ready("serves")
    assert receiver.recv(4096) == b"READY=1\nSTATUS=serves"
    service.tell_reloading()
    first, _, moment = receiver.recv(4096).partition(b"\nMONOTONIC_USEC=")
    assert first == b"RELOADING=1"
    assert int(moment) > 0
    service.tell_alive()
    assert receiver.recv(4096) == b"WATCHDOG=1"
    service.tell_stopping(300.0)
    assert receiver.recv(4096) == b"STOPPING=1\nSTATUS=Stopping.\nEXTEND_TIMEOUT_USEC=304000000"


@UNIX
@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "relative", "vsock:2:1", "/" + "x" * 200, "@\0"])
def test_nobody_there(address):
    """Without a manager that listens, nothing is sent and nothing fails."""
    take_service({"NOTIFY_SOCKET": address}).tell_ready("serves")


@UNIX
def test_a_manager_that_reads_nothing_holds_up_nobody(bind):
    """Its queue is full after some hundred datagrams; the loop that serves must not wait for it."""
    _, address = bind("path")
    service = take_service({"NOTIFY_SOCKET": address})
    for _ in range(2000):
        service.tell_alive()


def test_nothing_is_inherited():
    """All variables of the manager are gone afterwards; others stay."""
    environ = {
        "FAIRLEAD_SERVICE": "systemd",
        "FAIRLEAD_SERVICE_LOG": "/a/log",
        "NOTIFY_SOCKET": "@a",
        "WATCHDOG_USEC": "60000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/h",
    }
    service = take_service(environ)
    assert environ == {"HOME": "/h"}
    assert (service.kind, str(service.log), service.socket, service.watchdog) == ("systemd", "/a/log", "@a", 60.0)


@pytest.mark.parametrize(
    ("said", "pid", "seconds"),
    [
        *[("3000000", "", 3.0), ("3000000", "OWN", 3.0), ("3000000", "PARENT", 0.0), ("0", "OWN", 0.0)],
        *[("", "OWN", 0.0), ("-1", "OWN", 0.0), ("1e9", "OWN", 0.0), ("9" * 40, "OWN", 0.0), ("²", "OWN", 0.0)],
    ],
)
def test_the_watchdog_of_this_process_alone(said, pid, seconds):
    """What a parent is watched by is not this process's, and what is no number is none."""
    pid = {"OWN": str(os.getpid()), "PARENT": str(os.getppid())}.get(pid, pid)
    assert take_service({"WATCHDOG_USEC": said, "WATCHDOG_PID": pid}).watchdog == seconds


def test_the_loader_is_watched(monkeypatch):
    """Of the form of one file, systemd watches the loader, which is the parent."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert take_service({"WATCHDOG_USEC": "9000000", "WATCHDOG_PID": str(os.getppid())}).watchdog == 9.0


def test_a_kind_that_is_none():
    """Without `fairlead service` there is neither a kind nor a log."""
    service = take_service({"FAIRLEAD_SERVICE": "upstart", "FAIRLEAD_SERVICE_LOG": "/a/log"})
    assert (service.kind, service.log) == ("", None)


@pytest.mark.parametrize(
    ("kind", "lasting", "code"),
    [
        *[("systemd", True, 78), ("systemd", False, 1), ("tasks", True, 78)],
        *[("launchd", True, 0), ("launchd", False, 1), ("", True, 1)],
    ],
)
def test_exit_codes(kind, lasting, code):
    """What stays wrong ends so that the manager does not try again; in a terminal nothing differs."""
    assert Service(kind).choose_exit_code(1, lasting=lasting) == code


def test_variables_of_a_file(tmp_path):
    """They are added, what is there wins, and the file's name is gone."""
    path = tmp_path / "keys"
    path.write_text("A=1\nB='2 3'\n")
    path.chmod(0o600)
    environ = {"FAIRLEAD_SERVICE_ENV": str(path), "A": "own"}
    read_variables(environ)
    assert environ == {"A": "own", "B": "2 3"}
