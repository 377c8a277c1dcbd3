"""The official OpenAI SDK, unchanged, against a real `fairlead proxy` and the demo models."""

import asyncio
import json

import openai
import pytest

from .processes import Proxy, backend
from .upstream import Upstream

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
FUNCTION = {"type": "function", "name": "get_weather", "strict": True, "parameters": PARAMETERS}
OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 10}
FOUR = "one two three four"


def ask(text, **fields):
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture(scope="module")
def gpt(demo):
    with openai.OpenAI(base_url=f"http://localhost:{demo.port}/v1", **OPTIONS) as client:
        yield client


@pytest.mark.parametrize("url", ["http://localhost:{}/v1", "http://127.0.0.1:{}/v1/v1", "http://localhost:{}"])
def test_create(demo, url):
    """A completion comes back whole, with usage and fairlead's own headers, with the /v1 doubled or left out too."""
    with openai.OpenAI(base_url=url.format(demo.port), **OPTIONS) as client:
        raw = client.chat.completions.with_raw_response.create(**ask("Hello there, demo"))
    answer = raw.parse()
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello there, demo", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 5)
    assert raw.headers["x-fairlead-backend"] == "demo"


@pytest.mark.parametrize("usage", [False, True])
def test_stream_raw(gpt, usage):
    """The chunks of a stream come in order; the usage chunk comes exactly when it was asked for."""
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(gpt.chat.completions.create(**ask("one two"), stream=True, **options))
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert words == ["one ", "two"]
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - usage) + [True] * usage


def test_stream_helper(gpt):
    """The stream helper assembles the completion."""
    with gpt.chat.completions.stream(**ask("a b c")) as stream:
        assert "".join(event.delta for event in stream if event.type == "content.delta") == "a b c"
        assert stream.get_final_completion().choices[0].message.content == "a b c"


def test_async(demo):
    """The async client works too, also with many streams of both protocols at once."""
    said = {}

    async def one(client, number):
        if number % 2:
            stream = await client.chat.completions.create(**ask(f"number {number}"), stream=True)
            said[number] = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        else:
            async with client.responses.stream(model="demo", input=f"number {number}") as stream:
                said[number] = (await stream.get_final_response()).output_text

    async def main():
        async with openai.AsyncOpenAI(base_url=f"http://localhost:{demo.port}/v1", **OPTIONS) as client:
            await asyncio.gather(*(one(client, number) for number in range(20)))

    asyncio.run(main())
    assert said == {number: f"number {number}" for number in range(20)}


