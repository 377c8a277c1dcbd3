"""Answers with a given number of calls, texts, citations and so on, as streams and whole, in each protocol."""

import functools
import json

from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory

from .kinds import chat_pieces as chat
from .messages_samples import stream as messages_stream
from .messages_samples import whole as messages_whole
from .responses_samples import (
    added,
    began,
    call_item,
    done,
    ended,
    frames,
    on,
    reasoning_item,
    shell,
    text_item,
)
from .translations import context, use

TARGETS = ("messages", "chat", "responses", "gemini")


def page(at):
    return f"https://a.example/{at}"


def searched(at, *pages):
    """The blocks of a web search in Messages."""
    call = {"type": "server_tool_use", "id": f"s{at}", "name": "web_search", "input": {"query": f"q{at}"}}
    found = [{"type": "web_search_result", "url": one, "title": "a", "encrypted_content": "e"} for one in pages]
    return [call, {"type": "web_search_tool_result", "tool_use_id": f"s{at}", "content": found}]


def encoded(*blocks):
    return json.dumps(messages_whole(*blocks)).encode()


# Answers: of each the streams and the whole answers with `count` of something, as functions that make their bytes.


def split(data):
    return [one + b"\n\n" for one in data.split(b"\n\n") if one]


def of_chat(count):
    look = [chat.entry(("look", {"at": at}), f"call_{at}", at) for at in range(count)]
    same = [chat.entry(("look", {"at": at}), "same", 0) for at in range(count)]
    bare = [chat.entry(("look", {"at": at})) for at in range(count)]
    notes = [chat.cite(page(at), start_index=0, end_index=2) for at in range(count)]
    token = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    thought = {"type": "reasoning.text", "text": "a", "format": "f"}
    details = [{**thought, "index": at, "signature": f"s{at}"} for at in range(count)]
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}, {"type": "text", "text": "b"}] * count
    several = [chat.part({"tool_calls": [one]}, "tool_calls", at) for at, one in enumerate(look)]
    yield (
        "calls",
        lambda: chat.stream(*({"tool_calls": [one]} for one in look)),
        lambda: chat.whole({"tool_calls": look}),
    )
    yield (
        "calls of one id",
        lambda: chat.stream(*({"tool_calls": [one]} for one in same)),
        lambda: chat.whole({"tool_calls": same}),
    )
    yield (
        "calls without ids",
        lambda: chat.stream(*({"tool_calls": [one]} for one in bare)),
        lambda: chat.whole({"tool_calls": bare}),
    )
    pieces = [{"tool_calls": [chat.entry(None, index=0, arguments="a")]}] * count
    yield "fragments", lambda: chat.stream({"tool_calls": look[:1]}, *pieces), None
    mixed = [{"tool_calls": [chat.entry(None, index=at, arguments=" ")]} for at in range(count)]
    yield "mixed calls", lambda: chat.stream({"tool_calls": look}, *mixed, *mixed), None
    yield (
        "choices",
        lambda: b"".join(chat.chunk(one) for one in several) + chat.DONE,
        lambda: chat.whole(*({"tool_calls": [one]} for one in look)),
    )
    yield "choices in a chunk", lambda: chat.chunk(*several) + chat.DONE, None
    yield (
        "annotations",
        lambda: chat.stream({"content": "So."}, *({"annotations": [one]} for one in notes)),
        lambda: chat.whole({"content": "So.", "annotations": notes}),
    )
    yield (
        "texts with annotations",
        lambda: chat.stream(*({"content": "So.", "annotations": [one]} for one in notes)),
        None,
    )
    yield (
        "sources",
        lambda: chat.stream({"content": "So."}, *([{"content": "a"}] * 3), citations=[page(at) for at in range(count)]),
        lambda: chat.whole({"content": "So."}, citations=[page(at) for at in range(count)]),
    )
    likely = [chat.part({"content": "a"}, logprobs={"content": [token]})] * count
    yield (
        "log probabilities",
        lambda: b"".join(map(chat.chunk, [*likely, chat.part({}, "stop")])) + chat.DONE,
        lambda: chat.whole({"content": "a" * count}, choice={"logprobs": {"content": [token] * count}}),
    )
    yield (
        "reasoning details",
        lambda: chat.stream(*({"reasoning_details": [one]} for one in details), {"content": "So."}),
        lambda: chat.whole({"reasoning_details": details, "content": "So."}),
    )
    turns = [{"reasoning_content": "a"}, {"content": "b"}] * count
    yield "reasoning in turns", lambda: chat.stream(*turns), None
    yield "parts", lambda: chat.stream(*({"content": [one]} for one in parts)), lambda: chat.whole({"content": parts})
    yield "refusals", lambda: chat.stream(*[{"refusal": "a"}] * count), None
    unknown = {f"field_{at}": 1 for at in range(count)}
    yield (
        "unknown fields",
        lambda: chat.stream({"content": "a"}, unknown),
        lambda: chat.whole({"content": "a", **unknown}),
    )


