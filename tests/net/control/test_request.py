"""One request of the control plane against real sockets: what its answer may be, and every way it can fail."""

import contextlib
import gzip
import socket
import ssl

import brotli
import pytest
import trio
import trustme

from router.net.control.calls import fetch_models
from router.net.control.request import BODY_LIMIT, clean

from ..peers import KEY, backend, failure, listed, models, scripted, speaking


def test_nothing_comes_from_the_environment(peer, monkeypatch):
    """Proxy variables do not redirect the control plane."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    peer.answers["/v1/models"] = listed("a")
    assert models(backend(peer.root)) == ["a"]


@pytest.mark.parametrize(
    ("coding", "body", "text"),
    [
        ("br", brotli.compress(b" " * (BODY_LIMIT + 1), quality=5), "sent more than 8 MiB"),
        ("gzip", gzip.compress(b" " * (BODY_LIMIT + 1)), "sent more than 8 MiB"),
        ("gzip", b"no gzip", "cannot be read"),
        ("compress", b"{}", "cannot be read: compress"),
    ],
)
def test_a_coded_catalog_is_bounded_when_decoded(peer, coding, body, text):
    """Nobody asked for a coding: 8 MiB hold for what it gives, and no more is unpacked."""
    peer.answers["/v1/models"] = (200, {"content-encoding": coding}, body)
    assert text in str(failure(lambda: fetch_models(backend(peer.root), KEY)))


def test_a_coded_catalog_is_read(peer):
    """A server that codes unasked is understood."""
    peer.answers["/v1/models"] = (200, {"content-encoding": "br"}, brotli.compress(b'{"data":[{"id":"a"}]}'))
    assert trio.run(fetch_models, backend(peer.root), KEY) == ["a"]


def test_refused_connection():
    """A port nobody listens on is said to refuse the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        root = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    error = failure(lambda: fetch_models(backend(root), KEY))
    assert "refused the connection" in str(error)
    assert error.status is None


def test_unknown_name(monkeypatch):
    """A name that cannot be resolved is said to be a DNS failure."""

    def fail(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure(lambda: fetch_models(backend("http://nowhere.invalid/v1"), KEY))
    assert str(error) == "the name nowhere.invalid could not be resolved (DNS: Name or service not known)"
    assert error.cause == "name"


def test_silence_ends_at_the_deadline():
    """A server that says nothing costs the deadline, and the text names it."""
    with speaking(None) as root:
        error = failure(lambda: fetch_models(backend(root), KEY, timeout=0.05))
    assert "did not answer within 0.05 s" in str(error)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "did not answer in HTTP"),
        (b"", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", "closed the connection before its answer was complete"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
            "closed the connection before its answer was complete",
        ),
    ],
)
def test_what_is_not_http(data, text):
    """A peer that speaks something else is said not to answer in HTTP, one that leaves in mid-answer to have left."""
    with speaking(data) as root:
        assert text in str(failure(lambda: fetch_models(backend(root), KEY)))


@pytest.fixture
def authority(monkeypatch):
    """A certificate authority that upstream connections trust."""
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr("router.net.control.request.make_client_context", lambda roots: trusting)
    return authority


@contextlib.contextmanager
def served_tls(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with scripted(context) as peer:
        peer.answers["/v1/models"] = listed("a")
        yield peer


def test_tls_is_verified(authority):
    """A certificate that fits is taken; one for another name is not, and the text says it was the certificate."""
    with served_tls(authority, "127.0.0.1") as peer:
        assert models(backend(peer.root)) == ["a"]
    with served_tls(authority, "other.example") as peer:
        error = failure(lambda: fetch_models(backend(peer.root), KEY))
        assert "the certificate of 127.0.0.1" in str(error)
        assert peer.seen == []


def test_plain_server_behind_https(authority):
    """https:// to a server without TLS is said to be a TLS failure."""
    with speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as root:
        error = failure(lambda: fetch_models(backend(root.replace("http:", "https:")), KEY))
    assert "TLS with 127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a b c"),
        ("\x1b]0;title\x07x", "]0;title x"),
        ("safe\u202etxt.exe\u2066", "safetxt.exe"),
        ("x" * 300, "x" * 199 + "…"),
        ("\ud800", ""),
    ],
)
def test_network_text_is_harmless(text, shown):
    """What a terminal shows of the network is one cut line without control and bidi characters."""
    assert clean(text) == shown
