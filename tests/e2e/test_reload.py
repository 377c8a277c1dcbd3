"""Settings and backends change under a running proxy: by file, by command, by signal; no stream notices."""

import contextlib
import os
import threading

import pytest
import trio

from router.wire import protocols

from .processes import Proxy, Threaded, add_backend, backend, until
from .samples import CHAT, PROTOCOLS
from .upstream import END, Upstream, begun, chunk, plain, wait_for
from .wire import JSON, Client, ask, request

RELOADS = 1000
# One of them, on a busy machine.
RELOAD_SECONDS = 0.3


@pytest.fixture
def upstream():
    up = Upstream()
    yield up
    up.stop()


def settings(proxy, text):
    """Write config.toml as an editor does: in place."""
    path = proxy.home / "config.toml"
    path.touch(mode=0o600)
    path.write_text(text)


def reload(proxy):
    assert ask(proxy.port, "/admin/reload", b"{}", JSON, proxy.operator()).status == 200


def served(proxy, model):
    """Status and serving backend of a request."""
    answer = ask(proxy.port, CHAT.path, CHAT.body(model))
    return answer.status, answer.field(b"x-fairlead-backend"), answer


def test_settings_are_taken_up(tmp_path, upstream):
    """An alias, a rule, the default and a backend's table work from the next request on."""
    upstream.default = (plain(CHAT.whole),)
    roots = [backend("one", upstream.root) | {"added": 1}, backend("two", upstream.root) | {"added": 2}]
    with Proxy(tmp_path, backends=roots) as proxy:
        proxy.settled("one", "two")
        assert served(proxy, "quick")[0] == 404
        settings(proxy, '[aliases]\nquick = "two:model-a"\n[backends.two]\nset_headers = {x-team = "blue"}\n')
        reload(proxy)
        assert served(proxy, "quick")[:2] == (200, b"two")
        assert upstream.seen[-1].field(b"x-team") == b"blue"
        settings(proxy, 'default_backend = "two"\n[[routes]]\nwhen.model = "model-*"\nbackend = "two"\n')
        reload(proxy)
        assert served(proxy, "model-a")[:2] == (200, b"two")
        assert served(proxy, "whatever")[:2] == (200, b"two")
        assert upstream.seen[-1].field(b"x-team") is None


def test_the_key_changes(tmp_path):
    """Clients need the new key at once; the old one is refused."""
    with Proxy(tmp_path, settings={"FAIRLEAD_REQUIRE_KEY": "on"}) as proxy:
        for key in ("a-first-key-0123456789-0123456789-01", "another-key-0123456789-0123456789-02"):
            settings(proxy, f'api_key = "{key}"\n')
            reload(proxy)
            assert ask(proxy.port, CHAT.path, CHAT.body("demo"), (b"x-api-key", key.encode())).status in (200, 400)
        old = (b"x-api-key", b"a-first-key-0123456789-0123456789-01")
        assert ask(proxy.port, CHAT.path, CHAT.body("demo"), old).status == 401


def test_the_log_and_the_demo_come_and_go(tmp_path):
    """A log file is begun and left, the demo models are there or not, without a restart."""
    log = tmp_path / "access.log"
    with Proxy(tmp_path) as proxy:
        settings(proxy, f'log_file = "{log}"\ndemo = false\n')
        reload(proxy)
        assert served(proxy, "demo")[0] == 404
        assert until(lambda: log.exists() and b'"model":"demo"' in log.read_bytes())
        settings(proxy, "demo = true\n")
        reload(proxy)
        size = log.stat().st_size
        assert served(proxy, "demo")[1] == b"demo"
        assert log.stat().st_size == size


def test_what_needs_a_restart_says_so(tmp_path):
    """Another port in the file changes nothing but the status, which names both."""
    with Proxy(tmp_path, settings={"FAIRLEAD_PORT": "0"}) as proxy:
        settings(proxy, 'host = "127.0.0.1"\nverbose = 1\n')
        reload(proxy)
        [problem] = proxy.status()["problems"]
        assert "host is 127.0.0.1 now, and localhost until the proxy is restarted" in problem


