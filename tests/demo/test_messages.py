"""Anthropic Messages through the official SDK."""

import json
from contextlib import AbstractContextManager

import anthropic
import httpx
import pytest
from anthropic import beta_tool

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(text: object, **fields: object) -> dict:
    return {"model": "demo", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


def events(http: httpx.Client, body: dict) -> list[dict]:
    answer = http.post("/v1/messages", json={**body, "stream": True})
    found = []
    for block in answer.text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_echo(claude: anthropic.Anthropic) -> None:
    """The answer is the last user message, with complete usage."""
    message = claude.messages.create(**ask("Hello there, demo"))
    assert message.content[0].text == "Hello there, demo"
    assert (message.role, message.model, message.stop_reason) == ("assistant", "demo", "end_turn")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 5)  # ceil(17 / 3.6)
    assert message.usage.cache_read_input_tokens == message.usage.cache_creation_input_tokens == 0


def test_same_request_same_answer(http: httpx.Client) -> None:
    """The same bytes are answered with the same bytes, other bytes under another id."""
    first, again, other = (http.post("/v1/messages", json=ask(text)) for text in ("a", "a", "b"))
    assert first.content == again.content
    assert first.headers["request-id"] == again.headers["request-id"]
    assert first.json()["id"] != other.json()["id"]


def test_stream_helper(claude: anthropic.Anthropic) -> None:
    """The SDK's stream helper yields the words and assembles the message."""
    with claude.messages.stream(**ask("one two  three\n")) as stream:
        assert list(stream.text_stream) == ["one ", "two  ", "three\n"]
        message = stream.get_final_message()
    assert message.content[0].text == "one two  three\n"
    assert message.usage.output_tokens == 5


def test_event_sequence(http: httpx.Client) -> None:
    """Every stream is message_start, one block, message_delta, message_stop, in that order."""
    kinds = [event["type"] for event in events(http, ask("one two"))]
    assert kinds == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_each_event_is_a_chunk(http: httpx.Client) -> None:
    """Each event travels as an HTTP chunk of its own."""
    with http.stream("POST", "/v1/messages", json=ask("one two three", stream=True)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["transfer-encoding"] == "chunked"
        chunks = list(answer.iter_raw())
    assert all(chunk.count(b"\n\n") == 1 and chunk.endswith(b"\n\n") for chunk in chunks)
    assert len(chunks) == 9


def test_tool_round(claude: anthropic.Anthropic) -> None:
    """demo-tools calls the first tool with fitting arguments, and quotes its result."""
    first = claude.messages.create(**ask("Weather?", model="demo-tools", tools=[WEATHER]))
    call = first.content[0]
    assert first.stop_reason == "tool_use"
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Turin"})
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]},
        {"role": "system", "content": "A note that comes after the result."},
    ]
    last = claude.messages.create(**ask("", model="demo-tools", tools=[WEATHER]) | {"messages": turns})
    assert last.content[0].text == "The tool returned: 21 degrees"
    assert last.stop_reason == "end_turn"


def test_tool_stream(claude: anthropic.Anthropic) -> None:
    """A streamed call arrives in fragments that join to the same call."""
    with claude.messages.stream(**ask("Weather?", model="demo-tools", tools=[WEATHER])) as stream:
        fragments = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    assert len(fragments) > 1
    assert message.content[0].input == json.loads("".join(fragments)) == {"city": "Turin"}


def test_tool_runner(claude: anthropic.Anthropic) -> None:
    """The SDK's tool runner, which tries threads first, runs the tool once and ends with its result."""
    cities = []

    @beta_tool
    def get_weather(city: str) -> str:
        """Weather of a city.

        Args:
            city: its name
        """
        cities.append(city)
        return "sunny"

    runner = claude.beta.messages.tool_runner(**ask("Weather?", model="demo-tools"), tools=[get_weather])
    assert runner.until_done().content[0].text == "The tool returned: sunny"
    assert cities == ["Turin"]


