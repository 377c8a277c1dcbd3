"""What fairlead itself refuses, over raw sockets: status, the caller's shape, and nothing goes upstream."""

import pytest

from . import samples
from .processes import Proxy, backend
from .samples import CHAT, EMBEDDINGS, MESSAGES, PROTOCOLS, RESPONSES
from .upstream import plain
from .wire import Client, ask, request

GENERATING = [*PROTOCOLS, EMBEDDINGS]
LIMIT = 64 << 20


@pytest.fixture(params=GENERATING, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


def refused(protocol, answer, status, *words):
    """Check an error answer; it must also tell SDKs that asking again is of no use."""
    samples.refused(protocol, answer, status, *words)
    assert answer.field(b"x-should-retry") == b"false"


def nested(depth):
    """An object with arrays in it, `depth` levels in all."""
    return b'{"model":"model-a","x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"model":"model-a",\n "x":}', ["JSON", "line 2", "column"]),
        (b'{"model":"model-a"', ["JSON", "line 1"]),
        (b'{"model":"model-a"} x', ["JSON", "column 21"]),
        (b"[1]", ["object"]),
        (b"null", ["object"]),
        (b"", ["no body"]),
        (b"\xff\xfe{", ["JSON"]),
        (b'{"model":"model-a","x":"\xff"', ["JSON"]),
        (b'{"input":1}', ["model"]),
        (b'{"model":null}', ["model"]),
        (b'{"model":5}', ["model"]),
        (b'{"model":""}', ["model"]),
        (b'{"model":"a\\u0000"}', ["control"]),
        (b'{"model":"a\\u202e\\nb"}', ["control"]),
        (b'{"model":"' + b"m" * 257 + b'"}', ["256"]),
        (b'{"model":"a","x":1,"model":"b"}', ["model", "twice"]),
        (b'{"model":"a","mod\\u0065l":"b"}', ["model", "twice"]),
        (b'{"model":"a","stream":true, "stream":false}', ["stream", "twice"]),
        (b'{"model":"model-a","stream":"yes"}', ["stream"]),
        (nested(201), ["200"]),
        (nested(100_000), ["200"]),
        (b"[" * 100_000, []),
        (b'{"model":"box:"}', ["box"]),
    ],
    ids=lambda value: str(value[:30]) if isinstance(value, bytes) else "",
)
def test_bad_body(fairlead, upstream, protocol, body, words):
    """A body that is no sensible request is a 400 that says what is wrong and where; nothing goes upstream."""
    refused(protocol, ask(fairlead.port, protocol.path, body), 400, *words)
    assert not upstream.seen


def test_nesting_within_bounds(fairlead, upstream, protocol):
    """200 levels pass, and so do brackets inside strings and other keys that stand there twice."""
    for body in (nested(200), b'{"model":"model-a","x":"' + b"[{" * 5000 + b'","y":1,"y":2}'):
        upstream.script(plain(protocol.whole))
        assert ask(fairlead.port, protocol.path, body).status == 200
        assert upstream.seen[-1].body == body


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_unknown_model(tmp_path, upstream, protocol):
    """A model nobody lists is a 404 that names the nearest ones and the configured backends."""
    with Proxy(tmp_path, backends=[backend("office", upstream.root)]) as proxy:
        proxy.settled("office")
        answer = ask(proxy.port, protocol.path, protocol.body("modell-a"))
        refused(protocol, answer, 404, "modell-a", "Nearest: model-a (office)", "Configured backends: office. ")
        code = answer.json()["error"].get("code")
        assert protocol is MESSAGES or code == "model_not_found"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_announced_too_large(fairlead, protocol):
    """A length over 64 MiB is a 413 at once: the bytes are not waited for."""
    head = request(protocol.path, b"", method="POST").replace(b"Length: 0", b"Length: %d" % (LIMIT + 1))
    with Client(fairlead.port) as client:
        client.sock.settimeout(5)
        client.send(head + b"{")
        refused(protocol, client.answer(), 413, "64 MiB")
        assert client.ended()


def test_too_large_in_chunks(fairlead, upstream):
    """A chunked body announces nothing: it is read up to 64 MiB and answered with a 413."""
    head = request(MESSAGES.path, b"", method="POST").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    piece = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with Client(fairlead.port) as client:
        client.send(head)
        for _ in range(65):
            client.send(piece)
        refused(MESSAGES, client.answer(), 413, "64 MiB")
        assert client.ended()
    assert not upstream.seen


@pytest.mark.parametrize(
    "kind", [(b"Content-Type", b"text/plain"), (b"Content-Type", b"application/x-www-form-urlencoded"), None]
)
def test_no_json(fairlead, upstream, protocol, kind):
    """A state-changing call that is not marked as JSON is a 415: any page could send it."""
    refused(protocol, ask(fairlead.port, protocol.path, protocol.body(), kind=kind), 415, "application/json")
    assert not upstream.seen


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_verb(fairlead, protocol, method):
    """A verb the path does not take is a 405 with Allow."""
    answer = ask(fairlead.port, protocol.path, method=method)
    refused(protocol, answer, 405)
    assert answer.field(b"allow") == b"POST"


