"""Whole exchanges between a scripted upstream and a recording client, without sockets, processes and waiting.

Each backend has two accounts, a0 and a1. What a0 answers is scripted; a1 has a good answer.
"""

import json
from typing import NamedTuple

from router.backends import Account
from router.policy.accounts.session_affinity import SessionAffinity

from ..answers import GOOD, PATHS
from ..upstream.runtimes import backend
from .playbook import play
from .upstreams import answer as script_of

PROTOCOLS = ("messages", "chat", "responses")
JSON = (b"content-type", b"application/json")


class Answer(NamedTuple):
    """What an account answers."""

    status: int
    fields: tuple
    body: bytes


class Outcome(NamedTuple):
    """The outcome of a request. tries: (account, status, error, done, note). closed: seconds for which a0 is closed
    to the model that was asked for, to the nearest ten above twenty. rooms: what a0's answer told of its limits. shown:
    status and body for the client.
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
        """All but the client's answer, which depends on its protocol."""
        return self[:-1]


def good(protocol):
    return Answer(200, (JSON,), json.dumps(GOOD[protocol]).encode())


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


async def tried(runtime, caller, spoken, answer, *, stream=False, second=None):
    """Have a request of `caller`'s protocol answered by a backend that speaks `spoken`."""
    pool = runtime.snapshot.services[spoken].pool
    pool.affinity = SessionAffinity()
    for member in pool.members:
        member.__init__(member.alias, member.fingerprint)
        member.settle()
    scripts = [script_of(one.status, *one.fields, body=one.body) for one in (answer, second or good(spoken))]
    played = await play(runtime, PATHS[caller], asks(caller, spoken, stream=stream), *scripts)
    record = played.record
    now = runtime.snapshot.services[spoken].queue.clock()
    member = pool.members[0]
    closed = max(0.0, member.until("", "m") - now)
    return Outcome(
        tuple((one.account, one.status, one.error, one.done, one.note) for one in record.tries),
        member.state(now),
        round(closed, -1) if closed > 20 else round(closed),
        member.rejections,
        member.faults,
        tuple((one.limit.name, round(one.limit.used, 2)) for one in member.headroom.readings(now)),
        record.error,
        (played.status, played.got),
    )
