"""Twice as much in an answer or a request costs no more than about twice the work.

Work is counted as the lines and calls that Python runs, which is the same each time, and not as time.
"""

import functools
import json
import sys

import pytest

from router.ir import Searched
from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.conversation.search_memory import SearchMemory
from router.wire.searching import SearchingStream

from .kinds import chat_pieces as chat
from .messages_samples import stream as messages_stream
from .messages_samples import whole as messages_whole
from .responses_samples import (
    LOOK,
    added,
    began,
    call_item,
    called,
    done,
    ended,
    frames,
    gpt5,
    on,
    output,
    reasoning_item,
    say,
    shell,
    text_item,
)
from .translations import TOOL, assistant, claude, context, gpt, result, tool, use, user

TARGETS = ("messages", "chat", "responses")
LITTLE = 120
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def count_work(run):
    """How many lines and calls of Python a function runs."""
    counted = 0

    def trace(frame, event, argument):
        nonlocal counted
        counted += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return counted


def page(at):
    return f"https://a.example/{at}"


def searched(at, *pages):
    """The blocks of a web search in Messages."""
    call = {"type": "server_tool_use", "id": f"s{at}", "name": "web_search", "input": {"query": f"q{at}"}}
    found = [{"type": "web_search_result", "url": one, "title": "a", "encrypted_content": "e"} for one in pages]
    return [call, {"type": "web_search_tool_result", "tool_use_id": f"s{at}", "content": found}]


# Answers: of each the streams and the whole answers with `count` of something. A stream is a list of events.


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
    yield "calls", chat.stream(*({"tool_calls": [one]} for one in look)), chat.whole({"tool_calls": look})
    yield "calls of one id", chat.stream(*({"tool_calls": [one]} for one in same)), chat.whole({"tool_calls": same})
    yield "calls without ids", chat.stream(*({"tool_calls": [one]} for one in bare)), chat.whole({"tool_calls": bare})
    pieces = [{"tool_calls": [chat.entry(None, index=0, arguments="a")]}] * count
    yield "fragments", chat.stream({"tool_calls": look[:1]}, *pieces), None
    mixed = [{"tool_calls": [chat.entry(None, index=at, arguments=" ")]} for at in range(count)]
    yield "mixed calls", chat.stream({"tool_calls": look}, *mixed, *mixed), None
    yield (
        "choices",
        b"".join(chat.chunk(one) for one in several) + chat.DONE,
        chat.whole(*({"tool_calls": [one]} for one in look)),
    )
    yield "choices in a chunk", chat.chunk(*several) + chat.DONE, None
    yield (
        "annotations",
        chat.stream({"content": "So."}, *({"annotations": [one]} for one in notes)),
        chat.whole({"content": "So.", "annotations": notes}),
    )
    yield (
        "texts with annotations",
        chat.stream(*({"content": "So.", "annotations": [one]} for one in notes)),
        None,
    )
    yield (
        "sources",
        chat.stream({"content": "So."}, *([{"content": "a"}] * 3), citations=[page(at) for at in range(count)]),
        chat.whole({"content": "So."}, citations=[page(at) for at in range(count)]),
    )
    yield (
        "log probabilities",
        b"".join(chat.chunk(chat.part({"content": "a"}, logprobs={"content": [token]})) for _ in range(count))
        + chat.chunk(chat.part({}, "stop"))
        + chat.DONE,
        chat.whole({"content": "a" * count}, choice={"logprobs": {"content": [token] * count}}),
    )
    yield (
        "reasoning details",
        chat.stream(*({"reasoning_details": [one]} for one in details), {"content": "So."}),
        chat.whole({"reasoning_details": details, "content": "So."}),
    )
    turns = [{"reasoning_content": "a"}, {"content": "b"}] * count
    yield "reasoning in turns", chat.stream(*turns), None
    yield "parts", chat.stream(*({"content": [one]} for one in parts)), chat.whole({"content": parts})
    yield "refusals", chat.stream(*[{"refusal": "a"}] * count), None
    unknown = {f"field_{at}": 1 for at in range(count)}
    yield "unknown fields", chat.stream({"content": "a"}, unknown), chat.whole({"content": "a", **unknown})


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
        yield name, messages_stream(*found), json.dumps(messages_whole(*found)).encode()
    data = split(messages_stream(texts[0], use("t", at=1)))
    [text] = [one for one in data if b"text_delta" in one]
    piece = next(one for one in data if b"input_json_delta" in one)
    for name, one in (("pieces of text", text), ("fragments", piece)):
        at = data.index(one)
        yield name, b"".join([*data[:at], *[one] * count, *data[at + 1 :]]), None


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
        sent = [event for item in found for event in item]
        made = [event["item"] for event in sent if event["type"] == "response.output_item.done"]
        yield name, frames(*began(), *sent, ended()), json.dumps(shell("completed", made)).encode()
        if len(found) > 1:
            yield f"{name} in the last event too", frames(*began(), *sent, ended(output=made)), None
            nowhere = [{key: value for key, value in one.items() if key != "output_index"} for one in sent]
            yield f"{name} without an index", frames(*began(), *nowhere, ended(output=made)), None
            yield f"{name} at one index", frames(*began(), *({**one, "output_index": 0} for one in sent), ended()), None
            yield f"{name} only in the last event", frames(*began(), ended(output=made)), None
    mixed = [event for at in range(count) for event in call_item(at, f"c{at}", "look", "{}")]
    mixed.sort(key=lambda one: one["type"])
    yield "mixed calls", frames(*began(), *mixed, ended()), None
    told = [on("output_text.annotation.added", 0, content_index=0, annotation_index=0, annotation=one) for one in cites]
    text = [added(0, "message", role="assistant", content=[]), on("output_text.delta", 0, content_index=0, delta="a")]
    yield "annotations of events", frames(*began(), *text, *told, ended()), None


