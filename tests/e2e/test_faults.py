"""What goes wrong upstream, and what each caller is told: the right status, or the protocol's own last words.

All tests run against `hasty`: short deadlines, and backends that cannot be reached.
"""

import gzip
import threading

import pytest

from .samples import CHAT, PROTOCOLS, refused, stream_error_of
from .upstream import END, begun, chunk, close, hang, head, keep, plain, reset, stream, stream_head, wait_for
from .wire import Client, ask, request

CUTS = pytest.mark.parametrize("cut", [close, reset], ids=["FIN", "RST"])
FRAMINGS = pytest.mark.parametrize("framing", ["length", "chunks"])
# A backend whose callers have accounts of their own: a limit of one request parks nothing for the next.
ALONE = "own:m"
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused", ["refused", "127.0.0.1"]),
        ("nowhere", ["api.nowhere.invalid", "resolved"]),
        ("untrusted", ["certificate", "127.0.0.1"]),
        ("misnamed", ["certificate"]),
    ],
)
@STREAMED
def test_unreachable(hasty, faulty, protocol, name, words, streamed):
    """A backend that cannot be reached is a 502 that says what was seen: refused, DNS, certificate."""
    answer = ask(hasty.port, protocol.path, protocol.body(f"{name}:m", stream=streamed))
    refused(protocol, answer, 502, *words)
    assert answer.field(b"x-fairlead-backend") == name.encode()
    assert not faulty.untrusted.seen + faulty.misnamed.seen


def test_added_root(hasty, faulty, protocol):
    """A certificate that SSL_CERT_FILE vouches for is accepted, for whole answers and for streams."""
    faulty.secure.clear()

    def send():
        assert ask(hasty.port, protocol.path, protocol.body("secure:m")).body == protocol.whole

    kept = keep(faulty.secure, send, plain(protocol.whole))
    faulty.secure.script(stream(protocol.events))
    answer = ask(hasty.port, protocol.path, protocol.body("secure:m", stream=True))
    assert (answer.body, answer.whole) == (b"".join(protocol.events), True)
    assert [seen.connection for seen in faulty.secure.seen] == [kept], "the connection was not used again"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n",
        b"HTTP/1.1 abc Oops\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 12,
    ],
    ids=["ssh", "tls alert", "status", "70 KB head", "101", "12 interim answers"],
)
def test_garbage(hasty, upstream, protocol, data):
    """What is no HTTP, or goes on without end, is a 502 in the caller's shape."""
    upstream.script(data, close)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body()), 502)
    assert len(upstream.seen) == 1


def test_interim_answers(hasty, upstream, protocol):
    """Interim answers before the real one are read over."""
    upstream.script(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", plain(protocol.whole))
    assert ask(hasty.port, protocol.path, protocol.body()).body == protocol.whole


PAGE = b"<!doctype html><html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>"


@pytest.mark.parametrize("status", [b"400 Bad Request", b"502 Bad Gateway", b"520 Odd"])
@STREAMED
def test_html_error(hasty, upstream, protocol, status, streamed):
    """A gateway's HTML page keeps its status and comes in the caller's shape, with the page's title."""
    upstream.script(plain(PAGE, status, (b"retry-after", b"7"), kind=b"text/html"))
    answer = ask(hasty.port, protocol.path, protocol.body(stream=streamed))
    refused(protocol, answer, int(status[:3]), "HTML", "Bad  Gateway")
    assert answer.field(b"retry-after") == b"7"


@pytest.mark.parametrize("body", [b"", b"upstream connect error"], ids=["empty", "text"])
def test_error_without_json(hasty, upstream, protocol, body):
    """An error with no body, or a text, keeps its status and comes in the caller's shape."""
    upstream.script(plain(body, b"503 Service Unavailable", kind=b"text/plain"))
    refused(protocol, ask(hasty.port, protocol.path, protocol.body()), 503, body.decode() or "empty")


@pytest.mark.parametrize(
    ("body", "kind", "word"),
    [(b"", b"application/json", "empty"), (b" \n", b"text/plain", "empty"), (PAGE, b"text/html", "HTML")],
)
@STREAMED
def test_success_that_is_none(hasty, upstream, protocol, body, kind, word, streamed):
    """An empty body, or a page, under a 200 is no answer of a model: 502 that says so."""
    upstream.script(plain(body, kind=kind))
    refused(protocol, ask(hasty.port, protocol.path, protocol.body(stream=streamed)), 502, word)


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary Redirect", b"308 Permanent Redirect"])
def test_redirect(hasty, upstream, protocol, status):
    """A redirect is not followed and not relayed: 502 that names the host it points to."""
    upstream.script(plain(b"", status, (b"Location", b"https://login.portal.example/x?token=secret")))
    answer = ask(hasty.port, protocol.path, protocol.body())
    refused(protocol, answer, 502, "login.portal.example")
    assert answer.field(b"location") is None
    assert b"secret" not in answer.body


@CUTS
@STREAMED
def test_cut_before_head(hasty, upstream, protocol, cut, streamed):
    """A fresh connection that ends without an answer is a 502; the request is not sent twice."""
    upstream.script(cut)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body(stream=streamed)), 502, "box")
    upstream.script(b"HTTP/1.1 200 O", cut)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body(stream=streamed)), 502, "box")
    assert len(upstream.seen) == 2


