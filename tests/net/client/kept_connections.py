"""Connections of a pool whose peers are sockets of the test."""

import socket

import trio

from router.net.client.exchange import UpstreamExchange
from router.net.client.pool import REST_SECONDS, ConnectionPool, Origin, UpstreamConnection
from router.net.headers import to_lines
from router.net.stream import SocketStream

ORIGIN = Origin("http", "127.0.0.1", 80)
OTHER = Origin("http", "127.0.0.1", 81)
LINES = to_lines([(b"Host", b"127.0.0.1")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def lent(connections, origin=ORIGIN):
    """A connection and its peer."""
    ours, theirs = socket.socketpair()
    stream = SocketStream(ours)
    connections.open += 1
    return UpstreamConnection(origin, stream, stream), SocketStream(theirs)


async def used(connections, connection, peer, answer=OK):
    """One exchange on it, and its release."""
    exchange = UpstreamExchange(connections, connection)
    await exchange.send(b"GET", b"/", LINES, ())
    await peer.send_all(answer)
    await exchange.head()
    while await exchange.read():
        pass
    exchange.release()


def pooled(net, use, answer=OK):
    """Run `use(connections, connection, peer)` with one connection that has served; afterwards nothing is open."""

    async def main():
        connections = ConnectionPool()
        connection, peer = lent(connections)
        await used(connections, connection, peer, answer)
        await trio.sleep(REST_SECONDS)
        await use(connections, connection, peer)
        connections.close()
        peer.close()
        assert connections.open == connections.idle == 0

    net.run(main)
