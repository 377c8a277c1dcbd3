"""Google's Python SDK against a real proxy, over backends of each protocol: what the SDK returns and what it raises.

The backend of Google's own API is a fake that refuses what the API refuses; the three others are the demo models of a
second proxy, configured to speak one protocol. Both echo the last text of the user, call the one tool that is declared,
and then tell what it returned.
"""

import asyncio
import json

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from router.exchange.client_response import relay

from ..providers.gemini import KEY, GeminiUpstream, Reply, answer_shaped
from ..providers.gemini.fields import get
from ..providers.gemini.replies import declared_in, last_results, said
from .processes import Proxy, Threaded, backend
from .upstream import Upstream, plain
from .wire import ask

SPOKEN = ("gemini", "messages", "chat", "responses")
OTHERS = SPOKEN[1:]
FLASH = "gemini-3.8-flash"


def echo(body):
    """The plan of the fake's model: as the demo's."""
    config = get(body, "generationConfig", {})
    if get(config, "responseMimeType") == "application/json":
        return answer_shaped(body)
    results = last_results(body)
    if results:
        return Reply(f"The tool returned: {said(results[-1])}")
    if "get_weather" in declared_in(body):
        return Reply("", (("get_weather", {"city": "Turin"}),))
    return Reply(get(get(body, "contents")[-1], "parts")[-1]["text"])


class Place(BaseModel):
    """A shape to answer in."""

    city: str
    warm: bool


@pytest.fixture(scope="module")
def up():
    with GeminiUpstream(echo) as found:
        yield found
        assert not found.broken


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, demo, up):
    """A proxy with one backend for each protocol, under its name."""
    root = f"http://127.0.0.1:{demo.port}/v1"
    backends = [
        backend("gemini", up.root, protocols=["gemini"], auth="key", key=KEY),
        *(backend(name, root, protocols=[name]) | {"added": 1} for name in OTHERS),
    ]
    settings = {"FAIRLEAD_DEMO": "off", "FAIRLEAD_DEFAULT_BACKEND": "gemini"}
    with Proxy(tmp_path_factory.mktemp("sdk"), backends=backends, settings=settings) as running:
        running.settled(*SPOKEN)
        yield running


@pytest.fixture(scope="module")
def client(proxy):
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{proxy.port}", timeout=20_000)
    with genai.Client(api_key="fairlead", http_options=options) as found:
        yield found


@pytest.fixture(params=SPOKEN)
def spoken(request):
    return request.param


@pytest.fixture(autouse=True)
def _forget(up):
    up.refused.clear()
    up.requests.clear()


def named(spoken, kind=""):
    """The name of a model of a backend; kind: what it does, in the demo's words."""
    if spoken != "gemini":
        return f"{spoken}:demo{kind}"
    ways = {"": "", "-tools": "", "-429": "-err-429-ra1", "-500": "-err-500", "-529": "-err-503"}
    return FLASH + (ways | {"-cut": "-drop-mid-stream"})[kind]


class Weather:
    """A tool of the caller's. cities: what it was asked for."""

    def __init__(self):
        self.cities = []

        def get_weather(city: str) -> str:
            """Weather of a city."""
            self.cities.append(city)
            return "sunny"

        self.tool = get_weather


def test_generate(client, spoken):
    """The answer's text, reason to stop, counts and the name that the caller used."""
    answer = client.models.generate_content(model=named(spoken), contents="Hello there, demo")
    assert answer.text == "Hello there, demo"
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert answer.candidates[0].content.role == "model"
    assert answer.model_version == named(spoken)
    assert answer.response_id
    counts = answer.usage_metadata
    assert counts.prompt_token_count > 0
    assert counts.candidates_token_count > 0
    thought = counts.thoughts_token_count or 0
    assert counts.total_token_count == counts.prompt_token_count + counts.candidates_token_count + thought


