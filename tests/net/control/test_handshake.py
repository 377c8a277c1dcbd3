"""How far a connection to a host comes, on real sockets."""

import socket
import ssl

import pytest
import trio
import trustme

from router.net.control import handshake
from router.net.control.handshake import Resolved

from ..peers import scripted


@pytest.fixture(scope="module")
def authority():
    """An authority that only this test knows."""
    return trustme.CA(organization_name="Own CA")


def read(authority, roots, name="127.0.0.1"):
    """What is read of a server whose certificate is for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with scripted(context) as peer:
        port = peer.server_port
        return trio.run(handshake.read_certificate, "127.0.0.1", "127.0.0.1", port, roots, 5.0)


def test_a_certificate_that_is_trusted(authority):
    """Who signed it, when it ends, and that browsers would not trust it."""
    found = read(authority, authority.cert_pem.bytes().decode())
    assert (found.issuer, found.public) == ("Own CA", False)
    assert found.expires > 1.7e9


def test_a_certificate_that_is_not(authority):
    """Why, with what to do."""
    assert "It is not signed by a trusted CA." in read(authority, "")
    assert "Another server than 127.0.0.1 answered" in read(authority, authority.cert_pem.bytes().decode(), "x.example")


def test_no_tls():
    """The server speaks plain HTTP."""
    with scripted() as peer:
        found = trio.run(handshake.read_certificate, "127.0.0.1", "127.0.0.1", peer.server_port, "", 5.0)
    assert found.startswith("it does not speak TLS")


def test_nothing_is_said():
    """It ends in time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = trio.run(handshake.read_certificate, "127.0.0.1", "127.0.0.1", port, "", 0.2)
    assert found == "its TLS handshake was not done within 0.2 s"


def test_a_connection():
    """How long it took, or the system's own reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = trio.run(handshake.connect, "127.0.0.1", port, 5.0)
        assert (found.problem, found.silent) == ("", False)
    found = trio.run(handshake.connect, "127.0.0.1", port, 5.0)
    assert (found.problem, found.silent) == ("connection refused", False)


def test_names(monkeypatch):
    """Addresses by family, each once, in the system's order."""
    answers = [(socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(f, 0, 0, "", (a, 0)) for f, a in answers])
    found = trio.run(handshake.resolve, "x.example", 5.0)
    assert isinstance(found, Resolved)
    assert (found.v4, found.v6) == (("192.0.2.1",), ("2001:db8::1",))


def test_a_name_without_an_address(monkeypatch):
    """The resolver's own reason."""

    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    found = trio.run(handshake.resolve, "x.example", 5.0)
    assert found == "its name cannot be resolved (Name or service not known)"
