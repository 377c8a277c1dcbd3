"""Second look at paths: spellings and methods that were tried after the first findings were mended."""

import json

import pytest

from ..e2e.budgets import BODY, answer, configured, proxy, query
from ..e2e.upstream import Upstream, plain, stream
from ..e2e.wire import Client, ask, request
from .probe import Probe

PROBES = {
    "absolute bytes": Probe("non-ASCII bytes as escapes inside chat/completions", "402, no free path"),
    "case of v1": Probe("POST /V1/chat/completions", "404, nothing sent"),
    "mixed case": Probe("POST /v1/Images/Generations", "402, no free path"),
    "escaped v1": Probe("POST /%76%31/chat/completions", "200, counted"),
    "five prefixes": Probe("POST /v1/v1//v1/v1/v1/chat/completions//", "200, counted"),
    "query for a path": Probe("POST /v1/files?/../images/generations", "200 as files"),
    "escaped question mark": Probe("POST /v1/images%3F/../generations", "400, dot segments"),
    "free word in a costly path": Probe("POST /v1/images/generations/cancel", "402, no free path"),
    "runs as a thread": Probe("POST /v1/threads/%72uns", "402, no free path"),
    "put on a free path's child": Probe("PUT /v1/files/f/content", "402, no free path"),
    "long path": Probe("a path of 5000 escapes", "400, over 4 KiB"),
    "space at the end": Probe("POST /v1/chat/completions%20", "402, no free path"),
    "plus": Probe("POST /v1/chat/completions+", "402, no free path"),
    "double escape after a split": Probe("POST /v1/files/%253%42", "400, escaped percent"),
    "credential below an id": Probe("POST /v1/files/x/client%5Fsecrets", "403, closed"),
    "stream by another spelling": Probe("a stream of POST /v1//chat/completions without usage asked", "200, counted"),
    "http 1.0": Probe("POST /v1/chat//completions HTTP/1.0", "200, counted"),
    "responses body": Probe("a Responses body to /v1/chat/%63ompletions/", "200, as responses"),
}
BUDGET = 'guard.day_usd = 50\nguard.unpriced = "refuse"'
COSTLY = {
    "absolute bytes": ("POST", "/v1/chat/%EF%BC%A3ompletions"),
    "mixed case": ("POST", "/v1/Images/Generations"),
    "free word in a costly path": ("POST", "/v1/images/generations/cancel"),
    "runs as a thread": ("POST", "/v1/threads/%72uns"),
    "put on a free path's child": ("PUT", "/v1/files/f/content"),
    "space at the end": ("POST", "/v1/chat/completions%20"),
    "plus": ("POST", "/v1/chat/completions+"),
}
REFUSED = {
    "escaped question mark": ("/v1/images%3F/../generations", b"dot segments"),
    "long path": ("/v1/" + "%41" * 5000, b"over 4 KiB"),
    "double escape after a split": ("/v1/files/%253%42", b"escaped percent"),
}
COUNTED = {
    "escaped v1": "/%76%31/chat/completions",
    "five prefixes": "/v1/v1//v1/v1/v1/chat/completions//",
    "http 1.0": "/v1/chat//completions",
    "stream by another spelling": "/v1//chat/completions",
}
OTHERS = ("case of v1", "query for a path", "credential below an id", "responses body")
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1499,"completion_tokens":1,"total_tokens":1500}}\n\n'


@pytest.fixture
def up():
    """A scripted upstream."""
    listening = Upstream()
    yield listening
    listening.stop()


@pytest.fixture
def site(tmp_path, up):
    configured(tmp_path, BUDGET)
    up.default = [answer(1500)]
    with proxy(tmp_path, up) as one:
        yield one


def test_every_probe_is_tried():
    """Each row of the table stands in one of the groups below."""
    assert {*COSTLY, *REFUSED, *COUNTED, *OTHERS} == {*PROBES}


@pytest.mark.parametrize("name", COSTLY)
def test_costly(site, up, name):
    """402, and nothing is sent."""
    method, path = COSTLY[name]
    assert PROBES[name].gives == "402, no free path"
    assert ask(site.port, path, BODY, method=method).status == 402
    assert up.seen == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused(site, up, name):
    """400 with the reason."""
    path, reason = REFUSED[name]
    found = ask(site.port, path, BODY)
    assert (found.status, reason in found.body) == (400, True)
    assert PROBES[name].gives.encode() == b"400, " + reason
    assert up.seen == []


@pytest.mark.parametrize("name", COUNTED)
def test_counted(tmp_path, up, name):
    """200, and the history has its cost."""
    configured(tmp_path, BUDGET)
    assert PROBES[name].gives == "200, counted"
    body, sent = BODY, request(COUNTED[name], BODY)
    if name.startswith("stream"):
        body = json.dumps({**json.loads(BODY), "stream": True}).encode()
        sent = request(COUNTED[name], body)
        up.default = [stream([CHUNK, USAGE, b"data: [DONE]\n\n"])]
    else:
        up.default = [answer(1500)]
    if name == "http 1.0":
        sent = sent.replace(b"HTTP/1.1", b"HTTP/1.0")
    with proxy(tmp_path, up) as one, Client(one.port) as client:
        client.send(sent)
        assert client.answer().status == 200
    assert up.seen[0].line == b"POST /v1/chat/completions HTTP/1.1"
    assert query(tmp_path, "SELECT cost FROM requests") == [(1_500_000_000,)]


def test_others(site, up):
    """What each of the rest gives."""
    assert ask(site.port, "/V1/chat/completions", BODY).status == 404
    assert ask(site.port, "/v1/files/x/client%5Fsecrets", BODY).status == 403
    assert up.seen == []
    assert ask(site.port, "/v1/files?/../images/generations", BODY).status == 200
    assert up.seen[-1].line.startswith(b"POST /v1/files")
    up.script(plain(b'{"id":"resp_1","object":"response","status":"completed","output":[],"model":"model-a"}'))
    assert ask(site.port, "/v1/chat/%63ompletions/", b'{"model":"model-a","input":"x"}').status == 200
    assert up.seen[-1].line == b"POST /v1/responses HTTP/1.1"
