"""Many clients and an upstream with random faults in one trio run, around a proxy process that is measured.

Each request carries a mark, which the upstream repeats in all it answers: a client knows whether what it got is its.
"""

import contextlib
import json
import random
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import trio

from .upstream import END, chunk, head, plain, stream_head
from .wire import RESET_ON_CLOSE, ask

EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"%b"}}\n\n'
)
BEGIN = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_%b","type":"message","role":"assistant",'
    b'"model":"model-a","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
    b'"text":""}}\n\n'
)
FINISH = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":'
    b'9}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CATALOG = plain(b'{"object":"list","data":[{"id":"model-a"}]}')
# Of a body: joining a large one would hold up all that runs here, and what is measured with it.
KEPT = 16384
_MARK = re.compile(rb"mark-[0-9a-f]+")


def message(mark, *, stream=True, padding=b""):
    """The bytes of a Messages request."""
    body = b'{"model":"model-a","max_tokens":9,%b"messages":[{"role":"user","content":"%b%b"}]}' % (
        b'"stream":true,' if stream else b"",
        mark,
        padding,
    )
    return b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + (
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def reset(stream):
    """Close with a reset."""
    with contextlib.suppress(OSError):
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    stream.socket.close()


async def requests(stream):
    """The beginnings of the bodies of the requests on a connection, "" for a GET, until it ends."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some(65536)
            if not more:
                return
            data += more
        top, _, data = data.partition(b"\r\n\r\n")
        size = re.search(rb"(?i)content-length: (\d+)", top)
        missing = int(size[1]) if size else 0
        kept = data[: min(missing, KEPT)]
        while missing > len(data):
            missing -= len(data)
            data = await stream.receive_some(262144)
            if not data:
                return
            kept += data[: min(missing, KEPT - len(kept))]
        data = data[missing:]
        yield b"" if top.startswith(b"GET ") else kept


class Troubled:
    """An upstream that answers as chance has it. pace: seconds between two events. answer: what answers a body."""

    def __init__(self, seed, pace=0.5, answer=None):
        self.chance = random.Random(seed)
        self.pace = pace
        self.answer = answer or self._by_chance
        self.served = 0

    async def listen(self, *, task_status):
        """Serve until cancelled; gives the port."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=2048)
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._serve, listeners)

    async def _serve(self, stream):
        with contextlib.suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream, contextlib.aclosing(requests(stream)) as bodies:
                async for body in bodies:
                    if not body:
                        await stream.send_all(CATALOG)
                        continue
                    self.served += 1
                    if await self.answer(stream, body) is False:
                        return

    async def _by_chance(self, stream, body):
        mark = _MARK.search(body)[0]
        if b'"stream":true' not in body:
            return await self._whole(stream, mark)
        fault = self.chance.choices(FAULTS, WEIGHTS)[0]
        return await fault(self, stream, mark)

    async def _whole(self, stream, mark):
        await trio.sleep(self.chance.random() * self.pace)
        text = b'{"id":"msg_1","type":"message","content":[{"type":"text","text":"%b"}],"usage":{"input_tokens":1}}'
        await stream.send_all(plain(text % mark))

    async def _events(self, stream, mark, count):
        await stream.send_all(stream_head() + chunk(BEGIN % mark))
        for _ in range(count):
            await trio.sleep(self.chance.random() * 2 * self.pace)
            await stream.send_all(chunk(EVENT % mark))

    async def well(self, stream, mark):
        await self._events(stream, mark, self.chance.randrange(1, 12))
        await stream.send_all(chunk(FINISH) + END)

    async def cut(self, stream, mark):
        await self._events(stream, mark, self.chance.randrange(4))
        return False

    async def broken(self, stream, mark):
        await self._events(stream, mark, self.chance.randrange(4))
        await stream.send_all(b"not a chunk\r\n")
        return False

    async def lost(self, stream, mark):
        await self._events(stream, mark, self.chance.randrange(4))
        reset(stream)
        return False

    async def silent(self, stream, mark):
        await self._events(stream, mark, self.chance.randrange(4))
        with trio.move_on_after(5):
            await stream.receive_some(1)
        return False

    async def mute(self, stream, mark):
        return False

    async def slow(self, stream, mark):
        await trio.sleep(3)
        return await self.well(stream, mark)

    async def failing(self, stream, mark):
        body = b'{"type":"error","error":{"type":"overloaded_error","message":"%b"}}' % mark
        await stream.send_all(plain(body, self.chance.choice((b"500 No", b"529 Busy", b"400 Bad"))))

    async def refusing(self, stream, mark):
        error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"%b"}}\n\n' % mark
        await stream.send_all(stream_head() + chunk(error) + END)

    async def babbling(self, stream, mark):
        await stream.send_all(b"\x00\x01 not HTTP at all\r\n\r\n")
        return False

    async def trailing(self, stream, mark):
        # In one piece: what comes only when the connection is in use again cannot be told from its answer.
        await stream.send_all(plain(b'{"id":"%b"}' % mark) + plain(b'{"stray":"mark-0"}'))

    async def short(self, stream, mark):
        await stream.send_all(
            head(b"200 OK", (b"Content-Type", b"application/json"), (b"Content-Length", b"900")) + mark
        )
        return False


