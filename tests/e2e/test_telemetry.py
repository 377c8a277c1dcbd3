"""A collector gets the spans of a proxy; hosts get the trace context only where the user lists them."""

import gzip
import json
import time

import pytest

from ..commands import run_in_home
from ..patience import PATIENCE
from .processes import Proxy, backend, until
from .samples import CHAT
from .upstream import plain
from .wire import ask

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = (
    (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()),
    (b"tracestate", b"vendor=1"),
    (b"baggage", b"user=alice"),
)


@pytest.fixture
def collector():
    from .upstream import Upstream

    listening = Upstream()
    listening.default = (plain(b"{}"),)
    yield listening
    listening.stop()


def sent(collector, kind):
    """The bodies that a collector got."""
    found = [one for one in collector.seen if one.line.startswith(f"POST /v1/{kind} ".encode())]
    return [json.loads(gzip.decompress(one.body)) for one in found]


@pytest.mark.parametrize("listed", [True, False])
def test_a_request_is_a_span_of_its_callers_trace(tmp_path, up, collector, listed):
    """The span is exported with the headers of the collector; the backend's host gets it as its parent if it is
    listed, and nothing of the context if it is not. Texts go nowhere."""
    settings = {
        "FAIRLEAD_TELEMETRY_OTLP": f"http://127.0.0.1:{collector.port}",
        "FAIRLEAD_TELEMETRY_HEADERS": "env:COLLECTOR_HEADERS",
        "COLLECTOR_HEADERS": "authorization=Bearer%20collector-token",
        **({"FAIRLEAD_TELEMETRY_TRACE_HOSTS": "127.0.0.1"} if listed else {}),
    }
    up.script(plain(CHAT.whole))
    with Proxy(tmp_path, backends=[backend("box", up.root)], settings=settings) as proxy:
        body = CHAT.body("box:model-a")
        answer = ask(proxy.port, CHAT.path, body, *CONTEXT)
        assert answer.status == 200
    spans = [one for body in sent(collector, "traces") for one in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    assert len(spans) == 1
    assert (spans[0]["traceId"], spans[0]["parentSpanId"]) == (TRACE, SPAN)
    assert spans[0]["name"] == "chat model-a"
    names = [
        metric["name"]
        for body in sent(collector, "metrics")
        for metric in body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    ]
    assert "gen_ai.client.token.usage" in names
    assert all(one.field(b"authorization") == b"Bearer collector-token" for one in collector.seen)
    seen = up.seen[0]
    if listed:
        assert seen.field(b"traceparent") == f"00-{TRACE}-{spans[0]['spanId']}-01".encode()
        assert seen.field(b"tracestate") == b"vendor=1"
    else:
        assert seen.field(b"traceparent") is None
        assert seen.field(b"tracestate") is None
    assert seen.field(b"baggage") is None


def test_a_collector_that_is_away_costs_requests_nothing(tmp_path, up, collector):
    """They are answered, the proxy is ready and ends in time, what was lost is counted, and what reports on the proxy
    says that the collector is away."""
    collector.stop()
    settings = {"FAIRLEAD_TELEMETRY_OTLP": f"http://127.0.0.1:{collector.port}"}
    up.default = (plain(CHAT.whole),)
    with Proxy(tmp_path, backends=[backend("box", up.root)], settings=settings) as proxy:
        for _ in range(20):
            assert ask(proxy.port, CHAT.path, CHAT.body("box:model-a")).status == 200
        failing = until(lambda: (told := proxy.status()["telemetry"])["problem"] and told)
        assert failing["collector"] == f"127.0.0.1:{collector.port}"
        assert failing["last_failure"] == failing["problem"]
        assert abs(failing["failed_at"] - time.time()) < PATIENCE
        ready = ask(proxy.port, "/readyz")
        assert (ready.status, ready.json()) == (200, {"status": "ready", "telemetry": "failing"})
        assert f"to 127.0.0.1:{collector.port}" in run_in_home(proxy.home, "status").out.decode()
        checked = run_in_home(proxy.home, "doctor", "telemetry", **settings).out.decode()
        assert f"to 127.0.0.1:{collector.port}" in " ".join(checked.split())
        found = ask(proxy.port, "/metrics", None, proxy.operator()).body.decode()
    assert "fairlead_telemetry_up 0.0" in found
    assert "fairlead_telemetry_dropped_spans_total 0.0" in found
