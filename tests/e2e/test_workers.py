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

from ..patience import PATIENCE
from .budgets import BODY, PATH, answer, configured
from .detached import Detached, Watch
from .processes import Proxy, backend, until
from .samples import PROTOCOLS
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


def burst(port, count, *fields):
    """The statuses of so many requests at once, each on a connection of its own."""
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(port, PATH, BODY, *fields).status)) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_one_limit_a_minute(tmp_path, up):
    """A backend's limit of requests a minute is one for all workers, all of it usable and no more, in a burst."""
    up.default = [answer(5)]
    text = 'queue.timeout = "1s"\n[backends.box]\nrpm = 10'
    with proxy(tmp_path, up, workers=3, text=text) as one:
        assert burst(one.port, 30) == [200] * 10 + [429] * 20
        assert len([req for req in up.seen if req.body]) == 10
        assert one.status()["backends"][0]["queue"]["limits"] == {"rpm": {"used": 10, "limit": 10}}


def test_one_limit_at_a_time(tmp_path, up):
    """No more requests run at a backend than its max_concurrent, over all workers, and all are served in turn."""
    lock, running, most = threading.Lock(), [0], [0]

    def slow(sock):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        sock.sendall(answer(5))

    up.default = [slow]
    with proxy(tmp_path, up, workers=3, text="[backends.box]\nmax_concurrent = 4") as one:
        assert burst(one.port, 24) == [200] * 24
        assert most[0] <= 4


def test_an_id_is_known_to_all(tmp_path, up):
    """A file's id that one worker has seen goes to its account at once, whichever worker gets the next request."""
    up.default = [plain(b'{"id": "file-abc123", "object": "file", "bytes": 1}')]
    accounts = [{"alias": name, "key": f"sk-{name}"} for name in ("one", "two")]
    configured(tmp_path, 'passthrough = "all"\npool.strategy = "round-robin"')
    entry = {**backend("box", up.root, auth="key", key="sk-one"), "accounts": accounts}
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_WORKERS": "3"}
    with Proxy(tmp_path, backends=[entry], settings=settings, command=SOURCES) as one:
        assert ask(one.port, "/v1/files", b'{"purpose": "batch"}').status == 200
        owner = up.seen[-1].field(b"authorization")
        for _ in range(8):
            assert ask(one.port, "/v1/files/file-abc123").status == 200
            assert up.seen[-1].field(b"authorization") == owner


def test_a_session_stays_on_its_account(tmp_path, up):
    """The requests of one session go to one account, whichever worker gets them, once all have heard of it."""
    up.default = [answer(5)]
    accounts = [{"alias": name, "key": f"sk-{name}"} for name in ("one", "two", "three")]
    configured(tmp_path, 'pool.strategy = "round-robin"')
    entry = {**backend("box", up.root, auth="key", key="sk-one"), "accounts": accounts}
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_WORKERS": "3"}
    with Proxy(tmp_path, backends=[entry], settings=settings, command=SOURCES) as one:
        for name in ("first", "second", "third"):
            session = (b"x-claude-code-session-id", name.encode())
            until(lambda session=session: len(ask_often(one.port, up, session)) == 1, PATIENCE)
            assert len(ask_often(one.port, up, session)) == 1


def ask_often(port, up, session):
    """The accounts of eight requests, which several workers get."""
    start = len(up.seen)
    for _ in range(8):
        assert ask(port, PATH, BODY, session).status == 200
    return {req.field(b"authorization") for req in up.seen[start:] if req.body}


def test_a_restart_hands_the_port_to_new_workers(tmp_path, up):
    """Restarted without a gap: the old workers' answers end whole, and the new ones serve."""
    configured(tmp_path, "")
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_WORKERS": "2"}
    up.default = [answer(10)]
    with Detached(tmp_path, backends=[backend("box", up.root)], settings=settings, command=SOURCES) as one:
        old = one.run()["pid"]
        pids = children(old)
        slow = PROTOCOLS[1]
        with Watch(one.port) as watch, Client(one.port) as client:
            client.send(request(slow.path, slow.body("demo-slow", stream=True)))
            client.read_until(b"Caf")
            told = one.restart()
            assert told.status == 200, told.body
            assert told.json()["pid"] == one.run()["pid"] != old
            assert client.answer().whole
            assert ask(one.port, PATH, BODY).status == 200
            assert one.gone(old)
            assert until(lambda: not any(cmdline(pid) for pid in pids))
        assert watch.faults == []
        assert len(children(one.run()["pid"])) == 2
        stopped = one.command("stop")
        assert stopped.returncode == 0, stopped.stderr
        assert refuses(one.port)
        assert "Traceback" not in one.said()
