"""OpenAI Responses through the official SDK."""

import json
from contextlib import AbstractContextManager

import httpx
import openai
import pytest

FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CUSTOM = {"type": "custom", "name": "apply_patch", "format": {"type": "text"}}


def events(http: httpx.Client, **body: object) -> list[dict]:
    text = http.post("/v1/responses", json={"model": "demo", **body, "stream": True}).text
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_echo(gpt: openai.OpenAI) -> None:
    """The answer is the input's text, with complete usage and the request's parameters."""
    answer = gpt.responses.create(model="demo", input="Hello there, demo", instructions="Echo.", temperature=0.5)
    assert (answer.output_text, answer.status) == ("Hello there, demo", "completed")
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (7, 5, 12)
    assert usage.input_tokens_details.cached_tokens == usage.output_tokens_details.reasoning_tokens == 0
    assert (answer.instructions, answer.temperature, answer.tools, answer.top_p) == ("Echo.", 0.5, [], 1.0)


def test_items(gpt: openai.OpenAI) -> None:
    """The last user message is echoed, with any items around it."""
    items = [
        {"role": "user", "content": "first"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "second"}]},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "third"}]},
        {"type": "message", "role": "developer", "content": "fourth"},
    ]
    assert gpt.responses.create(model="demo", input=items).output_text == "third"


def test_event_sequence(http: httpx.Client) -> None:
    """Every event is numbered; items and parts open before their deltas and close after them."""
    got = events(http, input="one two")
    assert [event["type"].removeprefix("response.") for event in got] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    assert {event["response"]["id"] for event in got if "response" in event} == {got[-1]["response"]["id"]}
    assert got[-1]["response"]["output"] == [got[-2]["item"]]
    assert got[-1]["response"]["usage"]["total_tokens"] == 4


def test_stream_and_whole_agree(http: httpx.Client) -> None:
    """The terminal event's response equals the unstreamed answer to the same request, except for the ids."""
    whole = http.post("/v1/responses", json={"model": "demo", "input": "one two"}).json()
    streamed = events(http, input="one two")[-1]["response"]
    whole["id"], whole["output"][0]["id"] = streamed["id"], streamed["output"][0]["id"]
    assert whole == streamed


def test_stream_helper(gpt: openai.OpenAI) -> None:
    """The SDK's stream helper assembles the response."""
    with gpt.responses.stream(model="demo", input="a b c") as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        answer = stream.get_final_response()
    assert words == ["a ", "b ", "c"]
    assert answer.output_text == "a b c"


@pytest.mark.parametrize("stream", [False, True])
def test_tool_round(gpt: openai.OpenAI, stream: bool) -> None:
    """demo-tools calls the first tool with fitting arguments, and quotes its result."""
    body = {"model": "demo-tools", "tools": [{"type": "web_search"}, FUNCTION], "input": "Weather?"}
    if stream:
        with gpt.responses.stream(**body) as streamed:
            [call] = streamed.get_final_response().output
    else:
        [call] = gpt.responses.create(**body).output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Turin"})
    items = [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"},
    ]
    last = gpt.responses.create(model="demo-tools", input=items, tools=[FUNCTION])
    assert last.output_text == "The tool returned: 21 degrees"


def test_custom_tool(gpt: openai.OpenAI, http: httpx.Client) -> None:
    """A custom tool is called with the user's text, whole and streamed."""
    [call] = gpt.responses.create(model="demo-tools", input="patch it", tools=[CUSTOM]).output
    assert (call.type, call.name, call.input) == ("custom_tool_call", "apply_patch", "patch it")
    got = events(http, model="demo-tools", input="patch it", tools=[CUSTOM])
    assert "".join(event["delta"] for event in got if "delta" in event) == "patch it"
    assert got[-1]["response"]["output"][0]["input"] == "patch it"


def test_structured_output(gpt: openai.OpenAI) -> None:
    """An answer in a wanted format is JSON that fits it."""
    wanted = {"type": "json_schema", "name": "answer", "schema": {"properties": {"n": {"type": "number"}}}}
    assert gpt.responses.create(model="demo", input="?", text={"format": wanted}).output_text == '{"n":1}'


def test_input_tokens(http: httpx.Client) -> None:
    """input_tokens answers the number that the same request reports as input_tokens."""
    body = {"model": "demo", "input": "Hello", "instructions": "Be brief.", "tools": [FUNCTION]}
    counted = http.post("/v1/responses/input_tokens", json=body).json()
    answered = http.post("/v1/responses", json=body).json()["usage"]
    assert counted == {"object": "response.input_tokens", "input_tokens": answered["input_tokens"]}


def test_cut(gpt: openai.OpenAI, broken_off: AbstractContextManager) -> None:
    """demo-cut breaks off after some words, before any terminal event."""
    with pytest.raises(openai.APIConnectionError):
        gpt.responses.create(model="demo-cut", input="one two three four")
    seen = []
    with broken_off:
        seen.extend(gpt.responses.create(model="demo-cut", input="one two three four", stream=True))
    assert not any(event.type == "response.completed" for event in seen)
