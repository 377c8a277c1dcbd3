"""TLS with upstreams: verified, kept while clean, and every failure named."""

import datetime
import re
import ssl

import pytest
import trio
import trustme

from router.errors import CommandError, Unreachable
from router.net.client.exchange import UpstreamExchange
from router.net.client.pool import REST_SECONDS, ConnectionPool, Origin
from router.net.client.tls import make_client_context
from router.net.headers import to_lines

LINES = to_lines([(b"Host", b"127.0.0.1")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def answers(stream):
    """A server that answers every request on one connection."""
    while await stream.receive_some(65536):
        await stream.send_all(OK)


@pytest.fixture(scope="module")
def authority():
    """A certificate authority of this test run."""
    return trustme.CA()


def contexts(authority, *names):
    """A server's context for these names, and a client's that trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def one_exchange(connections, connection):
    """The body of one answer, released."""
    exchange = UpstreamExchange(connections, connection)
    await exchange.send(b"GET", b"/", LINES, ())
    await exchange.head()
    body = b""
    while pieces := await exchange.read():
        body += b"".join(pieces)
    exchange.release()
    return body


def test_tls_serves_and_is_kept(net, authority):
    """Verified against the trusted roots, and reused."""
    server, client = contexts(authority, "127.0.0.1")

    async def use(port):
        connections = ConnectionPool(client)
        origin = Origin("https", "127.0.0.1", port)
        connection = await connections.dial(origin)
        for _ in range(2):
            assert await one_exchange(connections, connection) == b"hi"
            await trio.sleep(REST_SECONDS)
            assert connections.acquire(origin, trio.current_time()) is connection
        connections.drop(connection)

    net.served(answers, use, tls=server)


def test_bytes_left_in_a_tls_stream_close_it(net, authority):
    """A second record behind the answer was decrypted or buffered, not read: the next request must not get it."""
    server, client = contexts(authority, "127.0.0.1")

    async def extra(stream):
        assert await stream.receive_some(65536)
        plain, sent = stream.transport_stream, []

        class Corked(trio.abc.SendStream):
            async def send_all(self, data):
                sent.append(bytes(data))

            async def wait_send_all_might_not_block(self):
                await trio.lowlevel.checkpoint()

            async def aclose(self):
                await trio.lowlevel.checkpoint()

        stream.transport_stream = Corked()
        await stream.send_all(OK)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        stream.transport_stream = plain
        await plain.send_all(b"".join(sent))
        await trio.sleep(1)

    async def use(port):
        connections = ConnectionPool(client)
        origin = Origin("https", "127.0.0.1", port)
        connection = await connections.dial(origin)
        assert await one_exchange(connections, connection) == b"hi"
        taken = connections.acquire(origin, trio.current_time())
        if taken is not None:
            connections.drop(taken)
        assert taken is None
        connections.close()
        assert connections.open == 0

    net.served(extra, use, tls=server)


@pytest.mark.parametrize(
    ("names", "trusted", "said"),
    [
        (("127.0.0.1",), False, r"certificate was not accepted \(.*(self-signed|unable to get|unable to verify)"),
        (("other.example",), True, r"certificate was not accepted \(.*(mismatch|not valid for)"),
    ],
    ids=["unknown authority", "other name"],
)
def test_a_certificate_that_is_not_accepted_is_named(net, authority, names, trusted, said):
    """The host, and what was wrong with it; nothing was sent."""
    server, client = contexts(authority, *names)
    received = []

    async def note(stream):
        received.append(await stream.receive_some(65536))

    async def use(port):
        context = client if trusted else ssl.create_default_context()
        message = await net.dialled(Origin("https", "127.0.0.1", port), context)
        assert re.match(r"TLS with 127\.0\.0\.1 failed: its " + said, message, re.IGNORECASE)

    net.served(note, use, tls=server)
    assert received == []


@pytest.mark.parametrize(
    ("first", "said"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number"), (b"", "")],
    ids=["plain", "closed"],
)
def test_a_peer_without_tls_is_named(net, authority, first, said):
    """http:// written as https://, or a peer that hangs up in the handshake."""
    _, client = contexts(authority, "127.0.0.1")

    async def plain(stream):
        await stream.receive_some(65536)
        if first:
            await stream.send_all(first)

    async def use(port):
        message = await net.dialled(Origin("https", "127.0.0.1", port), client)
        assert message.startswith("TLS with 127.0.0.1 failed: ")
        assert said in message
        assert len(message) > len("TLS with 127.0.0.1 failed: .")

    net.served(plain, use)


def test_a_cancelled_handshake_leaves_nothing_open(net, authority):
    """A client that went away while the upstream said nothing."""
    _, client = contexts(authority, "127.0.0.1")

    scope = trio.CancelScope()

    async def silent(stream):
        await stream.receive_some(1)
        scope.cancel()
        await trio.sleep_forever()

    async def use(port):
        connections = ConnectionPool(client)
        with scope:
            await connections.dial(Origin("https", "127.0.0.1", port))
        assert scope.cancelled_caught
        assert connections.open == 0

    net.served(silent, use)


def test_a_certificate_that_expired_is_named(net, authority):
    """With what to look at first: this machine's date."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    authority.issue_cert("127.0.0.1", not_after=past).configure_cert(server)
    _, client = contexts(authority, "127.0.0.1")

    async def use(port):
        message = await net.dialled(Origin("https", "127.0.0.1", port), client)
        assert "certificate has expired" in message or "expired" in message
        assert "date" in message

    net.served(answers, use, tls=server)


ADVICE = {
    "unknown": (("127.0.0.1",), False, "fairlead config set tls.ca_file FILE"),
    "other name": (("other.example",), True, "a login page or proxy may be intercepting"),
}


@pytest.mark.parametrize("name", ADVICE)
def test_a_refused_certificate_says_what_to_do(net, authority, name):
    """The setting for a company's root, a portal or a wrong base URL for another name."""
    names, trusted, advice = ADVICE[name]
    server, client = contexts(authority, *names)

    async def use(port):
        context = client if trusted else ssl.create_default_context()
        assert advice in await net.dialled(Origin("https", "127.0.0.1", port), context)

    net.served(answers, use, tls=server)


@pytest.mark.parametrize(
    ("data", "said", "cause"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n", "does not speak TLS", "speaks_http"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS", "not_tls"),
        (b"", "closed during the handshake", "tls_closed"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "handshake failure", ""),
    ],
)
def test_what_answers_in_place_of_tls_is_told(net, authority, data, said, cause):
    """Plain HTTP is recognised by its bytes alone: other bytes, none, or an alert of TLS are not taken for it."""
    _, client = contexts(authority, "127.0.0.1")

    async def plain(stream):
        await stream.receive_some(65536)
        if data:
            await stream.send_all(data)

    async def use(port):
        with pytest.raises(Unreachable) as caught:
            await ConnectionPool(client).dial(Origin("https", "127.0.0.1", port))
        assert said in caught.value.message
        assert caught.value.cause == cause

    net.served(plain, use)


def test_further_roots_are_trusted_beside_the_systems(net, authority):
    """And dropped again with the setting."""
    server, _ = contexts(authority, "127.0.0.1")
    pem = authority.cert_pem.bytes().decode()
    for further in (pem, ""):
        make_client_context(further)  # reading the system's takes real time, which the test's clock would jump over

    async def use(port):
        connections = ConnectionPool()
        origin = Origin("https", "127.0.0.1", port)
        connections.configure({origin}, pem)
        assert await one_exchange(connections, await connections.dial(origin)) == b"hi"
        assert connections.idle == 1
        connections.configure({origin}, "")
        assert connections.idle == 0
        with pytest.raises(Unreachable, match="not accepted"):
            await connections.dial(origin)

    net.served(answers, use, tls=server)


def test_roots_that_cannot_be_used_are_named(net, monkeypatch):
    """Where the context cannot be made, the error says so, in place of a puzzle about certificates."""

    def broken(roots):
        raise CommandError("the roots in gone.pem cannot be read: No such file.", "$SSL_CERT_FILE names it.")

    monkeypatch.setattr("router.net.client.pool.make_client_context", broken)

    async def use(port):
        message = await net.dialled(Origin("https", "127.0.0.1", port))
        assert "gone.pem cannot be read" in message
        assert "$SSL_CERT_FILE" in message

    net.served(answers, use)
