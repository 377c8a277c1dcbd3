"""The export to a collector, in virtual time: what is batched, sent again, dropped and told."""

import gzip
import json
from itertools import pairwise
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from router.net.client.outbound import DIRECT
from router.net.control.request import Answer, ControlError
from router.settings import Secret
from router.store.history.entry import ENTRY_TYPE
from router.telemetry.metrics_counts import Counters
from router.telemetry.otlp.queue import BATCH, LIMIT
from router.upstream.export import otlp
from router.upstream.export.headers import parse_headers
from router.upstream.export.otlp import BATCH_SECONDS, TRIES, OtlpExport, Sources

COLUMNS = ("id", "started", "method", "path", "model", "total")


def entries(count):
    import msgspec

    blank = {one.name: None for one in msgspec.structs.fields(ENTRY_TYPE) if one.required}
    return [
        ENTRY_TYPE(**{**blank, **dict(zip(COLUMNS, (f"req_{at}", 1.0, "POST", "/v1/messages", "m", 0.1), strict=True))})
        for at in range(count)
    ]


def answer(status=200, body=b"{}", **headers):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.0, 0.0)


class Collector:
    """A scripted collector. answers: one for each request; the last one for all further ones."""

    def __init__(self, monkeypatch, *answers, headers=None):
        self.answers = list(answers) or [answer()]
        self.requests = []
        self.said = []
        monkeypatch.setattr(otlp, "send", self._send)
        self.recorder = SimpleNamespace(counters=Counters(), export=None, price=lambda entry: (None, ""))

        async def key(text):
            return Secret(text)

        sources = Sources(self.recorder, SimpleNamespace(key=key), lambda: DIRECT, lambda name: name, self.said.append)
        self.export = OtlpExport("http://c", headers, sources, "i", now=lambda: 5.0)

    async def _send(self, method, url, headers, body, timeout, outbound, *, limit):
        spans = json.loads(gzip.decompress(body))
        spans = [one for scope in spans.get("resourceSpans", ()) for one in scope["scopeSpans"][0]["spans"]]
        self.requests.append((round(trio.current_time(), 1), url, dict(headers), len(spans)))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, count, seconds):
        """Let so many requests end, and the export run for so long; it then ends as a proxy does."""

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.export.run)
                await trio.testing.wait_all_tasks_blocked()
                for one in entries(count):
                    self.recorder.export([one])
                await trio.sleep(seconds)
                nursery.cancel_scope.cancel()

        trio.run(main, clock=MockClock(autojump_threshold=0.5))
        return [(at, spans) for at, _, _, spans in self.requests]


def test_a_batch_goes_when_it_is_full_or_old(monkeypatch):
    """512 spans at once, the rest after five seconds."""
    collector = Collector(monkeypatch)
    sent = collector.run(BATCH + 3, BATCH_SECONDS + 1)
    assert [spans for _, spans in sent] == [BATCH, 3]
    assert sent[0][0] < 1
    assert collector.export.queue.exported == BATCH + 3
    assert collector.requests[0][1] == "http://c/v1/traces"


def test_what_is_left_goes_at_the_end(monkeypatch):
    """A proxy that stops does not take its last spans along."""
    collector = Collector(monkeypatch)
    assert [spans for _, spans in collector.run(7, 0.5)] == [7]
    assert collector.recorder.export is None


def test_a_busy_collector_is_asked_again_when_it_says(monkeypatch):
    """By its Retry-After; nothing is lost, and the user is told once of the beginning and of the end."""
    busy = answer(429, retry_after="20")
    collector = Collector(monkeypatch, busy, busy, answer())
    sent = collector.run(4, 60)
    moments = [at for at, _ in sent]
    assert [moments[1] - moments[0], moments[2] - moments[1]] == pytest.approx([20, 20], abs=0.5)
    assert (collector.export.queue.exported, collector.export.queue.dropped) == (4, 0)
    assert len(collector.said) == 2


@pytest.mark.parametrize("failure", [ControlError("c refused the connection"), answer(503)])
def test_a_collector_that_is_away_costs_its_batch_in_the_end(monkeypatch, failure):
    """Growing pauses, then the batch is dropped and counted."""
    collector = Collector(monkeypatch, failure)
    sent = collector.run(4, 100)
    assert len(sent) == TRIES
    pauses = [later - earlier for (earlier, _), (later, _) in pairwise(sent)]
    assert all(0.75 * 2**number < pause < 1.3 * 2**number for number, pause in enumerate(pauses))
    assert (collector.export.queue.exported, collector.export.queue.dropped) == (0, 4)
    assert len(collector.said) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 301])
def test_what_would_be_refused_again_is_not_sent_again(monkeypatch, status):
    """A refusal that is no matter of time."""
    collector = Collector(monkeypatch, answer(status))
    assert len(collector.run(4, 100)) == 1
    assert collector.export.queue.dropped == 4
    assert str(status) in collector.said[0]


def test_spans_that_a_collector_refused_are_counted(monkeypatch):
    """Its partial success."""
    collector = Collector(monkeypatch, answer(200, b'{"partialSuccess":{"rejectedSpans":"3"}}'))
    collector.run(10, 6)
    assert (collector.export.queue.exported, collector.export.queue.dropped) == (7, 3)


def test_memory_is_bounded_while_it_is_away(monkeypatch):
    """Some thousand spans wait, the newest of them; all others are counted as lost, none twice."""
    collector = Collector(monkeypatch, ControlError("away"))
    collector.run(LIMIT + 2 * BATCH, 2)
    queue = collector.export.queue
    assert queue.dropped == LIMIT + 2 * BATCH
    assert len(queue) == 0


def test_headers_are_sent_and_a_wrong_one_is_not_shown(monkeypatch):
    """In the form of OpenTelemetry's own variable."""
    collector = Collector(monkeypatch, headers=Secret("Authorization=Bearer%20abc,x-scope=a%2Cb"))
    collector.run(1, 6)
    sent = collector.requests[0][2]
    assert (sent["authorization"], sent["x-scope"]) == ("Bearer abc", "a,b")
    wrong = Collector(monkeypatch, headers=Secret("verysecret"))
    wrong.run(1, 100)
    assert wrong.requests == []
    assert "verysecret" not in wrong.said[0]
    assert wrong.export.queue.dropped == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [("", {}), ("a=b", {"a": "b"}), (" a = b , c=d ", {"a": "b", "c": "d"}), ("a=b=c", {"a": "b=c"})],
)
def test_the_form_of_headers(text, found):
    """Pairs between commas; a value may hold an equals sign."""
    assert parse_headers(text) == found
