"""Tools with a union at the root of their schema, towards providers that take an object only."""

import json
import time

import pytest

from router.ir import CallBegan, CallDelta, Ended, ToolCall, Usage
from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.neutral.tool_forms.root_unions import RootUnionFilter, unwrap_arguments, wrap_schema

from ...responses_samples import called as responses_call
from ...responses_samples import output
from ...translations import (
    DONE,
    assistant,
    call,
    calls,
    chunk,
    claude,
    context,
    event,
    events,
    gpt,
    result,
    said_arguments,
    sent,
    streamed,
    tool,
    use,
    user,
)

LOOK = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
FIND = {"type": "object", "properties": {"value": {"type": "string"}}, "required": ["value"]}
UNION = {"anyOf": [LOOK, FIND]}
WRAPPED = {"type": "object", "properties": {"value": UNION}, "required": ["value"], "additionalProperties": False}


def function(name, schema, **fields):
    return {"type": "function", "function": {"name": name, "parameters": schema, **fields}}


def flat(name, schema):
    return {"type": "function", "name": name, "parameters": schema, "strict": False}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
def test_unions_are_wrapped(keyword):
    """Anthropic takes no union at the root: it is put into a property, and that is reported."""
    made, losses = sent(gpt(user("x"), tools=[function("f", {keyword: [LOOK, FIND]})]), "chat")
    assert made["tools"][0]["input_schema"] == {**WRAPPED, "properties": {"value": {keyword: [LOOK, FIND]}}}
    assert losses == [f"tools[0].function.parameters.{keyword}=weakened"]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize("source", ["messages", "responses"])
def test_unions_are_wrapped_for_gemini(source, keyword):
    """Gemini's declarations are objects too; other Chat upstreams get the union as it is."""
    schema = {keyword: [LOOK, FIND]}
    if source == "messages":
        body = claude(user("x"), assistant([use("t1", "f", path="a")]), user([result("ok")]))
        body["tools"] = [{"name": "f", "input_schema": schema}]
    else:
        items = [{"role": "user", "content": "x"}, responses_call("t1", "f", '{"path": "a"}'), output("t1")]
        body = {"model": "x", "input": items, "tools": [flat("f", schema)]}
    made, losses = sent(body, source, "gemini", "chat")
    assert made["tools"][0]["function"]["parameters"] == WRAPPED
    [call] = next(one["tool_calls"] for one in made["messages"] if one["role"] == "assistant")
    assert json.loads(call["function"]["arguments"]) == {"value": {"path": "a"}}
    assert f"tools[0].parameters.{keyword}=weakened" in losses
    made, losses = sent(body, source, "openai", "chat")
    assert made["tools"][0]["function"]["parameters"][keyword] == [LOOK, FIND]
    assert losses == []


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_calls_of_gemini_are_unwrapped(target):
    """The caller gets the arguments as its own schema has them, streamed and whole."""
    ctx = context("gemini")
    body = {"model": "x", "max_tokens": 9, "messages": [user("x")], "tools": [{"name": "f", "input_schema": UNION}]}
    if target == "responses":
        body = {"model": "x", "input": "x", "tools": [flat("f", UNION)]}
    translate.request(json.dumps(body).encode(), target, "chat", ctx)
    ctx.request_sent = True
    pieces = [call(0, "t1", "f", '{"value": {"pa'), call(0, None, None, 'th": "a"}}')]
    data = b"".join(map(chunk, pieces)) + chunk({}, "tool_calls") + DONE
    assert "".join(read_arguments(streamed([data], "chat", ctx, target), target)) == '{"path": "a"}'
    message = {"tool_calls": [{"id": "t1", "function": {"name": "f", "arguments": '{"value": {"path": "a"}}'}}]}
    answer = {"id": "c", "choices": [{"message": message, "finish_reason": "tool_calls"}]}
    made = json.loads(translate.answer(json.dumps(answer).encode(), "chat", target, ctx, stream=False).body)
    given = made["content"][0]["input"] if target == "messages" else json.loads(made["output"][0]["arguments"])
    assert given == {"path": "a"}


