"""What a machine does to a proxy: no descriptors, a full disk, output that nobody reads, a home that is gone."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

import pytest

from ..commands import run_in_home
from ..patience import PATIENCE
from .processes import SOURCES, Proxy, backend, make_home, until
from .samples import MESSAGES
from .upstream import Upstream, begun, hang, plain
from .wire import Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")

BODY = MESSAGES.body("demo")
STREAM = MESSAGES.body("model-a", stream=True)


def answers(port, body=BODY):
    """True when a request is served."""
    answer = ask(port, MESSAGES.path, body)
    return answer is not None and answer.status == 200 and answer.whole


def command(proxy, *arguments):
    """Run a fairlead command in the proxy's home."""
    return run_in_home(proxy.home, *arguments)


def limited(number, value, *rest):
    """What starts a program under a limit of the system. value, rest: soft and hard, or both."""
    code = f"import resource, os, sys; resource.setrlimit(resource.{number}, ({value}, {rest[0] if rest else value}))"
    return (sys.executable, "-c", f"{code}; os.execv(sys.argv[1], sys.argv[1:])", *SOURCES)


# Descriptors


@pytest.fixture
def held():
    """An upstream whose streams begin and stay open."""
    up = Upstream()
    up.default = (begun(MESSAGES), hang)
    yield up
    up.stop()


@contextlib.contextmanager
def opened(port, count):
    """This many streams asked for at once: how many began, and the answers of the others; closed at the end."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            clients.append(stack.enter_context(Client(port)))
            clients[-1].send(request(MESSAGES.path, STREAM))
        tops = [client.sock.recv(65536) for client in clients]
        refused = [top for top in tops if not top.startswith(b"HTTP/1.1 200 ")]
        yield count - len(refused), refused


def test_no_descriptors(tmp_path, held):
    """Of 64, and no more to be had: who cannot be served gets 503 and `retry-after: 1`, operators still get in, the
    backend is not blamed, and within five seconds of the end of the streams all is well."""
    options = {"backends": [backend("box", held.root)], "command": limited("RLIMIT_NOFILE", 64)}
    with Proxy(tmp_path, **options) as proxy:
        proxy.settled("box")
        proxy.loaded()
        with opened(proxy.port, 80) as (began, refused):
            assert began >= 10
            for top in refused:
                assert top.startswith(b"HTTP/1.1 503 "), top
                assert b"\r\nretry-after: 1\r\n" in top.lower()
                assert b"descriptor" in top
            status = proxy.status()
        bound = status["vitals"]["bounds"]["descriptors"]
        assert bound["limit"] == 64
        assert bound["used"] > 48
        assert status["backends"][0]["problem"] is None
        assert until(lambda: begins(proxy.port, 10))


def begins(port, count):
    """True when this many streams begin at once."""
    with opened(port, count) as (began, _):
        return began == count


def test_the_limit_is_raised_for_us_alone(tmp_path):
    """Soft 100 and hard more: the proxy takes what the hard limit allows, a program that fetches a key gets 100."""
    key = 'cmd:["sh", "-c", "ulimit -n > seen; echo sk-0123456789"]'
    entry = backend("box", "http://127.0.0.1:9/v1", auth="key", key=key)
    with Proxy(tmp_path, backends=[entry], command=limited("RLIMIT_NOFILE", 100, 200)) as proxy:
        assert until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text() == "100\n")
        assert proxy.status()["vitals"]["bounds"]["descriptors"]["limit"] == 200


# The disk


@pytest.mark.skipif(sys.platform != "linux", reason="changes the limits of another process")
def test_a_full_disk(tmp_path):
    """Log, history, run file and configuration cannot be written: requests are served, what is missing is said, a
    change that cannot be saved is refused, and with room again all goes on."""
    import resource

    log = tmp_path / "access.log"
    # What it says goes where there is room: lines that it cannot say would count among those that are dropped, too.
    with Proxy(tmp_path, "--log-file", str(log), output=subprocess.DEVNULL) as proxy:
        assert answers(proxy.port)
        assert until(lambda: log.exists() and log.read_bytes().endswith(b"}\n"))
        operator = proxy.operator()
        [file] = (proxy.home / "run").iterdir()
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (0, -1))
        file.unlink()
        for _ in range(3):
            assert answers(proxy.port)
        assert until(lambda: proxy.status()["dropped_log_lines"] == 3)
        assert until(lambda: proxy.status()["history"]["problem"])
        assert until(lambda: any("cannot find this proxy" in problem for problem in proxy.status()["problems"]))
        body = b'{"name":"box","base_url":"http://127.0.0.1:9","protocols":["chat"],"auth":"none"}'
        refused = ask(proxy.port, "/admin/backends", body, operator)
        assert refused.status >= 400
        assert b"cannot be written" in refused.body
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
        assert until(file.exists)
        assert answers(proxy.port)
        assert until(lambda: log.read_bytes().count(b"}\n") == 2)
    assert not (proxy.home / "backends").exists() or not list((proxy.home / "backends").iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_log_file_on_a_full_disk(tmp_path):
    """Its lines are dropped and counted; requests go on."""
    with Proxy(tmp_path, "--log-file", "/dev/full") as proxy:
        for _ in range(3):
            assert answers(proxy.port)
        assert until(lambda: proxy.status()["dropped_log_lines"] == 3)


# Output


@pytest.mark.parametrize("verbose", ["0", "2"])
def test_output_that_nobody_reads(tmp_path, verbose):
    """A full pipe keeps no request waiting, and not the end either."""
    reader, writer = os.pipe()
    try:
        fill(writer)
        with Proxy(tmp_path, "--verbose", verbose, output=writer, settings={"PYTHONWARNINGS": "default"}) as proxy:
            for _ in range(50):
                assert answers(proxy.port)
    finally:
        os.close(reader)
        os.close(writer)


def fill(pipe):
    """Leave room for the lines of the start alone: they are said once, before anything is served."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"." * 4096)
    os.set_blocking(pipe, True)


