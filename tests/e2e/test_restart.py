"""A proxy in the background, and its restarts: the port never is free, and nobody is refused."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest

from .budgets import BODY, PATH, answer, configured
from .detached import Detached, Watch
from .processes import backend, until
from .samples import PROTOCOLS, stream_error_of
from .upstream import begun, hang
from .wire import JSON, Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a port cannot be handed over there")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


def refuses(port):
    """True when nobody listens."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def children(pid):
    """The processes that a process has started."""
    found = []
    # Listed by the thread that started them.
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in listed.read_text().split()]
    return found


def descriptors(pid):
    """How many pipes and how many listening sockets a process holds."""
    listening = set()
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
        listening |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sum(one.startswith("pipe:") for one in found), sum(one in listening for one in found)


def recorded(proxy):
    """How often the history has each request."""
    with contextlib.closing(sqlite3.connect(proxy.home / "history.db")) as db:
        return db.execute("SELECT id, count(*) FROM requests GROUP BY id").fetchall()


def test_in_the_background(tmp_path):
    """`--detach` returns once it serves, with the lines of a start; the process has a session, a log and a run file of
    its own; `stop` ends it."""
    with Detached(tmp_path) as proxy:
        run = proxy.run()
        assert proxy.done.stdout.startswith(f"fairlead {run['version']}   {run['url']}")
        assert f"export OPENAI_BASE_URL={run['url']}/v1" in proxy.done.stdout
        assert f"Serving in the background (pid {run['pid']})" in proxy.done.stdout
        assert run["mode"] == "detached"
        assert run["program"]
        assert os.getsid(run["pid"]) == run["pid"]
        assert (proxy.home / "proxy.log").stat().st_mode & 0o777 == 0o600
        assert ask(proxy.port, "/livez").status == 200
        again = proxy.command("proxy", "--detach", "--port", str(proxy.port))
        assert (again.returncode, again.stderr) == (0, "")
        assert f"already serving (pid {run['pid']})" in again.stdout
        stopped = proxy.command("stop")
        assert stopped.returncode == 0, stopped.stderr
        assert proxy.gone(run["pid"])
        assert refuses(proxy.port)
        assert "Traceback" not in proxy.said()


def test_a_start_that_fails(tmp_path):
    """Its error is shown as in the foreground, and no process is left."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = {"FAIRLEAD_TIMEOUTS_TOTAL": "soon"}
        broken = Detached(tmp_path, settings=settings)
        del broken.environ["FAIRLEAD_TIMEOUTS_TOTAL"]
        taken = broken.command("proxy", "--detach", "--port", str(listener.getsockname()[1]))
    assert broken.done.returncode == 1
    assert 'error: $FAIRLEAD_TIMEOUTS_TOTAL is "soon"' in broken.done.stderr
    assert taken.returncode == 1
    assert "is taken by another program" in taken.stderr
    assert broken.runs() == []


def test_restart(tmp_path, up):
    """Two restarts in a row: every new connection is served and the port cannot be taken meanwhile; answers in progress
    end whole; the history has each request once, and the two processes' spend adds up; nothing is left open."""
    configured(tmp_path, "guard.day_usd = 1000")
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box"}
    up.default = (answer(10),)
    with Detached(tmp_path, backends=[backend("box", up.root)], settings=settings) as proxy:
        first = proxy.run()
        assert until(lambda: ask(proxy.port, "/status", None, proxy.operator()).json()["loaded"])
        before = descriptors(first["pid"]) if sys.platform == "linux" else ()
        slow = PROTOCOLS[1]
        with Watch(proxy.port) as watch, contextlib.ExitStack() as opened:
            for _ in range(2):
                old = proxy.run()["pid"]
                client = opened.enter_context(Client(proxy.port))
                client.send(request(slow.path, slow.body("demo-slow", stream=True)))
                client.read_until(b"Caf")
                idle = opened.enter_context(Client(proxy.port))
                idle.send(request("/livez"))
                assert idle.answer().status == 200
                assert ask(proxy.port, PATH, BODY, JSON).status == 200
                told = proxy.restart()
                assert told.status == 200, told.body
                assert told.json()["pid"] == proxy.run()["pid"] != old
                assert client.answer().whole
                assert ask(proxy.port, PATH, BODY, JSON).status == 200
                assert idle.ended()
                assert proxy.gone(old)
        assert watch.faults == []
        assert watch.asked > 10
        last = proxy.run()
        assert (last["program"], last["mode"], last["url"]) == (first["program"], first["mode"], first["url"])
        if sys.platform == "linux":
            assert until(lambda: descriptors(last["pid"]) == before), (before, descriptors(last["pid"]))
        guard = ask(proxy.port, "/status", None, proxy.operator()).json()["guard"]
        # Four requests of ten tokens at 1000 dollars a million.
        assert [round(one["spent"], 6) for one in guard["budgets"]] == [0.04]
        assert proxy.command("stop").returncode == 0
        assert {count for _, count in recorded(proxy)} == {1}
        assert len(recorded(proxy)) == 6
        assert "Traceback" not in proxy.said()


def test_a_program_that_fails(tmp_path):
    """The old process goes on to serve, its caller gets the reason, and the next restart works."""
    with Detached(tmp_path) as proxy:
        old = proxy.run()
        config = proxy.home / "config.toml"
        with Watch(proxy.port) as watch:
            config.touch(mode=0o600)
            config.write_text("timeouts.total = 'soon'\n")
            told = proxy.restart()
            assert told.status == 409
            assert "config.toml" in told.json()["error"]["message"]
            assert "goes on to serve" in told.json()["error"]["message"]
            assert until(lambda: proxy.run()["pid"] == old["pid"])
            config.unlink()
            assert proxy.restart().status == 200
        assert watch.faults == []
        assert proxy.run()["pid"] != old["pid"]


