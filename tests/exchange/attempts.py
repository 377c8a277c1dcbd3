"""Whole exchanges between a scripted upstream and a client that only listens: without sockets, processes and waiting.

Each backend has two accounts, a0 and a1. What a0 answers is scripted; a1 has a good answer.
"""

import json
import time
from typing import NamedTuple

import h11

from router.backends import Account
from router.errors import RouterError
from router.exchange.client_response.head import refuse
from router.exchange.conclusion import conclude
from router.exchange.context import Arrival
from router.exchange.exchange import Exchange
from router.exchange.request import send as request_send
from router.net.client.exchange import Exchange as Upstream
from router.net.server.connection import Request
from router.policy.accounts.session_affinity import Bindings
from router.telemetry.accesslog import Record
from router.wire import calls

from ..upstream.runtimes import backend

PROTOCOLS = ("messages", "chat", "responses")
PATHS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}
JSON = (b"content-type", b"application/json")
GOOD = {
    "messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "good"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
    "chat": {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "good"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    },
    "responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "good", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
    },
}


class Answer(NamedTuple):
    """What an account answers."""

    status: int
    fields: tuple
    body: bytes


class Outcome(NamedTuple):
    """What became of a request. tries: (account, status, error, done, note). closed: seconds for which a0 is closed,
    to the nearest ten above twenty. rooms: what a0's answer told of its limits. shown: status and body for the client.
    """

    tries: tuple
    state: str
    closed: int
    refusals: int
    faults: int
    rooms: tuple
    error: str
    shown: tuple

    @property
    def verdict(self):
        """All but what the client got, which depends on its protocol."""
        return self[:-1]


def good(protocol):
    return Answer(200, (JSON,), json.dumps(GOOD[protocol]).encode())


class Scripted(Upstream):
    """An upstream exchange whose answer is known."""

    __slots__ = ("_body",)

    def __init__(self, answer):
        super().__init__(None, None)
        self.status, self.reason = answer.status, b"Said"
        self.lines = [(name, name, value) for name, value in answer.fields]
        self.fields = dict(answer.fields)
        self._body = answer.body

    async def send(self, *_):
        pass

    async def head(self):
        pass

    async def read(self):
        if self._unread:
            return await super().read()
        body, self._body, self._ended = self._body, b"", True
        return [body] if body else []


class Connection:
    """A client's connection; it keeps the whole answer."""

    def __init__(self, body):
        self._body = body
        self.started = False
        self.got = None

    async def body(self, _limit, hold):
        hold(len(self._body))
        return self._body

    async def respond(self, status, _headers, body, _reason=b""):
        self.started = True
        self.got = (status, bytes(body))

    def head(self, status, _headers, _reason=b""):
        self.started = True
        self.got = (status, b"")
        return []

    def data(self, batch):
        return [batch]

    def end(self):
        return []

    def write_now(self, parts):
        self.got = (self.got[0], self.got[1] + b"".join(parts))
        return b""

    async def write(self, parts):
        self.write_now(parts)

    def deadline(self, *_):
        pass


def two_accounts():
    """A backend for each protocol, by its name."""
    accounts = tuple(Account(f"a{number}", f"sk-account-{number}-0123456789") for number in range(2))
    return [backend(name, key="", protocols=(name,), accounts=accounts) for name in PROTOCOLS]


def asks(caller, spoken, *, stream):
    """The body of a request."""
    said = (
        {"input": "hi", "store": False} if caller == "responses" else {"messages": [{"role": "user", "content": "hi"}]}
    )
    limit = {"max_tokens": 9} if caller == "messages" else {}
    return json.dumps({"model": f"{spoken}:m", "stream": stream, **limit, **said}).encode()


async def tried(runtime, monkeypatch, caller, spoken, answer, *, stream=False, second=None):
    """Have a request of `caller`'s protocol answered by a backend that speaks `spoken`."""
    pool = runtime.snapshot.services[spoken].pool
    pool.bindings = Bindings()
    for member in pool.members:
        member.__init__(member.alias, member.fingerprint)
        member.settle()
    answers = {"a0": answer, "a1": second or good(spoken)}

    async def acquire(attempt, *_, **__):
        attempt.upstream = Scripted(answers[attempt.target.account])
        return attempt.upstream

    monkeypatch.setattr(request_send, "_acquire_connection", acquire)
    connection = Connection(asks(caller, spoken, stream=stream))
    headers = [("host", "localhost"), ("content-type", "application/json"), ("content-length", "1")]
    request = Request(h11.Request(method="POST", target=PATHS[caller], headers=headers))
    call = calls.call(PATHS[caller], anthropic=False)
    record = Record("req_1", time.time(), "POST", call.path, tries=[])
    arrival = Arrival(runtime, connection, request, call, record)
    exchange = Exchange(arrival)
    try:
        await exchange.run()
    except RouterError as error:
        await refuse(arrival, error, exchange.attempt)
    conclude(arrival, exchange.attempt)
    now = runtime.snapshot.services[spoken].line.clock()
    member = pool.members[0]
    closed = max(0.0, member.closed - now)
    return Outcome(
        tuple((one.account, one.status, one.error, one.done, one.note) for one in record.tries),
        member.state(now),
        round(closed, -1) if closed > 20 else round(closed),
        member.refusals,
        member.faults,
        tuple((one.limit.name, round(one.limit.used, 2)) for one in member.headroom.readings(now)),
        record.error,
        connection.got,
    )