@pytest.mark.parametrize(
    ("choice", "name"),
    [({"type": "any"}, "get_weather"), ({"type": "tool", "name": "other"}, "other"), ({"type": "none"}, None)],
)
def test_tool_choice(claude: anthropic.Anthropic, choice: dict, name: str | None) -> None:
    """tool_choice picks the tool or forbids all; server tools and deferred ones are never called."""
    tools = [
        {"type": "web_search_20250305", "name": "web_search"},
        {**WEATHER, "name": "deferred", "defer_loading": True},
        WEATHER,
        {**WEATHER, "name": "other"},
    ]
    block = claude.messages.create(**ask("hi", model="demo-tools", tools=tools, tool_choice=choice)).content[0]
    assert getattr(block, "name", None) == name


def test_without_tools_it_echoes(claude: anthropic.Anthropic) -> None:
    """demo-tools without a tool behaves as demo, and so does any unknown model."""
    for model in ("demo-tools", "claude-unheard-of"):
        message = claude.messages.create(**ask("hi", model=model))
        assert (message.content[0].text, message.model) == ("hi", model)


def test_structured_output(claude: anthropic.Anthropic) -> None:
    """An answer in a wanted format is JSON that fits it."""
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "count": {"type": "integer"}}}
    config = {"format": {"type": "json_schema", "schema": schema}}
    message = claude.messages.create(**ask("Title?", output_config=config))
    assert json.loads(message.content[0].text) == {"title": "demo", "count": 1}


def test_parts_and_odd_roles(claude: anthropic.Anthropic) -> None:
    """Parts are joined, images add no text, and a system turn inside the conversation is not a user message."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "one"}, image, {"type": "text", "text": "two"}]},
        {"role": "system", "content": "three"},
    ]
    message = claude.messages.create(model="demo", max_tokens=1, messages=turns)
    assert message.content[0].text == "one\ntwo"
    message = claude.messages.create(**ask([image]))
    assert message.content[0].text == "The last user message has no text."


def test_count_tokens(claude: anthropic.Anthropic) -> None:
    """count_tokens answers the number that the same request reports as input_tokens."""
    body = {"model": "demo", "system": "Be brief.", "tools": [WEATHER], "messages": ask("Hello")["messages"]}
    counted = claude.messages.count_tokens(**body)
    assert counted.input_tokens == claude.messages.create(**body, max_tokens=9).usage.input_tokens > 9


def test_models(claude: anthropic.Anthropic) -> None:
    """The list of models has Anthropic's shape for Anthropic's client."""
    page = claude.models.list(limit=1000)
    assert [model.id for model in page][:2] == ["demo", "demo-tools"]
    assert (page.first_id, page.last_id, page.has_more) == ("demo", "demo-hang", False)
    assert claude.models.retrieve("demo-cut").display_name == "demo-cut"
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("gone")


@pytest.mark.parametrize(
    ("model", "error", "kind"),
    [
        ("demo-429", anthropic.RateLimitError, "rate_limit_error"),
        ("demo-500", anthropic.InternalServerError, "api_error"),
        ("demo-529", anthropic.InternalServerError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(claude: anthropic.Anthropic, model: str, error: type, kind: str, stream: bool) -> None:
    """The failing models answer with Anthropic's status and error type, streamed or not."""
    with pytest.raises(error) as caught:
        claude.messages.create(**ask("hi", model=model, stream=stream))
    assert caught.value.status_code == int(model[-3:])
    assert caught.value.body["error"]["type"] == kind
    assert caught.value.body["request_id"] == caught.value.request_id
    assert caught.value.response.headers.get("retry-after") == ("1" if "429" in model else None)


def test_cut(claude: anthropic.Anthropic, broken_off: AbstractContextManager) -> None:
    """demo-cut breaks off: an error to the client, never a whole answer."""
    with pytest.raises(anthropic.APIConnectionError):
        claude.messages.create(**ask("one two three four", model="demo-cut"))
    seen = []
    with broken_off:
        seen.extend(claude.messages.create(**ask("one two three four", model="demo-cut", stream=True)))
    assert not any(event.type in ("message_delta", "message_stop") for event in seen)