ANSWERS = {"chat": of_chat, "messages": of_messages, "responses": of_responses}


def asked(source):
    ctx = context(memory=ReplayMemory(), logprobs=True, request_sent=True)
    ctx.declared_tools = frozenset(("look",))
    return ctx


@functools.cache
def answers(source, count):
    """By name: the stream and the whole answer, None without one."""
    return {name: (data, whole) for name, data, whole in ANSWERS[source](count)}


def named(source, whole):
    return [name for name, (_, complete) in answers(source, 2).items() if complete is not None or not whole]


def run_stream(source, target, data):
    stream = translate.Stream(source, target, asked(source))
    for event in data:
        stream.feed(event)
    stream.end()
    assert not stream.failed


def run_whole(source, target, data, *, stream):
    assert translate.answer(data, source, target, asked(source), stream=stream).status == 200


STREAMS = [
    (source, target, name)
    for source in ANSWERS
    for target in TARGETS
    if target != source
    for name in named(source, whole=False)
]
WHOLES = [
    (source, target, name)
    for source in ANSWERS
    for target in TARGETS
    if target != source
    for name in named(source, whole=True)
]


def check_growth(run, make):
    """Fail if twice as much costs three times the work. make: builds the data of a size."""
    little, much = make(LITTLE), make(2 * LITTLE)
    less, more = count_work(lambda: run(little)), count_work(lambda: run(much))
    assert more < 2.5 * less, f"{less} lines, and {more} for twice as much"


@pytest.mark.parametrize(("source", "target", "name"), STREAMS)
def test_a_stream(source, target, name):
    """A stream costs work in proportion to what it holds."""
    check_growth(lambda data: run_stream(source, target, data), lambda count: split(answers(source, count)[name][0]))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "replayed"])
@pytest.mark.parametrize(("source", "target", "name"), WHOLES)
def test_a_whole_answer(source, target, name, stream):
    """A whole answer costs work in proportion to what it holds."""
    check_growth(
        lambda data: run_whole(source, target, data, stream=stream), lambda count: answers(source, count)[name][1]
    )


# Requests, with `count` of something.


def schema_of(count):
    names = [f"a{at}" for at in range(count)]
    inner = {"type": "object", "properties": {name: {"type": "integer", "minimum": 1} for name in names}}
    return {**inner, "required": names, "additionalProperties": False}


def referring(count):
    defs = {f"d{at}": {"type": "object", "properties": {"b": {"$ref": f"#/$defs/d{at + 1}"}}} for at in range(count)}
    return {**schema_of(count), "$defs": {**defs, f"d{count}": {"type": "string"}}}


