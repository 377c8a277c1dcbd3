"""HTTP that two servers could read differently, and who may ask at all."""

import contextlib
import socket

import pytest

from .conftest import CLIENT_KEY, ORIGIN
from .samples import CHAT, MESSAGES, error_of
from .test_bytes import SECURITY
from .upstream import plain, stream
from .wire import Client, ask, request

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"model":"model-a"}'

MALFORMED = {
    "length and chunks": (HEAD + b"Content-Length: 19\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 19\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 19\r\nContent-Length: 20\r\n\r\n" + BODY, 400),
    "list of lengths": (HEAD + b"Content-Length: 19, 20\r\n\r\n" + BODY, 400),
    "signed length": (HEAD + b"Content-Length: +19\r\n\r\n" + BODY, 400),
    "chunks in HTTP/1.0": (HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "gzip, chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    "identity": (HEAD + b"Transfer-Encoding: identity\r\n\r\n" + BODY, (400, 501)),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", (400, 501)),
    "chunk with LF": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\n" + BODY + b"\n0\n\n", 400),
    "extension with LF": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n", 400),
    "trailer with LF": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n" + BODY + b"\r\n0\r\nX: y\n\n", 400),
    "folded trailer": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n" + BODY + b"\r\n0\r\nX: y\r\n z\r\n\r\n", 400),
    "many trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    "bad chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "HTTP/2.0": (GET.replace(b"1.1", b"2.0") + b"\r\n", 400),
    "HTTP/1.2": (GET.replace(b"1.1", b"1.2") + b"\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no version": (b"GET /livez\r\nHost: localhost\r\n\r\n", 400),
    "bare LF": (GET.replace(b"\r\n", b"\n") + b"\n", 400),
    "one bare LF": (GET + b"X: y\nZ: 1\r\n\r\n", 400),
    "bare CR": (GET + b"X: y\rZ: 1\r\n\r\n", 400),
    "obs-fold": (GET + b"X: y\r\n z\r\n\r\n", 400),
    "obs-fold by tab": (GET + b"X: y\r\n\tz\r\n\r\n", 400),
    "space before colon": (GET + b"X : y\r\n\r\n", 400),
    "NUL in a field": (GET + b"X: a\0b\r\n\r\n", 400),
    "escape in a field": (GET + b"X: \x1b[2J\r\n\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", (400, 403)),
    "two hosts": (GET + b"Host: evil.example\r\n\r\n", 400),
    "absolute form": (GET.replace(b"/livez", b"http://localhost/livez") + b"\r\n", 400),
    "absolute form, another host": (GET.replace(b"/livez", b"https://evil.example/v1/models") + b"\r\n", 400),
    "authority form": (GET.replace(b"/livez", b"localhost:80") + b"\r\n", 400),
    "fragment": (GET.replace(b"/livez", b"/v1/models#x") + b"\r\n", 400),
    "asterisk": (GET.replace(b"/livez", b"*") + b"\r\n", 400),
    "dot segments": (GET.replace(b"/livez", b"/v1/../livez") + b"\r\n", 400),
    "one dot": (GET.replace(b"/livez", b"/v1/./models") + b"\r\n", 400),
    "encoded dots": (GET.replace(b"/livez", b"/v1/%2e%2E/livez") + b"\r\n", 400),
    "half encoded dots": (GET.replace(b"/livez", b"/v1/.%2e") + b"\r\n", 400),
    "encoded slash": (GET.replace(b"/livez", b"/v1/files%2fx") + b"\r\n", 400),
    "encoded slash, upper case": (GET.replace(b"/livez", b"/v1%2Ffiles") + b"\r\n", 400),
    "backslash": (GET.replace(b"/livez", b"/v1\\files") + b"\r\n", 400),
    "encoded backslash": (GET.replace(b"/livez", b"/v1/%5Cfiles") + b"\r\n", 400),
    "CONNECT": (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "head over 64 KiB": (GET + b"X: " + b"x" * 66000 + b"\r\n\r\n", 431),
    "endless head": (GET + b"X: " + b"x" * 200_000, 431),
    "101 fields": (GET + b"X: y\r\n" * 100 + b"\r\n", 431),
    "endless fields": (GET + b"X: y\r\n" * 30_000, 431),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("piece", [0, 1], ids=["at once", "in pieces"])
def test_malformed(fairlead, upstream, name, piece):
    """Requests that two servers could read differently are refused, and the connection is closed."""
    data, status = MALFORMED[name]
    size = piece if len(data) < 1000 else piece * 1000
    with Client(fairlead.port) as client:
        try:
            for at in range(0, len(data), size or len(data)):
                client.send(data[at : at + (size or len(data))])
        except ConnectionError:
            assert piece, "the answer was reset away"
        answer = client.answer()
        assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
        assert answer.json()["error"]["message"]
        assert client.ended()
    check_security(answer)
    assert not upstream.seen


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_between_good_ones(fairlead, upstream, name):
    """The request before it is served, the one behind it, or inside it, is not: nobody can say that it is one."""
    data, status = MALFORMED[name]
    upstream.script(plain(MESSAGES.whole))
    good = request(MESSAGES.path, MESSAGES.body())
    with Client(fairlead.port) as client:
        # A refusal of many bytes may come while they are still being sent.
        with contextlib.suppress(ConnectionError):
            client.send(good + data + good)
        assert client.answer().body == MESSAGES.whole
        answer = client.answer()
        assert answer.status in (status if isinstance(status, tuple) else (status,)), answer
        assert client.ended()
    assert len(upstream.seen) == 1


def test_within_bounds(fairlead):
    """A head of nearly 64 KiB and one of 100 fields are read."""
    host_and_99 = GET + b"X: y\r\n" * 99 + b"\r\n"
    for data in (GET + b"X: " + b"x" * 65000 + b"\r\n\r\n", host_and_99, b"\r\n" + GET + b"\r\n"):
        with Client(fairlead.port) as client:
            client.send(data)
            assert client.answer().status == 200


def test_old_client(fairlead, upstream):
    """A client of HTTP/1.0 gets its answer and the end of the connection."""
    upstream.script(plain(CHAT.whole))
    with Client(fairlead.port) as client:
        client.send(request(CHAT.path, CHAT.body()).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.answer().body == CHAT.whole
        assert client.ended()


def test_both_loopback_families(fairlead):
    """The proxy listens on both loopback addresses, on one port."""
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)} | {"127.0.0.1"}
    for address in addresses & {"127.0.0.1", "::1"}:
        with Client(fairlead.port, address) as client:
            client.send(GET + b"\r\n")
            assert client.answer().status == 200


def check_security(answer):
    """Check the headers that keep a browser from using an answer."""
    assert {name: answer.field(name) for name in SECURITY} == SECURITY


def test_security_headers_everywhere(keyed, upstream):
    """Every answer has them: our own, the upstream's, errors, streams."""
    upstream.script(plain(MESSAGES.whole))
    upstream.script(stream(MESSAGES.events))
    upstream.script(plain(b"{}", b"400 Bad Request"))
    key = (b"x-api-key", CLIENT_KEY.encode())
    answers = [
        *(ask(keyed.port, MESSAGES.path, MESSAGES.body(stream=streamed), key) for streamed in (False, True, False)),
        ask(keyed.port, MESSAGES.path, MESSAGES.body()),
        ask(keyed.port, MESSAGES.path, b"{", key),
        ask(keyed.port, MESSAGES.path, None, key, method="GET"),
        ask(keyed.port, "/v1/models", None, key),
        ask(keyed.port, "/livez", None, (b"Origin", b"null")),
        *(ask(keyed.port, path) for path in ("/", "/livez", "/health", "/status", "/nothing", "/v1/models")),
        ask(keyed.port, "/", method="HEAD"),
        ask(keyed.port, "/", method="OPTIONS"),
    ]
    assert {answer.status for answer in answers} - {204} == {200, 400, 401, 403, 404, 405}
    for answer in answers:
        check_security(answer)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("/nothing"), 404),
        (request("/livez", b"{}"), 405),
        (request("/livez", None, (b"Origin", b"null")), 403),
        (request("/livez", host=b"evil.example"), 403),
        (request("/status"), 401),
        (request("/v1/models"), 401),
        (request(MESSAGES.path, b"{"), 401),
        (request(CHAT.path, host=b"evil.example"), 403),
        MALFORMED["bare LF"],
        MALFORMED["dot segments"],
        MALFORMED["101 fields"],
    ],
    ids=["path", "verb", "origin", "host", "operator", "key", "messages", "chat", "bare LF", "dots", "fields"],
)
def test_request_id_in_every_error(keyed, data, status):
    """Every error names its request."""
    with Client(keyed.port) as client:
        client.send(data)
        answer = client.answer()
    assert answer.status == status
    assert answer.field(b"x-fairlead-request-id")


