"""Hostile inputs: what an upstream answers, and what a client asks, to hold up everybody else."""

import functools
import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable

from ..e2e.upstream import chunk, plain, stream_head

MIB = 1 << 20
ASKED = {"messages": [{"role": "user", "content": "go"}], "max_tokens": 64}
#: Backends by name, with the protocols that they speak.
BACKENDS = {"chat": ("chat",), "messages": ("messages",), "responses": ("responses",)}
_LOOK = {"name": "look", "input_schema": {"type": "object"}}


# What an upstream sends


def event(value):
    """One event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(given, finish=None):
    """One chunk of a Chat stream."""
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": given, "finish_reason": finish}]}


def call(at, arguments="{}"):
    """One whole call of Chat."""
    return {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": "look", "arguments": arguments}}


DONE = event(delta({}, "tool_calls")) + b"data: [DONE]\n\n"


def whole_of(message):
    """A whole Chat answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()


def calls_of(size):
    """So many bytes of calls."""
    count = size // 105
    return whole_of({"content": None, "tool_calls": [call(at) for at in range(count)]})


def streamed(data):
    """Bytes as an event stream."""
    return stream_head() + chunk(data) + b"0\r\n\r\n"


def stream_of_calls(count, first="{}"):
    """A Chat stream of calls, each in a chunk of its own."""
    found = [event(delta({"tool_calls": [call(0, first)]}))]
    found += [event(delta({"tool_calls": [call(at)]})) for at in range(1, count)]
    return streamed(b"".join(found) + DONE)


def html(title, size):
    """An error page."""
    page = (b"<html><head>" + title * size)[:size]
    return plain(page, b"400 Bad Request", kind=b"text/html")


def slowly(data, pieces, every):
    """A step that sends an event without its end, then single bytes of it."""

    def step(sock):
        sock.sendall(stream_head() + chunk(data))
        for _ in range(pieces):
            sock.sendall(chunk(b"a"))
            time.sleep(every)
        sock.sendall(chunk(b'"}}]}\n\n' + DONE) + b"0\r\n\r\n")

    return step


def coded(data, *, stream):
    """A gzip answer."""
    body = gzip.compress(data, 6)
    fields = ((b"Content-Encoding", b"gzip"),)
    if stream:
        return stream_head(*fields) + chunk(body) + b"0\r\n\r\n"
    return plain(body, b"200 OK", *fields)


# Cases: what is asked, once the upstream has its script


def answered(make, **asked):
    """A case in which the upstream answers with some bytes."""

    def run(world):
        steps = _prepared(make)
        world.up.default = steps if isinstance(steps, tuple) else (steps,)
        return world.ask(**{"model": "chat:model-a", **asked})

    return run


@functools.cache
def _prepared(make):
    return make()


def together(count, make, **asked):
    """As `answered`, so many at once."""
    one = answered(make, **asked)

    def run(world):
        _prepared(make)
        found = []
        threads = [threading.Thread(target=lambda: found.append(one(world))) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found[0]

    return run


def asking(make, path="/v1/messages", *fields):
    """A case of a hostile request."""

    def run(world):
        world.up.default = (plain(whole_of({"content": "ok"})),)
        return world.send(path, _prepared(make), (b"x-api-key", b"k"), *fields)

    return run


def turn_of_calls(count):
    """A request with one turn of calls."""
    uses = [{"type": "tool_use", "id": f"t{at}", "name": "look", "input": {}} for at in range(count)]
    results = [{"type": "tool_result", "tool_use_id": f"t{at}", "content": "ok"} for at in range(count)]
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": results},
    ]
    return json.dumps({"model": "chat:model-a", "max_tokens": 64, "tools": [_LOOK], "messages": messages}).encode()


def distinct_members():
    """12 MB of gzip with 5.8 million different members."""
    coder = zlib.compressobj(6, wbits=31)
    parts = [coder.compress(b"{")]
    for at in range(0, 5_800_000, 100_000):
        parts.append(coder.compress(b"".join(b'"%x":1,' % one for one in range(at, at + 100_000))))
    return b"".join([*parts, coder.compress(b'"model":"chat:model-a"}'), coder.flush()])