@CUTS
@FRAMINGS
def test_cut_in_a_small_answer(hasty, upstream, protocol, cut, framing):
    """A plain answer that is not whole is held back: 502 in its place."""
    upstream.script(_part(protocol.whole[:60], framing), cut)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body()), 502, "before the answer was complete")


@CUTS
@FRAMINGS
def test_cut_in_a_large_answer(hasty, upstream, protocol, cut, framing):
    """Once the head of a large plain answer is sent, a cut aborts the socket: what came never looks whole."""
    upstream.script(_part(b'{"x":"' + b"x" * (3 << 19), framing), cut)
    answer = ask(hasty.port, protocol.path, protocol.body())
    assert (answer.status, answer.whole) == (200, False)


def _part(data, framing):
    """The beginning of a plain answer of 2 MB."""
    kind = (b"Content-Type", b"application/json")
    if framing == "length":
        return head(b"200 OK", kind, (b"Content-Length", b"2000000")) + data
    return head(b"200 OK", kind, (b"Transfer-Encoding", b"chunked")) + chunk(data)


@pytest.mark.parametrize(
    "end",
    [(close,), (reset,), (chunk(b'data: {"half'), close), (b"zz\r\n",), (END,), (chunk(b'data: {"half'), END)],
    ids=["FIN", "RST", "half an event", "bad chunk", "no terminal event", "half an event, clean end"],
)
def test_cut_in_a_stream(hasty, upstream, protocol, end):
    """A stream that breaks after its first content ends in the protocol's error event and never cleanly."""
    arrived = threading.Event()
    upstream.script(begun(protocol), wait_for(arrived), *end)
    with Client(hasty.port) as client:
        client.send(request(protocol.path, protocol.body(stream=True)))
        client.read_until("H\u2028".encode())
        arrived.set()
        answer = client.answer()
        message = stream_error_of(protocol, answer)
        assert client.ended()
    assert "box" in message
    sent = b"".join(protocol.events[: protocol.begun])
    assert answer.body.startswith(sent)
    assert b"half" not in answer.body


@pytest.mark.parametrize("end", [(close,), (reset,), (END,)], ids=["FIN", "RST", "no terminal event"])
@pytest.mark.parametrize("count", [0, 1])
def test_cut_before_content(hasty, upstream, protocol, end, count):
    """A stream that breaks while nothing, or nothing but its preamble, came is still a 502."""
    upstream.script(begun(protocol, count), *end)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body(stream=True)), 502, "box")


@pytest.mark.parametrize("end", [(close,), (reset,), (b"zz\r\n", hang)], ids=["FIN", "RST", "bad chunk"])
def test_cut_after_the_end(hasty, upstream, protocol, end):
    """After its terminal event a stream is whole, whether or not the upstream ends it well."""
    data, *steps = end
    whole = begun(protocol, len(protocol.events))
    # Joined, both arrive in one read.
    upstream.script(*([whole + data] if steps else [whole, data]), *steps)
    answer = ask(hasty.port, protocol.path, protocol.body(stream=True))
    assert (answer.body, answer.whole) == (b"".join(protocol.events), True)


def test_chat_without_done(hasty, upstream):
    """On Chat a finish reason is the end; a missing [DONE] is no fault."""
    upstream.script(stream(CHAT.events[:-1]))
    answer = ask(hasty.port, CHAT.path, CHAT.body(stream=True))
    assert (answer.body, answer.whole) == (b"".join(CHAT.events[:-1]), True)


