"""What is sent to a collector, as the official definitions of OpenTelemetry read it."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.attempt import BindingRecord
from router.store.history.entry import ENTRY_TYPE
from router.telemetry.metrics_counts import Counters
from router.telemetry.otlp.form import encode_metrics, encode_spans, read_rejected
from router.telemetry.otlp.metrics import make_metrics
from router.telemetry.otlp.queue import BATCH, LIMIT, SpanQueue
from router.telemetry.otlp.spans import make_span

RESOURCE = {"service.name": "fairlead", "service.instance.id": "a1"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def decode(body, kind):
    """The body as a collector reads it: with the official definitions, which refuse unknown fields."""
    json_format = pytest.importorskip("google.protobuf.json_format")
    if kind == "trace":
        service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        message = service.ExportTraceServiceRequest()
    else:
        service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
        message = service.ExportMetricsServiceRequest()
    data = json.loads(body)
    # OTLP has ids in hexadecimal, where protobuf's own JSON has base64.
    scopes = [scope for outer in data.get("resourceSpans", ()) for scope in outer["scopeSpans"]]
    for span in (one for scope in scopes for one in scope["spans"]):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                raw = bytes.fromhex(span[name])
                assert len(raw) == (16 if name == "traceId" else 8)
                span[name] = base64.b64encode(raw).decode()
    return json_format.ParseDict(data, message)


def values_of(attributes):
    """Attributes by name."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def entry(**values):
    made = {"id": "req_1", "started": 1.75, "method": "POST", "path": "/v1/messages", "model": "claude-x", "total": 0.5}
    return ENTRY_TYPE(**{**extra_columns(), **made, **values})


def extra_columns():
    """The columns of an entry that no code uses by name."""
    return {
        field.name: None
        for field in msgspec.structs.fields(ENTRY_TYPE)
        if field.required and field.name not in ("id", "started", "method", "path")
    }


def span_of(one, *, cost=(2_500_000, "list")):
    made = make_span(one, {"anthropic-main": "anthropic"}.get, lambda _: cost)
    found = decode(encode_spans(RESOURCE, "1.0", [made]), "trace").resource_spans[0]
    assert values_of(found.resource.attributes) == RESOURCE
    assert found.scope_spans[0].scope.name == "fairlead"
    return found.scope_spans[0].spans[0]


def test_a_span_by_the_conventions():
    """Names, numbers and times of a request, under the names that collectors know; its input holds the cache's."""
    span = span_of(
        entry(
            backend="anthropic-main",
            account="one",
            root="https://api.anthropic.com/v1",
            status=200,
            stream=True,
            first_byte=0.25,
            tokens_in=10,
            cache_read=70,
            cache_write=20,
            tokens_out=5,
            attempts=2,
            key="alice",
            losses="a=dropped; b=weakened",
            binding=BindingRecord(account="one", session="0123456789abcdef", turns=3),
            trace=f"00-{TRACE}-{SPAN}-01",
        )
    )
    assert (span.name, span.kind) == ("chat claude-x", 3)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_750_000_000, 2_250_000_000)
    assert span.status.code == 0
    found = values_of(span.attributes)
    assert [one.string_value for one in found.pop("fairlead.loss").values] == ["a=dropped", "b=weakened"]
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-x",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 70,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "gen_ai.conversation.id": "0123456789abcdef",
        "gen_ai.response.time_to_first_chunk": 0.25,
        "http.response.status_code": 200,
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "fairlead.request.id": "req_1",
        "fairlead.backend": "anthropic-main",
        "fairlead.account": "one",
        "fairlead.key": "alice",
        "fairlead.attempts": 2,
        "fairlead.stream": True,
        "fairlead.cost_usd": 0.0025,
    }