def of_messages(count):
    texts = [{"type": "text", "text": "a"}] * count
    cites = [{"type": "web_search_result_location", "url": page(at), "cited_text": "a"} for at in range(count)]
    blocks = {
        "texts": texts,
        "calls": [use(f"t{at}", at=at) for at in range(count)],
        "calls of one id": [use("same", at=at) for at in range(count)],
        "citations": [{"type": "text", "text": "a", "citations": cites}],
        "cited texts": [{"type": "text", "text": "a", "citations": [one]} for one in cites],
        "reasoning": [{"type": "thinking", "thinking": "a", "signature": f"s{at}"} for at in range(count)],
        "opaque reasoning": [{"type": "redacted_thinking", "data": "a"}] * count,
        "server calls": [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"a": 1}}] * count,
        "reasoning in turns": [{"type": "thinking", "thinking": "a", "signature": "s"}, texts[0], use("t")] * count,
        "searches": [one for at in range(count) for one in searched(at, page(at))],
        "pages of a search": [*searched(0, *map(page, range(count))), *texts[:1]],
    }
    for name, found in blocks.items():
        yield name, functools.partial(messages_stream, *found), functools.partial(encoded, *found)
    data = split(messages_stream(texts[0], use("t", at=1)))
    [text] = [one for one in data if b"text_delta" in one]
    piece = next(one for one in data if b"input_json_delta" in one)
    for name, one in (("pieces of text", text), ("fragments", piece)):
        at = data.index(one)
        yield name, functools.partial(b"".join, [*data[:at], *[one] * count, *data[at + 1 :]]), None


def forms_of(name, found):
    """The same items as events, in the last event, and with indexes that are missing or equal."""
    sent = [event for item in found for event in item]
    made = [event["item"] for event in sent if event["type"] == "response.output_item.done"]

    def with_index(**fields):
        bare = ({key: value for key, value in one.items() if key != "output_index"} for one in sent)
        return frames(*began(), *({**one, **fields} for one in bare), ended(output=() if fields else made))

    yield name, lambda: frames(*began(), *sent, ended()), lambda: json.dumps(shell("completed", made)).encode()
    if len(found) > 1:
        yield f"{name} in the last event too", lambda: frames(*began(), *sent, ended(output=made)), None
        yield f"{name} without an index", with_index, None
        yield f"{name} at one index", lambda: with_index(output_index=0), None
        yield f"{name} only in the last event", lambda: frames(*began(), ended(output=made)), None


def of_responses(count):
    cites = [{"type": "url_citation", "url": page(at), "start_index": 0, "end_index": 1} for at in range(count)]
    sources = [{"type": "url", "url": page(at)} for at in range(count)]
    token = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    part = {"type": "output_text", "text": "a", "annotations": []}
    items = {
        "texts": [text_item(at, "a") for at in range(count)],
        "pieces of text": [text_item(0, *["a"] * count)],
        "calls": [call_item(at, f"c{at}", "look", "{", "}") for at in range(count)],
        "calls of one id": [call_item(at, "same", "look", "{}") for at in range(count)],
        "fragments": [call_item(0, "c", "look", "{", *[" "] * count, "}")],
        "reasoning": [reasoning_item(at, "a", proof=f"p{at}") for at in range(count)],
        "parts of a summary": [reasoning_item(0, *["a"] * count)],
        "searches": [[done(at, "web_search_call", action={"type": "search"})] for at in range(count)],
        "pages of a search": [[done(0, "web_search_call", action={"type": "search", "sources": sources})]],
        "parts": [[done(0, "message", role="assistant", content=[part] * count)]],
        "parts with annotations": [
            [done(0, "message", role="assistant", content=[{**part, "annotations": [one]} for one in cites])]
        ],
        "annotations": [[done(0, "message", role="assistant", content=[{**part, "annotations": cites}])]],
        "log probabilities": [[done(0, "message", role="assistant", content=[{**part, "logprobs": [token] * count}])]],
    }
    for name, found in items.items():
        yield from forms_of(name, found)
    mixed = [event for at in range(count) for event in call_item(at, f"c{at}", "look", "{}")]
    mixed.sort(key=lambda one: one["type"])
    yield "mixed calls", lambda: frames(*began(), *mixed, ended()), None
    told = [on("output_text.annotation.added", 0, content_index=0, annotation_index=0, annotation=one) for one in cites]
    text = [added(0, "message", role="assistant", content=[]), on("output_text.delta", 0, content_index=0, delta="a")]
    yield "annotations of events", lambda: frames(*began(), *text, *told, ended()), None


ANSWERS = {"chat": of_chat, "messages": of_messages, "responses": of_responses}


def asked(source):
    ctx = context(memory=ReplayMemory(), logprobs=True, request_sent=True)
    ctx.declared_tools = frozenset(("look",))
    return ctx


@functools.cache
def names_of(source):
    """Name -> whether there is a whole answer beside the stream."""
    return {name: whole is not None for name, _, whole in ANSWERS[source](2)}


def answer_of(source, name, count, *, whole=False):
    """The whole answer of that name with so many of something, or the stream as a list of events."""
    for found, make_stream, make_whole in ANSWERS[source](count):
        if found == name:
            return make_whole() if whole else split(make_stream())
    raise KeyError(name)


def run_stream(source, target, data):
    stream = translate.Stream(source, target, asked(source))
    for event in data:
        stream.feed(event)
    stream.end()
    assert not stream.failed


def run_whole(source, target, data, *, stream):
    assert translate.answer(data, source, target, asked(source), stream=stream).status == 200
