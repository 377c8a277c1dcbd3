"""Helpers for tests of translations: a context with repeatable ids, and functions that run a translation."""

import itertools
import json

from router.wire import translate
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import find_profile
from router.wire.raw.sse import Splitter

OTHER = {"messages": "chat", "chat": "messages"}


def context(vendor="", *, model="m", policy="warn", **fields):
    numbers = itertools.count(1)
    return Context(
        now=1,
        new_id=lambda: f"{next(numbers):024x}",
        profile=find_profile(vendor, model),
        upstream="up",
        model=model,
        shown_model="asked",
        policy=policy,
        sealer=StateSealer(make_signer(b"key"), "up", model),
        **fields,
    )


def sent(body, source, vendor="", target=None, **fields):
    """The translated request as JSON, and its losses as texts."""
    ctx = context(vendor, **fields)
    made = translate.request(json.dumps(body).encode(), source, target or OTHER[source], ctx)
    return json.loads(made.body), [f"{loss.path}={loss.how}" for loss in ctx.losses]


def streamed(pieces, source, ctx=None, target=None):
    """A stream's bytes in the other protocol; pieces: the upstream's bytes as they came in."""
    return _translated(*_batches(pieces), source, ctx, target)


def check_cuts(cuts, source, wanted, target=None):
    """Assert that each of the ways to cut a stream into pieces gives the same bytes. A translation sees of a cut only
    which events are complete together, so each such grouping is translated once."""
    for found in dict.fromkeys(map(_batches, cuts)):
        assert _translated(*found, source, None, target) == wanted


def _batches(pieces):
    """The events that each piece completes, and what is held at the end."""
    splitter = Splitter()
    found = [splitter.feed(piece) for piece in pieces]
    return tuple(filter(None, found)), splitter.tail


def _translated(batches, tail, source, ctx, target):
    stream = translate.Stream(source, target or OTHER[source], ctx or context())
    out = [stream.feed(batch) for batch in batches]
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

PNG = "iVBORw0KGgo="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}


def claude(*messages, **fields):
    return {"model": "x", "max_tokens": 50, "messages": list(messages), **fields}


def gpt(*messages, **fields):
    return {"model": "x", "messages": list(messages), **fields}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **fields):
    return {"role": "assistant", "content": content, **fields}


def use(call_id="t1", name="look", **given):
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(content, call_id="t1", **fields):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


def calls(*entries, content=None):
    tool_calls = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in entries]
    return assistant(content, tool_calls=tool_calls)


def tool(call_id, content="ok"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def chat_messages(*messages, vendor="", **fields):
    made, losses = sent(claude(*messages, **fields), "messages", vendor)
    return made["messages"], losses


def claude_messages(*messages, model="m", **fields):
    made, losses = sent(gpt(*messages, **fields), "chat", model=model)
    return made["messages"], losses


TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


def blocks(data):
    """The content blocks of a Messages stream, put together."""
    found = []
    for one in events(data):
        if one["type"] == "content_block_start":
            found.append(one["content_block"] | {"json": ""})
        elif one["type"] == "content_block_delta":
            delta = one["delta"]
            found[-1]["json"] += delta.get("partial_json", "")
            for name in ("text", "thinking", "signature"):
                if name in delta:
                    found[-1][name] += delta[name]
    return found


def reason(data):
    """The stop reason and what follows it."""
    return next(one["delta"] for one in events(data) if one["type"] == "message_delta")


def said_arguments(data):
    found = {}
    for one in events(data):
        for part in one["choices"][0]["delta"].get("tool_calls", ()) if one["choices"] else ():
            found[part["index"]] = found.get(part["index"], "") + part["function"]["arguments"]
    return found
