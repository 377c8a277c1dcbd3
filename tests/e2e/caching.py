"""Requests that may be answered from the cache of answers, and what is said of them."""

import json

from ..commands import run_in_home
from .upstream import plain, stream

ON = '[models."model-a".cache]\nttl = "1h"\n'
PRICES = '[prices."model-a"]\ninput = 1000\noutput = 1000\n'
HI = [{"role": "user", "content": "hi"}]
TURNS = {
    "messages": {"max_tokens": 9, "messages": HI},
    "chat": {"messages": HI},
    "responses": {"input": "hi", "store": False},
}


def body(protocol, *, streams=False, **fields):
    """A request that may be answered from the cache."""
    turn = {"model": "model-a", "temperature": 0, **TURNS[protocol.name], **fields}
    return json.dumps({**turn, "stream": True} if streams else turn).encode()


def sample(protocol, *, streams=False):
    """What an upstream answers."""
    return stream(protocol.events) if streams else plain(protocol.whole)


def said(answer):
    """What the answer says of the cache."""
    return (answer.field(b"x-fairlead-cache") or b"").decode()


def state(answer):
    """`hit`, `miss`, or '' for a request that the cache was not asked for."""
    return said(answer).partition(";")[0]


def run(proxy, *command):
    """What a command in the proxy's home prints."""
    done = run_in_home(proxy.folder / "home", *command)
    assert done.code == 0, done.err
    return done.out.decode()


def history(proxy):
    """The recorded requests, the oldest first."""
    run(proxy, "why", "-")  # the last one is written then
    return [json.loads(line) for line in run(proxy, "history", "export").splitlines()]


def operator(proxy):
    """The header that operator endpoints ask for."""
    return b"Authorization", b"Bearer " + (proxy.folder / "home" / "operator.token").read_bytes().strip()
