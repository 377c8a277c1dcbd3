"""The official SDKs against a real proxy whose only backend speaks the other vendor's protocol.

The backend is a second proxy with the demo models: it would speak any protocol, but is configured to speak one.
"""

import json

import anthropic
import openai
import pytest
from anthropic import beta_tool

from .processes import Proxy, backend

OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 10}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLAUDE_TOOL = {"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}
OPENAI_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
ERRORS = [("demo-429", "RateLimitError", 429), ("demo-500", "InternalServerError", 500)]


def started(folder, demo, protocol, **settings):
    root = f"http://127.0.0.1:{demo.port}/v1"
    environ = {"FAIRLEAD_DEMO": "off", "FAIRLEAD_DEFAULT_BACKEND": "other", **settings}
    return Proxy(folder, backends=[backend("other", root, protocols=[protocol])], settings=environ)


@pytest.fixture(scope="module")
def chat_only(tmp_path_factory, demo):
    with started(tmp_path_factory.mktemp("chat"), demo, "chat") as proxy:
        proxy.settled("other")
        yield proxy


@pytest.fixture(scope="module")
def messages_only(tmp_path_factory, demo):
    with started(tmp_path_factory.mktemp("messages"), demo, "messages") as proxy:
        proxy.settled("other")
        yield proxy


@pytest.fixture(scope="module")
def claude(chat_only):
    with anthropic.Anthropic(base_url=f"http://localhost:{chat_only.port}", **OPTIONS) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(messages_only):
    with openai.OpenAI(base_url=f"http://localhost:{messages_only.port}/v1", **OPTIONS) as client:
        yield client


def ask(text, **fields):
    return {"model": "demo", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


def test_claude_create(claude):
    """A Messages call is answered by a Chat backend, with usage and what was lost said in headers."""
    raw = claude.messages.with_raw_response.create(**ask("Hello there, demo", metadata={"user_id": "me"}))
    message = raw.parse()
    assert message.content[0].text == "Hello there, demo"
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 5, 5)
    assert (message.model, message.id[:4]) == ("demo", "msg_")
    assert raw.headers["x-fairlead-translation"] == "messages->chat"
    assert raw.headers["x-fairlead-loss"] == "metadata.user_id=dropped"
    assert raw.headers["x-fairlead-backend"] == "other"


def test_claude_stream(claude):
    """The stream helper of the SDK assembles what a plain call returns, word by word."""
    with claude.messages.stream(**ask("one two  three\n", system="Be brief.")) as stream:
        assert list(stream.text_stream) == ["one ", "two  ", "three\n"]
        message = stream.get_final_message()
    plain = claude.messages.create(**ask("one two  three\n", system="Be brief."))
    assert message.content[0].text == plain.content[0].text == "one two  three\n"
    assert message.usage.output_tokens == plain.usage.output_tokens == 5
    assert message.usage.input_tokens == plain.usage.input_tokens > 0
    assert message.stop_reason == plain.stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [False, True])
def test_claude_tool_round(claude, stream):
    """A tool is called, its result goes back, the answer quotes it; whole and streamed."""
    asked = ask("Weather?", model="demo-tools", tools=[CLAUDE_TOOL])
    if stream:
        with claude.messages.stream(**asked) as streamed:
            first = streamed.get_final_message()
    else:
        first = claude.messages.create(**asked)
    call = first.content[0]
    assert (first.stop_reason, call.type, call.name, call.input) == (
        "tool_use",
        "tool_use",
        "get_weather",
        {"city": "Turin"},
    )
    turns = [
        *asked["messages"],
        {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]},
    ]
    last = claude.messages.create(**{**asked, "messages": turns})
    assert (last.content[0].text, last.stop_reason) == ("The tool returned: 21 degrees", "end_turn")


