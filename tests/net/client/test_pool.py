"""The idle pool and the dialler, against peers on loopback sockets."""

import socket

import pytest
import trio

from router.errors import Unavailable
from router.net.client import pool
from router.net.client.exchange import UpstreamExchange
from router.net.client.pool import (
    IDLE_PER_ORIGIN,
    IDLE_SECONDS,
    REST_SECONDS,
    ConnectionPool,
    Origin,
)
from router.settings import ProxyAddress

from .kept_connections import LINES, OK, ORIGIN, OTHER, lent, pooled, used


def test_a_connection_serves_again(net):
    """The same one, marked as reused, and only for its own origin."""

    async def use(connections, connection, peer):
        assert connections.acquire(OTHER, trio.current_time()) is None
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        assert connection.reused
        assert connections.acquire(ORIGIN, trio.current_time()) is None
        await used(connections, connection, peer)
        assert connections.idle == 1

    pooled(net, use)


def test_the_last_used_is_lent_first(net):
    """It is the likeliest to be alive."""

    async def use(connections, connection, peer):
        second, far = lent(connections)
        await used(connections, second, far)
        await trio.sleep(REST_SECONDS)
        assert connections.acquire(ORIGIN, trio.current_time()) is second
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        connections.drop(second)
        connections.drop(connection)
        far.close()

    pooled(net, use)


@pytest.mark.parametrize("how", ["close", "abort", "half_close", "stray bytes"])
def test_a_dead_connection_is_not_lent(net, how):
    """Closed by its peer, or with bytes nobody asked for: it is closed here too."""

    async def use(connections, connection, peer):
        if how == "stray bytes":
            await peer.send_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        else:
            getattr(peer, how)()
        assert connections.acquire(ORIGIN, trio.current_time()) is None
        assert connections.open == 0

    pooled(net, use)


