"""Fuzz target: the HTTP edge. Arbitrary bytes in; oracle: the strict reader beside this file."""

import re
from collections import deque

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.net.server.connection import Connection
from router.net.server.limits import Limits

from . import reference
from .mutation import MILLION, cases, cut, spoilt

BATCH = 100
LIMIT = 1 << 16
HOST = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SEEDS = (
    b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST /v1/messages?beta=true HTTP/1.1\r\n" + HOST + b"Content-Length: 13\r\n\r\n{\"model\":\"m\"}",
    b"POST /v1/x HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n2\r\nab\r\n0\r\nX-T: 1\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"\r\nDELETE /v1/responses/r HTTP/1.1\r\n" + HOST + b"X: \xe4\xf6\r\nEmpty:\r\n\r\n",
)  # fmt: skip
WORDS = (HOST, CHUNKED, b"Content-Length: 3\r\n", b"content-length: 3, 3\r\n", b"Connection: close\r\n", b"HTTP/1.0",
         b"HTTP/1.2", b" HTTP/1.1\r\n", b"transfer-encoding : chunked\r\n", b"Transfer-Encoding: identity\r\n", b"/../",
         b"%2f", b"%2e", b"\r\n ", b"0\r\n\r\n", b"00000000000000000005\r\nhello\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b";\r",
         b"CONNECT", b"http://localhost", b"Upgrade: h2c\r\n", b"\x0b", b"+", b"X: y\r\n" * 99,
         b"0\r\nX: y\n\n", b"0\r\nX: y\r\n z\r\n\r\n")  # fmt: skip
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


class Stream:
    """A client that sends pieces and reads everything. It closes its side when told to."""

    def __init__(self, pieces):
        self._pieces = deque(pieces)
        self._left = trio.Event()
        self.out = bytearray()
        self.aborted = False

    async def receive_some(self, _):
        await trio.lowlevel.checkpoint()
        if not self._pieces:
            await self._left.wait()
            return b""
        return self._pieces.popleft()

    def receive_now(self, _):
        return None

    def try_send(self, parts):
        for part in parts:
            self.out += part
        return b""

    def half_close(self):
        self.leave()

    def close(self):
        self.leave()

    def abort(self):
        self.aborted = True
        self.leave()

    def leave(self):
        """Close the client's side."""
        self._left.set()


class Echo:
    """Notes each request that was read whole, and answers it."""

    def __init__(self):
        self.seen = []
        self.crashes = []

    async def __call__(self, connection, request):
        body = await connection.read_body(LIMIT, lambda _: None)
        fields = tuple((name, value) for _, name, value in request.lines if name not in reference.FRAMING)
        self.seen.append(reference.Read(request.method.encode(), request.target, fields, bytes(body)))
        await connection.respond(200, [], b"ok")

    def format_refusal(self, error):
        assert 400 <= error.status < 600
        return [], error.message.encode()

    def report_crash(self, error):
        self.crashes.append(error)


def statuses(out, methods):
    """The status of each answer, in order; None where the output is no HTTP."""
    found = []
    at = 0
    while at < len(out):
        match = _HEAD.match(out, at)
        if match is None:
            return None
        at = match.end()
        if match[1] != b"100":
            length = re.search(rb"content-length: (\d+)", match[2])
            # A refused HEAD has no body either, and is the last.
            head_only = methods[len(found)] == b"HEAD" if len(found) < len(methods) else at == len(out)
            at += 0 if head_only else int(length[1])
            found.append(int(match[1]))
    return found if at == len(out) else None


def check(data, application, stream):
    """Exactly the requests that are there, an answer to each, and at most one refusal behind them."""
    assert application.crashes == []
    expected, end = reference.requests(data)
    assert application.seen == expected
    answers = statuses(stream.out, [request.method for request in expected])
    assert answers is not None
    assert answers[: len(expected)] == [200] * len(expected)
    rest = answers[len(expected) :]
    if end is None:
        assert rest == []
    elif end is reference.Refused:
        assert len(rest) == 1
        assert 400 <= rest[0] <= 501
    else:
        assert len(rest) <= 1
        assert all(status >= 400 for status in rest)


async def batch(chances):
    """Some cases side by side, each on a connection of its own."""
    served = []
    async with trio.open_nursery() as nursery:
        for chance in chances:
            data = b"".join(spoilt(chance, chance.choice(SEEDS), WORDS) for _ in range(chance.randrange(1, 4)))
            # One connection in sixteen gets its bytes one by one: such a case costs as much as three others.
            pieces = cut(chance, data, by_byte=chance.random() < 0.25)
            application, stream = Echo(), Stream(pieces)
            nursery.start_soon(Connection(stream, application, Limits()).serve)
            served.append((data, pieces, application, stream))
        await wait_all_tasks_blocked()
        for *_, stream in served:
            stream.leave()
    for data, pieces, application, stream in served:
        try:
            check(data, application, stream)
        except AssertionError as error:
            raise AssertionError(f"{pieces!r}\nseen: {application.seen}\nsent: {bytes(stream.out)!r}") from error


@pytest.mark.parametrize("count", [4000, MILLION])
def test_edge(count):
    """Refused, or exactly the requests that a strict reader finds: never a crash, never two requests out of one."""

    async def main():
        chances = []
        for chance in cases("edge", count):
            chances.append(chance)
            if len(chances) == BATCH:
                await batch(chances)
                chances.clear()

    trio.run(main, clock=MockClock())
