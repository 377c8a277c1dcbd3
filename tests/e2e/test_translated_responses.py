"""OpenAI's SDK with Responses against backends of the other protocols, and all SDKs against a Responses backend.

The backend is a second proxy with the demo models: it would speak any protocol, but is configured to speak one.
"""

import json

import anthropic
import openai
import pytest

from .test_translated_sdks import ERRORS, OPENAI_TOOL, OPTIONS, SCHEMA, ask, started

TOOL = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Change files.", "format": {"type": "text"}}


@pytest.fixture(scope="module", params=["chat", "messages"])
def proxy(request, tmp_path_factory, demo):
    """A proxy whose only backend speaks one of the others."""
    with started(tmp_path_factory.mktemp(request.param), demo, request.param) as found:
        found.settled("other")
        yield found


@pytest.fixture(scope="module")
def client(proxy):
    with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as found:
        yield found


@pytest.fixture(scope="module")
def responses_only(tmp_path_factory, demo):
    with started(tmp_path_factory.mktemp("responses"), demo, "responses") as found:
        found.settled("other")
        yield found


@pytest.fixture(scope="module")
def claude(responses_only):
    with anthropic.Anthropic(base_url=f"http://localhost:{responses_only.port}", **OPTIONS) as found:
        yield found


@pytest.fixture(scope="module")
def gpt(responses_only):
    with openai.OpenAI(base_url=f"http://localhost:{responses_only.port}/v1", **OPTIONS) as found:
        yield found


def final(client, **asked):
    """The response that the SDK's stream helper puts together."""
    with client.responses.stream(**asked) as stream:
        return stream.get_final_response()


def test_create_and_stream(client):
    """Text comes whole and word by word, with the same usage; what was asked is repeated."""
    asked = {"model": "demo", "input": "one two  three\n", "instructions": "Be brief.", "metadata": {"a": "b"}}
    plain = client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_response()
    assert plain.output_text == whole.output_text == "one two  three\n"
    assert kinds.count("response.output_text.delta") == 3
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    for one in (plain, whole):
        assert (one.status, one.model, one.id[:5], one.object) == ("completed", "demo", "resp_", "response")
        assert (one.instructions, one.metadata, one.store) == ("Be brief.", {"a": "b"}, True)
        assert one.usage.total_tokens == one.usage.input_tokens + one.usage.output_tokens > 5
        assert one.usage.output_tokens == 5


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_round(client, stream):
    """A tool is called, its result goes back, the answer quotes it."""
    asked = {"model": "demo-tools", "input": [{"role": "user", "content": "Weather?"}], "tools": [TOOL]}
    first = final(client, **asked) if stream else client.responses.create(**asked)
    [call] = first.output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Turin"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    history = [*asked["input"], call.model_dump(exclude_none=True), result]
    last = client.responses.create(**{**asked, "input": history})
    assert last.output_text == "The tool returned: 21 degrees"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_of_free_text(client, stream):
    """A custom tool's call is one of its own kind, with its text unwrapped; its output goes back."""
    asked = {"model": "demo-tools", "input": [{"role": "user", "content": "Go"}], "tools": [PATCH]}
    first = final(client, **asked) if stream else client.responses.create(**asked)
    [call] = first.output
    assert (call.type, call.name) == ("custom_tool_call", "apply_patch")
    assert call.input
    assert not call.input.startswith("{")
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "Done"}
    history = [*asked["input"], call.model_dump(exclude_none=True), result]
    assert final(client, **{**asked, "input": history}).output_text == "The tool returned: Done"


def test_a_conversation_that_is_kept(client, proxy):
    """previous_response_id and item_reference lead to what was said; also after a restart; not with store false."""
    first = client.responses.create(model="demo", input="first words")
    second = client.responses.create(model="demo", input="second", previous_response_id=first.id)
    alone = client.responses.create(model="demo", input="second")
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > alone.usage.input_tokens
    reference = {"type": "item_reference", "id": first.output[0].id}
    said = [{"role": "user", "content": "a"}, reference, {"role": "user", "content": "second"}]
    assert client.responses.create(model="demo", input=said).usage.input_tokens > alone.usage.input_tokens
    unkept = client.responses.create(model="demo", input="x", store=False)
    assert unkept.store is False
    with pytest.raises(openai.BadRequestError, match="not kept") as caught:
        client.responses.create(model="demo", input="y", previous_response_id=unkept.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_kept_answers_outlive_a_restart(tmp_path, demo):
    """They stand in history.db."""
    with started(tmp_path, demo, "chat") as proxy:
        proxy.settled("other")
        with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as client:
            first = client.responses.create(model="demo", input="first words")
    with started(tmp_path, demo, "chat") as proxy:
        proxy.settled("other")
        with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", **OPTIONS) as client:
            second = client.responses.create(model="demo", input="second", previous_response_id=first.id)
            assert second.usage.input_tokens > client.responses.create(model="demo", input="second").usage.input_tokens


def test_counting(client, proxy):
    """Tokens are counted by a Messages backend, and estimated for a Chat backend, which says so."""
    raw = client.responses.input_tokens.with_raw_response.count(model="demo", input="Hello there, demo")
    assert raw.parse().object == "response.input_tokens"
    assert raw.parse().input_tokens >= 5
    estimated = raw.headers.get("x-fairlead-loss") == "input_tokens=weakened"
    assert estimated is (raw.headers["x-fairlead-translation"] == "responses->chat")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "error", "status"), [*ERRORS, ("demo-529", "InternalServerError", 503)])