def from_chat(count):
    go, mark = user("go"), {"cache_control": {"type": "ephemeral"}}
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}} for at in range(count)
    ]
    same = [{**one, "id": "c"} for one in calls]
    results = [tool(one["id"]) for one in calls]
    part = {"type": "text", "text": "a"}
    tools = [{"type": "function", "function": {**FUNCTION["function"], "name": f"f{at}"}} for at in range(count)]
    thought = {"type": "reasoning.text", "text": "a", "format": "f", "signature": "s"}
    tall = {"type": "function", "function": {"name": "f", "parameters": schema_of(count), "strict": True}}
    shape = {"type": "json_schema", "json_schema": {"name": "o", "schema": referring(count), "strict": True}}
    union = {"type": "function", "function": {"name": "f", "parameters": {"anyOf": [schema_of(1)] * count}}}
    yield "turns", gpt(go, *[assistant("a"), user("b")] * count)
    yield "messages of one role", gpt(*[go] * count)
    yield "system messages", gpt(*[{"role": "system", "content": "a"}] * count, go)
    yield "late system messages", gpt(go, *[{"role": "system", "content": "a"}, go] * count)
    yield "parts", gpt(user([part] * count))
    yield "marks", gpt(user([{**part, **mark}] * count))
    yield "marks of messages", gpt(*[user([{**part, **mark}]), assistant("a")] * count, go)
    yield "calls", gpt(go, assistant(None, tool_calls=calls), *results)
    yield "calls of one id", gpt(go, assistant(None, tool_calls=same), *[tool("c")] * count)
    yield "calls of one id in turns", gpt(go, *[assistant(None, tool_calls=same[:1]), tool("c")] * count)
    yield "calls without results", gpt(go, assistant(None, tool_calls=calls), go)
    yield "results without calls", gpt(go, assistant("a"), *results, go)
    yield "results of one call", gpt(go, assistant(None, tool_calls=same[:1]), *[tool("c")] * count)
    yield "tools", gpt(go, tools=tools)
    yield "properties", gpt(go, tools=[tall])
    yield "definitions", gpt(go, response_format=shape)
    yield "unions", gpt(go, tools=[union])
    yield "reasoning", gpt(go, *[assistant("a", reasoning_content="a", reasoning_details=[thought]), go] * count)
    yield "entries of reasoning", gpt(go, assistant("a", reasoning_details=[thought] * count), go)
    yield "unknown fields", gpt({**go, **{f"x{at}": 1 for at in range(count)}}, **{f"x{at}": 1 for at in range(count)})


def from_messages(count):
    go, mark = user("go"), {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "a"}
    calls, results = [use(f"t{at}") for at in range(count)], [result("ok", f"t{at}") for at in range(count)]
    tools = [{**TOOL, "name": f"f{at}"} for at in range(count)]
    thought = {"type": "thinking", "thinking": "a", "signature": "s"}
    shape = {"format": {"type": "json_schema", "schema": referring(count)}}
    yield "turns", claude(go, *[assistant("a"), user("b")] * count)
    yield "parts", claude(user([text] * count))
    yield "marks", claude(user([{**text, **mark}] * count))
    yield "system texts", claude(go, system=[text] * count)
    yield "system messages", claude(go, *[{"role": "system", "content": "a"}, go] * count)
    yield "calls", claude(go, assistant(calls), user(results))
    yield "calls of one id", claude(go, assistant([use("t")] * count), user([result("ok", "t")] * count))
    yield "calls in turns", claude(go, *[assistant([use("t")]), user([result("ok", "t")])] * count)
    yield "calls without results", claude(go, assistant(calls), go)
    yield "results without calls", claude(go, assistant("a"), user(results))
    yield "parts of a result", claude(go, assistant([use("t")]), user([result([text] * count, "t")]))
    yield "tools", claude(go, tools=tools)
    yield "calls of tools", claude(go, assistant(calls), user(results), tools=tools)
    yield "definitions", claude(go, output_config=shape)
    yield "properties", claude(go, tools=[{**TOOL, "strict": True, "input_schema": schema_of(count)}])
    yield "reasoning", claude(go, *[assistant([thought, text]), go] * count)
    yield "reasoning of a turn", claude(go, assistant([*[thought] * count, text]), go)
    told = [searched(at, page(at)) for at in range(count)]
    yield "searches", claude(go, *[one for blocks in told for one in (assistant([*blocks, text]), go)])
    yield "searches of a turn", claude(go, assistant([*[one for blocks in told for one in blocks], text]), go)
    yield "pages of a search", claude(go, assistant([*searched(0, *map(page, range(count))), text]), go)
    yield "text between calls", claude(go, assistant([one for call in calls for one in (text, call)]), user(results))


