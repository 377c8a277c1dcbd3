"""A world for random histories: clients, a proxy, and upstreams on socket pairs, on a clock that jumps.

A history is one client connection with some requests. Its tag stands in each request and in each byte that answers it,
so that an answer that reached the wrong client shows.
"""

import gzip
import re
import socket
from collections import Counter

import trio

from router.errors import BadGateway
from router.net.client.pool import ConnectionPool, UpstreamConnection
from router.net.stream import SocketStream
from router.server.application import Proxy

PROTOCOLS = ("messages", "chat", "responses")
PATHS = {"messages": b"/v1/messages", "chat": b"/v1/chat/completions", "responses": b"/v1/responses"}
#: What the last event of a good stream holds. A Chat stream is whole with its finish_reason.
TERMINAL = {
    "messages": (b'"type":"message_stop"',),
    "chat": (b"data: [DONE]", b'"finish_reason":"stop"'),
    "responses": (b'"type":"response.completed"',),
}
DONE = b"data: [DONE]\n\n"
_TAG = re.compile(rb'"tag":"(t\d+x\d+)"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def events_of(protocol, tag, count):
    """A good stream of `count` deltas."""
    if protocol == "chat":
        start = b'data: {"id":"%b","object":"chat.completion.chunk","created":1,"model":"m","choices":[%b]}\n\n'
        deltas = [b'{"index":0,"delta":{"content":"%b"},"finish_reason":null}' % tag] * count
        last = b'{"index":0,"delta":{},"finish_reason":"stop"}'
        return [start % (tag, choice) for choice in (*deltas, last)] + [DONE]
    if protocol == "messages":
        payloads = [
            b'{"type":"message_start","message":{"id":"%b","model":"m","content":[],"usage":{"input_tokens":3}}}' % tag,
            b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
            *[b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}' % tag] * count,
            b'{"type":"content_block_stop","index":0}',
            b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
            b'{"type":"message_stop"}',
        ]
    else:
        payloads = [
            b'{"type":"response.created","sequence_number":0,"response":{"id":"%b","model":"m"}}' % tag,
            b'{"type":"response.output_item.added","sequence_number":1,"item":{"type":"message"}}',
            *[b'{"type":"response.output_text.delta","sequence_number":2,"delta":"%b"}' % tag] * count,
            b'{"type":"response.completed","sequence_number":3,"response":{"id":"%b","status":"completed"}}' % tag,
        ]
    return [b"event: %b\ndata: %b\n\n" % (re.search(rb'"type":"([^"]+)"', each)[1], each) for each in payloads]


def plain_of(protocol, tag, size):
    """A good plain answer."""
    pad = b"x" * size
    if protocol == "messages":
        return b'{"id":"%b","type":"message","role":"assistant","content":[{"type":"text","text":"%b"}]}' % (tag, pad)
    if protocol == "chat":
        return b'{"id":"%b","choices":[{"index":0,"message":{"role":"assistant","content":"%b"}}]}' % (tag, pad)
    return b'{"id":"%b","object":"response","output":[{"type":"message","text":"%b"}]}' % (tag, pad)


class Script:
    """How the upstream answers one request. good: nothing is wrong with it; body: what it then gives.

    steps: bytes to send, numbers of seconds to wait, and "close", "reset", "hang".
    """

    def __init__(self, chance, protocol, tag, *, stream):
        self._chance = chance
        self.protocol, self.tag, self.stream = protocol, tag, stream
        self.good = True
        self.steps = []
        fault = chance.choice(FAULTS) if chance.random() < 0.6 else None
        if chance.random() < 0.3:
            self.steps.append(chance.choice((0.001, 5.0, 100.0)))
        if stream:
            self.body = b"".join(events_of(protocol, tag, chance.choice((1, 1, 3, 200))))
        else:
            self.body = plain_of(protocol, tag, chance.choice((0, 10, 3000, 300_000)))
        self._answer(b"200 OK", self.body)
        if sum(step for step in self.steps if isinstance(step, float)) >= 240:
            self.good = False  # no stream's first event may take longer
        if fault is not None:
            self.good = False
            getattr(self, f"_{fault}")()

    def _answer(self, status, body, *fields, kind=None):
        chance = self._chance
        kind = kind or (b"text/event-stream" if self.stream else b"application/json")
        lines = [b"HTTP/1.1 " + status, b"Content-Type: " + kind, b"X-Tag: " + self.tag, *fields]
        if chance.random() < 0.1:
            lines.append(b"Connection: close")
        if self.stream and chance.random() < 0.15:
            body = gzip.compress(body, 1)
            lines.append(b"Content-Encoding: gzip")
        if self.stream or chance.random() < 0.3:
            lines.append(b"Transfer-Encoding: chunked")
            pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self._pieces(body)] + [b"0\r\n\r\n"]
        else:
            lines.append(b"Content-Length: %d" % len(body))
            pieces = self._pieces(body)
        self._head = b"\r\n".join([*lines, b"", b""])
        self._begun = len(self.steps)
        self.steps += [self._head, *pieces]
        for _ in range(chance.choice((0, 0, 1, 3))):
            at = chance.randrange(self._begun, len(self.steps))
            self.steps.insert(at, chance.choice((0.01, 16.0, 50.0)))

    def _pieces(self, body):
        size = max(self._chance.choice((37, 900, 20_000, 1 << 20)), len(body) // 40)
        return [body[at : at + size] for at in range(0, len(body), size)]

    @property
    def late_end(self):
        """True where a Chat stream may end without its last line, as that may come 15 s after all that counts."""
        return self.protocol == "chat" and any(isinstance(step, float) and step > 15 for step in self.steps)

    # Faults

    def _anywhere(self, end):
        """Break off after some of the answer's bytes, before its last."""
        at = self._chance.randrange(len(self.steps))
        self.steps[at:] = [end]
        if at and isinstance(self.steps[at - 1], bytes):
            piece = self.steps[at - 1]
            self.steps[at - 1] = piece[: self._chance.randrange(len(piece))]

    def _closes(self):
        self._anywhere("close")

    def _resets(self):
        self._anywhere("reset")

    def _hangs(self):
        self._anywhere("hang")

    def _late(self):
        self.steps.insert(0, self._chance.choice((250.0, 700.0, 2000.0)))

    def _garbage(self):
        # Without a blank line: inside a chunk it would be an event.
        self._anywhere(self._chance.choice((b"\0\xff not http\r\n", b"zz\r\n", b"HTTP/1.1 200 OK\r\n")))
        self.steps.append("close")

    def _ends_early(self):
        """A clean end of chunks, or of the connection, before the protocol's own."""
        events = events_of(self.protocol, self.tag, 3)
        cut = b"".join(events[: self._chance.randrange(len(events))]) if self.stream else b""
        del self.steps[:]
        self._answer(b"200 OK", cut)

    def _refuses(self):
        del self.steps[:]
        status = self._chance.choice((b"400 Bad Request", b"401 No", b"429 Slow", b"500 Oh", b"529 Over", b"307 There"))
        body = self._chance.choice(
            (b'{"error":{"type":"x","message":"%b"}}' % self.tag, b"<html>%b</html>" % self.tag, b"")
        )
        stream, self.stream = self.stream, False
        self._answer(status, body)
        self.stream = stream

    def _error_event(self):
        events = events_of(self.protocol, self.tag, 3)
        at = self._chance.randrange(len(events))
        error = (
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"%b"}}\n\n' % self.tag
        )
        del self.steps[:]
        self._answer(b"200 OK", b"".join([*events[:at], error]))

    def _stray(self):
        """Bytes nobody asked for, with the end of a good answer: later, nobody could tell whose answer they are."""
        last = next(at for at in reversed(range(len(self.steps))) if isinstance(self.steps[at], bytes))
        self.steps[last] += self._chance.choice((b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"))

    def _interim(self):
        self.steps[self._begun : self._begun] = [b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"] * self._chance.choice(
            (1, 11)
        )

    def _long_event(self):
        del self.steps[:]
        self._answer(b"200 OK", b"data: " + b"x" * (2 << 20) + b"\n\n" + self.body)


FAULTS = ("closes", "closes", "resets", "resets", "hangs", "late", "garbage", "ends_early", "refuses", "error_event",
          "stray", "interim", "long_event")  # fmt: skip


class Upstreams(ConnectionPool):
    """Dials socket pairs, behind each of which a scripted upstream serves."""

    def __init__(self, nursery, chance):
        super().__init__()
        self._nursery = nursery
        self._chance = chance
        self.scripts = {}
        self.served = Counter()

    async def dial(self, origin):
        """A new connection, or one of the ways in which there is none."""
        kind = self._chance.random()
        await trio.sleep(0.001 if kind > 0.02 else 11.0)
        if kind > 0.97:
            raise BadGateway(f"{origin} could not be reached: connection refused.")
        ours, theirs = socket.socketpair()
        self._nursery.start_soon(self._serve, SocketStream(theirs))
        self.open += 1
        stream = SocketStream(ours)
        return UpstreamConnection(origin, stream, stream)

    async def _serve(self, stream):
        try:
            rest = b""
            while True:
                tag, rest = await _request(stream, rest)
                self.served[tag] += 1
                await _play(stream, self.scripts[tag].steps)
        except (OSError, trio.ClosedResourceError, EOFError):
            return
        finally:
            stream.close()


async def _request(stream, rest):
    """The tag of the next request, and what came behind it."""
    while b"\r\n\r\n" not in rest:
        rest += await _some(stream)
    head, _, rest = rest.partition(b"\r\n\r\n")
    size = int(_LENGTH.search(head)[1])
    while len(rest) < size:
        rest += await _some(stream)
    return _TAG.search(rest)[1], rest[size:]


async def _some(stream):
    data = await stream.receive_some(65536)
    if not data:
        raise EOFError
    return data


async def _play(stream, steps):
    for step in steps:
        if isinstance(step, bytes):
            await stream.send_all(step)
        elif isinstance(step, float):
            await trio.sleep(step)
        elif step == "hang":
            while True:
                await _some(stream)
        else:
            stream.abort() if step == "reset" else stream.close()
            raise EOFError


class Counting(Proxy):
    """The application, with a count of what it was given, of what could not be read, and of what it had defects in."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.begun = self.unread = 0
        self.crashes = []

    async def __call__(self, connection, request):
        self.begun += 1
        await super().__call__(connection, request)

    def format_refusal(self, error):
        self.unread += 1
        return super().format_refusal(error)

    def report_crash(self, error):
        self.crashes.append(error)
