"""What pages in browsers can send to a local port, on every endpoint: one table.

Browsers say what they are by headers that no page can forge: Origin (not on images and plain GETs), Sec-Fetch-Site (not
in old ones), Host (what the page's name was, whatever address it stands for). Each row is a request as a browser makes
it, and the status it gets where an LLM tool would be served; nothing of it goes upstream or changes anything.
"""

import re
from typing import NamedTuple

import pytest

from router.operator_api.endpoints import ENDPOINTS

from .conftest import ORIGIN
from .samples import CHAT, MESSAGES, RESPONSES
from .test_malformed import check_security
from .upstream import plain
from .wire import Client, request

API = (MESSAGES.path, CHAT.path, RESPONSES.path, "/v1/models", "/v1/files", "/v1/responses/resp_1", "/nothing", "/")
PATHS = tuple(sorted({*API, *(re.sub(r"\{\w+\}", "x", route.path) for route in ENDPOINTS.all)}))
EVIL = b"https://evil.example"
TEXT, FORM = b"text/plain;charset=UTF-8", b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=x"
JSON = b"application/json"


class Row(NamedTuple):
    """One request of a page. fields: what the browser adds. kind: of the body, None without one."""

    verb: str = "GET"
    fields: tuple = ()
    kind: bytes | None = None
    host: bytes = b"localhost:3456"


def said(origin=None, site=b"cross-site", mode=b"no-cors", target=b"empty"):
    """The headers of a current browser."""
    fields = [(b"Sec-Fetch-Site", site), (b"Sec-Fetch-Mode", mode), (b"Sec-Fetch-Dest", target)]
    return (*([(b"Origin", origin)] if origin else []), *fields)