def from_responses(count):
    go, part = say("user", "go"), {"type": "input_text", "text": "a"}
    calls, results = [called(f"c{at}") for at in range(count)], [output(f"c{at}") for at in range(count)]
    pairs = [one for pair in zip(calls, results, strict=True) for one in pair]
    thought = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}]}
    summary = [{"type": "summary_text", "text": "a"}] * count
    tools = [{**LOOK, "name": f"f{at}"} for at in range(count)]
    found = {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": tools}
    shape = {"type": "json_schema", "name": "o", "schema": referring(count), "strict": True}
    yield "turns", gpt5(go, *[say("assistant", "a"), go] * count)
    yield "messages of one role", gpt5(*[go] * count)
    yield "answers of one turn", gpt5(go, *[say("assistant", "a")] * count, go)
    yield "system messages", gpt5(go, *[say("system", "a"), go] * count)
    yield "parts", gpt5(say("user", [part] * count))
    yield "calls", gpt5(go, *calls, *results)
    yield "calls of one id", gpt5(go, *[called()] * count, *[output()] * count)
    yield "calls with their results", gpt5(go, *pairs)
    yield "calls of one id in turns", gpt5(go, *[called(), output()] * count)
    yield "calls without results", gpt5(go, *calls, go)
    yield "results without calls", gpt5(go, *results)
    yield "results without ids", gpt5(go, *[output(None)] * count)
    yield "reasoning", gpt5(go, *[thought, say("assistant", "a"), go] * count)
    yield "parts of a summary", gpt5(go, {**thought, "summary": summary}, say("assistant", "a"), go)
    yield "tools", gpt5(go, tools=tools)
    yield "namespaces", gpt5(go, tools=[{"type": "namespace", "name": one["name"], "tools": [LOOK]} for one in tools])
    yield "tools that were found", gpt5(go, {**found, "type": "tool_search_call", "arguments": {}}, found, go)
    yield "searches", gpt5(go, *[{"type": "web_search_call", "action": {"type": "search", "query": "a"}}] * count, go)
    sources = [{"type": "url", "url": page(at)} for at in range(count)]
    action = {"type": "search", "query": "a", "sources": sources}
    yield "pages of a search", gpt5(go, {"type": "web_search_call", "action": action}, go)
    yield "unknown items", gpt5(go, *[{"type": "agent_message", "content": [part]}] * count, go)
    yield "definitions", gpt5(go, text={"format": shape})


REQUESTS = {"chat": from_chat, "messages": from_messages, "responses": from_responses}
VENDORS = {"messages": ("anthropic",), "chat": ("", "openai", "mistral", "openrouter", "gemini"), "responses": ("",)}
ASKED = [
    (source, target, name)
    for source, make in REQUESTS.items()
    for target in TARGETS
    if target != source
    for name, _ in make(1)
]


@functools.cache
def requests(source, count):
    return {name: json.dumps(body).encode() for name, body in REQUESTS[source](count)}


@pytest.mark.parametrize(("source", "target", "name"), ASKED)
def test_a_request(source, target, name):
    """A request costs work in proportion to what it holds, whoever the provider is."""
    for vendor in VENDORS[target]:
        model = "claude-opus-5" if target == "messages" else "m"

        def run(body, vendor=vendor, model=model):
            translate.request(body, source, target, context(vendor, model=model, memory=ReplayMemory()))

        check_growth(run, lambda count: requests(source, count)[name])


def searching(count, memory):
    """A request that offers a search fairlead makes, whose history has searches beside the client's own calls."""
    look = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    offer = {"type": "web_search_20250305", "name": "web_search"}
    turns = []
    for at in range(count):
        memory.put("web_search", (f"c{at}",), {f"s{at}": "q"}, {f"s{at}": "found"})
        turns += [assistant([use(f"c{at}")]), user([result("ok", f"c{at}")])]
    return json.dumps(claude(user("go"), *turns, tools=[look, offer])).encode()


def test_a_history_with_searches_of_fairlead():
    """They are put back into the conversation at once."""

    def make(count):
        memory = SearchMemory()
        return searching(count, memory), memory

    def run(made):
        ctx = context(searches_itself=True, search_memory=made[1])
        sent = json.loads(translate.request(made[0], "messages", "chat", ctx).body)
        assert sum(one["role"] == "tool" for one in sent["messages"]) == 2 * (len(made[1]))

    check_growth(run, make)


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_rounds_of_an_answer(target):
    """Texts, calls and fragments of a round whose model searches."""

    def make(count):
        look = [chat.entry(("look", {"at": at}), f"c{at}", at) for at in range(count)]
        find = chat.entry(("web_search", {}), "s", count)
        pieces = [{"tool_calls": [chat.entry(None, index=count, arguments=" ")]}] * count
        texts = [{"content": "a"}] * count
        return split(chat.stream(*texts, *({"tool_calls": [one]} for one in look), {"tool_calls": [find]}, *pieces))

    def run(data):
        ctx = asked("chat")
        stream = SearchingStream("chat", target, ctx)
        for event in data:
            stream.feed(event)
        stream.end()
        assert stream.due is not None
        stream.resume([Searched(("q",), ())], goes_on=False)
        assert not stream.failed

    check_growth(run, make)
