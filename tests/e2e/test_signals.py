"""How a serving process ends. Three proxies with fifty streams each drain at the same time."""

import contextlib
import multiprocessing
import os
import signal
import site
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from ..patience import PATIENCE
from .processes import Proxy, add_backend, backend, until
from .samples import PROTOCOLS, stream_error_of
from .upstream import Upstream, begun, hang
from .wire import Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

STREAMS = 50
DRAIN = 10.0
# Last words, and the time a busy machine takes.
MARGIN = 4.0
# A number, not a name: SIGHUP is none on Windows.
SIGNALS = {"SIGTERM": 15, "SIGINT": 2, "SIGHUP": 1}


class Terminal:
    """A pseudo-terminal as the controlling terminal of a child."""

    def __init__(self):
        self.master, self._slave = os.openpty()

    def options(self):
        """What makes a Popen child use it."""
        return {
            "stdin": self._slave,
            "output": self._slave,
            "start_new_session": True,
            "preexec_fn": lambda: os.login_tty(0),
        }

    def close(self):
        """Hang up: the system sends SIGHUP to the child."""
        for descriptor in (self.master, self._slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def terminal():
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def silent():
    """An upstream whose every stream falls silent after its first content."""
    up = Upstream()
    yield up
    up.stop()


def start(folder, upstream, **options):
    """A proxy whose one backend is the upstream; `drain` ends it, so that its exit is not checked elsewhere."""
    return Proxy(
        folder, backends=[backend("box", upstream.root)], settings={"FAIRLEAD_DEFAULT_BACKEND": "box"}, **options
    )


@pytest.fixture
def open_clients():
    """Closes what a test enters into it."""
    with contextlib.ExitStack() as stack:
        yield stack


def begin(proxy, upstream, protocol):
    """A client whose stream has shown its first content and then hangs."""
    upstream.script(begun(protocol), hang)
    client = Client(proxy.port)
    client.send(request(protocol.path, protocol.body(stream=True)))
    client.read_until("H\u2028".encode())
    return client


class Ended(NamedTuple):
    """How a proxy with open streams ended. answers: (index in PROTOCOLS, answer) of each stream."""

    code: int
    seconds: float
    answers: list
    said: str


def drain(name, folder):
    """Send the signal to a proxy with fifty open streams; how it ended."""
    terminal = Terminal()
    with contextlib.ExitStack() as opened:
        opened.callback(terminal.close)
        upstream = Upstream()
        opened.callback(upstream.stop)
        proxy = start(folder, upstream, **(terminal.options() if name == "SIGHUP" else {}))
        opened.callback(proxy.kill)
        streams = []
        for number in range(STREAMS):
            kind = PROTOCOLS[number % 3]
            streams.append((number % 3, opened.enter_context(begin(proxy, upstream, kind))))
        began = time.monotonic()
        proxy.process.send_signal(SIGNALS[name])
        answers = [(kind, client.answer()) for kind, client in streams]
        code = proxy.process.wait(DRAIN + MARGIN)
        return Ended(code, time.monotonic() - began, answers, proxy.said())


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """Name of the signal -> how the proxy ended that got it. All three at once, each with its clients and its upstream
    in a process of its own: three hundred descriptors are more than macOS gives one by default."""
    folders = [tmp_path_factory.mktemp(name) for name in SIGNALS]
    # Tests are imported by their path; a process that is spawned finds them by their name.
    found = {"initializer": site.addsitedir, "initargs": (str(Path(__file__).parents[2]),)}
    with ProcessPoolExecutor(len(SIGNALS), multiprocessing.get_context("spawn"), **found) as pool:
        return dict(zip(SIGNALS, pool.map(drain, SIGNALS, folders), strict=True))


@pytest.mark.parametrize("name", SIGNALS)
def test_streams_get_their_last_words(drained, name):
    """After the drain every open stream ends in its protocol's error event; none ends cleanly; the exit code is 0."""
    ended = drained[name]
    assert ended.code == 0, ended.said
    assert DRAIN - 0.5 < ended.seconds < DRAIN + MARGIN
    assert len(ended.answers) == STREAMS
    for kind, answer in ended.answers:
        assert "stopping" in stream_error_of(PROTOCOLS[kind], answer)
    assert "Traceback" not in ended.said


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_streams_that_finish_are_waited_for(tmp_path, open_clients, name):
    """Streams that end within the drain end well; then the proxy leaves at once, and its port and run file are gone."""
    with Proxy(tmp_path) as proxy:
        clients = [open_clients.enter_context(Client(proxy.port)) for _ in PROTOCOLS]
        for kind, client in zip(PROTOCOLS, clients, strict=True):
            client.send(request(kind.path, kind.body("demo-slow", stream=True)))
            client.read_until(b"Caf")
        idle = open_clients.enter_context(Client(proxy.port))
        idle.send(request("/livez"))
        assert idle.answer().status == 200
        proxy.process.send_signal(SIGNALS[name])
        assert idle.ended(), "an idle connection is kept"
        for client in clients:
            assert client.answer().whole
            assert client.ended()
        assert proxy.process.wait(PATIENCE) == 0
        assert not list((proxy.home / "run").glob("*.json"))
    assert refuses(proxy.port)


def refuses(port):
    """True when nobody listens."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_new_while_draining(tmp_path, silent):
    """While streams drain, no new connection is taken."""
    with start(tmp_path, silent) as proxy, begin(proxy, silent, PROTOCOLS[0]) as client:
        proxy.process.send_signal(signal.SIGTERM)
        assert until(lambda: refuses(proxy.port))
        assert proxy.process.poll() is None
        client.sock.close()
        assert proxy.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_second_signal(tmp_path, silent, name):
    """A second signal does not wait for the drain; no stream ends cleanly."""
    with start(tmp_path, silent) as proxy, begin(proxy, silent, PROTOCOLS[0]) as client:
        proxy.process.send_signal(SIGNALS[name])
        assert until(lambda: refuses(proxy.port))
        proxy.process.send_signal(SIGNALS[name])
        assert proxy.process.wait(PATIENCE) == 128 + SIGNALS[name]
        assert not client.answer().whole


def test_stop_before_it_serves(tmp_path):
    """A signal in the first moments ends the process too, without a trace."""
    for delay in (0.02, 0.06, 0.12, 0.2):
        folder = tmp_path / str(delay)
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "router", "proxy", "--port", "0"],
                env={"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(folder / "home"), "FAIRLEAD_REQUIRE_KEY": "off"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -15, 143)
        assert "Traceback" not in (folder / "log").read_text()


def test_hangup_reloads(tmp_path, silent):
    """Without a terminal SIGHUP reloads: a backend that was added serves, streams go on."""
    with start(tmp_path, silent, start_new_session=True) as proxy, begin(proxy, silent, PROTOCOLS[0]) as client:
        assert ask(proxy.port, "/status", None, proxy.operator()).json()["backends"][0]["name"] == "box"
        add_backend(proxy.home, backend("late", silent.root))
        proxy.process.send_signal(signal.SIGHUP)
        assert until(lambda: b'"late"' in ask(proxy.port, "/status", None, proxy.operator()).body)
        assert proxy.process.poll() is None
        client.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.answer()


def test_broken_file_at_reload(tmp_path, silent):
    """A file that is broken at a reload keeps its last good state, and the status says so."""
    with start(tmp_path, silent, start_new_session=True) as proxy:
        (proxy.home / "backends" / "box.json").write_text('{"schema":1,')
        proxy.process.send_signal(signal.SIGHUP)

        def status():
            return ask(proxy.port, "/status", None, proxy.operator()).json()

        assert until(lambda: status()["problems"])
        assert "box.json" in status()["problems"][0]
        assert [entry["name"] for entry in status()["backends"]] == ["box", "demo"]


def test_closed_terminal(tmp_path, terminal):
    """A terminal that is closed ends the proxy in good order, though nobody can read what it says any more."""
    proxy = Proxy(tmp_path, "-v", **terminal.options())
    try:
        assert ask(proxy.port, "/livez").status == 200
        terminal.close()
        assert proxy.process.wait(PATIENCE) == 0
        assert not list((proxy.home / "run").glob("*.json"))
    finally:
        proxy.kill()


def test_output_nobody_reads(tmp_path):
    """With -vv on a pipe that nobody reads, over ten thousand requests are served and the end is as orderly as ever."""
    total, pipeline = 10_600, 100  # what the log holds back, and some more
    proxy = Proxy(tmp_path, "-vv", output=subprocess.PIPE)
    with proxy.process.stdout, proxy.process.stderr, proxy:
        one = request("/v1/embeddings", b'{"model":"demo","input":"' + b"x" * 300 + b'","dimensions":1}')
        with Client(proxy.port) as client:
            for _ in range(total // pipeline):
                client.send(one * pipeline)
                for _ in range(pipeline):
                    assert client.answer().status == 200
        status = ask(proxy.port, "/status", None, proxy.operator()).json()
        assert status["dropped_log_lines"] > 0
        began = time.monotonic()
        assert proxy.stop() == 0
        assert time.monotonic() - began < 5
