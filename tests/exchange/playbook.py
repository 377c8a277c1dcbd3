"""Whole exchanges without sockets: a scripted upstream, a recording client, and the events of both.

An upstream's connection is a byte script, so that what goes upstream is seen as the peer would read it; the client's is
a recorder. `Played.story` is the exchange as a table, in the order in which things happened:

    > a0 POST /v1/chat/completions     a request that went upstream, by the account whose key it carried
    < 429                              the head of what the upstream answered
    = 200 application/json             the head of what the client got; `+` and its body or events follow in `got`
    ! reset                            a connection that broke; `! unreachable` is one that never came about

Times are those of a clock that jumps. However an exchange ends, `play` checks that it kept nothing: no memory, no place
in a queue, no connection.
"""

import json
import time

import h11
import trio
from trio.testing import MockClock

from router.errors import RouterError
from router.exchange.client_response.head import refuse
from router.exchange.conclusion import conclude
from router.exchange.context import Arrival
from router.exchange.exchange import Exchange
from router.net.server.connection import Request
from router.net.server.limits import Limits
from router.telemetry.accesslog import RequestRecord
from router.wire import calls

from .upstreams import Pool


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

    def set_deadline(self, seconds, why, *, now=None):
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
        self._played.reason = bytes(reason)
        self._played.head = [(bytes(name), bytes(value)) for name, value in _pairs(headers)]
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

    def close_unended(self):
        self.closed = True

    def abort(self):
        self.aborted = True


def _pairs(headers):
    raw = getattr(headers, "_full_items", headers)
    return [(line[-2], line[-1]) if len(line) > 2 else line for line in raw]


class Played:
    """The outcome of an exchange."""

    def __init__(self):
        self.story = []
        self.sent = []
        self.status = 0
        self.reason = b""
        self.head = []
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
    call = calls.call(calls.canonical(request.path), request.fields)
    played.record = record = RequestRecord("req_1", time.time(), method, call.path, tries=[])
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
        assert (service.queue.running, service.queue.waiting) == (0, 0)
        assert [one.running for one in service.pool.members] == [0] * len(service.pool.members)


#: Real seconds of rest before the clock jumps. With none, trio asks for the next event again and again while a thread
#: reads or writes, and takes a whole processor from it.
REST = 0.001


def on_stage(runtime, main, *, threshold=REST):
    """Run plays on a clock that jumps, which is that of the queues too. threshold: real seconds of rest before a jump;
    longer for plays in which threads work beside deadlines."""
    clock = MockClock(autojump_threshold=threshold)
    for service in runtime.snapshot.services.values():
        service.queue.clock = clock.current_time
    return trio.run(main, clock=clock)


def playing(runtime, *arguments, threshold=REST, **options):
    """`play` on a clock that jumps."""
    return on_stage(runtime, lambda: play(runtime, *arguments, **options), threshold=threshold)