@pytest.mark.parametrize("stream", [False, True])
def test_chat_tool_round(gpt, stream):
    """A tool is called, its result goes back, the answer quotes it; whole and streamed."""
    asked = ask("Weather?", model="demo-tools", tools=[TOOL])
    if stream:
        with gpt.chat.completions.stream(**asked) as streamed:
            choice = streamed.get_final_completion().choices[0]
    else:
        choice = gpt.chat.completions.create(**asked).choices[0]
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Turin"})
    message = {"role": "assistant", "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
    turns = [*asked["messages"], message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    last = gpt.chat.completions.create(**{**asked, "messages": turns})
    assert last.choices[0].message.content == "The tool returned: 21 degrees"


def test_responses(gpt):
    """A response comes back whole, with usage."""
    answer = gpt.responses.create(model="demo", input="Hello there, demo")
    assert (answer.output_text, answer.status, answer.usage.total_tokens) == ("Hello there, demo", "completed", 10)


def test_responses_stream(gpt):
    """The events are numbered without a gap to response.completed, and the helper assembles the response."""
    events = list(gpt.responses.create(model="demo", input="a b c", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    with gpt.responses.stream(model="demo", input="a b c") as stream:
        assert stream.get_final_response().output_text == "a b c"


def test_responses_on_the_chat_path(gpt):
    """A Responses body that a tool sends to the Chat path is answered as a Responses request."""
    answer = gpt.post("/chat/completions", body={"model": "demo", "input": "hi"}, cast_to=object)
    assert (answer["object"], answer["status"]) == ("response", "completed")


@pytest.mark.parametrize("stream", [False, True])
def test_responses_tool_round(gpt, stream):
    """A function is called, its output goes back, the answer quotes it; whole and streamed."""
    asked = {"model": "demo-tools", "tools": [FUNCTION], "input": "Weather?"}
    if stream:
        with gpt.responses.stream(**asked) as streamed:
            [call] = streamed.get_final_response().output
    else:
        [call] = gpt.responses.create(**asked).output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Turin"})
    items = [
        {"role": "user", "content": "Weather?"},
        call.model_dump(include={"type", "call_id", "name", "arguments"}),
        {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"},
    ]
    assert gpt.responses.create(**{**asked, "input": items}).output_text == "The tool returned: 21 degrees"


def test_completions(gpt):
    """The older completions work, whole and streamed."""
    assert gpt.completions.create(model="demo", prompt="one two").choices[0].text == "one two"
    chunks = gpt.completions.create(model="demo", prompt="one two", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "one two"


def test_embeddings(gpt):
    """Embeddings come as floats, and in the base64 that the SDK asks for by itself, with the same numbers."""
    floats = gpt.embeddings.create(model="demo", input=["a", "b"], encoding_format="float", dimensions=8)
    decoded = gpt.embeddings.create(model="demo", input=["a", "b"], dimensions=8)
    assert [entry.index for entry in decoded.data] == [0, 1]
    for one, other in zip(floats.data, decoded.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
        assert len(one.embedding) == 8


def test_models(gpt):
    """The list has the demo models in OpenAI's shape, and each can be looked up."""
    found = {model.id: model for model in gpt.models.list()}
    assert set(found) >= {"demo", "demo-tools", "demo-slow", "demo-cut", "demo-hang"}
    assert (found["demo"].object, found["demo"].owned_by) == ("model", "demo")
    assert gpt.models.retrieve("demo-slow").id == "demo-slow"
    with pytest.raises(openai.NotFoundError, match="demo-slow"):
        gpt.models.retrieve("demo-slo")


def test_odd_model_names(tmp_path):
    """Names with colons and blanks can be looked up as they are listed, however the SDK spells them in the path."""
    names = ["llama3:8b", "vendor@model+x", "a model"]
    upstream = Upstream(models=names)
    try:
        with Proxy(tmp_path, "--demo", "off", backends=[backend("box", upstream.root)]) as proxy:
            proxy.settled("box")
            with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as client:
                assert [model.id for model in client.models.list()] == names
                assert [client.models.retrieve(name).id for name in names] == names
    finally:
        upstream.stop()


def create(gpt, path, model, text="hi", **options):
    if path == "responses":
        return gpt.responses.create(model=model, input=text, **options)
    if path == "completions":
        return gpt.completions.create(model=model, prompt=text, **options)
    return gpt.chat.completions.create(**ask(text, model=model), **options)


@pytest.mark.parametrize("path", ["chat", "responses", "completions"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error", "status"),
    [
        ("demo-429", openai.RateLimitError, 429),
        ("demo-500", openai.InternalServerError, 500),
        ("demo-529", openai.InternalServerError, 503),
    ],
)
def test_errors(gpt, path, model, error, status, stream):
    """A failing model raises the class of its status, with the upstream's own text, also for a stream."""
    with pytest.raises(error, match=model) as caught:
        create(gpt, path, model, stream=stream)
    assert caught.value.status_code == status
    if status == 429:
        assert (caught.value.code, caught.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "1")


def test_bad_request(gpt):
    """A request the backend refuses raises BadRequestError with its text."""
    with pytest.raises(openai.BadRequestError, match="messages"):
        gpt.chat.completions.create(model="demo", messages=[])


def test_unknown_path(gpt):
    """A path the backend does not have raises NotFoundError in OpenAI's shape."""
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.post("/images/what", cast_to=object, body={"model": "demo"})
    assert caught.value.type == "invalid_request_error"


def test_cut_chat(gpt):
    """A Chat stream whose upstream dies raises after what came; no finish reason is seen."""
    seen = []
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        seen.extend(create(gpt, "chat", "demo-cut", FOUR, stream=True))
    assert any(chunk.choices[0].delta.content for chunk in seen)
    assert not any(chunk.choices[0].finish_reason for chunk in seen)


def test_cut_responses(gpt):
    """A Responses stream whose upstream dies raises after what came; it never looks completed."""
    seen = []
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        seen.extend(create(gpt, "responses", "demo-cut", FOUR, stream=True))
    kinds = [event.type for event in seen]
    assert "response.output_text.delta" in kinds
    assert "response.completed" not in kinds


def test_cut_completions(gpt):
    """A stream of the older completions whose upstream dies raises too."""
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        list(create(gpt, "completions", "demo-cut", FOUR, stream=True))


@pytest.mark.parametrize("path", ["chat", "responses", "completions"])
def test_cut_answer(gpt, path):
    """A plain answer whose upstream dies raises the class of a 502."""
    with pytest.raises(openai.InternalServerError, match="before the answer was complete") as caught:
        create(gpt, path, "demo-cut", FOUR)
    assert caught.value.status_code == 502


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["chat", "responses"])
def test_hang(gpt, path, stream):
    """A model that never answers ends in the client's own timeout, and the proxy serves on."""
    with pytest.raises(openai.APITimeoutError):
        create(gpt, path, "demo-hang", stream=stream, timeout=0.2)
    assert create(gpt, path, "demo")
