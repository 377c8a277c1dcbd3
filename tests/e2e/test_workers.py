"""One port that several processes serve: what a client, an operator and a command see is one proxy."""

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time

import pytest

from .budgets import BODY, PATH, answer, configured
from .processes import Proxy, backend, until
from .test_restart import children, recorded, refuses
from .upstream import plain
from .wire import Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers, and /proc to find them")

SOURCES = (sys.executable, "-W", "error", "-m", "router")


def proxy(folder, up, workers=2, text="", **settings):
    """A proxy with workers and one backend."""
    configured(folder, text)
    own = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_WORKERS": str(workers), **settings}
    return Proxy(folder, "-v", backends=[backend("box", up.root)], settings=own, command=SOURCES)


def workers_of(one):
    """The numbers of its workers."""
    return [pid for pid in children(one.process.pid) if b"proxy" in cmdline(pid)]


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def metric(text, name):
    """The sum of a metric's samples."""
    return sum(float(line.rpartition(" ")[2]) for line in text.decode().splitlines() if line.startswith(name))


def metrics(one):
    return ask(one.port, "/metrics", None, one.operator()).body


def test_one_proxy(tmp_path, up):
    """Requests are served by the workers, recorded once, and counted in one /metrics; one run file, one stop."""
    up.default = [answer(5)]
    with proxy(tmp_path, up) as one:
        pids = workers_of(one)
        assert len(pids) == 2
        # Each connection is accepted by any of them.
        assert [ask(one.port, PATH, BODY).status for _ in range(40)] == [200] * 40
        counted = "gen_ai_server_request_duration_seconds_count"
        assert until(lambda: metric(metrics(one), counted) == 40)
        assert [path.name for path in (one.home / "run").glob("*.json")] == [f"{one.port}.json"]
        status = one.status()
        assert (status["pid"], status["running_count"]) == (one.process.pid, 0)
        assert one.stop() == 0, one.said()
        assert refuses(one.port)
        assert not any(cmdline(pid) for pid in pids)
    assert [count for _, count in recorded(one)] == [1] * 40


def test_operators_see_every_running_request(tmp_path, up):
    """/status lists the requests that any worker answers, and a drain lets all of them end."""
    release = threading.Event()

    def slow(sock):
        release.wait(20)
        sock.sendall(answer(5))

    up.default = [slow]
    with contextlib.ExitStack() as closing, proxy(tmp_path, up) as one:
        clients = [closing.enter_context(Client(one.port)) for _ in range(8)]
        for client in clients:
            client.send(request(PATH, BODY))
        assert until(lambda: one.status()["running_count"] == 8), one.status()
        status = one.status()
        assert len(status["running"]) == 8
        assert sum(one["queue"]["running"] for one in status["backends"]) == 8
        one.process.send_signal(signal.SIGTERM)
        assert until(lambda: refuses(one.port))
        release.set()
        assert [client.answer().status for client in clients] == [200] * 8
        assert one.process.wait(20) == 0, one.said()


def test_a_worker_that_dies_is_started_again(tmp_path, up):
    """A worker that is killed is replaced, the log says so, and the port serves all the time."""
    up.default = [answer(5)]
    with proxy(tmp_path, up) as one:
        before = workers_of(one)
        os.kill(before[0], signal.SIGKILL)
        assert until(lambda: len([pid for pid in workers_of(one) if pid not in before]) == 1), one.said()
        assert [ask(one.port, PATH, BODY).status for _ in range(10)] == [200] * 10
        assert re.search(
            rf"worker \d \(pid {before[0]}\) was ended by SIGKILL; another one starts", one.log.read_text()
        )


def test_workers_end_with_their_parent(tmp_path, up):
    """Without the parent nobody answers operators or restarts workers: they end, and the port is free."""
    up.default = [answer(5)]
    with proxy(tmp_path, up) as one:
        pids = workers_of(one)
        one.process.kill()
        one.process.wait()
        assert until(lambda: not any(cmdline(pid) for pid in pids))
        assert refuses(one.port)


def test_one_reload(tmp_path, up):
    """The answer to a reload comes once every worker uses the new configuration."""
    up.default = [answer(5)]
    with proxy(tmp_path, up, workers=3) as one:
        path = one.home / "config.toml"
        path.write_text('model = "box:other"\n' + path.read_text())
        answered = ask(one.port, "/admin/reload", b"{}", one.operator())
        assert answered.status == 200
        up.default = [answer(5)]
        for _ in range(12):
            assert ask(one.port, PATH, BODY).status == 200
        sent = [json.loads(req.body)["model"] for req in up.seen if req.body]
        assert sent[-12:] == ["other"] * 12


def test_one_account_state(tmp_path, up):
    """An account that one worker finds at its limit is parked in all of them within a second."""
    up.default = [plain(b"{}", b"429 Too Many Requests", (b"retry-after", b"600"))]
    with proxy(tmp_path, up, workers=3, text='queue.timeout = "1s"') as one:
        assert ask(one.port, PATH, BODY).status == 429
        began = time.monotonic()
        state = until(lambda: {account["state"] for account in one.status()["backends"][0]["accounts"]} == {"parked"})
        assert state, one.status()
        assert time.monotonic() - began < 1.5
        count = len(up.seen)
        time.sleep(0.3)  # how long the others may take to hear of it; nothing tells this from outside
        assert {ask(one.port, PATH, BODY).status for _ in range(12)} == {429}
        assert len(up.seen) == count