def test_an_error_has_its_class_and_no_text():
    """The text of an error may quote a prompt."""
    span = span_of(entry(status=429, error="upstream_error", error_text="the prompt 'canary'", notes="canary"))
    assert span.status.code == 2
    assert span.status.message == ""
    assert values_of(span.attributes)["error.type"] == "upstream_error"
    assert b"canary" not in span.SerializeToString()


def test_a_trace_that_its_caller_does_not_keep_has_no_span():
    """The caller's word counts for all of a trace."""
    assert make_span(entry(trace=f"00-{TRACE}-{SPAN}-00"), str, lambda _: (None, "")) is None


TEXTS = st.text(max_size=40) | st.sampled_from(["\ud800", "a\udfffb"])
COUNTS = st.none() | st.integers(0, 2**62)


@given(TEXTS, TEXTS, COUNTS, COUNTS, st.floats(0, 4e9), st.floats(0, 1e6), st.booleans(), TEXTS)
def test_whatever_an_entry_holds_can_be_read(model, tag, read, written, started, total, stream, error):
    """Names that callers chose, large counts, and missing ones."""
    one = entry(
        model=model,
        tag=tag,
        tokens_in=read,
        tokens_out=written,
        started=started,
        total=total,
        stream=stream,
        error=error,
    )
    span = span_of(one)
    assert values_of(span.attributes).get("gen_ai.usage.input_tokens") == read
    assert len(span.trace_id) == 16


def test_metrics_are_cumulative_histograms():
    """They say the same as /metrics: each request is in one bucket, and sums and counts agree."""
    counters = Counters()
    made = [
        entry(backend="b", tokens_in=3, tokens_out=1000, total=0.02, first_byte=0.01),
        entry(backend="b", tokens_in=5, total=200.0, error="cut"),
    ]
    counters.count(made)
    metrics = make_metrics(counters, lambda name: f"of {name}", 1.0, 2.0)
    found = decode(encode_metrics(RESOURCE, "1.0", metrics), "metrics").resource_metrics[0].scope_metrics[0].metrics
    by_name = {metric.name: metric for metric in found}
    assert {name: metric.unit for name, metric in by_name.items()} == {
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.client.operation.duration": "s",
        "gen_ai.server.request.duration": "s",
        "gen_ai.server.time_to_first_token": "s",
    }
    for metric in found:
        assert metric.histogram.aggregation_temporality == 2
        for point in metric.histogram.data_points:
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert sum(point.bucket_counts) == point.count
            assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
            assert (point.start_time_unix_nano, point.time_unix_nano) == (10**9, 2 * 10**9)
            assert values_of(point.attributes)["gen_ai.provider.name"] == "of b"
    usage = by_name["gen_ai.client.token.usage"].histogram.data_points
    tokens = {values_of(point.attributes)["gen_ai.token.type"]: point for point in usage}
    assert (tokens["input"].count, tokens["input"].sum) == (2, 8)
    durations = by_name["gen_ai.server.request.duration"].histogram.data_points
    slow = next(point for point in durations if values_of(point.attributes).get("error.type") == "cut")
    assert slow.bucket_counts[-1] == 1


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"{}", 0),
        (b'{"partialSuccess":{}}', 0),
        (b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}', 3),
        (b'{"partialSuccess":{"rejectedSpans":2}}', 2),
        (b'{"partialSuccess":{"rejectedSpans":"x"}}', 0),
        (b"<html>", 0),
        (b"", 0),
    ],
)
def test_what_a_collector_refused(body, count):
    """The count of its partial success; an answer that cannot be read says nothing."""
    assert read_rejected(body) == count


def test_the_queue_is_bounded():
    """What does not fit is counted, the newest stay, and a full batch is told once."""
    told = []
    queue = SpanQueue(lambda: told.append(len(queue)))
    for number in range(LIMIT + 10):
        queue.extend([entry(id=str(number))])
    assert (len(queue), queue.dropped, told) == (LIMIT, 10, [BATCH])
    assert [one.id for one in queue.pop_batch()] == [str(number) for number in range(10, 10 + BATCH)]
