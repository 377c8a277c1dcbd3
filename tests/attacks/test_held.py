"""Attacks that gave nothing when they were first tried, and are tried again: answers that another request could get,
and texts that could become a header, an event or a line."""

import json
import re

import pytest

from tests.e2e.processes import Proxy, backend
from tests.e2e.samples import CHAT, MESSAGES, PROTOCOLS
from tests.e2e.upstream import Upstream, close, plain
from tests.e2e.wire import Client, ask, request

from .probe import Probe

MARK = re.compile(rb"mark-(\d+)-")
EXTRA = plain(b'{"id":"mark-999-","forged":true}')
SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = SIZED + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = b'{"id":"mark-%d-","type":"message","role":"assistant","model":"model-a","content":[],"usage":{}}'
ANSWERS = {
    "second answer in one packet": plain(GOOD % 0) + EXTRA,
    "half a second answer": plain(GOOD % 0) + EXTRA[:40],
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
    "length and chunks": SIZED + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EXTRA,
    "two lengths": SIZED + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde" + EXTRA,
    "gzip as transfer coding": SIZED + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + EXTRA,
    "interim answers without end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000 + EXTRA,
    "switched protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + EXTRA,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}" + EXTRA,
    "bare CR": SIZED + b"X: a\rContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}" + EXTRA,
    "NUL in a name": SIZED + b"X\0Y: a\r\nContent-Length: 2\r\n\r\n{}" + EXTRA,
    "trailer with a cookie": CHUNKED + b"2\r\n{}\r\n0\r\nSet-Cookie: a=b\r\n\r\n" + EXTRA,
    "no head": b'{"id":"mark-999-"}',
    "HTTP/1.0 without length": b"HTTP/1.0 200 OK\r\n\r\n" + EXTRA,
    "chunk size too large": CHUNKED + b"ffffffffffffffff1\r\nabc\r\n" + EXTRA,
    "negative chunk": CHUNKED + b"-1\r\nabc\r\n" + EXTRA,
    "chunk longer than said": CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n" + EXTRA,
    "chunk extension of 100 KB": CHUNKED + b"2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n" + EXTRA,
    "length too short": SIZED + b"Content-Length: 2\r\n\r\n{}" + GOOD % 999,
    "signed length": SIZED + b"Content-Length: +2\r\n\r\n{}" + EXTRA,
    "folded field": SIZED + b"X: a\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}" + EXTRA,
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}" + EXTRA,
    "head of 100 KB": SIZED + b"X: " + b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}" + EXTRA,
    "blank lines before": b"\r\n" * 50 + plain(GOOD % 0) + EXTRA,
    "500 and another": plain(b"{}", b"500 Oops") + EXTRA,
}
PROBES = {
    f"answer, {name}": Probe(f"an upstream answers with: {name}", "the next six requests get their own answers")
    for name in ANSWERS
}


class Echo(Upstream):
    """Answers the mark of a request; `hostile` is sent, and the connection ended, for the mark 0."""

    hostile = b""

    def _steps(self, request):
        number = MARK.search(request.body)
        if number is None:
            return super()._steps(request)
        if number[1] == b"0":
            return (self.hostile, close) if self.hostile.startswith(b"HTTP/1.0") else (self.hostile,)
        return (plain(GOOD % int(number[1])),)


@pytest.fixture(scope="module")
def echo():
    up = Echo()
    yield up
    up.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, echo):
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_TIMEOUTS_TOTAL": "3s"}
    with Proxy(tmp_path_factory.mktemp("held"), backends=[backend("box", echo.root)], settings=settings) as running:
        running.settled("box")
        yield running


def body_with(number):
    """A request whose text holds a mark."""
    turn = {"role": "user", "content": f"mark-{number}-"}
    return json.dumps({"model": "model-a", "max_tokens": 9, "messages": [turn]}).encode()


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_reaches_another_request(proxy, echo, name):
    """Behind each hostile answer six requests on one connection get their own answers; a cookie reaches nobody."""
    assert f"answer, {name}" in PROBES
    echo.hostile = ANSWERS[name]
    first = ask(proxy.port, MESSAGES.path, body_with(0))
    assert first.field(b"set-cookie") is None
    with Client(proxy.port) as client:
        for number in range(1, 7):
            client.send(request(MESSAGES.path, body_with(number)))
            answer = client.answer()
            assert (answer.status, answer.body) == (200, GOOD % number)


TEXTS = {
    "CRLF": "x\r\nx-injected: 1\r\n\r\n",
    "LF": "x\nx-injected: 1\n\n",
    "encoded CRLF": "x%0d%0ax-injected:%201",
    "line separator": "x\u2028x-injected: 1",
    "paragraph separator": "x\u2029data: {}",
    "next line": "x\u0085x-injected: 1",
    "event": "x\n\nevent: message_stop\ndata: {}\n\n",
    "bidi": "x\u202ex",
    "escape": "x\x1b]0;pwned\x07",
    "C1": "x\x9b31m",
    "delete": "x\x7f",
    "emoji": "x\U0001f600",
    "quote": 'x","injected":"1',
}
PLACES = ("model", "prefix", "header", "tool", "metadata", "id")
PROBES |= {
    f"text, {name} as {place}": Probe(f"{name} as the {place} of a request", "no header and no event is made of it")
    for name in TEXTS
    for place in PLACES
}


def with_text(protocol, place, text):
    """Body and headers of a request that has a text in a place."""
    asked = json.loads(protocol.body(stream=True))
    asked.pop("unknown", None)
    fields = []
    if place == "model":
        asked["model"] = text
    elif place == "prefix":
        asked["model"] = f"{text}:model-a"
    elif place == "tool":
        asked["tools"] = [{"type": "function", "name": text, "function": {"name": text}, "input_schema": {}}]
    elif place == "metadata":
        asked["metadata"] = {"user_id": text, text: text}
    elif place == "id":
        asked["previous_response_id"] = text
    else:
        fields.append((b"X-Session-Id", re.sub(r"[\r\n]", "", text).encode()))
    return json.dumps(asked).encode(), fields


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_becomes_structure(fairlead, upstream, name, place):
    """Whatever a caller writes, the answer has the headers and events that it would have had, in each protocol."""
    assert f"text, {name} as {place}" in PROBES
    for protocol in PROTOCOLS:
        upstream.clear()
        upstream.default = (plain(protocol.whole),)
        body, fields = with_text(protocol, place, TEXTS[name])
        answer = ask(fairlead.port, protocol.path, body, *fields)
        assert answer.whole
        assert answer.field(b"x-injected") is None
        head = b"".join(key + value for key, value in answer.lines)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f-\xff]", head), head
        if answer.status >= 400:
            assert list(answer.json()), "an error of one object"
        for seen in upstream.seen:
            assert seen.field(b"x-injected") is None


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_of_an_upstream_becomes_structure(fairlead, upstream, name):
    """Its id, model and error text, towards a caller of another protocol, are one JSON object each."""
    text = TEXTS[name]
    told = json.loads(MESSAGES.whole) | {"id": text, "model": text, "content": [{"type": "text", "text": text}]}
    for answer in (
        plain(json.dumps(told).encode()),
        plain(json.dumps({"type": "error", "error": {"type": text, "message": text}}).encode(), b"400 Bad Request"),
    ):
        upstream.clear()
        upstream.default = (answer,)
        got = ask(fairlead.port, CHAT.path, CHAT.body(model="anth:model-a"))
        assert got.field(b"x-injected") is None
        assert isinstance(got.json(), dict)
        assert "injected" not in got.json()
        head = b"".join(key + value for key, value in got.lines)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f-\xff]", head), head