UPGRADE = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Version", b"13"),
           (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="))  # fmt: skip
PREFLIGHT = ((b"Access-Control-Request-Method", b"POST"), (b"Access-Control-Request-Headers", b"content-type"))

REFUSED = {
    "fetch of text": Row("POST", said(EVIL), TEXT),
    "fetch of JSON, unasked": Row("POST", said(EVIL, mode=b"cors"), JSON),
    "beacon": Row("POST", said(EVIL, mode=b"no-cors"), TEXT),
    "form": Row("POST", said(EVIL, mode=b"navigate", target=b"document"), FORM),
    "form with a file": Row("POST", said(EVIL, mode=b"navigate", target=b"iframe"), MULTIPART),
    "form of a page without a name": Row("POST", said(b"null", mode=b"navigate", target=b"document"), FORM),
    "image": Row(fields=said(target=b"image")),
    "script": Row(fields=said(target=b"script")),
    "style of the same site": Row(fields=said(site=b"same-site", target=b"style")),
    "link": Row(fields=said(mode=b"navigate", target=b"document")),
    "EventSource": Row(fields=(*said(EVIL, mode=b"cors"), (b"Accept", b"text/event-stream"))),
    "EventSource of a sandbox": Row(fields=(*said(b"null", mode=b"cors"), (b"Accept", b"text/event-stream"))),
    "WebSocket": Row(fields=(*said(EVIL, mode=b"websocket", target=b"websocket"), *UPGRADE)),
    "WebSocket of an old browser": Row(fields=((b"Origin", EVIL), *UPGRADE)),
    "fetch of an old browser": Row("POST", ((b"Origin", EVIL),), TEXT),
    "sandboxed frame": Row("POST", said(b"null"), TEXT),
    "file": Row("POST", ((b"Origin", b"null"),), JSON),
    "Chrome extension": Row("POST", said(b"chrome-extension://abcdefghijklmnop", site=b"none"), JSON),
    "Firefox extension": Row("GET", ((b"Origin", b"moz-extension://0a-1b"),)),
    "Safari extension": Row("GET", ((b"Origin", b"safari-web-extension://0A"),)),
    "another port of this machine": Row("POST", said(b"http://localhost:8080", site=b"same-site"), JSON),
    "this very port": Row("POST", said(b"http://localhost:3456", site=b"same-origin"), JSON),
    "HEAD": Row("HEAD", said()),
    "DELETE": Row("DELETE", said(EVIL, mode=b"cors")),
    "PUT": Row("PUT", said(EVIL, mode=b"cors"), JSON),
    "preflight": Row("OPTIONS", (*said(EVIL, mode=b"cors"), *PREFLIGHT)),
    "preflight of a private network": Row(
        "OPTIONS", (*said(EVIL, mode=b"cors"), *PREFLIGHT, (b"Access-Control-Request-Private-Network", b"true"))
    ),
    "look-alike of the listed origin": Row("GET", said(ORIGIN.encode() + b".evil.example", mode=b"cors")),
    "listed origin by http": Row("GET", said(ORIGIN.encode().replace(b"https", b"http"), mode=b"cors")),
    "two origins": Row("GET", said(ORIGIN.encode() + b" " + EVIL, mode=b"cors")),
    "rebound name": Row("POST", said(b"http://evil.example:3456", site=b"same-origin"), JSON, b"evil.example:3456"),
    "rebound name, plain GET": Row(fields=said(site=b"same-origin"), host=b"evil.example:3456"),
    "rebound name, old browser": Row(host=b"evil.example"),
    "rebound name, first request": Row(fields=said(site=b"none", mode=b"navigate"), host=b"a.evil.example"),
    "localhost with a dot": Row(host=b"localhost."),
    "name under localhost": Row(host=b"evil.localhost"),
    "0.0.0.0": Row(host=b"0.0.0.0:3456"),
    "0.0.0.0, fetch": Row("POST", said(EVIL), TEXT, b"0.0.0.0:3456"),
    "IPv6 for any": Row(host=b"[::]:3456"),
    "127.1": Row(host=b"127.1"),
    "2130706433": Row(host=b"2130706433"),
    "mapped address": Row(host=b"[::ffff:127.0.0.1]"),
    "user in the name": Row(host=b"localhost@evil.example"),
}  # fmt: skip


def asked(proxy, path, row):
    """The answer to a page's request."""
    body = None if row.kind is None else b"model=m"
    kind = (b"Content-Type", row.kind or b"")
    with Client(proxy.port) as client:
        client.send(request(path, body, *row.fields, method=row.verb, host=row.host, kind=kind))
        return client.answer(bodiless=row.verb == "HEAD")


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("which", ["fairlead", "keyed"])
def test_refused_everywhere(request, upstream, which, name):
    """403 on every path, ours and theirs, with nothing that lets the page read it."""
    proxy = request.getfixturevalue(which)
    for path in PATHS:
        answer = asked(proxy, path, REFUSED[name])
        assert answer.status == 403, path
        check_security(answer)
        assert not [field for field, _ in answer.lines if field.lower().startswith(b"access-control-")]
    assert not upstream.seen


@pytest.mark.parametrize("kind", [TEXT, FORM, MULTIPART, b"", b"text/json"])
def test_old_browsers_cannot_make_the_calls(fairlead, upstream, kind):
    """Without Origin and Sec-Fetch-Site, what a page may send unasked is not what a model is asked with: 415."""
    for path in PATHS:
        status = asked(fairlead, path, Row("POST", (), kind)).status
        assert status in (401, 404, 405, 415, *([400] if kind == MULTIPART else [])), path
    assert not upstream.seen


@pytest.mark.parametrize("path", [*API, "/status", "/admin/reload"])
def test_preflight_of_a_listed_origin(keyed, upstream, path):
    """It is told what it may send; credentials and private networks are not offered."""
    fields = (*said(ORIGIN.encode(), mode=b"cors"), *PREFLIGHT, (b"Access-Control-Request-Private-Network", b"true"))
    answer = asked(keyed, path, Row("OPTIONS", fields))
    offered = {name.lower(): value for name, value in answer.lines if name.lower().startswith(b"access-control-")}
    assert answer.status == 204
    assert offered == {
        b"access-control-allow-origin": ORIGIN.encode(),
        b"access-control-allow-methods": b"GET, POST, DELETE",
        b"access-control-allow-headers": b"content-type",
        b"access-control-max-age": b"600",
    }
    assert not upstream.seen


def test_websocket_without_a_page(fairlead, upstream):
    """A program's websocket is no page's: 426 on the paths it may try, so that it falls back."""
    for path in (RESPONSES.path, MESSAGES.path, "/v1/realtime"):
        assert asked(fairlead, path, Row(fields=UPGRADE)).status == 426
    assert not upstream.seen


def test_tools_are_no_pages(fairlead, upstream):
    """Electron tools send Sec-Fetch-Site: none, others nothing: both are served."""
    for fields in ((), ((b"Sec-Fetch-Site", b"none"),)):
        upstream.script(plain(MESSAGES.whole))
        with Client(fairlead.port) as client:
            client.send(request(MESSAGES.path, MESSAGES.body(), *fields))
            assert client.answer().status == 200