def test_stream(client, spoken):
    """The text comes in pieces, and the last chunk has the reason to stop and the counts."""
    chunks = list(client.models.generate_content_stream(model=named(spoken), contents="one two  three\n"))
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert "".join(texts) == "one two  three\n"
    assert len(texts) > 1
    reasons = [chunk.candidates[0].finish_reason for chunk in chunks]
    assert [reason for reason in reasons if reason] == [types.FinishReason.STOP]
    assert reasons[-1]
    assert chunks[-1].usage_metadata.candidates_token_count > 0
    assert {chunk.model_version for chunk in chunks} == {named(spoken)}
    assert len({chunk.response_id for chunk in chunks}) == 1


def test_configuration(client, spoken):
    """The common settings of a request are taken by each backend."""
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", temperature=0.5, top_p=0.9, max_output_tokens=50, stop_sequences=["END"]
    )
    assert client.models.generate_content(model=named(spoken), contents="hi", config=config).text == "hi"


def test_automatic_function_calling(client, spoken):
    """The SDK runs the tool, sends its result, and returns the answer to it."""
    weather = Weather()
    answer = client.models.generate_content(
        model=named(spoken, "-tools"), contents="Weather?", config={"tools": [weather.tool]}
    )
    assert (answer.text, weather.cities) == ("The tool returned: sunny", ["Turin"])


def test_automatic_function_calling_in_a_stream(client, up, spoken):
    """The same in a stream, whose chunks the SDK sends back one content each."""
    weather = Weather()
    chunks = client.models.generate_content_stream(
        model=named(spoken, "-tools"), contents="Weather?", config={"tools": [weather.tool]}
    )
    assert "".join(chunk.text or "" for chunk in chunks) == "The tool returned: sunny"
    assert weather.cities == ["Turin"]
    assert up.refused == []


@pytest.mark.parametrize("streamed", [False, True])
def test_chat(client, up, spoken, streamed):
    """A conversation goes on with its history, calls and their signatures in it; nothing is refused."""
    weather = Weather()
    chat = client.chats.create(model=named(spoken, "-tools"), config={"tools": [weather.tool]})

    def send(text):
        if not streamed:
            return chat.send_message(text).text
        return "".join(chunk.text or "" for chunk in chat.send_message_stream(text))

    assert [send("Weather?"), send("And now?")] == ["The tool returned: sunny"] * 2
    assert len(weather.cities) == 2
    history = chat.get_history()
    assert history[0].parts[0].text == "Weather?"
    assert [part.function_call.name for turn in history for part in turn.parts if part.function_call] == [
        "get_weather",
        "get_weather",
    ]
    assert up.refused == []


def test_structured_answers(client, spoken):
    """An answer in the shape of a class is parsed into one."""
    config = {"response_mime_type": "application/json", "response_schema": Place}
    answer = client.models.generate_content(model=named(spoken), contents="Where?", config=config)
    assert isinstance(answer.parsed, Place)


def test_async(proxy, spoken):
    """The asynchronous client gets the same, whole and streamed."""

    async def talk():
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{proxy.port}", timeout=20_000)
        async with genai.Client(api_key="fairlead", http_options=options).aio as client:
            whole = await client.models.generate_content(model=named(spoken), contents="hi")
            stream = await client.models.generate_content_stream(model=named(spoken), contents="one two")
            return whole.text, "".join([chunk.text async for chunk in stream if chunk.text])

    assert asyncio.run(talk()) == ("hi", "one two")


def test_count(client, spoken):
    """Tokens are counted, or estimated."""
    assert 1 <= client.models.count_tokens(model=named(spoken), contents="Hello there").total_tokens <= 60


def test_lists(client):
    """All models are listed with their backends, in pages too, and each is found by its name."""
    names = [model.name for model in client.models.list(config={"page_size": 3})]
    assert len(names) == len(set(names))
    assert {f"models/{FLASH}", "models/demo-tools"} <= {*names}
    found = client.models.get(model=FLASH)
    assert found.name == f"models/{FLASH}"
    assert "generateContent" in found.supported_actions