def test_output_whose_reader_left(tmp_path):
    """EPIPE: lines are dropped and counted."""
    reader, writer = os.pipe()
    with Proxy(tmp_path, "--verbose", "1", output=writer) as proxy:
        os.close(reader)
        os.close(writer)
        for _ in range(3):
            assert answers(proxy.port)
        assert until(lambda: proxy.status()["dropped_log_lines"] == 3)


def test_closed_output(tmp_path):
    """EBADF: the proxy serves, and what it would say goes into no file or socket that has the number since."""
    closing = (sys.executable, "-c", "import os, sys; os.closerange(0, 3); os.execv(sys.argv[1], sys.argv[1:])")
    with Proxy(tmp_path, "--verbose", "2", command=(*closing, *SOURCES)) as proxy:
        proxy.loaded()
        for _ in range(3):
            assert answers(proxy.port)
        for number in range(3):
            assert os.readlink(f"/proc/{proxy.process.pid}/fd/{number}") == "/dev/null"


# The home


def test_the_home_is_removed(tmp_path, held):
    """Requests go on with what is in memory, /status and the terminal say so, and `stop` says how to end it."""
    held.default = (plain(MESSAGES.whole),)
    with Proxy(tmp_path, backends=[backend("box", held.root)]) as proxy:
        proxy.settled("box")
        operator = proxy.operator()
        shutil.rmtree(proxy.home)

        def problems():
            return ask(proxy.port, "/status", None, operator).json()["problems"]

        assert until(lambda: any("was removed" in problem for problem in problems()))
        assert answers(proxy.port, MESSAGES.body("model-a"))
        done = command(proxy, "stop", "--port", str(proxy.port))
        assert done.code == 0
        assert f"note: another program has port {proxy.port}" in done.err.decode()
        assert f"pid {proxy.process.pid}" in done.err.decode()
        time.sleep(2.5)  # a look at the files
        assert answers(proxy.port, MESSAGES.body("model-a")), "the new, empty home was taken for its own"
    assert "was removed" in proxy.said()


def test_two_proxies_on_one_home(tmp_path):
    """Both serve, both write the history, and one `stop` ends both."""
    with Proxy(tmp_path) as first:
        second = subprocess.Popen(
            [*SOURCES, "proxy", "--port", "0"],
            env={**os.environ, "FAIRLEAD_HOME": str(first.home), "HOME": str(tmp_path), "FAIRLEAD_REQUIRE_KEY": "off"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        try:
            files = first.home / "run"
            assert until(lambda: len(list(files.glob("*.json"))) == 2)
            ports = [int(file.stem) for file in files.glob("*.json")]
            for _ in range(5):
                assert all(answers(port) for port in ports)
            query = "/admin/history?limit=100"
            assert until(lambda: len(ask(ports[0], query, None, first.operator()).json()["requests"]) == 10)
            done = command(first, "stop")
            assert done.out.decode().count("Stopped the proxy") == 2
            assert second.wait(PATIENCE) == 0
            assert first.process.wait(PATIENCE) == 0
        finally:
            second.kill()
            second.wait()


# What is told of it


def test_vitals_and_metrics(tmp_path):
    """/status and /metrics tell of lag, waiting requests and every bound, by the same names; /health says no more."""
    with Proxy(tmp_path) as proxy:
        proxy.loaded()
        vitals = proxy.status()["vitals"]
        assert (vitals["stalled_s"], vitals["waiting"], vitals["clock_jumps"]) == (None, 0, 0)
        assert vitals["bounds"]["client_connections"] == {"used": 1, "limit": 2048}
        assert vitals["bounds"]["buffered_bytes"] == {"used": 0, "limit": 256 << 20}
        text = ask(proxy.port, "/metrics", None, proxy.operator()).body.decode()
        for name, bound in vitals["bounds"].items():
            assert f'fairlead_in_use{{of="{name}"}}' in text
            assert (f'fairlead_bound{{of="{name}"}}' in text) is (bound["limit"] is not None)
        for name in ("loop_lag_seconds", "stalled_seconds", "clock_jumps_total", "network_changes_total"):
            assert f"\nfairlead_{name} " in text
        assert ask(proxy.port, "/health").json() == {"status": "ok"}


def test_warnings_of_the_start_are_in_the_status(tmp_path):
    """What is unknown in config.toml is told from the first moment, not only after a reload."""
    make_home(tmp_path)
    config = tmp_path / "home" / "config.toml"
    config.touch(mode=0o600)
    config.write_text("no_such_setting = 1\n")
    with Proxy(tmp_path) as proxy:
        assert any("no_such_setting" in problem for problem in proxy.status()["problems"])


def test_keys_of_waiting_accounts_are_hidden(tmp_path):
    """A key that no request uses yet is blotted out of what -vv shows all the same."""
    entry = backend("box", "http://127.0.0.1:9/v1", auth="key", key="first-account-key")
    entry["accounts"].append({"alias": "spare", "key": "second-account-key"})
    with Proxy(tmp_path, "--verbose", "2", backends=[entry]) as proxy:
        ask(proxy.port, MESSAGES.path, BODY.replace(b'{"model"', b'{"x":"second-account-key","model"', 1))
    assert "second-account-key" not in proxy.log.read_text()
    assert "[redacted]" in proxy.log.read_text()