FAULTS = (
    Troubled.well,
    Troubled.cut,
    Troubled.broken,
    Troubled.lost,
    Troubled.silent,
    Troubled.mute,
    Troubled.slow,
    Troubled.failing,
    Troubled.refusing,
    Troubled.babbling,
    Troubled.trailing,
    Troubled.short,
)
WEIGHTS = (12, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1)


@dataclass
class Tally:
    """What came of the requests. mixed: answers with another request's mark; bad: those that broke a rule."""

    whole: int = 0
    cut: int = 0
    errors: int = 0
    left: int = 0
    mixed: int = 0
    bad: list = field(default_factory=list)

    @property
    def all(self):
        return self.whole + self.cut + self.errors + self.left

    def note(self, mark, data):
        """Take down one answer that was read until it ended."""
        top, _, body = data.partition(b"\r\n\r\n")
        if set(_MARK.findall(body)) - {mark}:
            self.mixed += 1
        if not top.startswith(b"HTTP/1.1 200"):
            self.errors += 1
        elif data.endswith(b"\r\n0\r\n\r\n"):
            ends = b"message_stop" in body or b"content-length" in top.lower()
            self.whole += 1
            if not ends:
                self.bad.append(("a clean end without the protocol's", data[-300:]))
        elif b"content-length" in top.lower():
            self.whole += 1
        else:
            self.cut += 1
            if b"event: error" not in body:
                self.bad.append(("cut without an error event", data[-300:]))


class Clients:
    """Clients that ask, read, leave and come again until cancelled."""

    def __init__(self, port, seed):
        self.port = port
        self.chance = random.Random(seed)
        self.tally = Tally()

    async def one(self):
        """One client."""
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError):
                async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
                    for _ in range(self.chance.randrange(1, 8)):
                        if not await self._ask(stream):
                            break

    async def _ask(self, stream):
        mark = b"mark-%08x" % self.chance.getrandbits(32)
        await stream.send_all(message(mark, stream=self.chance.random() < 0.9))
        leaves = self.chance.random() < 0.15
        with trio.move_on_after(self.chance.random() * 3 if leaves else 60) as patience:
            data = await self._read(stream)
            self.tally.note(mark, data)
            return data.endswith(b"\r\n0\r\n\r\n") or _is_whole(data)
        if not leaves:
            self.tally.bad.append(("no end within a minute", mark))
        assert patience.cancelled_caught
        self.tally.left += 1
        if self.chance.random() < 0.5:
            reset(stream)
        return False

    async def _read(self, stream):
        data = b""
        while not data.endswith(b"\r\n0\r\n\r\n") and not _is_whole(data):
            try:
                more = await stream.receive_some(65536)
            except trio.BrokenResourceError:
                break
            if not more:
                break
            data += more
        return data


def _is_whole(data):
    top, mark, body = data.partition(b"\r\n\r\n")
    size = re.search(rb"(?i)content-length: (\d+)", top)
    return bool(mark) and size is not None and len(body) >= int(size[1])


class Sample(dict):
    """What a proxy process holds: memory (private bytes), descriptors, tasks, buffered bytes, upstream connections."""

    def __init__(self, proxy):
        status = proxy.status()
        bounds = {name: bound["used"] for name, bound in status["vitals"]["bounds"].items()}
        super().__init__(
            memory=memory(proxy.process.pid),
            descriptors=len(list(Path(f"/proc/{proxy.process.pid}/fd").iterdir())),
            tasks=bounds["tasks"],
            buffered=bounds["buffered_bytes"],
            upstream=bounds["upstream_connections"],
            clients=bounds["client_connections"],
            lag=status["vitals"]["worst_loop_lag_ms"],
        )


def memory(pid):
    """Private bytes of a process."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for name, size in re.findall(r"(\w+): +(\d+) kB", text) if name.startswith("Private_")) * 1024


def serves(port):
    """True when a plain request is answered."""
    body = json.dumps({"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}).encode()
    answer = ask(port, "/v1/messages", body)
    return answer is not None and answer.status == 200
