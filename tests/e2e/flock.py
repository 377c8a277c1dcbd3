"""An upstream whose accounts behave each in its own way, and many callers at once: real sockets in one trio run.

The account is told by its key. What each was asked is counted by key and path, which is what re-send rules are about.
"""

import json
from collections import Counter
from contextlib import asynccontextmanager

import h11
import trio

from ..answers import GOOD, PATHS

ANSWER = {path: GOOD[protocol] for protocol, path in PATHS.items()}
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
)
REST = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
    b'"text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"good"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":1}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'


class Flock:
    """The upstream. modes: key -> how its account behaves. asked: (key, path) -> how often. seen: heads, if kept."""

    def __init__(self, modes, *, keep=False):
        self.modes = modes
        #: key -> further headers of its good answers.
        self.limits = {}
        #: key -> status and body of all its answers, in the place of a mode.
        self.said = {}
        self.asked = Counter()
        self.seen = []
        self.port = 0
        self.running = 0
        self._keep = keep
        self._turns = Counter()

    @property
    def root(self):
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=512)
        self.port = listeners[0].socket.getsockname()[1]
        await trio.serve_listeners(self._connection, listeners, task_status=task_status)

    async def _connection(self, stream):
        conn = h11.Connection(h11.SERVER)
        self.running += 1
        try:
            while await self._request(stream, conn) and conn.our_state is h11.DONE:
                conn.start_next_cycle()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass
        finally:
            self.running -= 1
            await trio.aclose_forcefully(stream)

    async def _request(self, stream, conn):
        head, body = None, b""
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                conn.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        fields = {bytes(name): bytes(value) for name, value in head.headers}
        path = head.target.decode().partition("?")[0]
        key = (fields.get(b"authorization", b"")[7:] or fields.get(b"x-api-key", b"")).decode()
        if path == "/v1/models":
            await self._plain(stream, conn, 200, b'{"object":"list","data":[{"id":"m"}]}')
            return True
        self.asked[key, path] += 1
        if self._keep:
            self.seen.append((fields, body))
        return await self._behave(stream, conn, self.modes.get(key, "good"), path, b'"stream":true' in body, key)

    async def _behave(self, stream, conn, mode, path, streamed, key):
        if key in self.said:
            await self._plain(stream, conn, *self.said[key])
            return True
        if mode == "flap":
            self._turns[key] += 1
            mode = ("good", "500", "cut", "429")[self._turns[key] % 4]
        if mode.startswith("once-"):
            self._turns[key] += 1
            mode = mode[5:] if self._turns[key] == 1 else "good"
        if "-times-" in mode:
            self._turns[key] += 1
            times, _, fault = mode.partition("-times-")
            mode = fault if self._turns[key] <= int(times) else "good"
        if mode.startswith("429-"):
            await self._plain(stream, conn, 429, OVERLOADED, [("retry-after", mode[4:])])
        elif mode.isdigit():
            extra = [("retry-after", "30")] if mode == "429" else []
            await self._plain(stream, conn, int(mode), OVERLOADED, extra)
        elif mode == "hang":
            await stream.receive_some(1)
            return False
        elif mode == "cut":
            return False
        elif mode == "error":
            await self._plain(stream, conn, 200, OVERLOADED)
        elif not streamed:
            found = ANSWER.get(path, {"id": "x", "object": "thing"})
            await self._plain(stream, conn, 200, json.dumps(found).encode(), self.limits.get(key, ()))
        else:
            await self._stream(stream, conn, mode, self.limits.get(key, ()))
        return True

    async def _stream(self, stream, conn, mode, extra):
        head = h11.Response(status_code=200, headers=[("content-type", "text/event-stream"), *extra])
        await stream.send_all(conn.send(head) + conn.send(h11.Data(data=START)))
        if mode == "hang-after":
            await stream.receive_some(1)
            raise trio.BrokenResourceError
        if mode == "cut-after":
            raise trio.BrokenResourceError
        await stream.send_all(conn.send(h11.Data(data=REST)) + conn.send(h11.EndOfMessage()))

    async def _plain(self, stream, conn, status, body, extra=()):
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), *extra]
        head = h11.Response(status_code=status, headers=headers)
        await stream.send_all(conn.send(head) + conn.send(h11.Data(data=body)) + conn.send(h11.EndOfMessage()))


@asynccontextmanager
async def flock(modes, **options):
    """A running Flock."""
    async with trio.open_nursery() as nursery:
        up = Flock(modes, **options)
        await nursery.start(up.serve)
        yield up
        nursery.cancel_scope.cancel()


class Answer:
    """What a caller got. error: what broke, '' when the answer was whole."""

    def __init__(self, status=0, fields=None, body=b"", error=""):
        self.status, self.fields, self.body, self.error = status, fields or {}, body, error


class Caller:
    """One client connection, opened again when it was closed."""

    def __init__(self, port):
        self._port = port
        self._stream = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def ask(self, path, body, headers=(), method="POST", kind="application/json"):
        """Send one request and read all of its answer. kind: of the body."""
        if self._stream is None:
            self._stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            self._conn = h11.Connection(h11.CLIENT)
        conn, stream = self._conn, self._stream
        fields = [("host", "localhost"), ("content-length", str(len(body))), *headers]
        if body:
            fields.append(("content-type", kind))
        found = Answer()
        try:
            data = conn.send(h11.Request(method=method, target=path, headers=fields))
            await stream.send_all(data + conn.send(h11.Data(data=body)) + conn.send(h11.EndOfMessage()))
            while True:
                event = conn.next_event()
                if event is h11.NEED_DATA:
                    conn.receive_data(await stream.receive_some(65536))
                elif isinstance(event, h11.Response):
                    found.status = event.status_code
                    found.fields = {bytes(name).decode(): bytes(value).decode() for name, value in event.headers}
                elif isinstance(event, h11.Data):
                    found.body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                elif isinstance(event, h11.ConnectionClosed):
                    found.error = "closed"
                    break
        except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError) as error:
            found.error = type(error).__name__
        if found.error or conn.our_state is not h11.DONE or conn.their_state is not h11.DONE:
            await self.close()
        else:
            conn.start_next_cycle()
        return found

    async def close(self):
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)
        self._stream = None


async def once(port, path, body, headers=(), method="POST"):
    """Send one request on a connection of its own."""
    async with Caller(port) as caller:
        return await caller.ask(path, body, headers, method)


async def crowd(port, number, at_once, ask):
    """Have `ask(caller, index)` called `number` times, `at_once` at a time; the results."""
    found, left = [], iter(range(number))

    async def work():
        async with Caller(port) as caller:
            for index in left:
                found.append(await ask(caller, index))

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(work)
    return found
