"""Second look at connections: what was tried after the first findings were mended."""

import contextlib

import pytest

from ..e2e.budgets import BODY, configured, proxy
from ..e2e.samples import CHAT
from ..e2e.upstream import Upstream, close, keep, plain, reset
from ..e2e.wire import Client, ask, request
from .probe import Probe

PROBES = {
    "reset unanswered": Probe("an upstream resets a kept connection after an image request", "502, sent once"),
    "half a head": Probe("an upstream closes a kept connection within the head", "502, sent once"),
    "interim then close": Probe("an upstream says 100 Continue and closes, for an image", "502, sent once"),
    "upload": Probe("a multipart file on a connection that closes unanswered", "502, sent once"),
    "large post": Probe("2 MiB for an image on a connection that closes unanswered", "502, sent once"),
    "body after 204": Probe("an answer behind a 204 on the same connection", "connection not used again"),
    "answer after head": Probe("an answer to HEAD with a body behind it", "connection not used again"),
    "two answers": Probe("two answers in one packet", "origin gets new connections only"),
    "extra after 404": Probe("a 404, then one answer more at once", "origin gets new connections only"),
    "slow head": Probe("a client that sends one byte of a head", "408 after 10 s at most, no place kept"),
    "old 408": Probe("an upstream says 408 to an idle connection", "origin is used as before"),
}
IMAGE = "/v1/images/generations"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; '
    b'name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
)
ONCE = {
    "reset unanswered": (IMAGE, BODY, [reset]),
    "half a head": (IMAGE, BODY, [b"HTTP/1.1 200", close]),
    "interim then close": (IMAGE, BODY, [b"HTTP/1.1 100 Continue\r\n\r\n", close]),
    "upload": ("/v1/files", MULTIPART, [close]),
    "large post": (IMAGE, BODY[:-1] + b',"x":"' + b"x" * (2 << 20) + b'"}', [close]),
}
EXTRA = plain(b'{"extra":1}')
STRAYS = {
    "body after 204": (b"HTTP/1.1 204 No Content\r\n\r\n" + EXTRA, "GET"),
    "answer after head": (plain(b"hello"), "HEAD"),
    "two answers": (plain(CHAT.whole) + EXTRA, "POST"),
    "extra after 404": (plain(b"{}", b"404 Not Found") + EXTRA, "POST"),
}


@pytest.fixture
def up():
    """A scripted upstream."""
    listening = Upstream()
    yield listening
    listening.stop()


@pytest.fixture
def site(tmp_path, up):
    configured(tmp_path, "")
    with proxy(tmp_path, up) as one:
        one.settled("box")
        yield one


def send(site):
    """A request that may be repeated."""
    return ask(site.port, CHAT.path, BODY)


def test_every_probe_is_tried():
    """Each row of the table stands in one of the groups below."""
    assert {*ONCE, *STRAYS, "slow head", "old 408"} == {*PROBES}


@pytest.mark.parametrize("name", ONCE)
def test_sent_once(site, up, name):
    """502, and the upstream saw it once."""
    assert PROBES[name].gives == "502, sent once"
    path, body, steps = ONCE[name]
    keep(up, lambda: send(site), plain(CHAT.whole))
    up.script(*steps)
    up.default = [plain(b"{}")]
    kind = b"multipart/form-data; boundary=b" if name == "upload" else b"application/json"
    found = ask(site.port, path, body, kind=(b"Content-Type", kind))
    assert found.status == 502
    assert sum(seen.line.startswith(b"POST") for seen in up.seen) <= 1


@pytest.mark.parametrize("name", STRAYS)
def test_strays(site, up, name):
    """The connection is closed; nobody gets the extra answer, not even right after."""
    number = keep(up, lambda: send(site), plain(CHAT.whole))
    said, method = STRAYS[name]
    up.script(said)
    up.default = [plain(CHAT.whole)]
    ask(
        site.port, CHAT.path if method == "POST" else "/v1/batches/b", BODY if method == "POST" else None, method=method
    )
    for _ in range(4):
        assert send(site).body == CHAT.whole
    later = [seen.connection for seen in up.seen[1:]]
    assert number not in later
    if "origin" in PROBES[name].gives:
        assert len({*later}) == len(later)


def test_an_old_408_is_no_stray(site, up):
    """The connection is closed, others of the origin are used again."""
    keep(up, lambda: send(site), plain(CHAT.whole))
    up.script(plain(CHAT.whole) + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    assert send(site).body == CHAT.whole
    keep(up, lambda: send(site), plain(CHAT.whole))


def test_a_slow_head_ends(site):
    """One byte: 408 and the end within the time of a head."""
    with Client(site.port) as client, contextlib.suppress(TimeoutError):
        client.send(request("/livez")[:1])
        assert client.answer().status == 408
        assert client.ended()
