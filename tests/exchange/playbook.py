"""Whole exchanges without sockets: a scripted upstream, a client that only listens, and the story of both.

An upstream's connection is a byte script, so that what goes upstream is seen as the peer would read it; the client's is
a recorder. `Played.story` is the exchange as a table, in the order in which things happened:

    > a0 POST /v1/chat/completions     a request that went upstream, by the account whose key it carried
    < 429                              the head of what the upstream answered
    = 200 application/json             the head of what the client got; `+` and its body or events follow in `got`
    ! reset                            a connection that broke; `! unreachable` is one that never came about

Times are those of a clock that jumps. However an exchange ends, `play` holds that it kept nothing: no memory, no place
in a queue, no connection.
"""

import json
import math
import time
from typing import NamedTuple

import h11
import trio
from trio.testing import MockClock

from router.errors import RouterError
from router.exchange.client_response.head import refuse
from router.exchange.conclusion import conclude
from router.exchange.context import Arrival
from router.exchange.exchange import Exchange
from router.net.client.pool import UpstreamConnection
from router.net.server.connection import Limits, Request
from router.telemetry.accesslog import Record
from router.wire import calls

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

    def acquire(self, origin):
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

    def release(self, connection, keep_alive=b""):
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


class Client:
    """A client's connection; it keeps the whole answer."""

    def __init__(self, played, body, pieces=()):
        self._played = played
        self._body = body
        self._pieces = list(pieces)
        self.limits = Limits()
        self.started = self.closed = self.aborted = False
        #: (seconds, reason) of each deadline that was set.
        self.deadlines = []
        self.scope = trio.CancelScope()
        self._cut = self._due = None

    def set_deadline(self, seconds, why):
        self.deadlines.append((seconds, why))
        self._due = why
        self.scope.deadline = trio.current_time() + seconds

    def cancel(self, why):
        """Cut the exchange, as a client that leaves does, or the proxy's stop."""
        self._cut = why
        self.scope.cancel()

    @property
    def reason(self):
        """Why the exchange was cut."""
        return self._cut or self._due

    async def read_body(self, _limit, hold):
        await trio.lowlevel.checkpoint()
        hold(len(self._body))
        return self._body

    async def read_body_piece(self, _limit):
        await trio.lowlevel.checkpoint()
        return self._pieces.pop(0) if self._pieces else b""

    def frame_head(self, status, headers, reason=b""):
        self.started = True
        self._played.status = status
        self._played.fields = {bytes(name).lower(): bytes(value) for name, value in _pairs(headers)}
        kind = self._played.fields.get(b"content-type", b"-").decode()
        self._played.story.append(f"= {status} {kind}")
        return []

    def frame_data(self, payload):
        return [bytes(payload)]

    def frame_end(self):
        return [None]

    def write_now(self, parts):
        for part in parts:
            if part is None:
                self._played.whole = True
            else:
                self._played.got += part
        return b""

    async def write(self, parts):
        await trio.lowlevel.checkpoint()
        self.write_now(parts)

    async def flush(self, rest):
        await trio.lowlevel.checkpoint()

    async def respond(self, status, headers, body=b"", reason=b""):
        self.frame_head(status, headers, reason)
        await self.write([bytes(body), None])

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True


def _pairs(headers):
    raw = getattr(headers, "_full_items", headers)
    return [(line[-2], line[-1]) if len(line) > 2 else line for line in raw]


class Played:
    """What became of an exchange."""

    def __init__(self):
        self.story = []
        self.sent = []
        self.status = 0
        self.fields = {}
        self.got = b""
        #: True when the client's answer had a proper end.
        self.whole = False
        self.record = None
        self.client = None
        self.pool = None
        self.attempt = None
        self.error = None
        #: The CancelReason of an exchange that was cut.
        self.cut = None

    @property
    def asked(self):
        """The accounts that were asked, in order."""
        return [one.account for one in self.sent]

    @property
    def tries(self):
        """(account, status, error, what followed) of each try in the record."""
        return [(one.account, one.status, one.error, one.done) for one in self.record.tries]

    def json(self):
        """The client's answer."""
        return json.loads(self.got)