@pytest.mark.parametrize(
    ("announced", "seconds"),
    [
        (b"", IDLE_SECONDS),
        (b"Keep-Alive: timeout=20\r\n", 15),
        (b"Keep-Alive: max=7, Timeout = 30\r\n", 25),
        (b"Keep-Alive: timeout=5\r\n", 0),
        (b"Keep-Alive: timeout=0\r\n", 0),
        (b"Keep-Alive: timeout=9999\r\n", IDLE_SECONDS),
        (b"Keep-Alive: timeout=" + b"9" * 5000 + b"\r\n", IDLE_SECONDS),
        (b"Keep-Alive: soon\r\n", IDLE_SECONDS),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_idle_connection_expires(net, announced, seconds):
    """5 s before its peer's announced timeout, else after 55 s; it is closed, not lent."""
    answer = b"HTTP/1.1 200 OK\r\n" + announced + b"Content-Length: 0\r\n\r\n"

    async def use(connections, connection, peer):
        assert connections.idle == bool(seconds)
        if not seconds:
            return
        await trio.sleep(seconds - 0.5 - REST_SECONDS)
        connections.sweep()
        assert connections.idle == 1
        await trio.sleep(1)
        assert connections.acquire(ORIGIN, trio.current_time()) is None
        assert connections.open == 0

    pooled(net, use, answer)


def test_a_sweep_closes_what_is_dead(net):
    """Expired ones and those their peers closed; the others stay."""

    async def use(connections, connection, peer):
        second, far = lent(connections, OTHER)
        await used(connections, second, far)
        far.close()
        connections.sweep()
        assert (connections.idle, connections.open) == (1, 1)
        await trio.sleep(IDLE_SECONDS + 1)
        connections.sweep()
        assert (connections.idle, connections.open) == (0, 0)

    pooled(net, use)


def test_the_pool_is_bounded(net, monkeypatch):
    """Over 128 a peer, what comes back is closed."""
    monkeypatch.setattr(pool, "RESTING_PER_ORIGIN", 10**6)

    async def main():
        connections = ConnectionPool()
        for _ in range(IDLE_PER_ORIGIN + 2):
            connection, peer = lent(connections)
            await used(connections, connection, peer)
            peer.close()  # both ends of all of them would need 260 descriptors
        assert connections.idle == connections.open == IDLE_PER_ORIGIN
        connections.close()
        assert connections.open == 0

    net.run(main)


def test_a_refused_connection_is_named(net):
    """With the origin that was dialled."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        origin = Origin("http", "127.0.0.1", unheard.getsockname()[1])

        async def main():
            return await net.dialled(origin)

        said = net.run(main, threshold=0.01)
    assert said == f"http://127.0.0.1:{origin.port} refused the connection."


class Names(trio.abc.HostnameResolver):
    """Resolves as a test says."""

    def __init__(self, outcome):
        self.outcome = outcome

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)) for address in self.outcome]

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError(sockaddr)


def test_a_name_that_does_not_resolve_is_named(net):
    """And no address is tried."""

    async def main():
        trio.socket.set_custom_hostname_resolver(Names(socket.gaierror(socket.EAI_NONAME, "Name or service not known")))
        return await net.dialled(Origin("https", "models.invalid", 443))

    assert net.run(main) == "The name models.invalid could not be resolved: Name or service not known."


def test_the_failures_of_several_addresses_are_one_error(net):
    """Both addresses of a name refuse: it is one refusal."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]

        async def main():
            trio.socket.set_custom_hostname_resolver(Names(["127.0.0.1", "127.0.0.1"]))
            return await net.dialled(Origin("http", "two.example", port))

        assert net.run(main, threshold=0.01) == f"http://two.example:{port} refused the connection."


def test_origins_read_as_urls():
    """Addresses of IPv6 in brackets."""
    assert str(Origin("http", "::1", 8080)) == "http://[::1]:8080"
    assert str(Origin("https", "a.example", 443)) == "https://a.example:443"


async def answers(stream):
    """A server that answers every request on one connection."""
    while await stream.receive_some(65536):
        await stream.send_all(OK)


def test_a_dialled_connection_serves_and_is_kept(net):
    """Over plain TCP, twice on one connection."""

    async def use(port):
        connections = ConnectionPool()
        origin = Origin("http", "127.0.0.1", port)
        connection = await connections.dial(origin)
        for _ in range(2):
            exchange = UpstreamExchange(connections, connection)
            await exchange.send(b"GET", b"/", LINES, ())
            await exchange.head()
            assert b"".join(await exchange.read()) == b"hi"
            assert await exchange.read() == []
            exchange.release()
            assert (connections.open, connections.idle) == (1, 1)
            await trio.sleep(REST_SECONDS)
            assert connections.acquire(origin, trio.current_time()) is connection
        connections.drop(connection)
        assert connections.open == 0

    net.served(answers, use)


def test_the_pool_is_bounded_over_all_origins(net, monkeypatch):
    """At the bound of all origins together the one that would expire first goes."""
    bound = 40  # the usual one would need over 1,000 descriptors here
    monkeypatch.setattr(pool, "IDLE_IN_ALL", bound)
    monkeypatch.setattr(pool, "RESTING_PER_ORIGIN", bound)

    async def main():
        connections = ConnectionPool()
        peers = []
        for number in range(bound + 3):
            connection, peer = lent(connections, Origin("http", f"up{number // 20}.example", 80))
            peers.append(peer)
            await used(connections, connection, peer)
            await trio.sleep(0.01)
        assert connections.idle == connections.open == bound
        await trio.sleep(REST_SECONDS)
        for number, left in ((0, 17), (1, 20)):
            origin = Origin("http", f"up{number}.example", 80)
            kept = [connections.acquire(origin, trio.current_time()) for _ in range(21)]
            assert sum(connection is not None for connection in kept) == left
            for connection in filter(None, kept):
                connections.drop(connection)
        connections.close()
        assert connections.idle == connections.open == 0
        for peer in peers:
            peer.close()

    net.run(main)


def test_a_change_closes_what_it_left_without_use(net):
    """Idle connections to an origin that is gone, or by another proxy, go at once; lent ones when they come back."""

    async def use(connections, connection, peer):
        second, far = lent(connections, OTHER)
        third, away = lent(connections, ORIGIN)
        behind = ORIGIN._replace(proxy=ProxyAddress("http", "proxy.example", 3128))
        await used(connections, second, far)
        connections.configure({behind, OTHER}, "")
        assert (
            connections.acquire(ORIGIN, trio.current_time()) is connections.acquire(behind, trio.current_time()) is None
        )
        assert (connections.idle, connections.open) == (1, 2)
        await used(connections, third, away)
        assert (connections.idle, connections.open) == (1, 1)
        connections.configure({behind, OTHER}, "other roots")
        assert (connections.idle, connections.open) == (0, 0)
        far.close()
        away.close()

    pooled(net, use)


def test_idle_connections_go_when_no_descriptor_is_left(net, monkeypatch):
    """They are closed for the one that is needed; with none to close it is the caller's 503."""
    from router.net.client import pool as module

    tried = []

    async def dialled(host, port, what, *, link_local):
        tried.append(host)
        raise Unavailable("no file descriptor", retry_after=1)

    monkeypatch.setattr(module, "connect", dialled)

    async def use(connections, connection, peer):
        assert connections.idle == 1
        with pytest.raises(Unavailable):
            await connections.dial(OTHER)
        assert (connections.idle, connections.open, len(tried)) == (0, 0, 2)
        with pytest.raises(Unavailable):
            await connections.dial(OTHER)
        assert len(tried) == 3

    pooled(net, use)