def test_a_home_that_was_removed(tmp_path):
    """The proxy goes on to serve, says why, and the home is not made again."""
    with Detached(tmp_path) as proxy:
        operator = proxy.operator()
        proxy.run()
        proxy.home.rename(tmp_path / "gone")
        told = ask(proxy.port, "/admin/restart", b"{}", JSON, operator)
        assert told.status == 409
        assert "was removed" in told.json()["error"]["message"]
        assert not proxy.home.exists()
        assert ask(proxy.port, "/livez").status == 200


def test_foreground_is_not_restarted(demo):
    """A proxy in the foreground refuses: its terminal would show a process that has ended."""
    told = ask(demo.port, "/admin/restart", b"{}", JSON, demo.operator())
    assert told.status == 409
    assert "in the foreground" in told.json()["error"]["message"]
    assert ask(demo.port, "/livez").status == 200


@linux
@pytest.mark.slow
def test_the_old_one_is_killed(tmp_path):
    """kill -9 of the old process while the new one starts: the port never is free, and the new one serves."""
    with Detached(tmp_path) as proxy:
        old = proxy.run()["pid"]

        def restart():
            with contextlib.suppress(OSError):
                proxy.restart()

        with Watch(proxy.port) as watch:
            asking = threading.Thread(target=restart)
            asking.start()
            [new] = until(lambda: children(old))
            proxy.pids.append(new)
            # It has its program's image, and so the sockets.
            assert until(lambda: b"proxy" in Path(f"/proc/{new}/cmdline").read_bytes())
            os.kill(old, signal.SIGKILL)
            killed = time.monotonic()
            asking.join()
            assert until(lambda: any(run["pid"] == new for run in proxy.runs()))
            assert ask(proxy.port, "/livez").status == 200
        # What the old one had accepted ended with it; no connection was refused, and none failed after that.
        assert [fault for fault in watch.faults if fault[0] > killed + 1 or "refused" in fault[1].lower()] == []


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.2, 0.6])
def test_told_to_stop_meanwhile(tmp_path, wait):
    """SIGTERM at any moment of a restart ends the proxy, whichever process it is by then."""
    with Detached(tmp_path) as proxy:
        old = proxy.run()["pid"]
        answers = []
        asking = threading.Thread(target=lambda: answers.append(proxy.restart()))
        asking.start()
        asking.join(wait)
        os.kill(old, signal.SIGTERM)
        asking.join()
        assert proxy.gone(old)
        assert until(lambda: proxy.runs() == []), (proxy.runs(), old, answers, proxy.said())
        assert refuses(proxy.port)


@pytest.mark.slow
def test_two_at_once(tmp_path):
    """Of two restarts at once one is carried out, and the other is told so."""
    with Detached(tmp_path) as proxy:
        answers = []
        asking = [threading.Thread(target=lambda: answers.append(proxy.restart())) for _ in range(2)]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        proxy.run()
        assert sorted(one.status for one in answers) == [200, 409]
        assert any(b"under way" in one.body for one in answers)


@pytest.mark.slow
def test_fifty_streams_longer_than_the_drain(tmp_path, up):
    """Each of fifty streams ends with its protocol's error event at the drain's end; every new connection is served."""
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box"}
    with (
        Detached(tmp_path, backends=[backend("box", up.root)], settings=settings) as proxy,
        contextlib.ExitStack() as opened,
    ):
        old = proxy.run()["pid"]
        streams = []
        for number in range(50):
            protocol = PROTOCOLS[number % 3]
            up.script(begun(protocol), hang)
            client = opened.enter_context(Client(proxy.port))
            client.sock.settimeout(60)
            client.send(request(protocol.path, protocol.body(stream=True)))
            client.read_until("H\u2028".encode())
            streams.append((protocol, client))
        with Watch(proxy.port) as watch:
            assert proxy.restart().status == 200
            began = time.monotonic()
            for protocol, client in streams:
                assert "stopping" in stream_error_of(protocol, client.answer())
            assert time.monotonic() - began > 9
            assert proxy.gone(old)
        assert watch.faults == []
        proxy.run()
        assert proxy.command("stop").returncode == 0
        assert {count for _, count in recorded(proxy)} == {1}
        assert len(recorded(proxy)) == 50


@linux
def test_key_commands_inherit_nothing(tmp_path, up):
    """A key command that a restarted proxy runs has no descriptor of its, and no variable of its start."""
    script = tmp_path / "key.py"
    script.write_text(
        "import json, os\n"
        f"with open({str(tmp_path / 'seen')!r} + str(os.getppid()), 'w') as file:\n"
        "    json.dump([len(os.listdir('/proc/self/fd')), sorted(os.environ)], file)\n"
        "print('sk-0123456789')\n"
    )
    key = "cmd:" + json.dumps([sys.executable, str(script)])
    up.default = (answer(10),)
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box"}
    box = backend("box", up.root, auth="key", key=key)
    with Detached(tmp_path, backends=[box], settings=settings) as proxy:
        proxy.run()
        assert proxy.restart().status == 200
        # The command is run for the list of models, or for the request: whichever is first.
        written = tmp_path / f"seen{proxy.run()['pid']}"
        assert ask(proxy.port, PATH, BODY, JSON).status == 200
        assert until(written.exists)
        seen = until(written.read_text)
        count, names = json.loads(seen)
        # The standard ones, the file it writes, and the folder it lists.
        assert count == 5
        assert [name for name in names if name.startswith("FAIRLEAD_")] == []
