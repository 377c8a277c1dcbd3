"""What leaves for a cloud is what it takes: the SDKs of each protocol through a proxy to fakes of the clouds, which
refuse any other path, key, header, field or name of a model."""

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from ..clients.model import DONE
from ..providers.clouds import AzureUpstream, BedrockUpstream, MantleUpstream, VertexUpstream
from .processes import Proxy, backend

KEY = "cloud-key-0123456789"
PLACE = "/v1/projects/p-1/locations/global"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc1"
ALL = ["messages", "chat", "responses"]
OPTIONS = {"api_key": "fairlead", "max_retries": 0, "timeout": 20}
#: Backend -> its fake, its root, the roots of protocols that have others, and what its root is made of.
CLOUDS = {
    "vertex": (
        VertexUpstream,
        f"{PLACE}/endpoints/openapi",
        {
            "messages": f"{PLACE}/publishers/anthropic",
            "responses": f"{PLACE}/publishers/openai/v1",
            "gemini": f"{PLACE}/publishers/google",
        },
        {"project": "p-1", "location": "global"},
    ),
    "bedrock": (BedrockUpstream, "/openai/v1", {"messages": "/anthropic/v1"}, {"region": "us-east-1"}),
    "bedrock-invoke": (BedrockUpstream, "/model", {}, {"region": "us-east-1"}),
    "bedrock-mantle": (MantleUpstream, "/v1", {"messages": "/anthropic/v1"}, {"region": "us-east-1"}),
    "foundry": (AzureUpstream, "/openai/v1", {"messages": "/anthropic/v1"}, {"resource": "my-resource"}),
    "azure": (AzureUpstream, "/openai/v1", {}, {"resource": "my-resource"}),
}
#: Backend, model, and the door that it is served at.
MODELS = [
    ("vertex", "claude-opus-4-5@20251101", "messages"),
    ("vertex", "google/gemini-3.8-flash", "chat"),
    ("vertex", "gemini-3.8-flash", "gemini"),
    ("bedrock", "us.anthropic.claude-opus-5", "messages"),
    ("bedrock", "us.openai.gpt-5.6-sol", ""),
    ("bedrock-invoke", HAIKU, "messages invoke"),
    ("bedrock-invoke", ARN, "messages invoke"),
    ("bedrock-mantle", "anthropic.claude-opus-5", "messages"),
    ("bedrock-mantle", "openai.gpt-oss-120b", ""),
    ("foundry", "my-claude", "messages"),
    ("foundry", "my-gpt", ""),
    ("azure", "my-gpt", ""),
]


@pytest.fixture(scope="module")
def clouds():
    """The fakes, by backend."""
    found = {name: kind(KEY) for name, (kind, *_) in CLOUDS.items()}
    yield found
    for up in found.values():
        up.__exit__()
        assert not up.broken


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, clouds):
    """A proxy with all of them."""
    backends = []
    for name, (_, root, roots, variables) in CLOUDS.items():
        url = clouds[name].url
        protocols = [*(one for one in ALL if one != "messages" or name != "azure"), *({"gemini"} & {*roots})]
        protocols = ["messages"] if name == "bedrock-invoke" else protocols
        made = backend(name, url + root, protocols=protocols, vendor=name, auth="key", key=KEY)
        backends.append(made | {"roots": {one: url + path for one, path in roots.items()}, "variables": variables})
    with Proxy(tmp_path_factory.mktemp("doors"), backends=backends, settings={"FAIRLEAD_DEMO": "off"}) as running:
        yield running


def by_messages(port, model, *, streamed):
    """What Anthropic's SDK is told."""
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{port}", **OPTIONS) as client:
        asked = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
        if not streamed:
            return client.messages.create(**asked).content[0].text
        with client.messages.stream(**asked) as stream:
            return stream.get_final_text()


