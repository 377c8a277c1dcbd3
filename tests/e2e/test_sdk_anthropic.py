"""The official Anthropic SDK, unchanged, against a real `fairlead proxy` and the demo models."""

import asyncio

import anthropic
import pytest
from anthropic import beta_tool

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 10}


def ask(text, **fields):
    return {"model": "demo", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture(scope="module", params=["http://localhost:{}", "http://127.0.0.1:{}", "http://localhost:{}/v1"])
def base_url(request, demo):
    """The three spellings tools use; the last one makes the SDK double the /v1."""
    return request.param.format(demo.port)


@pytest.fixture(scope="module")
def claude(demo):
    with anthropic.Anthropic(base_url=f"http://localhost:{demo.port}", **OPTIONS) as client:
        yield client


def test_create(base_url):
    """A message comes back whole, with usage and fairlead's own headers, under every spelling of the base URL."""
    with anthropic.Anthropic(base_url=base_url, **OPTIONS) as client:
        raw = client.messages.with_raw_response.create(**ask("Hello there, demo"))
    message = raw.parse()
    assert message.content[0].text == "Hello there, demo"
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 5, 5)
    assert raw.headers["x-fairlead-backend"] == "demo"
    assert raw.headers["x-fairlead-model"] == "demo"
    assert raw.headers["x-fairlead-attempts"] == "1"
    assert raw.headers["x-fairlead-request-id"].startswith("req_")


@pytest.mark.parametrize("credential", ["api_key", "auth_token"])
def test_both_credentials(demo, credential):
    """Both forms in which the SDK sends a credential are fine where no key is asked for."""
    options = {**OPTIONS, "api_key": None, credential: "anything"}
    with anthropic.Anthropic(base_url=f"http://localhost:{demo.port}", **options) as client:
        assert client.messages.create(**ask("hi")).content[0].text == "hi"


def test_stream_raw(claude):
    """The events of a stream come in order, from message_start to message_stop."""
    kinds = [event.type for event in claude.messages.create(**ask("one two"), stream=True)]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == 2


def test_stream_helper(claude):
    """The stream helper yields the words and assembles the message."""
    with claude.messages.stream(**ask("one two  three\n")) as stream:
        assert list(stream.text_stream) == ["one ", "two  ", "three\n"]
        message = stream.get_final_message()
    assert message.content[0].text == "one two  three\n"
    assert message.usage.output_tokens == 5


def test_stream_is_live(claude):
    """The first word of demo-slow arrives while the others are still to come."""
    with claude.messages.stream(**ask("one two", model="demo-slow")) as stream:
        words = iter(stream.text_stream)
        assert next(words) == "one "
        assert stream.current_message_snapshot.stop_reason is None
        assert list(words) == ["two"]


def test_async(demo):
    """The async client works too, also with many streams at once on one connection pool."""
    said = {}

    async def one(client, number):
        async with client.messages.stream(**ask(f"number {number}")) as stream:
            said[number] = await stream.get_final_text()

    async def main():
        async with anthropic.AsyncAnthropic(base_url=f"http://localhost:{demo.port}", **OPTIONS) as client:
            assert (await client.messages.create(**ask("hi"))).content[0].text == "hi"
            await asyncio.gather(*(one(client, number) for number in range(20)))

    asyncio.run(main())
    assert said == {number: f"number {number}" for number in range(20)}


@pytest.mark.parametrize("stream", [False, True])
def test_tool_round(claude, stream):
    """A tool is called, its result goes back, the answer quotes it; whole and streamed."""
    asked = ask("Weather?", model="demo-tools", tools=[WEATHER])
    if stream:
        with claude.messages.stream(**asked) as streamed:
            first = streamed.get_final_message()
    else:
        first = claude.messages.create(**asked)
    call = first.content[0]
    assert (first.stop_reason, call.type) == ("tool_use", "tool_use")
    assert (call.name, call.input) == ("get_weather", {"city": "Turin"})
    turns = [
        *asked["messages"],
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]},
    ]
    last = claude.messages.create(**{**asked, "messages": turns})
    assert (last.content[0].text, last.stop_reason) == ("The tool returned: 21 degrees", "end_turn")


