"""OpenAI Chat Completions, the old completions, embeddings and models through the official SDK."""

import base64
import json
import struct
from contextlib import AbstractContextManager

import httpx
import openai
import pytest

FUNCTION = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CUSTOM = {"type": "custom", "custom": {"name": "shout", "format": {"type": "text"}}}


def ask(text: object, **fields: object) -> dict:
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}


def chunks(http: httpx.Client, path: str, body: dict) -> list[dict]:
    lines = http.post(path, json={**body, "stream": True}).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def test_echo(gpt: openai.OpenAI) -> None:
    """The answer is the last user message, with complete usage."""
    answer = gpt.chat.completions.create(**ask("Hello there, demo"))
    assert answer.choices[0].message.content == "Hello there, demo"
    assert answer.choices[0].finish_reason == "stop"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (5, 5, 10)
    assert usage.prompt_tokens_details.cached_tokens == usage.completion_tokens_details.reasoning_tokens == 0


def test_stream(http: httpx.Client) -> None:
    """One role, the words, one finish_reason, then [DONE]; no usage unless it is asked for."""
    got = chunks(http, "/v1/chat/completions", ask("one two"))
    deltas = [chunk["choices"][0]["delta"] for chunk in got]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "one "},
        {"content": "two"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None, None, None, "stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in got}) == 1
    assert not any("usage" in chunk for chunk in got)


def test_stream_usage(http: httpx.Client) -> None:
    """With include_usage the last chunk has usage and no choices, and all others have it null."""
    *others, last = chunks(http, "/v1/chat/completions", ask("one two", stream_options={"include_usage": True}))
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in others)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 4


def test_stream_helper(gpt: openai.OpenAI) -> None:
    """The SDK's stream helper assembles the text and the usage."""
    with gpt.chat.completions.stream(**ask("a b c", stream_options={"include_usage": True})) as stream:
        words = [event.delta for event in stream if event.type == "content.delta"]
        answer = stream.get_final_completion()
    assert words == ["", "a ", "b ", "c"]
    assert (answer.choices[0].message.content, answer.usage.completion_tokens) == ("a b c", 2)


def test_tool_round(gpt: openai.OpenAI) -> None:
    """demo-tools calls the first tool with fitting arguments, and quotes its results."""
    first = gpt.chat.completions.create(**ask("Weather?", model="demo-tools", tools=[FUNCTION]))
    message = first.choices[0].message
    [call] = message.tool_calls
    assert (message.content, first.choices[0].finish_reason) == (None, "tool_calls")
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Turin"})
    turns = [
        {"role": "user", "content": "Weather?"},
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
        {"role": "tool", "tool_call_id": "x", "content": [{"type": "text", "text": "dry"}]},
    ]
    last = gpt.chat.completions.create(model="demo-tools", messages=turns, tools=[FUNCTION])
    assert last.choices[0].message.content == "The tool returned: 21 degrees\ndry"


def test_tool_stream(gpt: openai.OpenAI, http: httpx.Client) -> None:
    """A streamed call names itself once, in its first delta, and joins to the same arguments."""
    body = ask("Weather?", model="demo-tools", tools=[FUNCTION])
    with gpt.chat.completions.stream(**body) as stream:
        answer = stream.get_final_completion()
    assert json.loads(answer.choices[0].message.tool_calls[0].function.arguments) == {"city": "Turin"}
    first, *others = (chunk["choices"][0]["delta"] for chunk in chunks(http, "/v1/chat/completions", body))
    assert first["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": ""}
    assert all(set(call) == {"index", "function"} for delta in others for call in delta.get("tool_calls", ()))


def test_custom_tool(gpt: openai.OpenAI, http: httpx.Client) -> None:
    """A custom tool is called with the user's text, whole and streamed."""
    body = ask("louder, please", model="demo-tools", tools=[CUSTOM])
    [call] = gpt.chat.completions.create(**body).choices[0].message.tool_calls
    assert (call.type, call.custom.name, call.custom.input) == ("custom", "shout", "louder, please")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(http, "/v1/chat/completions", body)]
    text = "".join(call["custom"]["input"] for delta in deltas for call in delta.get("tool_calls", ()))
    assert text == "louder, please"


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "get_weather"),
        ("none", None),
        ({"type": "custom", "custom": {"name": "shout"}}, "shout"),
    ],
)
def test_tool_choice(http: httpx.Client, choice: object, name: str | None) -> None:
    """tool_choice picks the tool or forbids all."""
    body = ask("hi", model="demo-tools", tools=[FUNCTION, CUSTOM], tool_choice=choice)
    message = http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
    calls = message.get("tool_calls", [])
    assert [call[call["type"]]["name"] for call in calls] == ([name] if name else [])