def read_arguments(data, target):
    for one in events(data):
        if target == "messages" and one["type"] == "content_block_delta":
            yield one["delta"]["partial_json"]
        elif one["type"] == "response.function_call_arguments.delta":
            yield one["delta"]


SEARCHED = [
    {"type": "message", "role": "user", "content": "x"},
    {"type": "tool_search_call", "id": "ts_1", "call_id": "s1", "execution": "client", "arguments": {}},
    {"type": "tool_search_output", "call_id": "s1", "execution": "client", "tools": [flat("f", UNION)]},
]


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "x", "input": "x", "tools": [flat("f", UNION)]},
        {"model": "x", "input": SEARCHED, "tools": [{"type": "tool_search", "execution": "client"}]},
    ],
)
def test_unions_of_responses_callers(asked):
    """Also for Responses callers, and for tools that a tool search found."""
    made, losses = sent(asked, "responses", target="messages")
    found = next(one for one in made["tools"] if one["name"] == "f")
    assert found["input_schema"] == WRAPPED
    assert any(loss.endswith("parameters.anyOf=weakened") for loss in losses)


def test_calls_in_the_history_are_wrapped():
    """The history shows the model the same form that it must write; other tools keep theirs."""
    turns = calls(("t1", "f", '{"path":1.0}'), ("t2", "g", '{"value":"a"}'))
    tools = [function("f", UNION), function("g", FIND)]
    made, _ = sent(gpt(user("x"), turns, tool("t1"), tool("t2"), tools=tools), "chat")
    assert [one["input"] for one in made["messages"][1]["content"]] == [{"value": {"path": 1.0}}, {"value": "a"}]
    assert made["tools"][1]["input_schema"] == FIND


def test_references_follow_the_union():
    """Definitions stay at the root; references to places within the union get its new place."""
    schema = {"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/oneOf/0"}, {"$ref": "#"}], "$defs": {"A": LOOK}}
    made = wrap_schema(schema)
    assert made["$defs"] == {"A": LOOK}
    refs = [one["$ref"] for one in made["properties"]["value"]["oneOf"]]
    assert refs == ["#/$defs/A", "#/properties/value/oneOf/0", "#/properties/value"]
    assert schema["oneOf"][1] == {"$ref": "#/oneOf/0"}


def test_strict_unions_are_fitted():
    """A strict tool's union is wrapped first, and then closed."""
    made, _ = sent(gpt(user("x"), tools=[function("f", UNION, strict=True)]), "chat")
    assert made["tools"][0]["strict"] is True
    inner = made["tools"][0]["input_schema"]["properties"]["value"]["anyOf"]
    assert [one["additionalProperties"] for one in inner] == [False, False]


ANSWERS = [
    ("f", '{"value":{"path":"a"}}', '{"path":"a"}'),
    ("f", ' { "value" : {"value": "}{\\"", "path": [1.0]} } ', '{"value": "}{\\"", "path": [1.0]}'),
    ("f", '{"path":"a"}', '{"path":"a"}'),
    ("f", '{"value":"a"}', '{"value":"a"}'),
    ("f", '{"value":{},"path":1}', '{"value":{},"path":1}'),
    ("g", '{"value":"a"}', '{"value":"a"}'),
    ("g", '{"value":{"a":1}}', '{"value":{"a":1}}'),
]


def context_of_request():
    """The context of a request whose tool f has a union at its root, and whose tool g has none."""
    ctx = context()
    tools = [function("f", UNION), function("g", FIND)]
    translate.request(json.dumps(gpt(user("x"), tools=tools)).encode(), "chat", "messages", ctx)
    return ctx


