"""A connection that is retired gently, as by a restart: its client is told before it closes."""

import trio

from router.net.server.cancel_reason import CancelReason

GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_gently_retired_connection_closes_by_an_answer_that_says_so(net):
    """A client that was told of no close may send one more request, and is told by its answer."""

    class Slow(net.Echo):
        async def answer(self, connection, request):
            connection.set_deadline(100, CancelReason.TOTAL)
            first = len(self.seen) == 1
            await connection.write(connection.frame_head(200, [(b"content-length", b"4")]))
            if first:
                connection.retire(idle=1.0)
                await trio.sleep(5)
            await connection.write([*connection.frame_data(b"done"), *connection.frame_end()])

    async def talk(client, connection):
        await client.send(GET)
        await trio.sleep(5.5)
        await client.send(GET + GET)

    application = Slow()
    client = net.exchanged(application, talk)
    assert client.answers == [(200, b"done"), (200, b"done")]
    assert client.text.lower().count(b"connection: close") == 1
    assert len(application.seen) == 2


def test_a_gently_retired_connection_that_stays_idle_ends(net):
    """After the given seconds without a request, also those after an answer."""

    async def talk(client, connection):
        await client.send(GET)
        connection.retire(idle=1.0)
        client.began = trio.current_time()

        await client.read_to_end()
        client.ended = trio.current_time()

    client = net.exchanged(net.Echo(), talk)
    assert client.answers == [(200, b"GET /a ")]
    assert client.ended == client.began + 1
