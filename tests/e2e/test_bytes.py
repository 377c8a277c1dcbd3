"""What the proxy passes on is what it got, byte for byte, except the edits that README lists.

Expectations are written from the contract, not from the code: a request sent to the proxy and the same request sent
to the upstream directly are compared as the upstream recorded them.
"""

import gzip
import json
import zlib
from functools import partial
from pathlib import Path

import brotli
import pytest

from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES
from .upstream import END, chunk, close, head, pieces, plain, rechunked, stream
from .wire import Client, ask, request

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
# One of the recordings is no JSON; nothing is promised for it.
RECORDED = [path for path in sorted(FIXTURES.glob("**/*.chunks.txt")) if "parallel-tool-call-wrapper" not in path.name]
NAMES = [protocol.name for protocol in PROTOCOLS]

# What the proxy may set anew in either direction; everything else stays, in order and spelling.
REQUEST_EDITS = {b"host", b"accept-encoding", b"content-length", b"connection"}
FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"keep-alive"}
SECURITY = {
    b"x-content-type-options": b"nosniff",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; sandbox",
}
ODD_FIELDS = (
    (b"User-Agent", b"odd/1.0"),
    (b"X-ODD-case", b"A  b"),
    (b"accept", b"*/*"),
    (b"anthropic-version", b"2026-10-21"),
    (b"anthropic-beta", b"one,two"),
    (b"anthropic-beta", b"three"),
    (b"X-Stainless-Lang", b"none"),
    (b"x-odd-case", b"again"),
    (b"X-Empty", b""),
)
ODD_ANSWER_FIELDS = (
    (b"X-Request-ID", b"up-1"),
    (b"anthropic-ratelimit-Requests-Remaining", b"9"),
    (b"retry-after", b"3"),
    (b"X-Should-Retry", b"true"),
    (b"X-Odd", b"a"),
    (b"Vary", b"x"),
    (b"x-odd", b"b"),
)


def rest(lines, without):
    return [(name, value) for name, value in lines if name.lower() not in without]


@pytest.fixture(params=[*PROTOCOLS, EMBEDDINGS], ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


@pytest.mark.parametrize(
    ("protocol", "streamed"),
    [*((protocol, streamed) for protocol in PROTOCOLS for streamed in (False, True)), (EMBEDDINGS, False)],
    ids=lambda value: "stream" if value is True else getattr(value, "name", "plain"),
)
def test_request_bytes(fairlead, upstream, protocol, streamed):
    """A request reaches the upstream as if it had been sent there: target, header order and spelling, body bytes."""
    upstream.default = (plain(protocol.whole),)
    body = protocol.body(stream=streamed)
    for port in (upstream.port, fairlead.port):
        ask(port, f"{protocol.path}?beta=true&x=%41+1", body, *ODD_FIELDS)
    direct, through = upstream.seen
    assert through.line == direct.line
    assert through.body == direct.body == body
    assert rest(through.lines, REQUEST_EDITS) == rest(direct.lines, REQUEST_EDITS)
    assert through.field(b"host") == b"127.0.0.1:%d" % upstream.port
    assert through.field(b"accept-encoding") == b"identity"
    assert through.field(b"content-length") == b"%d" % len(body)
    assert through.field(b"connection") in (None, b"keep-alive")


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"model-a","input":1,"x":"\\ud800 \\/"}',
        b'{"model": "model-a", "input": 1, "x": [1, 2]}',
        b'\n{ "input" :\t1 , "model":"model-a","stream":null,\r\n"x" : [NaN,1e400]}\n',
        b'\xef\xbb\xbf{"model":"model-a","input":1}',
        b'{"model":"mod\\u0065l-a","input":"\\u0000"}',
        b'{"model":"model-a","input":"' + b"x" * (2 << 20) + b'"}',
    ],
    ids=["compact", "spaced", "odd", "bom", "escaped", "2MiB"],
)
def test_any_spelling(fairlead, upstream, body):
    """Whatever an encoder writes passes unchanged, also what is no strict JSON, and a large one."""
    upstream.script(plain(EMBEDDINGS.whole))
    assert ask(fairlead.port, EMBEDDINGS.path, body).status == 200
    assert upstream.seen[0].body == body


def test_plain_answer_bytes(fairlead, upstream, protocol):
    """An answer comes back as the upstream sent it: status line, header order and spelling, body bytes."""
    upstream.default = (plain(protocol.whole, b"201 Odd Reason", *ODD_ANSWER_FIELDS),)
    direct, through = (ask(port, protocol.path, protocol.body()) for port in (upstream.port, fairlead.port))
    assert through.line == direct.line
    assert through.body == direct.body == protocol.whole
    _check_fields(direct, through)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=NAMES)
