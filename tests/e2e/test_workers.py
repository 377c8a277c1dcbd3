"""One port that several processes serve: what a client, an operator and a command see is one proxy."""

import contextlib
import itertools
import json
import os
import re
import signal
import sys
import threading
import time

import pytest

from router.store.captures.armed import ANY, FILE, arm
from router.store.captures.find import list_captures
from router.store.home.home import open_home

from ..patience import PATIENCE
from .budgets import BODY, PATH, answer, configured, query
from .detached import Detached, Watch
from .processes import BINARY, Proxy, backend, until
from .samples import PROTOCOLS
from .test_restart import children, recorded, refuses
from .upstream import plain
from .wire import Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers, and /proc to find them")

# Not in a child of a process that has imported all: workers are started by the words of their parent.
SOURCES = (sys.executable, "-W", "error", "-m", "router") if BINARY is None else (BINARY,)


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
        release.wait(PATIENCE)
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
        assert one.status()  # all workers serve
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


def test_one_limit_of_an_account(tmp_path, up):
    """An account's limit of requests a minute is one for all workers, however long requests wait for it."""
    up.default = [answer(5)]
    configured(tmp_path, 'queue.timeout = "1s"\n[pool.accounts.rpm]\n"box/main" = 12')
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_WORKERS": "3"}
    entry = backend("box", up.root, auth="key", key="sk-one")
    with Proxy(tmp_path, backends=[entry], settings=settings, command=SOURCES) as one:
        assert burst(one.port, 24) == [200] * 12 + [429] * 12


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


def test_one_least_time_between_requests(tmp_path, up):
    """`min_interval` holds between the requests of all workers, and each of them gets its turn."""
    moments = []

    def note(sock):
        moments.append(time.monotonic())
        sock.sendall(answer(5))

    up.default = [note]
    text = 'queue.timeout = "30s"\n[backends.box]\nmin_interval = "300ms"'
    with proxy(tmp_path, up, workers=3, text=text) as one:
        assert burst(one.port, 9) == [200] * 9
    gaps = [after - before for before, after in itertools.pairwise(sorted(moments))]
    # What lies between the proxy's decision and the upstream's clock varies with the machine's load.
    assert sum(gaps) >= 8 * 0.3 - 0.2
    assert min(gaps) > 0.05


def test_one_line_of_waiting_requests(tmp_path, up):
    """No more requests wait than queue.max_queued, over all workers, and all of these are served."""
    release = threading.Event()

    def slow(sock):
        release.wait(PATIENCE)
        sock.sendall(answer(5))

    up.default = [slow]
    text = "queue.max_queued = 5\n[backends.box]\nmax_concurrent = 1"
    with proxy(tmp_path, up, workers=3, text=text) as one, contextlib.ExitStack() as closing:
        clients = [closing.enter_context(Client(one.port)) for _ in range(20)]
        for client in clients:
            client.send(request(PATH, BODY))
        assert until(lambda: one.status()["backends"][0]["queue"]["waiting"] == 5), one.status()["backends"]
        assert until(lambda: one.status()["running_count"] == 6), one.status()["running_count"]
        release.set()
        assert sorted(client.answer().status for client in clients) == [200] * 6 + [503] * 14


def test_budgets_show_what_all_reserve(tmp_path, up):
    """/status gives of a budget what the running requests of all workers have reserved."""
    release = threading.Event()

    def slow(sock):
        release.wait(PATIENCE)
        sock.sendall(answer(5))

    up.default = [slow]
    body = json.dumps({**json.loads(BODY), "max_tokens": 1000}).encode()
    with proxy(tmp_path, up, workers=3, text="guard.day_usd = 50") as one, contextlib.ExitStack() as closing:
        clients = [closing.enter_context(Client(one.port)) for _ in range(6)]
        clients[0].send(request(PATH, body))
        assert until(lambda: one.status()["running_count"] == 1)
        first = until(lambda: reserved(one))
        for client in clients[1:]:
            client.send(request(PATH, body))
        assert until(lambda: one.status()["running_count"] == 6)
        assert until(lambda: reserved(one) == pytest.approx(6 * first)), (first, reserved(one))
        release.set()
        assert [client.answer().status for client in clients] == [200] * 6
        assert until(lambda: reserved(one) == 0), reserved(one)


def reserved(one):
    """What /status says that the first budget has reserved, in dollars; 0 while it knows of none."""
    budgets = one.status()["guard"]["budgets"]
    return budgets[0]["reserved"] if budgets else 0


def test_one_request_is_captured(tmp_path, up):
    """Of requests that come at once, over all workers, `repro --next` has one captured."""
    up.default = [answer(5)]
    with proxy(tmp_path, up, workers=3) as one:
        arm(open_home({"FAIRLEAD_HOME": str(one.home)}), ANY, 60)
        assert ask(one.port, "/admin/reload", b"{}", one.operator()).status == 200
        assert burst(one.port, 12) == [200] * 12
        assert not (one.home / FILE).exists()
    assert len(list_captures(open_home({"FAIRLEAD_HOME": str(one.home)}))) == 1


def test_a_background_answer_is_counted_once(tmp_path, up):
    """A response that was made in the background is counted by the first look at it, whichever worker gets which."""
    made = {"id": "resp_1", "object": "response", "background": True, "status": "completed", "model": "model-a"}
    up.default = [plain(json.dumps({**made, "output": [], "usage": {"input_tokens": 5, "output_tokens": 7}}).encode())]
    with proxy(tmp_path, up, workers=3, text='passthrough = "all"') as one:
        for _ in range(9):
            assert ask(one.port, "/v1/responses/resp_1").status == 200
            time.sleep(0.1)  # how long the others may take to hear of it; nothing tells this from outside
    assert query(tmp_path, "SELECT sum(tokens_in), sum(tokens_out) FROM requests") == [(5, 7)]
