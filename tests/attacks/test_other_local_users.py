"""Attacks of other users of the machine: run files, listening sockets, files of the home.

Each probe is one attack on a real proxy, or on the room that answers it, and says what fairlead does.
"""

import contextlib
import json
import os
import socket
import sys

import pytest

from router.net.loopback import has_address
from router.net.server.listen import AddressTaken, hold_port
from router.store.home import run_files
from router.store.home.home import open_home
from router.store.home.other_users import find_directory_source

from ..e2e.processes import Proxy, backend, until
from ..e2e.wire import ask
from .loopback import Side
from .probe import Probe

pytestmark = pytest.mark.skipif(sys.platform == "win32" or not has_address("::1"), reason="POSIX and both families")

PROBES = {
    "run file of a stranger": Probe("run files with odd numbers and fields", "no proxy, no crash"),
    "passed descriptor": Probe("a listening socket passed as LISTEN_FDS", "not served, not given to children"),
    "cmd child": Probe("a key command that looks for sockets", "it finds none"),
    "port shared by options": Probe("SO_REUSEPORT on all sockets of a program", "the proxy refuses to start beside it"),
    "bound and not listening": Probe("[::1] bound with SO_REUSEADDR, no listen", "refused or held, never shared"),
    "home swapped while running": Probe("another folder in the place of the home", "nothing is read or written there"),
    "source in other cases": Probe(
        "nsswitch.conf with CR, tabs, actions, no end", "a directory is seen, files are not"
    ),
}

BODY = b'{"model":"box:m","messages":[{"role":"user","content":"hi"}]}'
LOOKS = """
import os
lines = []
for number in os.listdir("/proc/self/fd"):
    try:
        lines.append(number + " " + os.readlink("/proc/self/fd/" + number))
    except OSError:
        pass
with open({out!r}, "w") as file:
    file.write("\\n".join(lines))
print("sk-made")
"""


class Runs:
    """What runs each probe: a method named as the probe, with underscores."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch

    def run_file_of_a_stranger(self):
        home = open_home({"FAIRLEAD_HOME": str(self.folder / "home")})
        good = {"pid": os.getpid(), "url": "http://localhost:1", "port": 1, "version": "0", "started": 1.0}
        odd = [
            {**good, "pid": 1, "born": "x"},
            {**good, "pid": -1},
            {**good, "pid": 1 << 62},
            {**good, "born": "of another process"},
            {**good, "literal_url": 7},
            {**good, "machine": "elsewhere"},
            [],
        ]
        for at, run in enumerate(odd):
            home.write(f"run/{at + 1}.json", json.dumps(run).encode())
        assert run_files.live(home) == []
        assert home.names("run", ".json") == ["6"]

    def passed_descriptor(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            os.set_inheritable(listener.fileno(), True)
            settings = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "http"}
            assert self.sockets_of_key_command(port, close_fds=False, settings=settings) == []
            with pytest.raises(AddressTaken):
                hold_port("localhost", port)

    def cmd_child(self):
        assert self.sockets_of_key_command(0) == []

    def sockets_of_key_command(self, port, **options):
        """The sockets that a key's command finds among its descriptors."""
        script, out = self.folder / "key.py", self.folder / "found"
        script.write_text(LOOKS.format(out=str(out)))
        entry = backend(
            "box",
            "http://127.0.0.1:9/v1",
            protocols=("chat",),
            auth="key",
            key=f"cmd:{json.dumps([sys.executable, str(script)])}",
        )
        with Proxy(self.folder, backends=[entry], **options) as proxy:
            assert proxy.port != port
            assert until(lambda: ask(proxy.port, "/v1/chat/completions", BODY).status and out.exists())
        found = out.read_text().split("\n")
        assert any("pipe:" in line for line in found)
        return [line for line in found if "socket:" in line]

    def port_shared_by_options(self):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            for sock in sockets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sockets[0].bind(("127.0.0.1", 0))
            sockets[0].listen()
            port = sockets[0].getsockname()[1]
            for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::"):
                with pytest.raises(AddressTaken):
                    hold_port(host, port)

    def bound_and_not_listening(self):
        with socket.socket(socket.AF_INET6) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("::1", 0))
            port = other.getsockname()[1]
            try:
                held = hold_port("localhost", port)
            except AddressTaken:
                return
            with held[0], held[1], pytest.raises(OSError, match="in use"):
                other.listen()

    def home_swapped_while_running(self):
        with Proxy(self.folder) as proxy:
            side = Side(proxy)
            proxy.home.rename(proxy.home.with_name("moved"))
            proxy.home.mkdir(mode=0o777)
            body = b'{"name":"box","base_url":"http://127.0.0.1:1/v1","protocols":["chat"],"key":"sk-secret-0123"}'
            call = side.sign("POST", "/admin/backends", body)
            answer = side.send(call, "POST", "/admin/backends", body)
            assert answer.status == 500
            assert b"replaced by another folder" in answer.body
            assert not [path for path in proxy.home.rglob("*") if path.is_file()]
            proxy.kill()

    def source_in_other_cases(self):
        (self.folder / "etc").mkdir()
        path = self.folder / "etc/nsswitch.conf"
        for text in (
            b"passwd: files sss",
            b"passwd:\tfiles\r\nshadow: x\r\npasswd: sss\r\n",
            b"PASSWD : [x=y] files [a=b]ldap",
        ):
            path.write_bytes(text)
            assert find_directory_source(self.folder), text
        for text in (b"passwd: files systemd\r\n", b"\xef\xbb\xbf\npasswd:files", b"passwd: " + b"files " * 10_000):
            path.write_bytes(text)
            assert not find_directory_source(self.folder), text


def test_every_probe_is_run():
    """And every run belongs to a probe."""
    runs = {run for run in vars(Runs) if not run.startswith("_")} - {"sockets_of_key_command"}
    assert runs == {method(name) for name in PROBES}


def method(name):
    return name.lower().replace(" ", "_").replace("/", "_").replace(".", "_")


@pytest.mark.parametrize("name", PROBES)
def test_probe(name, tmp_path, monkeypatch):
    """Each attack gives what its probe says."""
    getattr(Runs(tmp_path, monkeypatch), method(name))()
