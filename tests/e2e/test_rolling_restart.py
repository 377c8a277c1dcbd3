"""Two replicas of a team behind nginx are restarted one after the other while clients stream: no client sees it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..patience import PATIENCE
from ..store.team.servers import Server, free_port
from .processes import Proxy, backend, until
from .samples import MESSAGES
from .test_signals import refuses
from .upstream import END, Upstream, begun, chunk, stream, wait_for
from .wire import ask

CONF = Path(__file__).parents[2] / "packaging" / "compose" / "nginx.conf"
STREAMS = 200
#: Clients that ask again and again, and requests that are made at once at a moment of interest.
STEADY, BURST = 8, 50
#: Set where the test must not be skipped for want of nginx.
REQUIRED = "FAIRLEAD_TEST_NGINX"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]


def find_nginx():
    """The path of nginx; skips the test where there is none, or fails it where it is required."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)("nginx is not installed")
    return program


@contextlib.contextmanager
def balanced(folder, ports):
    """The port of an nginx with the configuration of the example, before replicas on these ports."""
    program = find_nginx()
    port, text = free_port(), CONF.read_text("utf-8")
    for number, replica in enumerate(ports, 1):
        assert f"server fairlead-{number}:3456 " in text
        text = text.replace(f"server fairlead-{number}:3456 ", f"server 127.0.0.1:{replica} ")
    assert "listen 3456;" in text
    text = text.replace("listen 3456;", f"listen 127.0.0.1:{port};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    text = text.replace("http {\n", f"http {{\n{places}", 1)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"{user}daemon off;\npid {folder}/nginx.pid;\n{text}")
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            assert until(lambda: process.poll() is not None or not refuses(port))
            assert process.poll() is None, (folder / "error.log").read_text()
            yield port
        finally:
            process.terminate()


class Clients:
    """Clients of one port; what one of them saw that is no whole stream is kept."""

    def __init__(self, port):
        self._port = port
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(STREAMS + STEADY + BURST)
        self.faults = []
        self.whole = 0

    def stream(self):
        """One stream to its end."""
        try:
            answer = ask(self._port, MESSAGES.path, MESSAGES.body(stream=True))
        except (OSError, AssertionError, ValueError) as error:
            self.faults.append(repr(error))
            return
        expected = b"".join(MESSAGES.events)
        if answer is None or answer.status != 200 or not answer.whole or answer.body != expected:
            self.faults.append(answer and (answer.line, answer.whole, answer.body[-300:]))
        else:
            self.whole += 1

    def begin(self, count):
        """So many streams at once; what to wait for."""
        return [self._pool.submit(self.stream) for _ in range(count)]

    def steady(self):
        """Clients that go on until the end."""

        def repeat():
            while not self._ended.is_set():
                self.stream()

        return [self._pool.submit(repeat) for _ in range(STEADY)]

    def end(self):
        """Let the steady ones end."""
        self._ended.set()
        self._pool.shutdown()


def finish(streams):
    """Wait for all of them."""
    for one in streams:
        one.result(PATIENCE)


def start(folder, number, port, upstream, server):
    """One replica, that shares its state with the other by the server, and a budget that is never used up."""
    home = folder / f"replica-{number}"
    home.mkdir(exist_ok=True)
    settings = {
        "FAIRLEAD_DEFAULT_BACKEND": "box",
        "FAIRLEAD_ALLOWED_HOSTS": "fairlead",
        "FAIRLEAD_SHARED_URL": server.url,
        "FAIRLEAD_SHARED_SECRET": "s" * 48,
        "FAIRLEAD_GUARD_DAY_TOKENS": "1000000000",
        "FAIRLEAD_DRAIN_DELAY": "3s",
        "FAIRLEAD_DRAIN_TIME": "120s",
    }
    proxy = Proxy(home, "--port", str(port), backends=[backend("box", upstream.root)], settings=settings)
    assert until(lambda: ask(port, "/readyz").status == 200)
    return proxy


def test_no_client_sees_a_rolling_restart(tmp_path):
    """200 streams are open while each replica is told to stop; they end whole, as do those that begin while it leaves
    and after it has gone, and clients that ask all the time."""
    (tmp_path / "nginx").mkdir()
    with contextlib.ExitStack() as opened:
        server = opened.enter_context(Server(tmp_path))
        upstream = Upstream()
        opened.callback(upstream.stop)
        upstream.default = (stream(MESSAGES.events),)
        ports = [free_port() for _ in range(2)]
        replicas = [start(tmp_path, number, port, upstream, server) for number, port in enumerate(ports)]
        for number in range(2):
            opened.callback(lambda number=number: replicas[number].kill())
        clients = Clients(opened.enter_context(balanced(tmp_path / "nginx", ports)))
        opened.callback(clients.end)
        steady = clients.steady()
        rest = b"".join(map(chunk, MESSAGES.events[MESSAGES.begun :])) + END
        served = 0
        for number, port in enumerate(ports):
            gate, before = threading.Event(), len(upstream.seen)
            upstream.default = (begun(MESSAGES), wait_for(gate), rest)
            streams = clients.begin(STREAMS)
            upstream.wait(lambda up, before=before: len(up.seen) >= before + STREAMS)
            upstream.default = (stream(MESSAGES.events),)
            replicas[number].process.send_signal(signal.SIGTERM)
            assert until(lambda port=port: ask(port, "/readyz").status == 503)
            finish(clients.begin(BURST))
            assert until(lambda port=port: refuses(port))
            finish(clients.begin(BURST))
            assert replicas[number].process.poll() is None, "it ended with streams open"
            gate.set()
            finish(streams)
            assert replicas[number].process.wait(PATIENCE) == 0, replicas[number].said()
            served += STREAMS + 2 * BURST
            replicas[number] = start(tmp_path, number, port, upstream, server)
        clients.end()
        finish(steady)
        assert clients.faults == [], (tmp_path / "nginx" / "error.log").read_text()[-3000:]
        assert clients.whole > served
        assert server.command("EXISTS", "fl:{team}:state") == ":1"
        for replica in replicas:
            assert replica.stop() == 0