def by_chat(port, model, *, streamed):
    """What OpenAI's SDK is told in Chat."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", **OPTIONS) as client:
        asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        if not streamed:
            return client.chat.completions.create(**asked).choices[0].message.content
        chunks = client.chat.completions.create(**asked, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def by_responses(port, model, *, streamed):
    """What OpenAI's SDK is told in Responses."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", **OPTIONS) as client:
        if not streamed:
            return client.responses.create(model=model, input="Hi").output_text
        events = client.responses.create(model=model, input="Hi", stream=True)
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def by_gemini(port, model, *, streamed):
    """What Google's SDK is told."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{port}", timeout=20_000)
    with genai.Client(api_key="fairlead", http_options=options) as client:
        if not streamed:
            return client.models.generate_content(model=model, contents="Hi").text
        chunks = client.models.generate_content_stream(model=model, contents="Hi")
        return "".join(chunk.text or "" for chunk in chunks)


CALLERS = {"messages": by_messages, "chat": by_chat, "responses": by_responses, "gemini": by_gemini}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("name", "model", "door"), MODELS)
def test_each_model_is_reached_from_each_protocol(proxy, clouds, name, model, door, caller, streamed):
    """Whole and streamed; the cloud gets its own key and no other, and refuses nothing."""
    up = clouds[name]
    up.answered.clear()
    up.refused.clear()
    assert CALLERS[caller](proxy.port, f"{name}:{model}", streamed=streamed) == DONE
    assert [reason for _, reason in up.refused] == []
    [asked] = up.answered
    assert asked.model == model
    assert asked.door == door or not door
    assert "x-goog-api-client" not in asked.fields or name == "vertex"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("vertex", "claude-opus-4-5@20251101"),
        ("bedrock-mantle", "anthropic.claude-opus-5"),
        ("foundry", "my-claude"),
    ],
)
def test_counts(proxy, clouds, name, model):
    """Tokens are counted where the cloud counts them."""
    clouds[name].answered.clear()
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{proxy.port}", **OPTIONS) as client:
        messages = [{"role": "user", "content": "Hi"}]
        assert client.messages.count_tokens(model=f"{name}:{model}", messages=messages).input_tokens == 7
    assert [asked.door for asked in clouds[name].answered] == ["messages count"]


@pytest.mark.parametrize(
    ("name", "model", "status"),
    [
        ("vertex", "claude-2", 200),
        ("vertex", "no-claude", 404),
        ("bedrock", "anthropic.claude-opus-5", 400),
        ("bedrock-invoke", "anthropic.claude-opus-5", 400),
        ("bedrock-mantle", "us.anthropic.claude-opus-5", 400),
        ("azure", "gpt-5", 404),
    ],
)
def test_names_of_other_doors(proxy, name, model, status):
    """A name that the cloud does not know is its refusal, with its status and its words."""
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{proxy.port}", **OPTIONS) as client:
        asked = {"model": f"{name}:{model}", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
        if status == 200:
            assert client.messages.create(**asked).content[0].text == DONE
            return
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(**asked)
    assert caught.value.status_code == status
    assert any(said in str(caught.value) for said in (model, "does not exist", "identifier is invalid"))


def test_a_count_at_invoke_model(proxy, clouds):
    """It is estimated: the service's own counts are another call, which knows no profiles."""
    clouds["bedrock-invoke"].seen.clear()
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{proxy.port}", **OPTIONS) as client:
        messages = [{"role": "user", "content": "Hi, how do you do?"}]
        assert 0 < client.messages.count_tokens(model=f"bedrock-invoke:{HAIKU}", messages=messages).input_tokens < 99
    assert clouds["bedrock-invoke"].seen == []


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", [HAIKU, ARN], ids=["profile", "arn"])
def test_what_the_vendors_client_sends(proxy, clouds, model, streamed):
    """What leaves for InvokeModel is what Anthropic's own client of it sends for the same call: path, body, and the
    headers that count."""
    pytest.importorskip("botocore.eventstream")
    up = clouds["bedrock-invoke"]
    up.seen.clear()
    asked = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}], "stream": streamed}
    asked |= {"betas": ["a-1", "b-2"], "extra_headers": {"anthropic-version": "2026-10-21"}}
    theirs = {**asked, "extra_headers": {}}
    with anthropic.AnthropicBedrock(aws_region="us-east-1", base_url=up.url, **{**OPTIONS, "api_key": KEY}) as client:
        list(client.beta.messages.create(model=model, **theirs))
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{proxy.port}", **OPTIONS) as client:
        list(client.beta.messages.create(model=f"bedrock-invoke:{model}", **asked))
    wanted, found = up.seen
    assert (found.method, found.target) == (wanted.method, wanted.target)
    assert found.json() == wanted.json()
    for name in ("accept", "content-type", "authorization", "anthropic-beta", "anthropic-version", "x-api-key"):
        assert found.fields.get(name) == wanted.fields.get(name), name


def test_the_vendors_client_of_invoke_model(proxy):
    """Pointed at fairlead it is told at once which of its kind to use in its place."""
    url = f"http://127.0.0.1:{proxy.port}"
    asked = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
    with (
        anthropic.AnthropicBedrock(aws_region="us-east-1", base_url=url, **OPTIONS) as client,
        pytest.raises(anthropic.NotFoundError, match="Anthropic or AnthropicBedrockMantle") as caught,
    ):
        client.messages.create(model=HAIKU, **asked)
    assert f"the base URL {url} " in str(caught.value)


def test_the_vendors_client_of_mantle(proxy):
    """That one is served, whole and streamed, by whatever backend its model names."""
    asked = {"model": f"bedrock-invoke:{HAIKU}", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
    place = {"aws_region": "us-east-1", "base_url": f"http://127.0.0.1:{proxy.port}"}
    with anthropic.AnthropicBedrockMantle(**place, **OPTIONS) as client:
        assert client.messages.create(**asked).content[0].text == DONE
        with client.messages.stream(**asked) as stream:
            assert stream.get_final_text() == DONE