def test_errors(client, model, error, status, stream):
    """An upstream's error raises the class of its kind, with the upstream's own text."""
    with pytest.raises(getattr(openai, error), match=model) as caught:
        client.responses.create(model=model, input="hi", stream=stream)
    assert caught.value.status_code == status


def test_a_stream_that_is_cut(client):
    """It raises after what came, and never looks finished."""
    seen = []
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        seen.extend(client.responses.create(model="demo-cut", input="one two three four", stream=True))
    kinds = [event.type for event in seen]
    assert "response.output_text.delta" in kinds
    assert not {"response.completed", "response.incomplete"} & set(kinds)


def test_a_bad_request(client):
    """What is wrong is refused with its path before anything is sent."""
    with pytest.raises(openai.BadRequestError, match=r"input\[0\]\.content\[0\]\.text: expected a string"):
        client.responses.create(model="demo", input=[{"role": "user", "content": [{"type": "input_text", "text": 5}]}])


def test_claude_with_a_responses_backend(claude):
    """Anthropic's SDK: text, a stream, and a tool round."""
    raw = claude.messages.with_raw_response.create(**ask("Hello there, demo"))
    message = raw.parse()
    assert (message.content[0].text, message.stop_reason) == ("Hello there, demo", "end_turn")
    assert raw.headers["x-fairlead-translation"] == "messages->responses"
    with claude.messages.stream(**ask("one two  three\n")) as stream:
        assert list(stream.text_stream) == ["one ", "two  ", "three\n"]
        assert stream.get_final_message().usage.output_tokens == 5
    asked = ask("Weather?", model="demo-tools", tools=[{"name": "get_weather", "input_schema": SCHEMA}])
    for first in (claude.messages.create(**asked), _streamed(claude, asked)):
        [call] = first.content
        assert (first.stop_reason, call.name, call.input) == ("tool_use", "get_weather", {"city": "Turin"})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
        turns = [
            *asked["messages"],
            {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
            {"role": "user", "content": [result]},
        ]
        assert claude.messages.create(**{**asked, "messages": turns}).content[0].text == "The tool returned: 21 degrees"


def _streamed(claude, asked):
    with claude.messages.stream(**asked) as stream:
        return stream.get_final_message()


def test_claude_counts_at_a_responses_backend(claude):
    """The backend counts: nothing is estimated."""
    raw = claude.messages.with_raw_response.count_tokens(model="demo", messages=[{"role": "user", "content": "a b c"}])
    assert raw.parse().input_tokens > 0
    assert "x-fairlead-loss" not in raw.headers


def test_threads_are_refused_as_the_sdk_knows_it(claude):
    """The code on which tool runners go on without threads, also towards a Responses backend."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(**ask("hi"), extra_body={"thread": {"type": "create"}})
    details = caught.value.body["error"]["details"]
    assert details == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def test_chat_with_a_responses_backend(gpt):
    """OpenAI's Chat: text, a stream with usage, and a tool round."""
    answer = gpt.chat.completions.create(**ask("Hello there, demo"))
    assert (answer.choices[0].message.content, answer.usage.completion_tokens) == ("Hello there, demo", 5)
    asked = ask("Weather?", model="demo-tools", tools=[OPENAI_TOOL])
    with gpt.chat.completions.stream(**asked) as stream:
        message = stream.get_final_completion().choices[0].message
    [call] = message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Turin"}
    turns = [
        *asked["messages"],
        message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    last = gpt.chat.completions.create(**{**asked, "messages": turns})
    assert last.choices[0].message.content == "The tool returned: 21 degrees"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "error", "status"), ERRORS)
def test_errors_of_a_responses_backend(claude, gpt, model, error, status, stream):
    """Each SDK raises its own class."""
    with pytest.raises(getattr(anthropic, error), match=model) as caught:
        claude.messages.create(**ask("hi", model=model), stream=stream)
    assert caught.value.status_code == status
    with pytest.raises(getattr(openai, error), match=model) as caught:
        gpt.chat.completions.create(**ask("hi", model=model), stream=stream)
    assert caught.value.status_code == status


def test_cut_streams_of_a_responses_backend(claude, gpt):
    """Both raise, and neither looks finished."""
    with pytest.raises(anthropic.APIStatusError, match="before the answer was complete"):
        list(claude.messages.create(**ask("one two three four", model="demo-cut"), stream=True))
    with pytest.raises(openai.APIError, match="before the answer was complete"):
        list(gpt.chat.completions.create(**ask("one two three four", model="demo-cut"), stream=True))
