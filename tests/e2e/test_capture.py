"""history.capture: what was asked and answered lies in private files for a day, and everybody is told."""

import gzip
import json
import os
import stat
import time

import pytest

from router.store.captures.format import decode, encode

from ..commands import run_in_home
from .processes import Proxy, backend, until
from .samples import CHAT
from .upstream import Upstream, plain, stream
from .wire import JSON, ask

KEY = "correct-horse-battery-staple"
PATTERN = "sk-ant-0123456789abcdefghij"
ON = {"FAIRLEAD_HISTORY_CAPTURE": "on"}
HIDING = b'"user":"%b","metadata":{"password":"hunter2","x":"%b"},' % (KEY.encode(), PATTERN.encode())
TOLD = b'{"choices":[{"message":{"content":"you said %b"}}],"usage":{}}' % KEY.encode()


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.stop()


def proxy_of(tmp_path, upstream, *arguments, **settings):
    backends = [backend("box", upstream.root, auth="key", key=KEY)]
    return Proxy(tmp_path, "--demo", "off", *arguments, backends=backends, settings=settings)


def captured(proxy, name):
    """The capture of a request, once it is written."""
    path = proxy.home / "captures" / f"{name}.jsonl"
    assert until(lambda: path.is_file() and path.read_bytes().endswith(b"}\n")), proxy.said()
    return decode(path.read_bytes())


def sent(proxy, body):
    """Send a request; its id."""
    return ask(proxy.port, CHAT.path, body).field(b"x-fairlead-request-id").decode()


def command(proxy, *arguments):
    """What a fairlead command prints."""
    done = run_in_home(proxy.home, *arguments)
    assert done.code == 0, done.err
    return done.out.decode()


@pytest.mark.parametrize(
    ("script", "streamed"),
    [
        (plain(TOLD), False),
        (plain(gzip.compress(TOLD), b"200 OK", (b"Content-Encoding", b"gzip")), False),
        (plain(TOLD[:-1] + b',"pad":"' + b"x" * (2 << 20) + b'"}'), False),
        (plain(b'{"error":{"message":"no %b"}}' % KEY.encode(), b"400 Bad"), False),
        (stream([b'data: {"choices":[{"delta":{"content":"so %b"}}]}\n\n' % KEY.encode(), *CHAT.events]), True),
    ],
    ids=["plain", "packed", "large", "error", "stream"],
)
def test_bodies_are_kept(tmp_path, upstream, script, streamed):
    """Both bodies, without the backend's key, without what looks like a key and without what is named like one."""
    with proxy_of(tmp_path, upstream, **ON) as proxy:
        proxy.settled("box")
        upstream.script(script)
        found = captured(proxy, sent(proxy, CHAT.body(stream=streamed, extra=HIDING)))
        [exchange] = found.exchanges
        assert '"model-a"' in found.request.body.text
        assert "[redacted]" in found.answer.body.text
        assert "[redacted]" in exchange.answer.body.text
        assert not any(secret in encode(found).decode() for secret in (KEY, "hunter2", PATTERN))
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (proxy.home / "captures").iterdir()}
        assert modes == {0o600} or os.name == "nt"


def test_everybody_is_told(tmp_path, upstream):
    """Start text, /status, /analytics, /metrics, usage and why say so while it is on; clearing removes the files."""
    with proxy_of(tmp_path, upstream, **ON) as proxy:
        proxy.settled("box")
        upstream.script(plain(CHAT.whole))
        name = sent(proxy, CHAT.body())
        captured(proxy, name)
        assert until(lambda: ask(proxy.port, f"/admin/history/{name}", None, proxy.operator()).status == 200)
        assert "history.capture is on" in proxy.log.read_text()
        assert proxy.status()["capture"]["on"] is True
        assert ask(proxy.port, "/analytics", None, proxy.operator()).json()["capture"] is True
        assert b"fairlead_capture_on 1.0" in ask(proxy.port, "/metrics", None, proxy.operator()).body
        assert "capture  the bodies of 1 request are in" in command(proxy, "usage")
        assert f"captures/{name}.jsonl" in command(proxy, "why", name)
        assert json.loads(command(proxy, "why", name, "--json"))["capture"].endswith(f"{name}.jsonl")
        command(proxy, "history", "clear", "--yes")
        assert list((proxy.home / "captures").iterdir()) == []


def test_off_is_nothing(tmp_path, upstream):
    """No file, no word of it anywhere."""
    with proxy_of(tmp_path, upstream) as proxy:
        proxy.settled("box")
        upstream.script(plain(CHAT.whole))
        name = sent(proxy, CHAT.body())
        assert until(lambda: ask(proxy.port, f"/admin/history/{name}", None, proxy.operator()).status == 200)
        assert not (proxy.home / "captures").exists()
        assert "capture" not in proxy.log.read_text() + command(proxy, "usage") + command(proxy, "why", name)
        assert proxy.status()["capture"]["on"] is False


def test_switched_under_way(tmp_path, upstream):
    """A change of the file turns it on and off, and each is said; -v alone prints no body."""
    with proxy_of(tmp_path, upstream, "-v") as proxy:
        proxy.settled("box")
        for value, said in (("on", "history.capture is on"), ("off", "history.capture is off now")):
            command(proxy, "config", "set", "history.capture", value)
            assert ask(proxy.port, "/admin/reload", b"{}", JSON, proxy.operator()).status == 200
            upstream.script(plain(CHAT.whole))
            name = sent(proxy, CHAT.body())
            assert until(lambda said=said: said in proxy.log.read_text())
            if value == "on":
                captured(proxy, name)
        time.sleep(0.5)
        assert not (proxy.home / "captures" / f"{name}.jsonl").exists()
        assert '"messages"' not in proxy.log.read_text()


def test_it_changes_on_the_machine_only(tmp_path, upstream):
    """No endpoint turns it on."""
    with proxy_of(tmp_path, upstream) as proxy:
        body = b'{"name":"x","base_url":"http://127.0.0.1:1","auth":"none","capture":true}'
        assert ask(proxy.port, "/admin/backends", body, JSON, proxy.operator()).status == 403
