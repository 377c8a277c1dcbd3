"""Upstreams of plays: the peer of each connection reads requests as an upstream would, and answers by a script.

A script is a list of bytes, of silences and breaks, and of functions that are called where they stand.
"""

import json
import math
from typing import NamedTuple

import h11
import trio

from router.net.client.pool import UpstreamConnection

JSON = (b"content-type", b"application/json")

EVENTS = (b"content-type", b"text/event-stream")

REASONS = {200: b"OK"}


class Silence(NamedTuple):
    """Seconds in which an upstream sends nothing."""

    seconds: float


class Break(NamedTuple):
    """The upstream's connection breaks; an end of file where `reset` is False."""

    reset: bool = True


#: At the beginning of a script: the upstream answers before the request is whole.
EARLY = "early"


def answer(status, *fields, body=b"", length=True):
    """An upstream's answer as one script: its head, then its body."""
    lines = [*fields, (b"content-length", b"%d" % len(body))] if length else list(fields)
    head = b"HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, b"Said"))
    head += b"".join(b"%s: %s\r\n" % line for line in lines)
    return [head + b"\r\n" + body]


def says(status, value, *fields):
    """An answer in JSON."""
    return answer(status, JSON, *fields, body=json.dumps(value).encode())


def streams(*pieces, status=200, fields=()):
    """An event stream, in chunks; a piece may be a Silence or a Break, which ends it."""
    head = b"HTTP/1.1 %d OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n" % status
    script = [head + b"".join(b"%s: %s\r\n" % line for line in fields) + b"\r\n"]
    for piece in pieces:
        script.append(b"%x\r\n%s\r\n" % (len(piece), piece) if isinstance(piece, bytes) else piece)
    return script if pieces and isinstance(pieces[-1], Break) else [*script, b"0\r\n\r\n"]


class Peer(trio.abc.Stream):
    """The upstream's end of a connection."""

    def __init__(self, played, scripts, keys):
        self._played = played
        self._scripts = scripts
        self._keys = keys
        self._reader = h11.Connection(h11.SERVER)
        self._next = []
        self._left = []
        self._ready = trio.Event()
        self._due = None
        self._body = b""

    async def send_all(self, data):
        self._reader.receive_data(bytes(data))
        while (event := self._reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._played.sent[-1] = self._played.sent[-1]._replace(body=self._body)
                self._answer()
        await trio.lowlevel.checkpoint()

    def _begin(self, event):
        fields = {bytes(name): bytes(value) for name, value in event.headers}
        key = next(
            (name for name, secret in self._keys.items() if any(secret in value for value in fields.values())), "-"
        )
        target, method = event.target.decode(), event.method.decode()
        self._played.sent.append(Sent(key, method, target, fields, b""))
        self._played.story.append(f"> {key} {method} {target}")
        self._body = b""
        self._next = list(self._scripts.pop(0)) if self._scripts else [Break()]
        if self._next[0] is EARLY:
            del self._next[0]
            self._answer()

    def _answer(self):
        self._left += self._next
        self._next = []
        self._ready.set()

    async def wait_send_all_might_not_block(self):
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes=None):
        await trio.lowlevel.checkpoint()
        await self._ready.wait()
        while self._left:
            step = self._left.pop(0)
            if isinstance(step, Silence):
                # A read that is cancelled meanwhile does not make it longer.
                self._left.insert(0, step)
                self._due = trio.current_time() + step.seconds if self._due is None else self._due
                await trio.sleep_until(self._due)
                self._due = None
                del self._left[0]
                continue
            if callable(step):
                step()
                continue
            if isinstance(step, Break):
                self._played.story.append("! reset" if step.reset else "! end")
                if step.reset:
                    raise trio.BrokenResourceError
                return b""
            if step.startswith(b"HTTP/1.1 "):
                self._played.story.append(f"< {step[9:12].decode()}")
            return step
        await trio.sleep(math.inf)
        return b""

    async def aclose(self):
        await trio.lowlevel.checkpoint()


class Socket:
    """What a pool asks of a connection's socket."""

    def is_readable(self):
        return False

    def count_unacknowledged(self):
        return 0

    def close(self):
        pass


class Pool:
    """The upstream connections of a runtime, each with a scripted peer. kept: how many have served before."""

    def __init__(self, played, scripts, keys, *, kept=0, unreachable=()):
        self._played, self._scripts, self._keys = played, scripts, keys
        self._unreachable = list(unreachable)
        self._kept = kept
        self.acquired = self.lent = self.given_back = self.dropped = 0

    def _connection(self, origin):
        self.lent += 1
        return UpstreamConnection(origin, Socket(), Peer(self._played, self._scripts, self._keys))

    def acquire(self, origin, now, *, young=None):
        if not self._kept:
            return None
        self._kept -= 1
        self.acquired += 1
        found = self._connection(origin)
        found.reused = True
        return found

    async def dial(self, origin):
        await trio.lowlevel.checkpoint()
        problem = self._unreachable.pop(0) if self._unreachable else None
        if isinstance(problem, Silence):
            await trio.sleep(problem.seconds)
        elif problem is not None:
            self._played.story.append("! unreachable")
            raise problem
        return self._connection(origin)

    def release(self, connection, keep_alive=b"", *, rest=False):
        self.given_back += 1

    def drop(self, connection):
        self.dropped += 1

    def configure(self, origins, roots):
        pass


class Sent(NamedTuple):
    """A request that went upstream."""

    account: str
    method: str
    target: str
    fields: dict
    body: bytes

    def json(self):
        return json.loads(self.body)