def test_stream_bytes(fairlead, upstream, protocol):
    """A stream comes back with its comments, unknown events and spellings, and without a length."""
    upstream.default = (stream(protocol.events, *ODD_ANSWER_FIELDS),)
    body = protocol.body(stream=True)
    direct, through = (ask(port, protocol.path, body) for port in (upstream.port, fairlead.port))
    assert through.line == direct.line
    assert through.body == direct.body == b"".join(protocol.events)
    assert through.whole
    assert through.field(b"content-length") is None
    _check_fields(direct, through)


def _check_fields(direct, through):
    own = [name for name, _ in through.lines if name.lower().startswith(b"x-fairlead-")]
    assert rest(through.lines, {*FRAMING, *SECURITY, *own}) == rest(direct.lines, FRAMING)
    for name, value in SECURITY.items():
        assert through.field(name) == value
    assert through.field(b"x-fairlead-backend") == b"box"
    assert through.field(b"x-fairlead-attempts") == b"1"
    assert through.field(b"x-fairlead-request-id").startswith(b"req_")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\n"], ids=["CRLF", "CR", "LF"])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=NAMES)
def test_stream_line_ends(fairlead, upstream, protocol, line_end):
    """All three line ends of server-sent events pass unchanged, in pieces that know no borders."""
    events = [event.replace(b"\n", line_end) for event in protocol.events]
    for seed in range(3):
        upstream.script(pieces(rechunked(events, seed), seed))
        answer = ask(fairlead.port, protocol.path, protocol.body(stream=True))
        assert (answer.body, answer.whole) == (b"".join(events), True)


def _recorded(path):
    """The protocol and the events of a recorded stream; the recordings are without their framing."""
    payloads = path.read_bytes().splitlines()
    if path.parent.name not in ("anthropic", "openai-responses"):
        return CHAT, [*(b"data: %b\n\n" % payload for payload in payloads), b"data: [DONE]\n\n"]
    kinds = [json.loads(payload)["type"].encode() for payload in payloads]
    framed = [b"event: %b\ndata: %b\n\n" % pair for pair in zip(kinds, payloads, strict=True)]
    return (MESSAGES if path.parent.name == "anthropic" else RESPONSES), framed


@pytest.mark.skipif(not RECORDED, reason="the recorded streams lie beside the repository, not in it")
@pytest.mark.parametrize("path", RECORDED or [None], ids=lambda path: path.name if path else "none")
def test_recorded_streams(fairlead, upstream, path):
    """What providers really sent passes unchanged however it is cut; one that begins with an error is an error."""
    protocol, events = _recorded(path)
    fails = any(b'"type":"error"' in event for event in events[:4])
    # Where callers have accounts of their own, an error of one request parks nothing for the next.
    model = "own:model-a" if fails else "model-a"
    for seed in range(4):
        upstream.script(pieces(rechunked(events, seed), seed + 100))
        answer = ask(fairlead.port, protocol.path, protocol.body(model, stream=True))
        if fails:
            assert answer.status >= 400
            said = json.loads(events[2].partition(b"data: ")[2])["error"]["message"]
            assert answer.json()["error"]["message"] == said
        else:
            assert (answer.status, answer.body, answer.whole) == (200, b"".join(events), True)


@pytest.mark.parametrize("path", ["/v1/files/f-1/content", "/v1/audio/speech"])
def test_binary_answer(fairlead, upstream, path):
    """What is no JSON passes unchanged too, whatever its size and framing."""
    data = bytes(range(256)) * 9000
    body = None if "files" in path else b'{"model":"model-a","input":"x"}'
    upstream.script(plain(data, kind=b"audio/mpeg"))
    answer = ask(fairlead.port, path, body)
    assert (answer.body, answer.whole, answer.field(b"content-length")) == (data, True, b"%d" % len(data))
    upstream.script(rechunked([data[:50000]], 1).replace(b"text/event-stream; charset=utf-8", b"audio/mpeg"))
    answer = ask(fairlead.port, path, body)
    assert (answer.body, answer.whole) == (data[:50000], True)


def test_multipart(fairlead, upstream):
    """A form with a file passes unchanged, with its boundary."""
    body = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nmodel-a\r\n--b\r\n\xff\x00\r\n--b--\r\n'
    kind = (b"Content-Type", b"multipart/form-data; boundary=b")
    upstream.script(plain(b"{}"))
    assert ask(fairlead.port, "/v1/audio/transcriptions", body, kind=kind).status == 200
    assert (upstream.seen[0].body, upstream.seen[0].field(b"content-type")) == (body, kind[1])