@pytest.mark.parametrize(
    "text",
    ['verbose = "loud"\n', "[aliases\n", 'default_backend = "nobody"\n', 'host = "0.0.0.0"\n', "log_file = '/'\n"],
)
def test_a_broken_file_changes_nothing(tmp_path, upstream, text):
    """The last good state stays and the status says why; the next good file clears it."""
    upstream.default = (plain(CHAT.whole),)
    with Proxy(tmp_path, backends=[backend("one", upstream.root)]) as proxy:
        settings(proxy, '[aliases]\nquick = "one:model-a"\n')
        reload(proxy)
        settings(proxy, text)
        reload(proxy)
        [problem] = proxy.status()["problems"]
        assert "config.toml" in problem or "default_backend" in problem or "host is" in problem or "log file" in problem
        assert served(proxy, "quick")[:2] == (200, b"one")
        settings(proxy, "")
        reload(proxy)
        assert proxy.status()["problems"] == []
        assert served(proxy, "quick")[0] == 404


def test_a_name_that_nothing_answers_to_stops_no_reload(tmp_path, upstream):
    """An alias of a backend that is missing is a problem with its fix, and what else has changed applies."""
    upstream.default = (plain(CHAT.whole),)
    with Proxy(tmp_path, backends=[backend("one", upstream.root)]) as proxy:
        settings(proxy, '[aliases]\nlost = "groq:x"\nquick = "one:model-a"\n')
        reload(proxy)
        [problem] = proxy.status()["problems"]
        assert problem.endswith(
            "config.toml, line 2: aliases.lost names the backend groq, which does not exist. "
            "Add it:   fairlead backend add groq"
        )
        assert served(proxy, "quick")[:2] == (200, b"one")
        assert served(proxy, "unheard-of")[0] == 404
        settings(proxy, "")
        reload(proxy)
        assert proxy.status()["problems"] == []


def test_changes_are_noticed(tmp_path, upstream):
    """Within a few seconds, with nobody telling: settings, a new backend, a removed one."""
    upstream.default = (plain(CHAT.whole),)
    with Proxy(tmp_path) as proxy:
        add_backend(proxy.home, backend("late", upstream.root))
        proxy.settled("late")
        settings(proxy, '[aliases]\nquick = "late:model-a"\n')
        assert until(lambda: served(proxy, "quick")[0] == 200)
        (proxy.home / "backends" / "late.json").unlink()
        assert until(lambda: served(proxy, "late:model-a")[1] != b"late")


def memory():
    """Resident bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("streams", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_a_thousand_reloads_under_streams(tmp_path, upstream, streams):
    """Open streams of three protocols outlive 1,000 reloads; tasks and memory are as before. All four ends of a stream
    are in this process."""
    go = threading.Event()
    with (
        Threaded(tmp_path, backends=[backend("box", upstream.root)], default_backend="box") as proxy,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(go.set)
        home = tmp_path / "home"
        clients = []
        for number in range(streams):
            protocol = PROTOCOLS[number % len(PROTOCOLS)]
            rest = b"".join(map(chunk, protocol.events[protocol.begun :])) + END
            upstream.script(begun(protocol), wait_for(go, RELOADS * RELOAD_SECONDS), rest)
            client = stack.enter_context(Client(proxy.port))
            client.send(request(protocol.path, protocol.body(stream=True)))
            client.read_until("H\u2028".encode())
            clients.append((protocol, client))
        until(proxy.call(lambda: proxy.serving.loaded.is_set))

        def tasks():
            return proxy.call(lambda: trio.lowlevel.current_statistics().tasks_living)

        before = after_warming = 0
        path = home / "config.toml"
        path.touch(mode=0o600)
        for number in range(RELOADS):
            table = f'[backends.box]\ntimeouts = {{idle = "{number + 60}s"}}\n'
            path.write_text(f'[aliases]\nquick = "box:model-{number}"\n{table}')
            done = proxy.call(proxy.serving.reload)
            assert until(done.is_set)
            assert proxy.call(lambda: proxy.serving.runtime.settings.aliases)["quick"] == f"box:model-{number}"
            if number == RELOADS // 10:
                before, after_warming = tasks(), memory()
        assert until(lambda: tasks() <= before)
        assert memory() - after_warming < 6 << 20
        go.set()
        for protocol, client in clients:
            answer = client.answer()
            assert answer.whole
            # On a busy machine it was silent for long enough to be pinged.
            ping = protocols.BY_NAME[protocol.name].dialect.ping(True)
            assert answer.body.replace(ping, b"") == b"".join(protocol.events).replace(ping, b"")