def answer_stream(name, pieces):
    parts = (
        event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": one}) for one in pieces
    )
    block = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    return (
        event("message_start", message={"id": "msg_1", "model": "m", "usage": {}})
        + event("content_block_start", index=0, content_block=block)
        + b"".join(parts)
        + event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1})
        + event("message_stop")
    )


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("name", "given", "made"), ANSWERS)
def test_calls_of_a_stream_are_unwrapped(name, given, made, size):
    """The caller gets the arguments that its own schema describes, however the pieces are cut; a tool without a union
    keeps a parameter named value."""
    pieces = [given[at : at + size] for at in range(0, len(given), size)]
    stream = translate.Stream("messages", "chat", context_of_request())
    (arguments,) = said_arguments(stream.feed(answer_stream(name, pieces))).values()
    assert arguments.strip() == made


@pytest.mark.parametrize(("name", "given", "made"), ANSWERS)
@pytest.mark.parametrize("stream", [True, False])
def test_calls_of_a_whole_answer_are_unwrapped(name, given, made, stream):
    """The same for whole answers, also where the caller wants a stream."""
    use = {"type": "tool_use", "id": "t1", "name": name, "input": json.loads(given)}
    answer = {"id": "msg_1", "type": "message", "model": "m", "content": [use], "stop_reason": "tool_use", "usage": {}}
    body = translate.answer(json.dumps(answer).encode(), "messages", "chat", context_of_request(), stream=stream).body
    if stream:
        (arguments,) = said_arguments(body).values()
        assert events(body)
    else:
        arguments = json.loads(body)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == json.loads(made)


def test_unwrapped_calls_are_remembered():
    """What is remembered of a call has the arguments that the caller got, so that it is found again."""
    ctx = context_of_request()
    ctx.memory = ReplayMemory()
    translate.Stream("messages", "chat", ctx).feed(answer_stream("f", ['{"value":{"path":"a"}}']))
    assert ctx.memory.get(ToolCall("t1", "f", '{"path": "a"}')).arguments == '{"path":"a"}'


def test_a_call_that_is_cut_off_is_passed_on():
    """Arguments that never become whole are the caller's to see."""
    ctx = context(union_tools=frozenset(("f",)))
    made = RootUnionFilter(ctx)
    given = [CallBegan(0, "t1", "f"), CallDelta(0, '{"value":{"a'), Ended("length", Usage())]
    assert [one for event in given for one in made.apply(event)] == given


def test_parallel_calls_stay_apart():
    """Each held call is released by itself."""
    made = RootUnionFilter(context(union_tools=frozenset(("f",))))
    given = [
        CallBegan(0, "t1", "f"),
        CallBegan(1, "t2", "f"),
        CallDelta(0, '{"value":'),
        CallDelta(1, '{"value":{"b":"\\'),
        CallDelta(0, '{"a":1}}'),
        CallDelta(1, '"}"}}'),
        Ended("tool", Usage()),
    ]
    found = [one for event in given for one in made.apply(event) if isinstance(one, CallDelta)]
    assert found == [CallDelta(0, '{"a":1}'), CallDelta(1, '{"b":"\\"}"}')]


def test_long_arguments_are_read_once():
    """Holding a call costs time in proportion to its length, whatever brackets it holds."""
    made = RootUnionFilter(context(union_tools=frozenset(("f",))))
    made.apply(CallBegan(0, "t1", "f"))
    began = time.thread_time()
    made.apply(CallDelta(0, '{"value":{"a":"'))
    for _ in range(100_000):
        made.apply(CallDelta(0, "}{}}"))
    (delta,) = made.apply(CallDelta(0, '"}}'))
    assert len(delta.fragment) > 400_000
    assert time.thread_time() - began < 3


def test_what_is_no_wrapper_is_left_alone():
    """Broken arguments pass as they are."""
    assert unwrap_arguments('{"value":') == '{"value":'
    assert unwrap_arguments("") == ""