def test_chunked_request(fairlead, upstream, protocol):
    """A chunked request is forwarded with a length; its trailers stop here."""
    upstream.script(plain(protocol.whole))
    body = protocol.body()
    framed = b"".join(map(chunk, (body[:5], body[5:]))) + b"0\r\nX-Trailer: 1\r\n\r\n"
    lengthless = request(protocol.path, b"", method="POST").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with Client(fairlead.port) as client:
        client.send(lengthless + framed)
        assert client.answer().status == 200
    [seen] = upstream.seen
    assert (seen.body, seen.field(b"content-length")) == (body, b"%d" % len(body))
    assert (seen.field(b"transfer-encoding"), seen.field(b"x-trailer")) == (None, None)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/responses/resp_1?include[]=x", None),
        ("DELETE", "/v1/responses/resp_1", None),
        ("POST", "/v1/responses/resp_1/cancel", b""),
        ("GET", "/v1/chat/completions/c1/messages?limit=2", None),
        ("GET", "/v1/files?purpose=a%20b", None),
        ("POST", "/v1/moderations", b'{"model":"model-a","input":"x"}'),
    ],
)
def test_other_paths(fairlead, upstream, method, path, body):
    """Other calls of the APIs, with a model or without, reach the backend with verb, path and query as they are."""
    upstream.script(plain(b'{"x": 1.0}'))
    answer = ask(fairlead.port, path, body, method=method)
    assert (answer.status, answer.body) == (200, b'{"x": 1.0}')
    [seen] = upstream.seen
    assert (seen.line, seen.body) == (f"{method} {path} HTTP/1.1".encode(), body or b"")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_coded_answers(fairlead, upstream, protocol, coding):
    """A coded plain answer passes as it is, a coded stream is relayed decoded, a coded error keeps its text."""
    # Without the time of day, so that the same text gives the same bytes.
    code = {"gzip": partial(gzip.compress, mtime=0), "deflate": zlib.compress, "br": brotli.compress}[coding]
    field = (b"Content-Encoding", coding.encode())
    upstream.script(plain(code(protocol.whole), b"200 OK", field))
    answer = ask(fairlead.port, protocol.path, protocol.body())
    assert (answer.body, answer.field(b"content-encoding")) == (code(protocol.whole), coding.encode())
    refusal = b'{"error": {"message":"word for word","type":"x","param":null,"code":null}}'
    upstream.script(plain(code(refusal), b"400 Bad Request", field))
    answer = ask(fairlead.port, protocol.path, protocol.body())
    assert (answer.status, answer.body) == (400, code(refusal))
    if protocol.events:
        upstream.script(pieces(rechunked([code(b"".join(protocol.events))], 7, field), 7))
        answer = ask(fairlead.port, protocol.path, protocol.body(stream=True))
        assert (answer.body, answer.whole) == (b"".join(protocol.events), True)
        assert answer.field(b"content-encoding") is None


def test_head_and_no_content(fairlead, upstream):
    """Answers without a body pass without one."""
    upstream.script(plain(b"12345")[:-5])
    answer = ask(fairlead.port, "/v1/files/f-1", method="HEAD")
    assert (answer.status, answer.field(b"content-length")) == (200, b"5")
    upstream.script(b"HTTP/1.1 204 No Content\r\nX-Odd: 1\r\n\r\n")
    answer = ask(fairlead.port, "/v1/files/f-1")
    assert (answer.status, answer.field(b"x-odd")) == (204, b"1")


def test_named_in_the_answers_connection(fairlead, upstream):
    """What the upstream's Connection field names is for this hop alone."""
    upstream.script(
        plain(CHAT.whole, b"200 OK", (b"Connection", b"keep-alive, X-Hop"), (b"X-Hop", b"1"), (b"X-Odd", b"1"))
    )
    answer = ask(fairlead.port, CHAT.path, CHAT.body())
    assert (answer.field(b"x-hop"), answer.field(b"x-odd")) == (None, b"1")


def test_old_upstream(fairlead, upstream, protocol):
    """An upstream that ends its answer by closing is understood."""
    upstream.script(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", protocol.whole, close)
    answer = ask(fairlead.port, protocol.path, protocol.body())
    assert (answer.status, answer.body, answer.whole) == (200, protocol.whole, True)
    if protocol.events:
        upstream.script(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", *protocol.events, close)
        answer = ask(fairlead.port, protocol.path, protocol.body(stream=True))
        assert (answer.body, answer.whole) == (b"".join(protocol.events), True)


def test_an_answer_of_tiny_chunks(fairlead, upstream):
    """A large answer passes whole, however small the upstream cuts it: one read then holds thousands of pieces."""
    body = b'{"data":"' + bytes(range(97, 123)) * 50_000 + b'"}'
    fields = ((b"Content-Type", b"application/json"), (b"Transfer-Encoding", b"chunked"))
    cut = b"".join(chunk(body[at : at + 7]) for at in range(0, len(body), 7))
    upstream.script(head(b"200 OK", *fields), cut, END)
    answer = ask(fairlead.port, CHAT.path, CHAT.body())
    assert (answer.status, answer.body == body, answer.whole) == (200, True, True)
