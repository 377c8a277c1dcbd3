"""How a proxy leaves a load balancer: it is not ready any more, still answers for drain.delay, then drains for
drain.time."""

import json
import signal
import sys
import time

import pytest

from ..patience import PATIENCE
from .processes import Proxy, backend, until
from .samples import PROTOCOLS, stream_error_of
from .test_signals import begin, refuses
from .upstream import Upstream, plain
from .wire import Client, ask, request

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def upstream():
    """An upstream that answers what it is scripted to."""
    up = Upstream()
    yield up
    up.stop()


def start(folder, upstream, **settings):
    """A proxy with these settings whose one backend is the upstream."""
    variables = {f"FAIRLEAD_{name.upper()}": value for name, value in settings.items()}
    return Proxy(
        folder,
        backends=[backend("box", upstream.root)],
        settings={"FAIRLEAD_DEFAULT_BACKEND": "box", **variables},
    )


def readiness(proxy):
    """Status and word of /readyz, on a connection of its own."""
    answer = ask(proxy.port, "/readyz")
    return answer.status, answer.json()["status"]


def test_it_is_ready_once_the_models_are_known(tmp_path, upstream):
    """/readyz is 503 until each backend's list of models was read, and 200 from then on; /livez is 200 all the time."""
    upstream.listed.clear()
    with start(tmp_path, upstream) as proxy:
        assert readiness(proxy) == (503, "starting")
        assert ask(proxy.port, "/livez").status == 200
        upstream.listed.set()
        assert until(lambda: readiness(proxy) == (200, "ready"))


def test_a_backend_that_is_added_later_changes_nothing(tmp_path, upstream):
    """A proxy that was ready stays so while a reload reads the models of a new backend."""
    with start(tmp_path, upstream) as proxy:
        assert until(lambda: readiness(proxy) == (200, "ready"))
        upstream.listed.clear()
        added = {"name": "late", "base_url": upstream.root, "protocols": ["chat"], "key": "sk-late"}
        assert ask(proxy.port, "/admin/backends", json.dumps(added).encode(), proxy.operator()).status == 201
        assert readiness(proxy) == (200, "ready")
        upstream.listed.set()


def test_it_accepts_while_it_leaves(tmp_path, upstream):
    """Told to stop, it says so at /readyz, serves new connections and old ones for drain.delay, and each answer closes
    its connection; then it listens no more, and ends at once since nothing is open."""
    with start(tmp_path, upstream, drain_delay="3s") as proxy, Client(proxy.port) as kept:
        assert until(lambda: readiness(proxy) == (200, "ready"))
        kept.send(request("/livez"))
        assert kept.answer().field(b"connection") != b"close"
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        assert until(lambda: readiness(proxy) == (503, "draining"))
        for protocol in PROTOCOLS:
            upstream.script(plain(protocol.whole))
            answer = ask(proxy.port, protocol.path, protocol.body())
            assert (answer.status, answer.field(b"connection")) == (200, b"close")
        kept.send(request("/livez"))
        answer = kept.answer()
        assert (answer.status, answer.field(b"connection")) == (200, b"close")
        assert kept.ended()
        assert until(lambda: refuses(proxy.port))
        assert time.monotonic() - began >= 2.9
        assert proxy.process.wait(PATIENCE) == 0


def test_a_stream_that_begins_while_it_leaves_has_its_time(tmp_path, upstream):
    """drain.time counts from the end of drain.delay; then the stream ends in its protocol's error event."""
    with start(tmp_path, upstream, drain_delay="1s", drain_time="2s") as proxy:
        assert until(lambda: readiness(proxy) == (200, "ready"))
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        assert until(lambda: readiness(proxy) == (503, "draining"))
        with begin(proxy, upstream, PROTOCOLS[0]) as client:
            assert "stopping" in stream_error_of(PROTOCOLS[0], client.answer())
        assert 2.9 <= time.monotonic() - began < 12
        assert proxy.process.wait(PATIENCE) == 0


def test_stop_tells_how_long_it_may_take(tmp_path, upstream):
    """The operator's stop answers with the sum of both, of the settings in use now."""
    with start(tmp_path, upstream, drain_time="200s") as proxy:
        (proxy.home / "config.toml").touch(mode=0o600)
        (proxy.home / "config.toml").write_text('drain.delay = "50ms"\n')
        assert ask(proxy.port, "/admin/reload", b"{}", proxy.operator()).status == 200
        answer = ask(proxy.port, "/admin/stop", b"{}", proxy.operator())
        assert (answer.status, answer.json()) == (202, {"status": "stopping", "within": 200.05})
        assert proxy.process.wait(PATIENCE) == 0