KEY = CLIENT_KEY.encode()


@pytest.mark.parametrize(
    "field",
    [
        (b"x-api-key", KEY),
        (b"Authorization", b"Bearer " + KEY),
        (b"authorization", b"bearer " + KEY),
        (b"X-Fairlead-Key", KEY),
    ],
    ids=["x-api-key", "Bearer", "bearer", "x-fairlead-key"],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/messages"])
def test_right_key(keyed, upstream, field, path):
    """All three header forms of the key are taken, on every path."""
    upstream.script(plain(MESSAGES.whole))
    assert ask(keyed.port, path, MESSAGES.body() if path == "/v1/messages" else None, field).status == 200


@pytest.mark.parametrize(
    "field",
    [
        None,
        (b"x-api-key", b"wrong"),
        (b"Authorization", b"Bearer "),
        (b"Authorization", b"Basic " + KEY),
        (b"Cookie", KEY),
    ],
    ids=["none", "wrong", "empty", "basic", "cookie"],
)
@pytest.mark.parametrize("protocol", [MESSAGES, CHAT], ids=["messages", "chat"])
def test_wrong_key(keyed, upstream, field, protocol):
    """Without the right key nothing goes upstream: 401 in the caller's shape, which does not repeat what was sent."""
    answer = ask(keyed.port, protocol.path, protocol.body(), *([field] if field else []))
    message = error_of(protocol, answer)
    assert (answer.status, answer.field(b"x-should-retry")) == (401, b"false")
    assert "fairlead env" in message
    assert CLIENT_KEY not in message
    assert not upstream.seen


@pytest.mark.parametrize("path", ["/livez", "/health", "/", "/api/hello"])
def test_open_to_anyone(keyed, path):
    """Liveness, health and the probes of tools need no key."""
    assert ask(keyed.port, path).status == 200
    assert ask(keyed.port, path, method="HEAD").status == 200


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/messages", "POST"), ("/v1/models", "GET"), ("/v1/messages", "OPTIONS")]
)
def test_listed_origin(keyed, upstream, path, method):
    """A page of an origin in cors_origin is served and may read the answer, its errors too."""
    upstream.script(plain(MESSAGES.whole))
    origin, key = (b"Origin", ORIGIN.encode()), (b"x-api-key", KEY)
    body = MESSAGES.body() if method == "POST" else None
    answer = ask(keyed.port, path, body, origin, key, method=method)
    assert answer.status in (200, 204)
    refusal = ask(keyed.port, "/v1/messages", MESSAGES.body(), origin)
    assert refusal.status == 401
    for each in (answer, refusal):
        assert each.field(b"access-control-allow-origin") == ORIGIN.encode()
        assert b"origin" in each.field(b"vary").lower()


@pytest.mark.parametrize(("path", "method"), [("/status", "GET"), ("/admin/reload", "POST"), ("/admin/stop", "POST")])
@pytest.mark.parametrize("credential", [None, KEY, b"fl-wrong"], ids=["none", "client key", "wrong"])
def test_operator_endpoints(keyed, path, method, credential):
    """Operator endpoints take the home's token alone; the clients' key does not open them."""
    fields = [(b"Authorization", b"Bearer " + credential)] if credential else []
    answer = ask(keyed.port, path, b"{}" if method == "POST" else None, *fields, method=method)
    assert answer.status == 401
    assert ask(keyed.port, "/status", None, keyed.operator()).status == 200


def test_operator_token_opens_nothing_else(keyed, upstream):
    """The operator token is no client key."""
    assert ask(keyed.port, MESSAGES.path, MESSAGES.body(), keyed.operator()).status == 401
