"""What the translation's tests share: a context that gives the same ids every time, and a few ways to run one."""

import itertools
import json

from router.wire import translate
from router.wire.carrier import Seal, signer
from router.wire.context import Context
from router.wire.profiles import profile_of

OTHER = {"messages": "chat", "chat": "messages"}


def context(vendor="", *, model="m", policy="warn", **fields):
    numbers = itertools.count(1)
    return Context(
        now=1,
        new_id=lambda: f"{next(numbers):024x}",
        profile=profile_of(vendor),
        upstream="up",
        model=model,
        shown="asked",
        policy=policy,
        seal=Seal(signer(b"key"), "up", model),
        **fields,
    )


def sent(body, source, vendor="", **fields):
    """The translated request as JSON, and its losses as texts."""
    ctx = context(vendor, **fields)
    made = translate.request(json.dumps(body).encode(), source, OTHER[source], ctx)
    return json.loads(made.body), [f"{loss.path}={loss.how}" for loss in ctx.losses]


def streamed(pieces, source, ctx=None):
    """A stream's bytes in the other protocol; pieces: the upstream's bytes as they came in."""
    from router.wire.sse import Splitter

    stream = translate.Stream(source, OTHER[source], ctx or context())
    splitter = Splitter()
    out = []
    for piece in pieces:
        batch = splitter.feed(piece)
        if batch:
            out.append(stream.feed(batch))
    tail = splitter.tail
    if tail.strip() and translate.is_whole(tail):
        out.append(stream.feed(tail + b"\n\n"))
    return b"".join(out) + stream.end()


def events(data):
    """The data of each event, decoded."""
    return [json.loads(payload) for _, payload in translate.payloads(data) if payload != b"[DONE]"]


def chunk(delta, finish=None, **beside):
    """One chunk of a Chat stream."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "c1", "model": "m", "choices": choices, **beside}).encode() + b"\n\n"


def event(kind, **fields):
    """One event of a Messages stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def call(index=None, call_id=None, name=None, arguments=None):
    """A Chat delta with one part of a tool call; None: the field is absent."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    entry = {"index": index, "id": call_id, "function": function}
    return {"tool_calls": [{key: value for key, value in entry.items() if value is not None}]}


DONE = b"data: [DONE]\n\n"
