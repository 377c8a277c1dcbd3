"""The upstream of the benchmark: its own process, pre-rendered bytes, the least parsing that can work.

Run as `python upstream.py PORT [CERT KEY]`. A Chat request gets a JSON answer. Behaviours of Messages (see
bodies.behave): plain, a JSON answer; burst/N, N deltas in one write, an HTTP chunk each; paced/N, a delta for each byte
on the tick connection, so that each is its own read at the relay; late, what says nothing yet, the first delta at a
tick and the end at another; open, the first delta and then silence.
"""

import asyncio
import functools
import ssl
import sys
from collections.abc import Iterator
from typing import ClassVar

import bodies

# A client that opens with this byte is no HTTP client: each of its bytes lets the paced stream send one event.
TICK = b"!"

_FIELDS = (
    b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"server: bench\r\n"
    b"request-id: req_011BenchBenchBenchBench\r\n"
    b"anthropic-organization-id: 00000000-0000-0000-0000-000000000000\r\n"
    b"anthropic-ratelimit-requests-limit: 4000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\n"
    b"anthropic-ratelimit-requests-reset: 2026-01-01T00:00:10Z\r\n"
)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\n" + _FIELDS + b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


def _whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    kind = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + _FIELDS + kind + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunks(events: list[bytes]) -> bytes:
    return b"".join(map(_chunk, events))


PLAIN = _whole(bodies.ANSWER)
CHAT = _whole(bodies.CHAT_ANSWER)
CATALOG = _whole(bodies.CATALOG)
UNFRAMED = _whole(b'{"type":"error","error":{"type":"api_error","message":"no content-length"}}', b"501 No")
OPEN = _STREAM_HEAD + _chunks([*bodies.preamble(), bodies.delta(0)])


@functools.cache
def _burst(count: int) -> bytes:
    events = [*bodies.preamble(), *map(bodies.delta, range(count)), *bodies.ending(count)]
    return _STREAM_HEAD + _chunks(events) + _LAST_CHUNK


def _paced(count: int) -> Iterator[bytes]:
    """What each tick sends; the last one ends the stream."""
    yield from map(_chunk, map(bodies.delta, range(count)))
    yield _chunks(bodies.ending(count)) + _LAST_CHUNK


class Server(asyncio.Protocol):
    """One connection of a relay or of the load client."""

    # The one stream that ticks drive: the benchmark runs them one after another.
    paced: ClassVar[tuple[asyncio.Transport, Iterator[bytes]] | None] = None
    #: The tick connection; it is told when a stream waits for its first tick.
    ticker: ClassVar[asyncio.Transport | None] = None

    def __init__(self) -> None:
        self._data = bytearray()
        self._ticks = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        if self._ticks or data.startswith(TICK):
            self._tick(data)
            return
        self._data += data
        while self._data and self._answer():
            pass

    def _tick(self, data: bytes) -> None:
        self._ticks = True
        Server.ticker = self._transport
        if Server.paced is not None:
            transport, pieces = Server.paced
            transport.write(b"".join(next(pieces, b"") for _ in range(data.count(b"."))))

    def _answer(self) -> bool:
        """Take one request off the buffer and answer it; False when it is not whole yet."""
        end = self._data.find(b"\r\n\r\n") + 4
        if end < 4:
            return False
        head = bytes(self._data[:end]).lower()
        if head.startswith(b"get "):
            del self._data[:end]
            self._transport.write(CATALOG)
            return True
        field = head.find(b"\r\ncontent-length:")
        if field < 0:
            self._transport.write(UNFRAMED)
            self._transport.close()
            return False
        whole = end + int(head[field + 17 : head.index(b"\r\n", field + 17)])
        if len(self._data) < whole:
            return False
        name, number = bodies.behaviour(self._data)
        del self._data[:whole]
        if b"/chat/completions " in head:
            self._transport.write(CHAT)
        else:
            self._behave(name, number)
        return True

    def _behave(self, name: str, number: int) -> None:
        if name == "paced":
            self._transport.write(_STREAM_HEAD + _chunks(bodies.preamble()))
            Server.paced = self._transport, _paced(number)
        elif name == "late":
            first, *rest = bodies.preamble()
            self._transport.write(_STREAM_HEAD + _chunk(first))
            ending = _chunks(bodies.ending(1)) + _LAST_CHUNK
            Server.paced = self._transport, iter((_chunks([*rest, bodies.delta(0)]), ending))
            if Server.ticker is not None:
                Server.ticker.write(TICK)
        elif name == "burst":
            self._transport.write(_burst(number))
        else:
            self._transport.write(OPEN if name == "open" else PLAIN)


async def serve(port: int, context: ssl.SSLContext | None) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", port, ssl=context, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Read the port and, for TLS, the certificate and key files."""
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    asyncio.run(serve(int(sys.argv[1]), context))


if __name__ == "__main__":
    main()