def test_claude_tool_runner(claude):
    """The SDK's tool runner tries threads first, is told that there are none in its own words, and goes on."""
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
@pytest.mark.parametrize(("model", "error", "status"), [*ERRORS, ("demo-529", "InternalServerError", 529)])
def test_claude_errors(claude, model, error, status, stream):
    """An upstream's error raises the Anthropic class of its kind, with the upstream's own text."""
    with pytest.raises(getattr(anthropic, error), match=model) as caught:
        claude.messages.create(**ask("hi", model=model), stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["type"] == "error"
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "1"


def test_claude_cut_stream(claude):
    """A stream whose upstream dies raises after what came; it never looks finished."""
    seen = []
    with pytest.raises(anthropic.APIStatusError, match="before the answer was complete"):
        seen.extend(claude.messages.create(**ask("one two three four", model="demo-cut"), stream=True))
    kinds = [event.type for event in seen]
    assert "content_block_delta" in kinds
    assert not {"message_delta", "message_stop"} & set(kinds)


def test_claude_bad_request(claude):
    """A field of the wrong type is refused before anything is sent, with its path."""
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.content\[0\]\.text: expected a string"):
        claude.messages.create(**ask([{"type": "text", "text": 5}]))


def test_claude_count_tokens(chat_only, claude):
    """count_tokens is an estimate that says so, never a 404."""
    asked = {"model": "demo", "messages": [{"role": "user", "content": "Hello there, demo"}]}
    raw = claude.messages.with_raw_response.count_tokens(**asked)
    assert 5 <= raw.parse().input_tokens <= 60
    assert raw.headers["x-fairlead-loss"] == "input_tokens=weakened"


def test_gpt_create(gpt):
    """A Chat call is answered by a Messages backend, though it sets no limit."""
    raw = gpt.chat.completions.with_raw_response.create(
        model="demo", messages=[{"role": "user", "content": "Hello there, demo"}], seed=5
    )
    answer = raw.parse()
    choice = answer.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Hello there, demo", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (5, 5, 10)
    assert raw.headers["x-fairlead-translation"] == "chat->messages"
    assert raw.headers["x-fairlead-loss"] == "seed=dropped"


@pytest.mark.parametrize("usage", [False, True])
def test_gpt_stream(gpt, usage):
    """Chunks come word by word; the usage chunk only for those who asked for it."""
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(gpt.chat.completions.create(**ask("one two  three\n"), stream=True, **options))
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == [
        "one ",
        "two  ",
        "three\n",
    ]
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert [c.choices[0].delta.role for c in chunks if c.choices and c.choices[0].delta.role] == ["assistant"]
    found = [c.usage.completion_tokens for c in chunks if c.usage]
    assert found == ([5] if usage else [])


@pytest.mark.parametrize("stream", [False, True])
def test_gpt_tool_round(gpt, stream):
    """A tool is called, its result goes back, the answer quotes it; whole and by the SDK's stream helper."""
    asked = {
        "model": "demo-tools",
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [OPENAI_TOOL],
    }
    if stream:
        with gpt.chat.completions.stream(**asked) as streamed:
            first = streamed.get_final_completion()
    else:
        first = gpt.chat.completions.create(**asked)
    choice = first.choices[0]
    [call] = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Turin"}
    turns = [
        *asked["messages"],
        choice.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    last = gpt.chat.completions.create(**{**asked, "messages": turns})
    assert last.choices[0].message.content == "The tool returned: 21 degrees"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "error", "status"), [*ERRORS, ("demo-529", "InternalServerError", 503)])
def test_gpt_errors(gpt, model, error, status, stream):
    """An upstream's error raises the OpenAI class of its kind."""
    with pytest.raises(getattr(openai, error), match=model) as caught:
        gpt.chat.completions.create(**ask("hi", model=model), stream=stream)
    assert caught.value.status_code == status


def test_gpt_cut_stream(gpt):
    """A stream whose upstream dies raises after what came, without a finish reason."""
    seen = []
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        seen.extend(gpt.chat.completions.create(**ask("one two three four", model="demo-cut"), stream=True))
    assert seen
    assert not any(chunk.choices[0].finish_reason for chunk in seen if chunk.choices)


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"n": 2}, "n: "), ({"modalities": ["audio"]}, "modalities: "), ({"web_search_options": {}}, "web_search")],
)
def test_gpt_constraints(gpt, fields, path):
    """What would change the meaning of the answer is refused with its path, and nothing is sent."""
    with pytest.raises(openai.BadRequestError, match=path):
        gpt.chat.completions.create(**ask("hi"), **fields)


def test_strict_losses(tmp_path, demo):
    """With loss = strict a hint that cannot be carried over is refused; without any the request passes."""
    with started(tmp_path, demo, "messages", FAIRLEAD_LOSS="strict") as proxy:
        proxy.settled("other")
        with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as client:
            with pytest.raises(openai.BadRequestError, match=r"seed: .* loss = strict"):
                client.chat.completions.create(**ask("hi"), seed=1)
            assert client.chat.completions.create(**ask("hi")).choices[0].message.content == "hi"
