"""An answer that stays without its end: the client has time to read it before it sees the connection close."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from router.net.server.cancel_reason import CancelReason
from router.net.server.limits import Limits

POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
EVENTS = [b"data: %d\n\n" % at for at in range(40)]
PAUSE = 0.05


def unended(net):
    """Answers with events, and closes without the last chunk."""

    class Unended(net.Echo):
        async def answer(self, connection, request):
            await connection.read_body(1, self.hold)
            await connection.write(connection.frame_head(200, [(b"content-type", b"text/event-stream")]))
            for event in EVENTS:
                await connection.write(connection.frame_data(event))
            connection.close_unended()

    return Unended()


def test_a_slow_reader_has_read_all_before_the_end(net):
    """40 events, read at 50 ms each: the end of the connection comes behind the last, and no chunk ends the answer."""
    application = unended(net)
    seen = {}

    async def talk(client, connection):
        await client.send(POST)
        for _ in EVENTS:
            await trio.sleep(PAUSE)
            # What Node's client would do at the end of the connection: throw away what was not read.
            assert not connection.stream._closed
        seen["before"] = await client.read()
        seen["closed"] = client.closed
        await client.read_to_end()
        seen["end"] = trio.current_time()

    client = net.exchanged(application, talk)
    assert seen["before"].count(b"data: ") == len(EVENTS)
    assert not seen["closed"]
    assert not client.text.endswith(b"0\r\n\r\n")
    assert (application.cuts, application.crashes) == ([], [])


def test_the_time_for_it_is_bounded(net):
    """A client that never closes is closed on after `unread` seconds."""
    begun = {}

    async def talk(client, connection):
        begun["at"] = trio.current_time()
        await client.send(POST)
        await client.read_to_end()
        begun["took"] = trio.current_time() - begun["at"]

    net.exchanged(unended(net), talk, Limits(unread=2.0))
    assert begun["took"] == pytest.approx(2.0, abs=0.1)


def test_a_client_that_closes_ends_it(net):
    """Most clients close at the error event: nothing is waited for, and nothing is cut."""
    application = unended(net)
    took = {}

    async def talk(client, connection):
        at = trio.current_time()
        await client.send(POST)
        await client.read()
        client.leave()
        while not connection.stream._closed:
            await wait_all_tasks_blocked()
        took["seconds"] = trio.current_time() - at

    net.exchanged(application, talk)
    assert took["seconds"] < 0.1
    assert (application.cuts, application.crashes) == ([], [])


def test_a_request_behind_it_is_not_served(net):
    """What the client sends meanwhile is read and dropped."""
    application = unended(net)

    async def talk(client, connection):
        await client.send(POST)
        await client.send(POST * 3)

    net.exchanged(application, talk)
    assert len(application.seen) == 1


def test_a_proxy_that_stops_does_not_wait(net):
    """The connection is idle for the drain: it is closed at once, and its request not told that it was cut."""
    application = unended(net)
    took = {}

    async def talk(client, connection):
        await client.send(POST)
        assert not connection.busy
        at = trio.current_time()
        connection.retire()
        await client.read_to_end()
        took["seconds"] = trio.current_time() - at

    net.exchanged(application, talk)
    assert took["seconds"] < 0.1
    assert (application.cuts, application.crashes) == ([], [])


def test_after_a_cut_there_is_time_too(net):
    """The error event of a deadline is written when the cycle was cancelled already."""

    class Cut(net.Echo):
        async def __call__(self, connection, request):
            async def cut(why):
                self.cuts.append(why)
                await connection.write(connection.frame_data(b"event: error\ndata: {}\n\n"))
                connection.close_unended()

            connection.on_cancel = cut
            await connection.read_body(1, self.hold)
            await connection.write(connection.frame_head(200, []))
            connection.set_deadline(1.0, CancelReason.SILENT)
            await trio.sleep(9)

    application = Cut()

    async def talk(client, connection):
        await client.send(POST)
        await trio.sleep(3)
        assert not connection.stream._closed

    client = net.exchanged(application, talk)
    assert b"event: error" in client.text
    assert not client.text.endswith(b"0\r\n\r\n")
    assert application.cuts == [CancelReason.SILENT]