def test_json_formats(gpt: openai.OpenAI) -> None:
    """An answer in a wanted format is JSON that fits it."""
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    for response_format, answer in ((wanted, '{"sure":false}'), ({"type": "json_object"}, "{}")):
        got = gpt.chat.completions.create(**ask("?", response_format=response_format))
        assert got.choices[0].message.content == answer


@pytest.mark.parametrize(
    ("model", "error", "status", "kind", "code"),
    [
        ("demo-429", openai.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded"),
        ("demo-500", openai.InternalServerError, 500, "server_error", None),
        ("demo-529", openai.InternalServerError, 503, "server_error", "overloaded"),
    ],
)
def test_errors(gpt: openai.OpenAI, model: str, error: type, status: int, kind: str, code: str | None) -> None:
    """The failing models answer with OpenAI's status, type and code on all of its endpoints."""
    calls = (
        lambda: gpt.chat.completions.create(**ask("hi", model=model)),
        lambda: gpt.chat.completions.create(**ask("hi", model=model), stream=True),
        lambda: gpt.responses.create(model=model, input="hi"),
        lambda: gpt.responses.create(model=model, input="hi", stream=True),
        lambda: gpt.embeddings.create(model=model, input="hi"),
        lambda: gpt.completions.create(model=model, prompt="hi"),
    )
    for call in calls:
        with pytest.raises(error) as caught:
            call()
        assert (caught.value.status_code, caught.value.type, caught.value.code) == (status, kind, code)
        assert caught.value.response.headers.get("retry-after") == ("1" if status == 429 else None)


def test_cut(gpt: openai.OpenAI, broken_off: AbstractContextManager) -> None:
    """demo-cut breaks off after some words, with no finish_reason."""
    with pytest.raises(openai.APIConnectionError):
        gpt.chat.completions.create(**ask("one two three four", model="demo-cut"))
    seen = []
    with broken_off:
        seen.extend(gpt.chat.completions.create(**ask("one two three four", model="demo-cut"), stream=True))
    assert not any(chunk.choices[0].finish_reason for chunk in seen)


def test_completions(gpt: openai.OpenAI) -> None:
    """The old endpoint answers each prompt with a choice of its own, streamed or not."""
    answer = gpt.completions.create(model="demo", prompt=["a b", "c"])
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "a b"), (1, "c")]
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == 4
    options = {"include_usage": True}
    *others, last = gpt.completions.create(model="demo", prompt="a b", stream=True, stream_options=options)
    assert [chunk.choices[0].text for chunk in others] == ["a ", "b", ""]
    assert others[-1].choices[0].finish_reason == "stop"
    assert (last.choices, last.usage.total_tokens) == ([], 2)


@pytest.mark.parametrize("given", ["hello", ["hello", "world"], [1, 2, 3], [[1, 2], [3]]])
def test_embeddings(gpt: openai.OpenAI, http: httpx.Client, given: object) -> None:
    """Floats and base64 carry the same unit vectors, in the order of the inputs."""
    floats = gpt.embeddings.create(model="demo", input=given, encoding_format="float", dimensions=32)
    coded = http.post(
        "/v1/embeddings", json={"model": "demo", "input": given, "encoding_format": "base64", "dimensions": 32}
    ).json()
    for index, (one, other) in enumerate(zip(floats.data, coded["data"], strict=True)):
        unpacked = struct.unpack("<32f", base64.b64decode(other["embedding"]))
        assert (one.index, one.embedding) == (index, pytest.approx(unpacked, rel=1e-6))
        assert sum(number * number for number in unpacked) == pytest.approx(1, abs=1e-5)
    assert len({tuple(one.embedding) for one in floats.data}) == len(floats.data)
    assert floats.usage.prompt_tokens == floats.usage.total_tokens > 0


def test_embeddings_default(gpt: openai.OpenAI) -> None:
    """The SDK's default, which asks for base64 itself, yields floats."""
    assert len(gpt.embeddings.create(model="demo", input="hello").data[0].embedding) == 256


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": []},
        {"input": 3},
        {"input": ["a", 1]},
        {"input": ["a"] * 2049},
        {"input": "a", "dimensions": 0},
        {"input": "a", "dimensions": True},
        {"input": "a", "encoding_format": "hex"},
    ],
)
def test_embeddings_refused(http: httpx.Client, body: dict) -> None:
    """A wrong input, dimension or encoding is a 400."""
    assert http.post("/v1/embeddings", json=body).status_code == 400


def test_models(gpt: openai.OpenAI) -> None:
    """The list of models has OpenAI's shape for OpenAI's client."""
    listed = gpt.models.list().data
    assert [model.id for model in listed][:2] == ["demo", "demo-tools"]
    assert {(model.object, model.owned_by) for model in listed} == {("model", "fairlead")}
    assert gpt.models.retrieve("demo-slow").id == "demo-slow"
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.models.retrieve("gone")
    assert caught.value.code == "model_not_found"