def same_member():
    """29 KiB or so of gzip with one member 3.5 million times."""
    body = b'{"model":"chat:model-a"' + b',"a":1' * 3_500_000 + b"}"
    return gzip.compress(gzip.compress(body))


def nested_files(size):
    """Nested lists of file ids, with a known id behind them."""
    opened = b'{"file_ids":['
    count = size // (len(opened) + 2)
    body = opened * count + b"1" + b"]}" * count
    return b'{"model":"chat:model-a","messages":[{"role":"user","content":"go"}],"x":' + body + b"}"


def wide(size):
    """Numerous small parts of one message of an answer."""
    return whole_of({"content": [{"type": "text", "text": "a"}] * (size // 29)})


def probable(tokens):
    """An answer with 20 log probabilities for each token."""
    one = {"token": " word", "logprob": -1.25, "bytes": [32, 119, 111, 114, 100]}
    entry = json.dumps({**one, "top_logprobs": [one] * 20}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "stop"}
    made = json.dumps({"id": "c", "model": "m", "choices": [{**choice, "logprobs": {"content": ["HERE"]}}]}).encode()
    return made.replace(b'"HERE"', b",".join([entry] * tokens))


def large_event(*, line_end=b"\n", blanks=b"", ended=True):
    """A Chat stream with one event of 31 MiB. blanks: around its data. ended: False when its blank line is missing, and
    everything behind it."""
    data = b"data: " + blanks + json.dumps(delta({"content": "a" * (31 * MIB)}, "stop")).encode() + blanks
    return streamed((data + b"\n\n" + DONE).replace(b"\n", line_end) if ended else data)


def short_lines(size):
    """A Chat stream with one event of numerous lines."""
    line = b"data: 1,\n"
    text = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"x":[\n' + line * (size // len(line))
    return streamed(text + b"data: 1]}\n\n" + DONE)


def pieces_of_text(size):
    """A Chat stream of single letters."""
    one = event(delta({"content": "a"}))
    return streamed(one * (size // len(one)) + event(delta({}, "stop")) + b"data: [DONE]\n\n")


GZIP = (b"Content-Encoding", b"gzip")
CASES: dict[str, Callable[[object], int | None]] = {
    "nothing": lambda world: time.sleep(1),
    "error page: title without end, 150 KiB": answered(lambda: html(b"<title>", 150 << 10)),
    "error page: title without end, 1 MiB": answered(lambda: html(b"<title>", MIB)),
    "error page: title tag without end, 1 MiB": answered(lambda: html(b"<title", MIB)),
    "error page of a passed request, 1 MiB": answered(lambda: html(b"<title>", MIB), model="messages:model-a"),
    "whole answer of calls, 1 MiB": answered(lambda: plain(calls_of(MIB - 5000))),
    "whole answer of calls, 2 MiB": answered(lambda: plain(calls_of(2 * MIB))),
    "whole answer of calls, 4 MiB": answered(lambda: plain(calls_of(4 * MIB))),
    "whole answer of calls, 60 MiB": answered(lambda: plain(calls_of(60 * MIB))),
    "whole answer of parts, 1 MiB": answered(lambda: plain(wide(MIB - 5000))),
    "whole answer of parts, 8 MiB": answered(lambda: plain(wide(8 * MIB))),
    "whole answer of text, 15 MiB": answered(lambda: plain(whole_of({"content": "a" * (15 * MIB)}))),
    "whole answer with 640,000 log probabilities": answered(
        lambda: plain(probable(32_000)),
        path="/v1/responses",
        include=["message.output_text.logprobs"],
        top_logprobs=20,
    ),
    "16 whole answers of text, 7.9 MiB": together(16, lambda: plain(whole_of({"content": "a" * 7_900_000}))),
    "stream of 8,000 calls": answered(lambda: stream_of_calls(8000), stream=True),
    "stream of 32,000 calls": answered(lambda: stream_of_calls(32000), stream=True),
    "stream of 32,000 calls, to Responses": answered(lambda: stream_of_calls(32000), stream=True, path="/v1/responses"),
    "4 MiB of open arguments, then 3,000 calls": answered(
        lambda: stream_of_calls(3000, '{"a": "' + "b" * (4 * MIB)), stream=True
    ),
    "4 streams of 7.9 MB, then a byte a ms": together(
        4,
        lambda: (slowly(b'data: {"id":"c","choices":[{"delta":{"content":"' + b"a" * 7_900_000, 2000, 0.001),),
        stream=True,
    ),
    "4 passed streams of 7.9 MB, then a byte a ms": together(
        4,
        lambda: (slowly(b'data: {"id":"c","choices":[{"delta":{"content":"' + b"a" * 7_900_000, 2000, 0.001),),
        stream=True,
        path="/v1/chat/completions",
    ),
    "one event of 31 MiB": answered(lambda: streamed(event(delta({"content": "a" * (31 * MIB)})) + DONE), stream=True),
    "one event of 31 MiB, passed": answered(
        lambda: streamed(event(delta({"content": "a" * (31 * MIB)})) + DONE), stream=True, path="/v1/chat/completions"
    ),
    "one event of 31 MiB with CR LF, passed": answered(
        lambda: large_event(line_end=b"\r\n"), stream=True, path="/v1/chat/completions"
    ),
    "one event of 31 MiB with blanks around it": answered(lambda: large_event(blanks=b" \t"), stream=True),
    "one event of 31 MiB without its blank line": answered(lambda: large_event(ended=False), stream=True),
    "one event of 31 MiB without its blank line, passed": answered(
        lambda: large_event(ended=False), stream=True, path="/v1/chat/completions"
    ),
    "one event of 31 MiB in short lines, passed": answered(
        lambda: short_lines(31 * MIB), stream=True, path="/v1/chat/completions"
    ),
    "stream of 8 MiB in single letters": answered(lambda: pieces_of_text(8 * MIB), stream=True),
    "4 streams of 8 MiB in single letters": together(4, lambda: pieces_of_text(8 * MIB), stream=True),
    "coded stream that inflates to 200 MiB of comments": answered(
        lambda: coded(b": a\n\n" * (40 * MIB), stream=True), stream=True
    ),
    "coded stream that inflates to 60 MiB of events": answered(
        lambda: coded(event(delta({"content": "a"})) * 550_000, stream=True), stream=True
    ),
    "coded stream that inflates to 60 MiB of events, passed": answered(
        lambda: coded(event(delta({"content": "a"})) * 550_000, stream=True), stream=True, path="/v1/chat/completions"
    ),
    "coded whole answer of 60 MiB": answered(lambda: coded(whole_of({"content": "a" * (60 * MIB)}), stream=False)),
    "coded whole answer of 7 MiB, passed": answered(
        lambda: coded(whole_of({"content": "a" * (7 * MIB)}), stream=False), path="/v1/chat/completions"
    ),
    "request: one turn of 12,000 calls": asking(lambda: turn_of_calls(12000)),
    "request: one turn of 100,000 calls": asking(lambda: turn_of_calls(100_000)),
    "request: 5.8 million members in gzip": asking(distinct_members, "/v1/messages", GZIP),
    "request: one member 3.5 million times in gzip": asking(
        same_member, "/v1/messages", (b"Content-Encoding", b"gzip, gzip")
    ),
    "request: 8 MB of nested file ids": asking(lambda: nested_files(8_000_000), "/v1/chat/completions"),
    "request: 200 KiB of backslashes": asking(
        lambda: b'{"model":"chat:model-a","messages":[{"role":"user","content":["' + b"\\" * 204_800 + b'"]}]}',
        "/v1/chat/completions",
    ),
}