def request_of(path, *fields, method="POST", length=1):
    """A request's head; length: None for none."""
    headers = [("host", "localhost"), *fields]
    if not any(name == "content-type" for name, _ in fields):
        headers.append(("content-type", "application/json"))
    if length is not None:
        headers.append(("content-length", str(length)))
    return Request(h11.Request(method=method, target=path, headers=headers))


async def play(
    runtime,
    path,
    body=b"",
    *scripts,
    fields=(),
    method="POST",
    kept=0,
    unreachable=(),
    capture=0,
    pieces=(),
    announced=True,
    own_keys=(),
    keys=None,
    cuts=None,
    alone=True,
):
    """Have a request answered by upstreams that follow the scripts, one for each request they get.

    kept: connections that have served before. unreachable: for each dial that fails its error, or a Silence before it
    succeeds. pieces: of an upload's body; announced: with its length. keys: further secrets by the name for the story.
    cuts: seconds -> why the exchange is cut then; deadlines that pass cut it as well. alone: no other request is under
    way, so that nothing may be held at the end.
    """
    played = Played()
    secrets = {
        target.account: target.secret.reveal().encode()
        for service in runtime.snapshot.services.values()
        for target in service.targets.values()
        if target.secret is not None
    }
    secrets.update(keys or {})
    played.pool = runtime.connections = Pool(played, list(scripts), secrets, kept=kept, unreachable=unreachable)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    played.client = client = Client(played, data, pieces)
    length = (sum(map(len, pieces)) or len(data) or None) if announced else None
    request = request_of(path, *fields, method=method, length=length)
    call = calls.call(calls.canonical(request.path), anthropic=b"anthropic-version" in request.fields)
    played.record = record = Record("req_1", time.time(), method, call.path, tries=[])
    arrival = Arrival(runtime, client, request, call, record)
    arrival.capture_limit, arrival.own_keys = capture, own_keys
    exchange = Exchange(arrival)
    async with trio.open_nursery() as nursery:
        for seconds, why in (cuts or {}).items():
            nursery.start_soon(_cut_in, client, seconds, why)
        with client.scope:
            try:
                await exchange.run()
            except RouterError as error:
                played.error = error
                if client.started:
                    record.error = error.kind
                    client.abort()
                else:
                    await refuse(arrival, error, exchange.attempt)
        nursery.cancel_scope.cancel()
    if client.scope.cancelled_caught:
        played.cut = client.reason
        await exchange.cut(client.reason)
    record.total = arrival.elapsed()
    conclude(arrival, exchange.attempt)
    played.attempt = exchange.attempt
    if alone:
        _check_nothing_is_kept(runtime, played)
    return played


async def _cut_in(client, seconds, why):
    await trio.sleep(seconds)
    client.cancel(why)


def _check_nothing_is_kept(runtime, played):
    """An exchange that is over holds no memory, no connection and no place."""
    assert runtime.memory.reserved == 0
    assert played.pool.given_back + played.pool.dropped == played.pool.lent
    for service in runtime.snapshot.services.values():
        assert (service.line.running, service.line.waiting) == (0, 0)
        assert [one.running for one in service.pool.members] == [0] * len(service.pool.members)


def on_stage(runtime, main, *, threshold=0.0):
    """Run plays on a clock that jumps, which is that of the queues too. threshold: real seconds of rest before a jump,
    for plays in which threads work."""
    clock = MockClock(autojump_threshold=threshold)
    for service in runtime.snapshot.services.values():
        service.line.clock = clock.current_time
    return trio.run(main, clock=clock)


def playing(runtime, *arguments, threshold=0.0, **options):
    """`play` on a clock that jumps."""
    return on_stage(runtime, lambda: play(runtime, *arguments, **options), threshold=threshold)