def test_embed(client):
    """Texts are embedded where the backend speaks Google's API; the refusal of others names the reason."""
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert [len(one.values) for one in answer.embeddings] == [8, 8]
    with pytest.raises(errors.APIError, match="not translated"):
        client.models.embed_content(model="chat:demo", contents=["one"])


FAILURES = [
    ("-429", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("-500", errors.ServerError, 500, "INTERNAL"),
    ("-529", errors.ServerError, 503, "UNAVAILABLE"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("kind", "error", "code", "status"), FAILURES)
def test_failures(client, spoken, kind, error, code, status, streamed):
    """A failure of the backend raises the class of its kind, with Google's word, and with the wait of a limit."""
    send = client.models.generate_content_stream if streamed else client.models.generate_content
    with pytest.raises(error) as caught:
        list(send(model=named(spoken, kind), contents="hi"))
    assert (caught.value.code, caught.value.status) == (code, status)
    if code == 429:
        assert '"1s"' in json.dumps(caught.value.details) or "'1s'" in str(caught.value.details)


@pytest.mark.parametrize(
    ("way", "code", "status", "word"),
    [
        ("err-400", 400, "INVALID_ARGUMENT", "mock injected 400"),
        ("key-invalid", 400, "INVALID_ARGUMENT", "API key not valid"),
        ("location", 400, "FAILED_PRECONDITION", "User location"),
        ("key-disabled", 403, "PERMISSION_DENIED", "disabled"),
        ("err-404", 404, "NOT_FOUND", "mock injected 404"),
        ("err-413", 413, "INVALID_ARGUMENT", "mock injected 413"),
        ("overflow", 400, "INVALID_ARGUMENT", "exceeds the maximum number of tokens"),
        ("err-504", 504, "DEADLINE_EXCEEDED", "mock injected 504"),
    ],
)
def test_refusals_of_the_api(client, way, code, status, word):
    """What Google refuses reaches its SDK with its status, its word and its text."""
    with pytest.raises(errors.APIError, match=word) as caught:
        client.models.generate_content(model=f"{FLASH}-{way}", contents="hi")
    assert (caught.value.code, caught.value.status) == (code, status)


def test_a_cut_stream(client, spoken):
    """A stream whose upstream dies raises after what came; it never looks finished."""
    seen = []
    chunks = client.models.generate_content_stream(model=named(spoken, "-cut"), contents="one two three four five six")
    with pytest.raises(errors.ServerError, match="before the answer was complete"):
        seen.extend(chunks)
    assert "".join(chunk.text for chunk in seen)
    assert not any(chunk.candidates[0].finish_reason for chunk in seen)


@pytest.mark.parametrize("way", ["sse-error", "sse-raw-error", "no-terminal", "sse-error-first"])
def test_errors_in_a_stream(client, way):
    """An error that the upstream sends in a stream is raised, and so is a stream without its end."""
    with pytest.raises(errors.ServerError):
        list(client.models.generate_content_stream(model=f"{FLASH}-{way}", contents="hi there"))


def test_blocked_prompts(client):
    """A prompt that Google blocks is an answer without candidates, and a filtered answer has its reason."""
    blocked = client.models.generate_content(model=f"{FLASH}-blocked", contents="hi")
    assert blocked.prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT
    refused = client.models.generate_content(model=f"{FLASH}-refusal", contents="hi")
    assert refused.candidates[0].finish_reason is types.FinishReason.SAFETY


def test_thoughts(client):
    """Who asks for thoughts gets them first, marked as such."""
    config = {"thinking_config": {"include_thoughts": True, "thinking_level": "HIGH"}}
    chunks = client.models.generate_content_stream(model=FLASH, contents="hi", config=config)
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert [bool(part.thought) for part in parts] == [True] + [False] * (len(parts) - 1)


def test_pings(tmp_path, demo, up, monkeypatch):
    """Signs of life in a slow stream disturb neither it nor the error in one that breaks."""
    monkeypatch.setattr(relay, "PING_SECONDS", 0.02)
    root = f"http://127.0.0.1:{demo.port}/v1"
    backends = [
        backend("gemini", up.root, protocols=["gemini"], auth="key", key=KEY),
        *(backend(name, root, protocols=[name]) for name in OTHERS),
    ]
    with Threaded(tmp_path, backends=backends) as proxy:
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{proxy.port}", timeout=20_000)
        with genai.Client(api_key="k", http_options=options) as client:
            for model in (f"gemini:{FLASH}-slow", *(f"{name}:demo-slow" for name in OTHERS)):
                path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
                asked = {"contents": [{"parts": [{"text": "one two three"}]}]}
                raw = ask(proxy.port, path, json.dumps(asked).encode()).body
                assert b"\r\n\r\n\r\n" in raw, model
                assert all(not line or line.startswith(b"data: {") for line in raw.split(b"\r\n")), model
                chunks = client.models.generate_content_stream(model=model, contents="one two three")
                assert "".join(chunk.text or "" for chunk in chunks) == "one two three", model
            with pytest.raises(errors.ServerError, match="before the answer was complete"):
                list(
                    client.models.generate_content_stream(
                        model=f"gemini:{FLASH}-slow-drop-mid-stream", contents="one two"
                    )
                )


def test_client_keys(tmp_path, up):
    """The SDK's key is the caller's: a wrong one is refused in Google's form, the right one opens the backend's."""
    settings = {
        "FAIRLEAD_DEMO": "off",
        "FAIRLEAD_REQUIRE_KEY": "on",
        "FAIRLEAD_API_KEY": "client-key-0123456789-0123456789",
    }
    backends = [backend("gemini", up.root, protocols=["gemini"], auth="key", key=KEY)]
    with Proxy(tmp_path, backends=backends, settings=settings) as proxy:
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{proxy.port}")
        with genai.Client(api_key="client-key-0123456789-0123456789", http_options=options) as good:
            assert good.models.generate_content(model=FLASH, contents="hi").text == "hi"
            with pytest.raises(errors.ClientError) as caught:
                good.models.get(model="no-such-model")
            assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
        up.seen.clear()
        with genai.Client(api_key="wrong", http_options=options) as bad, pytest.raises(errors.ClientError) as caught:
            bad.models.generate_content(model=FLASH, contents="hi")
        assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
        assert [asked for asked in up.seen if asked.method == "POST"] == []


THINKING = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "Which city? \u00e9", "signature": "c2lnbmF0dXJl+/=="},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Turin"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
SPOKE = THINKING | {"content": [{"type": "text", "text": "Sunny."}], "stop_reason": "end_turn"}


def test_thinking_of_claude_comes_back(tmp_path):
    """What a Messages backend thought before a call is in the next request to it, signature and all, though the SDK
    spells signatures in the other alphabet."""
    weather, claude = Weather(), Upstream()
    try:
        claude.script(plain(json.dumps(THINKING).encode()))
        claude.script(plain(json.dumps(SPOKE).encode()))
        backends = [backend("claude", claude.root, protocols=["messages"])]
        with Proxy(tmp_path, backends=backends, settings={"FAIRLEAD_DEMO": "off"}) as proxy:
            options = types.HttpOptions(base_url=f"http://127.0.0.1:{proxy.port}")
            with genai.Client(api_key="k", http_options=options) as client:
                config = {"tools": [weather.tool], "thinking_config": {"thinking_budget": 2000}}
                chat = client.chats.create(model="claude:claude-sonnet-4-5", config=config)
                assert chat.send_message("Weather?").text == "Sunny."
        first, second = (json.loads(seen.body) for seen in claude.seen)
        assert first["thinking"]["type"] == "enabled"
        assert second["messages"][1]["content"] == THINKING["content"]
    finally:
        claude.stop()
