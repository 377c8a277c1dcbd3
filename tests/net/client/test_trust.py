"""When a connection that was used serves again: after a rest, while it is young, and while its origin is trusted to
answer each request once."""

import time

import pytest
import trio

from router.net.client import pool
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange
from router.net.client.pool import (
    DISTRUST_SECONDS,
    REST_SECONDS,
    YOUNG_SECONDS,
    ConnectionPool,
    UpstreamConnection,
)
from router.net.stream import SocketStream

from ...growth import seconds_grow_evenly
from .kept_connections import LINES, OK, ORIGIN, OTHER, lent, pooled, used


def test_a_connection_rests_after_its_first_answer(net):
    """An answer too many that comes meanwhile is noticed; afterwards it serves at once, but for a rest after errors."""

    async def main():
        connections = ConnectionPool()
        connection, peer = lent(connections)
        await used(connections, connection, peer)
        assert connections.acquire(ORIGIN, trio.current_time()) is None
        await trio.sleep(REST_SECONDS)
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        await used(connections, connection, peer)
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        await used(connections, connection, peer, b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n")
        assert connections.acquire(ORIGIN, trio.current_time()) is None
        await trio.sleep(REST_SECONDS)
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        connections.drop(connection)
        assert connections.idle == connections.open == 0
        peer.close()

    net.run(main)


@pytest.mark.parametrize("stray", [OK, OK[:12] + b"x", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
@pytest.mark.parametrize("look", ["acquire", "sweep"])
def test_an_origin_that_sends_too_many_answers_is_not_trusted(net, stray, look):
    """For a while each request has a connection of its own; a server that says 408 before it closes means no harm."""

    async def use(connections, connection, peer):
        second, far = lent(connections)
        await used(connections, second, far)
        await trio.sleep(REST_SECONDS)
        await far.send_all(stray)
        if look == "acquire":
            got = connections.acquire(ORIGIN, trio.current_time())
            if got is not None:
                connections.drop(got)
        else:
            connections.sweep()
        trusted = b" 408 " in stray
        if not trusted:
            assert connections.acquire(ORIGIN, trio.current_time()) is None
            assert connections.open == connections.idle == 0
        connections.close()
        for wait, kept in ((1, trusted), (DISTRUST_SECONDS, True)):
            await trio.sleep(wait)
            one, other = lent(connections)
            await used(connections, one, other)
            assert connections.idle == kept
            connections.close()
            other.close()
        far.close()

    pooled(net, use)


def test_what_must_not_be_sent_twice_gets_a_young_connection(net):
    """One that its peer may be about to close is left for requests that may be repeated."""

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time(), young=lambda: True) is connection
        await used(connections, connection, peer)
        await trio.sleep(YOUNG_SECONDS + 0.1)
        assert connections.acquire(ORIGIN, trio.current_time(), young=lambda: True) is None
        assert connections.acquire(ORIGIN, trio.current_time(), young=lambda: False) is connection
        connections.drop(connection)

    pooled(net, use)


def test_age_alone_decides_whether_a_request_is_asked_what_it_is(net):
    """Whether it may be sent twice costs a look into it, which a connection that is surely open does not need."""
    asked = []

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time(), young=lambda: asked.append(1) or True) is connection
        connections.drop(connection)

    pooled(net, use)
    assert not asked


class Unheard(SocketStream):
    """A socket whose peer's system has acknowledged nothing of a request."""

    __slots__ = ()

    def count_unacknowledged(self):
        return 1000


class HeardInPart(SocketStream):
    """A socket whose peer's system has acknowledged all of a request but its last byte."""

    __slots__ = ()

    def count_unacknowledged(self):
        return 1


def test_an_answer_to_a_request_that_came_in_part_is_one(net):
    """A server may answer before it has read everything."""

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        connection.socket.__class__ = HeardInPart
        exchange = UpstreamExchange(connections, connection)
        await exchange.send(b"POST", b"/", LINES, ())
        await peer.send_all(OK)
        await exchange.head()
        assert exchange.status == 200
        exchange.drop()

    pooled(net, use)


def test_an_answer_that_came_before_the_request_is_thrown_away(net):
    """As long as the peer's system has acknowledged nothing of a request, what comes is no answer to it: the connection
    is closed, and its origin not trusted."""

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time()) is connection

        connection.socket.__class__ = Unheard
        exchange = UpstreamExchange(connections, connection)
        await exchange.send(b"POST", b"/", LINES, ())
        await peer.send_all(OK)
        with pytest.raises(UpstreamDisconnected, match="before it had the request"):
            await exchange.head()
        assert not exchange.answered
        exchange.release()
        assert connections.open == 0
        one, other = lent(connections)
        await used(connections, one, other)
        assert connections.open == 0
        other.close()

    pooled(net, use)


def test_a_timeout_that_a_server_told_late_costs_no_trust(net):
    """Some servers say 408 before they close an idle connection: that crosses a request, and is no answer to one."""

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time()) is connection

        connection.socket.__class__ = Unheard
        exchange = UpstreamExchange(connections, connection)
        await exchange.send(b"POST", b"/", LINES, ())
        await peer.send_all(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
        with pytest.raises(UpstreamDisconnected, match="before it had the request"):
            await exchange.head()
        exchange.drop()
        one, other = lent(connections)
        await used(connections, one, other)
        assert connections.idle == 1
        connections.close()
        other.close()

    pooled(net, use)


def test_nothing_is_written_to_a_connection_that_was_reset(net):
    """`written` tells whether any of a request may have come: over a reset connection nothing did."""

    async def use(connections, connection, peer):
        assert connections.acquire(ORIGIN, trio.current_time()) is connection
        peer.close()
        exchange = UpstreamExchange(connections, connection)
        await exchange.send(b"POST", b"/", LINES, ())
        assert not exchange.written
        exchange.drop()

    pooled(net, use)


def test_thousands_of_resting_connections_cost_no_more_each(net, monkeypatch):
    """Twice the connections take less than three times the time to be lent and given back."""
    monkeypatch.setattr(pool, "IDLE_PER_ORIGIN", 10**6)
    monkeypatch.setattr(pool, "IDLE_IN_ALL", 10**6)

    class Clean:
        def is_readable(self):
            return False

        def close(self):
            pass

    def measure(count):
        async def main():
            connections = ConnectionPool()
            idle = connections._idle.setdefault(ORIGIN, pool._Idle())
            for _ in range(count):
                connection = UpstreamConnection(ORIGIN, Clean(), None)
                connection.stream, connection.expires = connection.socket, 10.0**9
                idle.resting.append(connection)
            begun = time.thread_time()
            while connections.acquire(ORIGIN, 1.0) is not None:
                pass
            return time.thread_time() - begun

        return net.run(main)

    seconds_grow_evenly(measure, 20_000)


def test_only_so_many_connections_rest(net, monkeypatch):
    """In a storm of errors those over the bound are closed, so that descriptors are left; the others go on resting."""
    monkeypatch.setattr(pool, "RESTING_PER_ORIGIN", 2)

    async def use(connections, connection, peer):
        begun = connections.open
        others = [lent(connections, OTHER) for _ in range(4)]
        for one, far in others:
            await used(connections, one, far)
        assert connections.open == begun + 2
        for _, far in others:
            far.close()

    pooled(net, use)
