"""Socket pairs with a scripted client at one end and a served connection at the other, on a clock that jumps; peers."""

import contextlib
import re
import socket
import ssl

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.errors import BadGateway, RouterError
from router.net.client.pool import ConnectionPool
from router.net.server.connection import Connection
from router.net.server.limits import Limits
from router.net.stream import SocketStream

from ..patience import PATIENCE
from .peers import scripted

BODY_LIMIT = 1 << 20
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3})[^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)


class Echo:
    """Answers with method, target and body; paths say what else it does."""

    def __init__(self):
        self.seen = []
        self.cuts = []
        self.crashes = []
        self.held = 0

    async def __call__(self, connection, request):
        self.seen.append((request.method, request.target))

        async def cut(why):
            self.cuts.append(why)

        connection.on_cancel = cut
        await self.answer(connection, request)
        connection.on_cancel = None

    async def answer(self, connection, request):
        """What the tests' own applications change."""
        if request.path == "/ignored":
            await connection.respond(404, [], b"unread")
            return
        body = await connection.read_body(BODY_LIMIT, self.hold)
        if request.path == "/crash":
            raise ZeroDivisionError
        text = b"%s %s %s" % (request.method.encode(), request.target, bytes(body))
        await connection.respond(404 if request.path == "/missing" else 200, [(b"content-type", b"text/plain")], text)

    def hold(self, size):
        self.held += size

    def format_refusal(self, error: RouterError):
        return [(b"content-type", b"text/plain")], error.message.encode()

    def report_crash(self, error):
        self.crashes.append(error)


class Client:
    """The other end of a served connection. text: all that came from the server. closed: the server did.

    left: the client did.
    """

    def __init__(self, sock):
        self.stream = SocketStream(sock)
        self.text = b""
        self.closed = False
        self.left = False

    def leave(self, how="close"):
        """Go, by one of the stream's ways."""
        self.left = True
        getattr(self.stream, how)()

    async def send(self, data):
        """Send, and wait until the server has taken note."""
        await self.stream.send_all(data)
        await wait_all_tasks_blocked()

    async def read(self):
        """Read what is there."""
        await wait_all_tasks_blocked()
        while data := self.stream.receive_now(65536):
            self.text += data
            await wait_all_tasks_blocked()
        self.closed = data is not None
        return self.text

    async def read_to_end(self):
        """Read until the server closes."""
        with contextlib.suppress(OSError):
            while data := await self.stream.receive_some(65536):
                self.text += data
        self.closed = True
        return self.text

    @property
    def answers(self):
        """(status, body) of each whole answer, in order."""
        found = []
        rest = self.text
        while rest:
            match = _HEAD.match(rest)
            assert match, rest[:200]
            length = re.search(rb"content-length: (\d+)", match[2])
            size = int(length[1]) if length else 0
            body = rest[match.end() : match.end() + size]
            found.append((int(match[1]), body))
            rest = rest[match.end() + size :]
        return found


def in_trio(main, *, threshold=0.0):
    """Run on a clock that jumps when nothing moves; what hangs for a day fails."""

    async def bounded():
        with trio.fail_after(86_400):
            return await main()

    return trio.run(bounded, clock=MockClock(autojump_threshold=threshold))


async def in_time(main):
    """Run it; what hangs fails."""
    with trio.fail_after(PATIENCE):
        await main()


def exchanged(application, talk, limits=None):
    """Serve one connection while `talk(client, connection)` runs, then read to its end; the client."""

    async def main():
        ours, theirs = socket.socketpair()
        client = Client(theirs)
        connection = Connection(SocketStream(ours), application, limits or Limits())
        with contextlib.closing(client.stream):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.serve)
                await talk(client, connection)
                if not client.left:
                    await client.read_to_end()
                    client.stream.close()
        return client

    return in_trio(main)


def fed(pieces, application=None, limits=None):
    """The client after it sent the pieces one by one."""

    async def talk(client, connection):
        for piece in pieces:
            try:
                await client.send(piece)
            except OSError:
                return

    return exchanged(application or Echo(), talk, limits)


async def dialled(origin, context=None):
    """What dialling it says."""
    connections = ConnectionPool(context)
    with pytest.raises(BadGateway) as caught:
        await connections.dial(origin)
    assert connections.open == 0
    return caught.value.message


def served(handle, use, *, tls=None):
    """Run `use(port)` while each connection to that port is served by `handle(stream)`.

    In real time: on a busy machine nothing moves for a moment between the two ends of a connection too, where a clock
    that jumps would let every timeout pass.
    """

    async def main():
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listener.socket.getsockname()[1]
            if tls is not None:
                listener = trio.SSLListener(listener, tls, https_compatible=True)

            async def one(stream):
                try:
                    await handle(stream)
                except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
                    return
                finally:
                    await trio.aclose_forcefully(stream)

            nursery.start_soon(trio.serve_listeners, one, [listener])
            await use(port)
            nursery.cancel_scope.cancel()

    trio.run(in_time, main)


class Net:
    """What tests of this folder share."""

    Echo = Echo
    Client = Client
    run = staticmethod(in_trio)
    exchanged = staticmethod(exchanged)
    fed = staticmethod(fed)
    dialled = staticmethod(dialled)
    served = staticmethod(served)


@pytest.fixture(scope="session")
def net():
    """The tools above."""
    return Net


@pytest.fixture
def peer():
    """A server whose answers the test scripts."""
    with scripted() as running:
        yield running