@pytest.mark.parametrize("path", ["/", "/livez", "/v1/models", "/status"])
def test_wrong_verb_elsewhere(fairlead, path):
    """The same on fairlead's own paths."""
    answer = ask(fairlead.port, path, b"{}", method="POST")
    assert (answer.status, answer.field(b"allow")) == (405, b"GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "/v2/messages", "/v1x/messages", "/admin/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path(fairlead, upstream, path, method):
    """A path nobody serves is a 404 that names it."""
    answer = ask(fairlead.port, path, b"{}" if method == "POST" else None, method=method)
    assert answer.status == 404
    assert path in answer.json()["error"]["message"]
    assert not upstream.seen


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/organizations/users", "/v1/api_keys", "/v1/billing"])
def test_closed_paths(fairlead, upstream, verb, path):
    """What administers an account is closed by default, and deleting is too."""
    answer = ask(fairlead.port, path, b"{}" if verb == "POST" else None, method=verb)
    refused(CHAT, answer, 403, "passthrough")
    refused(CHAT, ask(fairlead.port, "/v1/files/f-1", method="DELETE"), 403, "passthrough")
    assert not upstream.seen


@pytest.mark.parametrize("host", [b"evil.example", b"localhost.evil.example", b"127.0.0.2:80", b"a b", b"", b"[::2]"])
@pytest.mark.parametrize("path", ["/v1/messages", "/", "/livez", "/nothing", "/status"])
def test_foreign_host(fairlead, host, path):
    """A Host that is not served here is a 403 on every path: a name a page has bound to this address reads nothing."""
    answer = ask(fairlead.port, path, host=host)
    assert answer.status == 403
    assert "Host" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1:9", b"[::1]:3456", b"host.docker.internal"])
def test_own_hosts(fairlead, host):
    """The names of this machine are served, whatever port they name."""
    assert ask(fairlead.port, "/livez", host=host).status == 200


@pytest.mark.parametrize(
    "field",
    [
        (b"Origin", b"https://evil.example"),
        (b"Origin", b"null"),
        (b"Origin", b"chrome-extension://abc"),
        (b"Origin", b"http://localhost"),
        (b"Sec-Fetch-Site", b"cross-site"),
        (b"Sec-Fetch-Site", b"same-site"),
    ],
    ids=lambda field: field[1].decode(),
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/", "/livez", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_browser_pages(fairlead, upstream, field, path, method):
    """What a page in a browser sends is a 403 on every path and verb."""
    answer = ask(fairlead.port, path, b"{}" if method == "POST" else None, field, method=method)
    assert answer.status == 403
    assert answer.field(b"access-control-allow-origin") is None
    assert not upstream.seen


def test_websocket(fairlead, upstream):
    """Codex' websocket is a 426: on no other status does it fall back to POST at once."""
    fields = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", b"13"))
    refused(RESPONSES, ask(fairlead.port, "/v1/responses", None, *fields), 426)
    refused(RESPONSES, ask(fairlead.port, "/responses", None, *fields), 426)
    assert not upstream.seen


@pytest.mark.parametrize("path", ["/", "/api/hello", "/livez", "/health"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_probes(fairlead, path, method):
    """The probes of tools are answered, without a body for HEAD, and the connection goes on."""
    with Client(fairlead.port) as client:
        for _ in range(2):
            client.send(request(path, method=method))
            answer = client.answer(bodiless=method == "HEAD")
            assert answer.status == 200
            assert int(answer.field(b"content-length")) > 0


@pytest.mark.parametrize("path", ["/", "/v1/messages", "/v1/models", "/status", "/nothing", "*"])
def test_options(keyed, path):
    """OPTIONS is answered to anyone, key or none, with Allow and without a body."""
    answer = ask(keyed.port, path, method="OPTIONS")
    assert answer.status in (200, 204)
    assert answer.body == b""
    assert b"POST" in answer.field(b"allow")


def test_pipelined(fairlead, upstream):
    """Requests that come in one piece are answered in order, whether they go upstream or not."""
    count = 12
    sent = []
    for number in range(count):
        upstream.script(plain(b'{"number":%d}' % number))
        sent += [request(CHAT.path, CHAT.body()), request(CHAT.path, b"{"), request("/livez"), request("/nothing")]
    with Client(fairlead.port) as client:
        client.send(b"".join(sent))
        for number in range(count):
            assert client.answer().json() == {"number": number}
            assert [client.answer().status for _ in range(3)] == [400, 200, 404]


def test_expect(fairlead, upstream):
    """Expect: 100-continue is answered before the body is sent, and not passed on."""
    upstream.script(plain(CHAT.whole))
    body = CHAT.body()
    whole = request(CHAT.path, body, (b"Expect", b"100-continue"))
    with Client(fairlead.port) as client:
        client.send(whole[: -len(body)])
        assert client.answer().status == 100
        client.send(body)
        assert client.answer().body == CHAT.whole
    assert upstream.seen[0].field(b"expect") is None


def test_error_keeps_the_connection(fairlead, upstream):
    """After a refused body the connection serves the next request."""
    upstream.script(plain(CHAT.whole))
    with Client(fairlead.port) as client:
        client.send(request(CHAT.path, b"{"))
        assert client.answer().status == 400
        client.send(request(CHAT.path, CHAT.body()))
        assert client.answer().body == CHAT.whole
