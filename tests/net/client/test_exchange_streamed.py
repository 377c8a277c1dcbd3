"""A request whose body comes piece by piece: sent as it comes, ended by an early answer, plain and over TLS."""

import ssl

import pytest
import trio
import trustme

from router.errors import BadRequest
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange
from router.net.client.pool import ConnectionPool, Origin
from router.net.headers import to_lines

from ...patience import PATIENCE

CHUNKED = to_lines([(b"Host", b"up.example"), (b"Transfer-Encoding", b"chunked")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000


def sized(size):
    """A head that names the body's length."""
    return to_lines([(b"Host", b"up.example"), (b"Content-Length", b"%d" % size)])


@pytest.fixture(scope="module")
def contexts():
    """A server's context and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.fixture(params=["http", "https"])
def over(request, net, contexts):
    """Runs `use(exchange)` against a server that handles its connection with `handle(stream)`; nothing stays open."""
    server, client = contexts if request.param == "https" else (None, None)

    def run(handle, use):
        async def main(port):
            connections = ConnectionPool(client)
            connection = await connections.dial(Origin(request.param, "127.0.0.1", port))
            exchange = UpstreamExchange(connections, connection)
            try:
                await use(exchange)
            finally:
                exchange.release()
                kept = connections.idle
                connections.close()
            assert connections.open == 0
            over.kept = kept

        net.served(handle, main, tls=server)
        return over.kept

    return run


def source(*pieces, wait=0.0):
    """What gives the pieces, and waits before each."""
    left = list(pieces)

    async def more():
        if left:
            await trio.sleep(wait)
        if left and isinstance(left[0], Exception):
            raise left[0]
        return left.pop(0) if left else b""

    return more


async def whole(exchange):
    """The body of the answer."""
    body = b""
    while pieces := await exchange.read():
        body += b"".join(pieces)
    return body


def listener(seen, mark, answer=OK):
    """A server that reads until the mark, answers, and reads on."""

    async def handle(stream):
        data = b""
        while mark not in data and (more := await stream.receive_some(65536)):
            data += more
        seen.append(data)
        await stream.send_all(answer)
        while await stream.receive_some(65536):
            pass

    return handle


@pytest.mark.parametrize("lines", [CHUNKED, sized(9)])
def test_sent_as_it_comes(over, lines):
    """The pieces in order, framed as the head says; the connection serves again."""
    seen = []

    async def use(exchange):
        await exchange.send_streamed(b"POST", b"/x", lines, source(b"one", memoryview(b"two"), b"end", wait=0.01))
        assert (exchange.status, await whole(exchange)) == (200, b"hi")

    mark = b"end\r\n0\r\n\r\n" if lines is CHUNKED else b"end"
    assert over(listener(seen, mark), use) == 1
    body = seen[0].partition(b"\r\n\r\n")[2]
    assert body == (b"3\r\none\r\n3\r\ntwo\r\n3\r\nend\r\n0\r\n\r\n" if lines is CHUNKED else b"onetwoend")


@pytest.mark.parametrize("reads_on", [True, False])
def test_an_early_answer(over, reads_on):
    """It ends the sending, comes whole, and its connection is not used again, whether or not the rest is read."""
    sent = []

    async def handle(stream):
        await stream.receive_some(65536)
        await stream.send_all(REFUSAL)
        while reads_on and await stream.receive_some(65536):
            pass
        await trio.sleep(1)

    async def more():
        sent.append(1 << 16)
        await trio.lowlevel.checkpoint()
        return b"y" * (1 << 16)

    async def use(exchange):
        await exchange.send_streamed(b"POST", b"/x", sized(1 << 30), more)
        assert exchange.status == 413
        assert len(await whole(exchange)) == 200_000

    assert over(handle, use) == 0
    assert sum(sent) < 1 << 28


def test_a_source_that_fails(over):
    """Its error comes out as it is, and the request ends unfinished."""
    seen = []

    async def handle(stream):
        data = b""
        while more := await stream.receive_some(65536):
            data += more
        seen.append(data)

    async def use(exchange):
        with pytest.raises(BadRequest, match="twice"):
            await exchange.send_streamed(b"POST", b"/x", CHUNKED, source(b"one", BadRequest("twice"), wait=0.01))

    assert over(handle, use) == 0
    assert not seen or not seen[0].endswith(b"0\r\n\r\n")


def test_an_upstream_that_closes(over):
    """UpstreamDisconnected, once, not a group; also while the source still waits."""

    async def handle(stream):
        await stream.receive_some(65536)

    async def use(exchange):
        with pytest.raises(UpstreamDisconnected):
            await exchange.send_streamed(b"POST", b"/x", CHUNKED, source(b"one", b"two", wait=3600))

    assert over(handle, use) == 0


def test_cancelled(over):
    """A client that leaves ends it from outside."""
    left = []

    async def handle(stream):
        while await stream.receive_some(65536):
            left[0].cancel()

    async def use(exchange):
        with trio.CancelScope() as scope:
            left.append(scope)
            await exchange.send_streamed(b"POST", b"/x", CHUNKED, source(b"one", b"two", wait=3600))
        assert scope.cancelled_caught

    assert over(handle, use) == 0


LARGE = 30_000_000


@pytest.mark.parametrize("end", ["keeps open", "closes"])
def test_a_whole_body_is_read_over_by_an_early_refusal(over, end):
    """A 413 of an upstream that reads none of the 30 MB: relayed at once, neither side waits for the other."""

    async def refuses(stream):
        await stream.receive_some(1000)
        await stream.send_all(REFUSAL)
        if end == "keeps open":
            await trio.sleep(60)

    async def use(exchange):
        with trio.fail_after(PATIENCE / 2):
            await exchange.send(b"POST", b"/x", sized(LARGE), (b"x" * LARGE,))
            await exchange.head()
            assert exchange.status == 413
            if end == "keeps open":
                assert len(await whole(exchange)) == 200_000

    assert over(refuses, use) == 0


def test_an_early_good_answer_lets_the_body_go_on(over):
    """Some servers send their head before they have read everything; the connection then serves again."""
    read = trio.Event()

    async def eager(stream):
        size = len(await stream.receive_some(1000))
        await stream.send_all(OK)
        while size < LARGE:
            size += len(await stream.receive_some(1 << 20))
        read.set()
        await stream.receive_some(1)

    async def use(exchange):
        await exchange.send(b"POST", b"/x", sized(LARGE), (b"x" * LARGE,))
        await exchange.head()
        assert (exchange.status, await whole(exchange)) == (200, b"hi")
        await read.wait()  # the last of it is still on its way

    assert over(eager, use) == 1