def test_tool_runner(claude):
    """The tool runner, which tries threads first, is told in the upstream's words that there are none, and goes on."""
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


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error", "status"),
    [
        ("demo-429", anthropic.RateLimitError, 429),
        ("demo-500", anthropic.InternalServerError, 500),
        ("demo-529", anthropic.InternalServerError, 529),
    ],
)
def test_errors(claude, model, error, status, stream):
    """A failing model raises the class of its status, with the upstream's own text, also for a stream."""
    with pytest.raises(error, match=model) as caught:
        claude.messages.create(**ask("hi", model=model), stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["type"] == "error"
    assert caught.value.request_id
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "1"


def test_sdk_retries(demo):
    """A rate limit is still the SDK's to retry: nothing tells it that a retry is of no use."""
    with (
        anthropic.Anthropic(base_url=f"http://localhost:{demo.port}", **{**OPTIONS, "max_retries": 1}) as client,
        pytest.raises(anthropic.RateLimitError) as caught,
    ):
        client.messages.create(**ask("hi", model="demo-429"))
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "1"


def test_bad_request(claude):
    """A request the backend refuses raises BadRequestError with its text."""
    with pytest.raises(anthropic.BadRequestError, match=r"messages"):
        claude.messages.create(**{**ask("hi"), "messages": []})


def test_unknown_path(claude):
    """A path nobody has raises NotFoundError, and one that needs passthrough PermissionDeniedError."""
    with pytest.raises(anthropic.NotFoundError):
        claude.post("/v2/what", cast_to=object, body={})
    with pytest.raises(anthropic.PermissionDeniedError, match="passthrough"):
        claude.get("/v1/organizations/x", cast_to=object)


def test_count_tokens(claude):
    """count_tokens says what the same request reports as input_tokens."""
    counted = claude.messages.count_tokens(model="demo", messages=[{"role": "user", "content": "Hello there, demo"}])
    assert counted.input_tokens == 5


def test_models(claude):
    """The list has the demo models in Anthropic's shape, page by page, and each can be looked up."""
    names = [model.id for model in claude.models.list(limit=3)]
    assert names[:2] == ["demo", "demo-tools"]
    assert len(names) == len(set(names)) == 9
    first = claude.models.list(limit=3)
    assert (len(first.data), first.has_more, first.last_id) == (3, True, first.data[-1].id)
    found = claude.models.retrieve("demo-slow")
    assert (found.type, found.id) == ("model", "demo-slow")
    with pytest.raises(anthropic.NotFoundError, match="demo-slow"):
        claude.models.retrieve("demo-slo")


def test_cut_stream(claude):
    """A stream whose upstream dies raises after what came; it never looks finished."""
    seen = []
    with pytest.raises(anthropic.APIStatusError, match="before the answer was complete") as caught:
        seen.extend(claude.messages.create(**ask("one two three four", model="demo-cut"), stream=True))
    assert caught.value.body["type"] == "error"
    kinds = [event.type for event in seen]
    assert "content_block_delta" in kinds
    assert not {"content_block_stop", "message_delta", "message_stop"} & set(kinds)


def test_cut_answer(claude):
    """A plain answer whose upstream dies raises the class of a 502."""
    with pytest.raises(anthropic.InternalServerError, match="before the answer was complete") as caught:
        claude.messages.create(**ask("one two three four", model="demo-cut"))
    assert caught.value.status_code == 502


@pytest.mark.parametrize("stream", [False, True])
def test_hang(claude, stream):
    """A model that never answers ends in the client's own timeout, and the proxy serves on."""
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(**ask("hi", model="demo-hang"), stream=stream, timeout=0.2)
    assert claude.messages.create(**ask("hi")).content[0].text == "hi"
