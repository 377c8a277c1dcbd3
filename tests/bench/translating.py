"""What a translation costs: CPU per event of a burst and per agent request, and how late its first byte is."""

import contextlib
import itertools
import json
import time

import bodies
import load
import programs

from router.wire import protocols, translate
from router.wire.conversation.replay_memory import RecordedCall, ReplayMemory
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import find_profile
from router.wire.raw import sse
from router.wire.tap import Tap

_EVENTS = 5000
_READ = 16384
# As full of calls as that of a proxy that ran for a while, those of the request among them.
_MEMORY = ReplayMemory()
for number in range(4096):
    _MEMORY.put(RecordedCall(f"t{number}", '{"p0": "x"}'))
#: From one protocol to another, all ways.
WAYS = tuple(itertools.permutations(("messages", "chat", "responses"), 2))


def _context():
    numbers = itertools.count()
    profile = find_profile("openai", "gpt-5")
    return Context(
        now=1,
        new_id=lambda: f"{next(numbers):024x}",
        profile=profile,
        model="claude-opus-5",
        shown_model="m",
        memory=_MEMORY,
    )


def _stream(protocol):
    """A burst of short text deltas, as providers write them."""
    if protocol == "chat":
        beside = {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "system_fingerprint": "fp_1",
        }
        deltas = [{"role": "assistant"}, *({"content": f"word{at} "} for at in range(_EVENTS))]
        chunks = [{**beside, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        return b"".join(sse.frame(json.dumps(one, separators=(",", ":")).encode()) for one in chunks)
    if protocol == "responses":
        return _items()
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}}
    opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    text = [{"type": "text_delta", "text": f"word{at} "} for at in range(_EVENTS)]
    deltas = [{"type": "content_block_delta", "index": 0, "delta": one} for one in text]
    found = [start, opened, *deltas]
    return b"".join(sse.frame(json.dumps(one, separators=(",", ":")).encode(), one["type"]) for one in found)


def _items():
    """The same as a Responses stream."""
    where = {"item_id": "msg_0123456789abcdef", "output_index": 0}
    item = {"id": where["item_id"], "type": "message", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    found = [
        {"type": "response.created", "response": {"id": "resp_1", "model": "m", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "content_index": 0, "part": part},
    ]
    delta = {"type": "response.output_text.delta", **where, "content_index": 0, "logprobs": [], "obfuscation": "xYz12"}
    found += [{**delta, "delta": f"word{at} "} for at in range(_EVENTS)]
    numbered = [{**one, "sequence_number": at} for at, one in enumerate(found)]
    return b"".join(sse.frame(json.dumps(one, separators=(",", ":")).encode(), one["type"]) for one in numbered)


def per_event(protocol, other):
    """Seconds of CPU for one event, from the upstream's bytes to the client's, with the tap that reads beside."""
    data, best = _stream(protocol), float("inf")
    for _ in range(5):
        stream = translate.Stream(protocol, other, _context())
        tap = Tap(protocols.BY_NAME[other].dialect, hide_usage=True)
        before, after = sse.Splitter(), sse.Splitter()
        begun = time.process_time()
        for at in range(0, len(data), _READ):
            tap.read(after.feed(stream.feed(before.feed(data[at : at + _READ]))))
        best = min(best, time.process_time() - begun)
    return best / _EVENTS


def agent_request():
    """A Messages request of 120 KB: 41 messages, 25 tools."""
    fields = {f"p{at}": {"type": "string", "description": "x" * 40} for at in range(10)}
    schema = {"type": "object", "properties": fields, "required": ["p0"]}
    tools = [{"name": f"tool_{at}", "description": "d" * 1400, "input_schema": schema} for at in range(25)]
    turns = []
    for at in range(10):
        use = {"type": "tool_use", "id": f"t{at}", "name": "tool_1", "input": {"p0": "v" * 300}}
        result = {"type": "tool_result", "tool_use_id": f"t{at}", "content": [{"type": "text", "text": "r" * 3000}]}
        turns += [{"role": "user", "content": "u" * 900}, {"role": "assistant", "content": [use]}]
        turns += [{"role": "user", "content": [result]}, {"role": "assistant", "content": "a" * 500}]
    turns.append({"role": "user", "content": "go"})
    body = {"model": "m", "max_tokens": 1000, "system": "s" * 9000, "messages": turns, "tools": tools, "stream": True}
    return json.dumps(body).encode()


def per_request(protocol, other):
    """Seconds of CPU for one agent request."""
    body, best = agent_request(), float("inf")
    if protocol != "messages":
        body = translate.request(body, "messages", protocol, _context()).body
    for _ in range(50):
        ctx = _context()
        begun = time.process_time()
        translate.request(body, protocol, other, ctx)
        best = min(best, time.process_time() - begun)
    return best


def first_byte(site, direct, rounds, count):
    """How many seconds later than a client of the upstream that of a translated stream has its first byte.

    One figure a round, of `count` streams each. site, direct: the upstream, and its program.
    """
    body = bodies.small(bodies.behave("late"), stream=True)
    added = []
    with programs.fairlead(site, protocols=["messages"]) as relay, contextlib.ExitStack() as stack:
        plain, translated, ticker = (
            stack.enter_context(load.connected(one.port))[0] for one in (direct, relay, direct)
        )
        ours, theirs = load.request(relay.port, body, b"/v1/chat/completions"), load.request(direct.port, body)
        load.late(translated, ticker, ours, 20)
        for _ in range(rounds):
            base = load.late(plain, ticker, theirs, count, opening=b"message_start")
            mine = load.late(translated, ticker, ours, count)
            added.append(load.percentile(mine, 50) - load.percentile(base, 50))
    return added