ERRORS = {
    "messages": (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded \\u2603"}}', 529),
    "chat": (b'{"error":{"message":"Overloaded \\u2603","type":"x","param":null,"code":429},"choices":[]}', 429),
    "responses": (
        b'{"type":"error","sequence_number":1,"error":{"type":"server_error","code":"rate_limit_exceeded",'
        b'"message":"Overloaded \\u2603","param":null}}',
        429,
    ),
}


@STREAMED
@pytest.mark.parametrize("preamble", [0, 1])
def test_error_inside_a_200(hasty, upstream, protocol, streamed, preamble):
    """An error inside a 200, plain or before any content of a stream, becomes the status it should have had."""
    error, status = ERRORS[protocol.name]
    first = stream_head() + b"".join(map(chunk, protocol.events[:preamble]))
    event = b"event: error\ndata: %b\n\n" % error if protocol is not CHAT else b"data: %b\n\n" % error
    upstream.script(first + chunk(event) + END if streamed else plain(error))
    answer = ask(hasty.port, protocol.path, protocol.body(ALONE, stream=streamed))
    refused(protocol, answer, status, "Overloaded \u2603")
    assert answer.field(b"content-length") == b"%d" % len(answer.body)


def test_error_inside_a_coded_200(hasty, upstream, protocol):
    """An error inside a 200 is found through a content coding too."""
    error, status = ERRORS[protocol.name]
    upstream.script(plain(gzip.compress(error), b"200 OK", (b"Content-Encoding", b"gzip")))
    answer = ask(hasty.port, protocol.path, protocol.body(ALONE))
    refused(protocol, answer, status, "Overloaded")
    assert answer.field(b"content-encoding") is None


def test_error_event_of_the_upstream(hasty, upstream, protocol):
    """An error event after content passes as the upstream wrote it, and nothing is added to it."""
    event = b"event: error\ndata: %b\n\n" % ERRORS[protocol.name][0]
    upstream.script(begun(protocol) + chunk(event) + END)
    answer = ask(hasty.port, protocol.path, protocol.body(stream=True))
    assert answer.body == b"".join(protocol.events[: protocol.begun]) + event


@pytest.mark.parametrize("status", [b"400 Bad Request", b"422 Odd", b"429 Slow Down", b"529 Overloaded"])
@STREAMED
def test_upstream_errors_word_for_word(hasty, upstream, protocol, status, streamed):
    """An upstream's own error passes unchanged: status, text, retry-after; it is not asked again."""
    body = b'{"type":"error", "error": {"type":"x","message":"tools.3: Extra inputs are not permitted\\u2603"}}\n'
    upstream.script(plain(body, status, (b"retry-after", b"3"), (b"x-should-retry", b"true")))
    answer = ask(hasty.port, protocol.path, protocol.body(ALONE, stream=streamed))
    assert (answer.line, answer.body) == (b"HTTP/1.1 " + status, body)
    assert (answer.field(b"retry-after"), answer.field(b"x-should-retry")) == (b"3", b"true")
    assert len(upstream.seen) == 1


@CUTS
@STREAMED
def test_stale_connection(hasty, upstream, protocol, cut, streamed):
    """A kept connection that ends without a byte of an answer is replaced once; the caller does not notice."""
    kept = keep(upstream, lambda: ask(hasty.port, protocol.path, protocol.body()), plain(protocol.whole))
    upstream.script(cut)
    upstream.script(stream(protocol.events) if streamed else plain(protocol.whole))
    answer = ask(hasty.port, protocol.path, protocol.body(stream=streamed))
    assert (answer.status, answer.whole, answer.field(b"x-fairlead-attempts")) == (200, True, b"2")
    assert [seen.connection == kept for seen in upstream.seen] == [True, False]
    assert upstream.seen[0].body == upstream.seen[1].body


def test_stale_connection_once(hasty, upstream, protocol):
    """The replacement is not replaced again, and a connection that has begun to answer is not stale."""

    def send():
        return ask(hasty.port, protocol.path, protocol.body()).status

    for steps, sent in ([close], 2), ([b"HTTP", close], 1):
        upstream.hang_up()
        kept = keep(upstream, send, plain(protocol.whole))
        for _ in range(sent):
            upstream.script(*steps)
        assert send() == 502
        assert [seen.connection == kept for seen in upstream.seen] == [True, False][:sent]


def test_closed_while_idle(hasty, upstream, protocol):
    """A connection that was closed while idle, or that holds bytes nobody asked for, is not used again."""
    for last in (b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"):
        upstream.script(plain(protocol.whole) + last)
        upstream.script(plain(protocol.whole))
        for _ in range(2):
            answer = ask(hasty.port, protocol.path, protocol.body())
            assert (answer.body, answer.field(b"x-fairlead-attempts")) == (protocol.whole, b"1")
            if not last:
                upstream.hang_up()
    assert len({seen.connection for seen in upstream.seen}) == 4


def test_large_event(fairlead, upstream, protocol):
    """An event of many MiB passes; one without an end is cut at 32 MiB, with the protocol's last words."""
    large = b": " + b"x" * (20 << 20) + b"\n\n"
    passing = [*protocol.events[: protocol.begun], large, *protocol.events[protocol.begun :]]
    upstream.script(stream(passing))
    assert ask(fairlead.port, protocol.path, protocol.body(stream=True)).body == b"".join(passing)
    upstream.script(begun(protocol) + chunk(b"data: " + b"x" * (32 << 20)), hang)
    assert "32 MiB" in stream_error_of(protocol, ask(fairlead.port, protocol.path, protocol.body(stream=True)))
    upstream.wait(lambda up: up.left == 1)


def test_endless_preamble(hasty, upstream, protocol):
    """1 MiB of events without any content is a 502."""
    filler = chunk(b": " + b"x" * 60000 + b"\n\n") * 20
    upstream.script(begun(protocol, 1) + filler, hang)
    refused(protocol, ask(hasty.port, protocol.path, protocol.body(stream=True)), 502)
    upstream.wait(lambda up: up.left == 1)


def test_length_beside_chunks(hasty, upstream, protocol):
    """Where an answer has a length beside its chunks, the chunks count (RFC 9112, 6.3)."""
    for size in (1, 3 << 19):
        body = b'{"x":"' + b"x" * size + b'"}'
        lengths = (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")
        upstream.script(head(b"200 OK", (b"Content-Type", b"application/json"), *lengths) + chunk(body) + END)
        answer = ask(hasty.port, protocol.path, protocol.body())
        assert (answer.body, answer.whole) == (body, True)
