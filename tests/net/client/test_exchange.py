"""One exchange with an upstream: what a scripted peer answers, byte for byte, and how it can break off."""

import contextlib
import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from router.errors import BadGateway
from router.net.client.exchange import INTERIM_LIMIT, UpstreamDisconnected, UpstreamExchange
from router.net.client.pool import ConnectionPool, Origin, UpstreamConnection
from router.net.client.tunnels import HEAD_LIMIT
from router.net.headers import to_lines
from router.net.stream import SocketStream

ORIGIN = Origin("http", "up.example", 80)
LINES = to_lines([(b"Host", b"up.example"), (b"Content-Length", b"5")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Lent:
    """An exchange over one end of a socket pair, and the other end."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.connections = ConnectionPool()
        stream = SocketStream(ours)
        self.connection = UpstreamConnection(ORIGIN, stream, stream)
        self.connections.open += 1
        self.exchange = UpstreamExchange(self.connections, self.connection)
        self.peer = SocketStream(theirs)

    async def asked(self):
        """The request, sent."""
        await self.exchange.send(b"POST", b"/v1/messages?a=b", LINES, (b"he", memoryview(b""), memoryview(b"llo")))

    async def answered(self):
        """The whole body of the answer."""
        await self.exchange.head()
        body = b""
        while pieces := await self.exchange.read():
            body += b"".join(pieces)
        return body


def over(net, answer, use, *, end=False, split=False):
    """Run `use(lent)` against a peer that sends these bytes; afterwards nothing is open."""

    async def send(lent):
        pieces = [answer[at : at + 1] for at in range(len(answer))] if split else [answer]
        if end:
            await lent.peer.receive_some(65536)  # a close over unread bytes would be a reset
        with contextlib.suppress(OSError):
            for piece in pieces:
                await lent.peer.send_all(piece)
                await wait_all_tasks_blocked()
        if end:
            lent.peer.close()

    async def main():
        lent = Lent()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, lent)
                await lent.asked()
                await use(lent)
        finally:
            lent.exchange.release()
            lent.exchange.drop()
            lent.connections.close()
            lent.peer.close()
        assert lent.connections.open == 0

    net.run(main)


def test_a_request_is_sent_as_given(net):
    """Order, spelling and body pieces; nothing is added."""

    async def use(lent):
        await wait_all_tasks_blocked()
        assert lent.peer.receive_now(65536) == (
            b"POST /v1/messages?a=b HTTP/1.1\r\nHost: up.example\r\nContent-Length: 5\r\n\r\nhello"
        )

    over(net, b"", use)


ANSWERS = {
    "length": (OK, 200, b"hi", True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x\r\ni\r\n0\r\n\r\n",
        200,
        b"hi",
        True,
    ),
    "empty": (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 429, b"", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", False),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"hi", True),
    "asks to close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "more than announced": (OK + b"more", 200, b"hi", False),
    "two answers": (OK + OK, 200, b"hi", False),
}


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_and_its_connection_kept_if_it_is_clean(net, name, split):
    """Status, body, and whether the connection may serve again: never with bytes left over."""
    answer, status, body, kept = ANSWERS[name]

    async def use(lent):
        assert await lent.answered() == body
        assert lent.exchange.status == status
        assert lent.exchange.ended
        assert lent.exchange.answered
        await trio.sleep(1)  # until all was sent
        lent.exchange.release()
        if split and name in ("more than announced", "two answers"):
            # What comes late is found when the connection is about to be lent again.
            assert lent.connections.acquire(ORIGIN, trio.current_time()) is None
        else:
            assert lent.connections.idle == kept
        assert lent.connections.open == lent.connections.idle

    over(net, answer, use, split=split)


def test_an_answer_without_a_length_ends_with_its_connection(net):
    """HTTP/1.0 style; the connection is not kept."""

    async def use(lent):
        assert await lent.answered() == b"all of it"
        lent.exchange.release()
        assert lent.connections.open == 0

    over(net, b"HTTP/1.1 200 OK\r\n\r\nall of it", use, end=True)


def test_fields_are_kept_as_they_came(net):
    """Lines in order and spelling, the first value by lower-case name, and the reason phrase."""

    async def use(lent):
        await lent.exchange.head()
        exchange = lent.exchange
        assert exchange.reason == b"Quite Fine"
        assert [(name, value) for name, _, value in exchange.lines][:3] == [(b"X-A", b"1"), (b"x-a", b"2"), (b"B", b"")]
        assert exchange.fields[b"x-a"] == b"1"

    over(net, b"HTTP/1.1 200 Quite Fine\r\nX-A: 1\r\nx-a: 2\r\nB:\r\nContent-Length: 0\r\n\r\n", use)


def test_what_one_read_brought_comes_together(net):
    """All chunks that are there are one piece; nothing is waited for while there is something."""

    async def use(lent):
        await lent.exchange.head()
        assert await lent.exchange.read() == [b"ab"]
        assert not lent.exchange.ended

    over(net, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n", use)


def test_what_is_put_back_is_read_first(net):
    """And until then the answer has not ended."""

    async def use(lent):
        body = await lent.answered()
        assert lent.exchange.ended
        lent.exchange.put_back(body)
        assert not lent.exchange.ended
        assert await lent.exchange.read() == [b"hi"]
        assert await lent.exchange.read() == []
        assert lent.exchange.ended

    over(net, OK, use)


BROKEN = {
    "nothing": (b"", UpstreamDisconnected),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", UpstreamDisconnected),
    "only interim": (b"HTTP/1.1 100 Continue\r\n\r\n", UpstreamDisconnected),
    "no http": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", BadGateway),
    "binary": (b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", BadGateway),
    "bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", BadGateway),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", BadGateway),
    "long head": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * (HEAD_LIMIT + 10), BadGateway),
    "interim without end": (b"HTTP/1.1 102 Processing\r\n\r\n" * (INTERIM_LIMIT + 1) + OK, BadGateway),
    "switching": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", BadGateway),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", UpstreamDisconnected),
    "half a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", UpstreamDisconnected),
    "no last chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", UpstreamDisconnected),
    "bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", UpstreamDisconnected),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_upstream_that_breaks_off_is_one_of_two_errors(net, name):
    """BadGateway for what is no HTTP, UpstreamDisconnected for what ended too early; its connection is not reused."""
    answer, kind = BROKEN[name]

    async def use(lent):
        with pytest.raises(kind) as caught:
            await lent.answered()
        assert str(caught.value).isprintable()
        assert lent.exchange.answered == bool(answer)
        lent.exchange.release()
        assert lent.connections.open == lent.connections.idle == 0

    over(net, answer, use, end=True)


@pytest.mark.parametrize("name", BROKEN)
def test_only_bytes_of_tls_are_taken_for_it(net, name):
    """An alert in place of an answer is the cause that is told; nothing else is."""
    answer, _ = BROKEN[name]

    async def use(lent):
        with pytest.raises((BadGateway, UpstreamDisconnected)) as caught:
            await lent.answered()
        assert getattr(caught.value, "cause", "") == ("speaks_tls" if name == "binary" else "")

    over(net, answer, use, end=True)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nno colon sk-secret\r\n\r\n",
        b"550 sk-secret\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: sk-secret\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nsk-secret\r\n",
    ],
)
def test_what_is_no_http_is_not_quoted(net, answer):
    """The line may repeat the request's key."""

    async def read_all(lent):
        await lent.answered()
        await lent.exchange.read()

    async def use(lent):
        with pytest.raises((BadGateway, UpstreamDisconnected)) as caught:
            await read_all(lent)
        assert "secret" not in str(caught.value) + getattr(caught.value, "message", "")
        assert "bytearray" not in str(caught.value)

    over(net, answer, use, end=True)


def test_fields_with_control_characters_are_dropped(net):
    """h11 lets them pass; a tab is allowed. A reason phrase loses them."""

    async def use(lent):
        await lent.answered()
        exchange = lent.exchange
        assert exchange.reason == b"No ]0;x way"
        assert exchange.lines == [(b"X-Good", b"x-good", b"a\tb"), (b"content-length", b"content-length", b"0")]
        assert exchange.fields == {b"x-good": b"a\tb", b"content-length": b"0"}

    head = b"HTTP/1.1 400 No \x1b]0;x\x07 way\r\nX-Good: a\tb\r\nx-bad: a\x1b[31m\r\nx-worse: \x7f\r\n"
    over(net, head + b"content-length: 0\r\n\r\n", use)


def test_a_short_alert_of_tls_is_enough(net):
    """It has no line end, and the connection closes behind it."""

    async def use(lent):
        with pytest.raises(BadGateway, match="did not answer in HTTP") as caught:
            await lent.answered()
        assert caught.value.cause == "speaks_tls"

    over(net, b"\x15\x03\x03\x00\x02\x02\x46", use, end=True)


def test_a_reset_is_an_upstream_that_broke_off(net):
    """Before the answer and within it."""

    async def use(lent):
        await lent.exchange.head()
        assert await lent.exchange.read() == [b"hi"]
        lent.peer.close()  # the request was not read
        with pytest.raises(UpstreamDisconnected, match="reset"):
            await lent.exchange.read()

    over(net, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", use)


def test_ten_interim_answers_are_not_too_many(net):
    """The bound is ten."""

    async def use(lent):
        assert await lent.answered() == b"hi"

    over(net, b"HTTP/1.1 102 Processing\r\n\r\n" * INTERIM_LIMIT + OK, use)


def test_an_answer_that_comes_before_the_request_was_sent_is_read(net):
    """An upstream may refuse a body it has not read, and close: what it said arrives."""

    async def main():
        lent = Lent()
        body = b"x" * (1 << 22)
        lines = to_lines([(b"Host", b"up.example"), (b"Content-Length", b"%d" % len(body))])

        async def refuse():
            await lent.peer.receive_some(1000)
            await lent.peer.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            lent.peer.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            await lent.exchange.send(b"POST", b"/", lines, (body,))
            with contextlib.suppress(UpstreamDisconnected):  # a reset may overtake the answer
                await lent.exchange.head()
                assert lent.exchange.status == 413
        lent.exchange.release()
        assert lent.connections.open == 0

    net.run(main)


def test_an_exchange_ends_once(net):
    """Release and drop may follow each other; the connection is counted out once, and not used after."""

    async def use(lent):
        await lent.answered()
        lent.exchange.release()
        lent.exchange.drop()
        lent.exchange.release()
        assert lent.connections.open == lent.connections.idle == 1
        with pytest.raises(UpstreamDisconnected):
            await lent.exchange.head()

    over(net, OK, use)


def test_an_answer_that_was_not_read_closes_its_connection(net):
    """Released before its end, it may not serve the next request."""

    async def use(lent):
        await lent.exchange.head()
        lent.exchange.release()
        assert lent.connections.open == lent.connections.idle == 0

    over(net, OK, use)


def test_a_cancelled_read_loses_nothing(net):
    """A relay wakes to ping and goes on reading."""

    async def main():
        lent = Lent()
        await lent.asked()
        await lent.peer.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await lent.exchange.head()
        assert await lent.exchange.read() == [b"ab"]
        with trio.move_on_after(5) as nap:
            await lent.exchange.read()
        assert nap.cancelled_caught
        await lent.peer.send_all(b"cd")
        assert await lent.exchange.read() == [b"cd"]
        lent.exchange.drop()
        lent.peer.close()

    net.run(main)
