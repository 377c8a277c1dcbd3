"""The vendors' own SDKs, pointed at the fakes of the clouds: these take what the SDKs send, and nothing else."""

import time
from datetime import datetime, timedelta

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from ..clients.model import DONE
from .clouds import AzureUpstream, BedrockUpstream, MantleUpstream, VertexUpstream

KEY = "cloud-key-0123456789"
PROFILE, BARE = "us.anthropic.claude-opus-5", "anthropic.claude-opus-5"
VERSION = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc1"
ASKED = {"max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
OPTIONS = {"max_retries": 0, "timeout": 20}


def vertex(up):
    """The client of Claude on Vertex AI."""
    return anthropic.AnthropicVertex(
        region="global", project_id="p-1", access_token=KEY, base_url=f"{up.url}/v1", **OPTIONS
    )


def bedrock(up):
    """The plain client, as Amazon's page on the Messages endpoint has it: the key as a Bearer."""
    return anthropic.Anthropic(auth_token=KEY, api_key=None, base_url=f"{up.url}/anthropic", **OPTIONS)


def invoke(up):
    """The client of InvokeModel, whose streams are no server-sent events."""
    pytest.importorskip("botocore.eventstream")
    return anthropic.AnthropicBedrock(api_key=KEY, aws_region="us-east-1", base_url=up.url, **OPTIONS)


def mantle(up):
    """The client of Bedrock's other service."""
    return anthropic.AnthropicBedrockMantle(
        api_key=KEY, aws_region="us-east-1", base_url=f"{up.url}/anthropic", **OPTIONS
    )


def foundry(up):
    """The client of Microsoft Foundry."""
    return anthropic.AnthropicFoundry(api_key=KEY, base_url=f"{up.url}/anthropic", **OPTIONS)


CLAUDES = {
    "vertex": (VertexUpstream, vertex, "claude-opus-4-5@20251101"),
    "bedrock": (BedrockUpstream, bedrock, PROFILE),
    "invoke": (BedrockUpstream, invoke, VERSION),
    "arn": (BedrockUpstream, invoke, ARN),
    "mantle": (MantleUpstream, mantle, BARE),
    "foundry": (AzureUpstream, foundry, "my-claude"),
}


@pytest.mark.parametrize("name", CLAUDES)
def test_claude(name):
    """Whole, streamed and counted."""
    kind, make, model = CLAUDES[name]
    with kind(KEY) as up, make(up) as client:
        assert client.messages.create(model=model, **ASKED).content[0].text == DONE
        with client.messages.stream(model=model, **ASKED) as stream:
            assert stream.get_final_text() == DONE
        if name in ("vertex", "mantle", "foundry"):
            assert client.messages.count_tokens(model=model, messages=ASKED["messages"]).input_tokens == 7
        assert up.refused == []
        assert not up.broken
        assert {asked.model for asked in up.answered} == {model}


@pytest.mark.parametrize(("name", "model"), [("vertex", "gpt-5"), ("bedrock", BARE), ("mantle", PROFILE)])
def test_names_of_other_doors(name, model):
    """The name of another service's model is refused."""
    kind, make, _ = CLAUDES[name]
    with kind(KEY) as up, make(up) as client, pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model=model, **ASKED)
    assert caught.value.status_code in (400, 404)
    assert model in str(caught.value)


def test_the_plain_client_on_vertex():
    """A request in Anthropic's own form is not taken: the model belongs in the path, the version in the body."""
    with VertexUpstream(KEY) as up:
        base = f"{up.url}/v1/projects/p-1/locations/global/publishers/anthropic/models/claude-opus-5:rawPredict"
        with anthropic.Anthropic(auth_token=KEY, api_key=None, base_url=base, **OPTIONS) as client:
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(model="m", **ASKED)
            with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
                client.post(base, body={"model": "m", **ASKED}, cast_to=object)


@pytest.mark.parametrize(("betas", "taken"), [((), True), (("a-1", "b-2"), True), (("a-1",), False)])
def test_betas_of_invoke_model(betas, taken):
    """They stand in the body too, as the client has them there."""
    with BedrockUpstream(KEY) as up, invoke(up) as client:
        more = {"extra_body": {"anthropic_beta": []}} if not taken else {}
        ask = {"model": VERSION, **ASKED, "betas": betas, **more} if betas else {"model": VERSION, **ASKED}
        if taken:
            assert client.beta.messages.create(**ask).content[0].text == DONE
            return
        with pytest.raises(anthropic.BadRequestError, match="anthropic_beta"):
            client.beta.messages.create(**ask)


def test_the_plain_client_at_invoke_model():
    """A request in Anthropic's own form is not taken there."""
    with (
        BedrockUpstream(KEY) as up,
        anthropic.Anthropic(auth_token=KEY, api_key=None, base_url=up.url, **OPTIONS) as client,
        pytest.raises(anthropic.BadRequestError, match="Extra inputs"),
    ):
        client.post(f"{up.url}/model/{VERSION}/invoke", body={"model": VERSION, **ASKED}, cast_to=object)


def test_gemini_on_vertex():
    """Google's SDK with a token, whole, streamed and counted; the key of the other API is refused."""
    with VertexUpstream(KEY) as up:
        options = types.HttpOptions(base_url=up.url, timeout=20_000)
        token = Credentials(KEY, expiry=datetime.now() + timedelta(hours=1))
        place = {"project": "p-1", "location": "global"}
        with genai.Client(vertexai=True, credentials=token, http_options=options, **place) as client:
            assert client.models.generate_content(model="gemini-3.8-flash", contents="Hi").text == DONE
            chunks = client.models.generate_content_stream(model="gemini-3.8-flash", contents="Hi")
            assert "".join(chunk.text or "" for chunk in chunks) == DONE
            assert client.models.count_tokens(model="gemini-3.8-flash", contents="Hi").total_tokens == 7
        assert up.refused == []
        assert {asked.door for asked in up.answered} == {"gemini"}


def azure(up):
    """Azure's client on the v1 API."""
    return openai.OpenAI(api_key=KEY, base_url=f"{up.url}/openai/v1", **OPTIONS)


def test_azure():
    """Chat and Responses, whole and streamed; a model that was not deployed is not found."""
    with AzureUpstream(KEY) as up, azure(up) as client:
        said = client.chat.completions.create(model="my-gpt", messages=ASKED["messages"])
        assert said.choices[0].message.content == DONE
        chunks = client.chat.completions.create(model="my-gpt", messages=ASKED["messages"], stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == DONE
        assert client.responses.create(model="my-gpt", input="Hi").output_text == DONE
        events = client.responses.create(model="my-gpt", input="Hi", stream=True)
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == DONE
        assert up.refused == []
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            client.chat.completions.create(model="gpt-5", messages=ASKED["messages"])


def test_azure_of_old():
    """The client for Azure has its own header for the key, which is taken; its paths of deployments are not there."""
    with AzureUpstream(KEY) as up:
        new = openai.AzureOpenAI(api_key=KEY, base_url=f"{up.url}/openai/v1", api_version="preview", **OPTIONS)
        with new:
            assert new.responses.create(model="my-gpt", input="Hi").output_text == DONE
        assert "api-key" in up.answered[0].fields
        old = openai.AzureOpenAI(api_key=KEY, azure_endpoint=up.url, api_version="2024-10-21", **OPTIONS)
        with old, pytest.raises(openai.NotFoundError):
            old.chat.completions.create(model="my-gpt", messages=ASKED["messages"])


@pytest.mark.parametrize("kind", [BedrockUpstream, MantleUpstream])
def test_openais_models_on_bedrock(kind):
    """By OpenAI's SDK; Claude is not served there."""
    with kind(KEY) as up:
        base = f"{up.url}/v1" if kind is MantleUpstream else f"{up.url}/openai/v1"
        with openai.OpenAI(api_key=KEY, base_url=base, **OPTIONS) as client:
            assert client.responses.create(model="openai.gpt-oss-120b", input="Hi").output_text == DONE
            with pytest.raises(openai.BadRequestError, match="does not support"):
                client.chat.completions.create(model=BARE, messages=ASKED["messages"])


@pytest.mark.parametrize(("door", "key"), [("chat", "wrong"), ("messages", "wrong"), ("messages", "AKIA0123")])
def test_wrong_keys(door, key):
    """A wrong key is refused in each cloud's own status and form."""
    with (
        AzureUpstream(KEY) as up,
        anthropic.AnthropicFoundry(api_key=key, base_url=f"{up.url}/anthropic", **OPTIONS) as client,
        pytest.raises(anthropic.AuthenticationError, match="Access denied"),
    ):
        client.messages.create(model="my-claude", **ASKED)
    with (
        BedrockUpstream(KEY) as up,
        anthropic.Anthropic(auth_token=key, api_key=None, base_url=f"{up.url}/anthropic", **OPTIONS) as client,
        pytest.raises(anthropic.PermissionDeniedError, match="token included in the request is invalid"),
    ):
        client.messages.create(model=PROFILE, **ASKED)


def short_key(*, region="us-east-1", age=0, lasts=3600):
    """A short-term key of Bedrock, as far as the fake reads one."""
    import base64
    from urllib.parse import urlencode

    begun = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age))
    scope = f"AKID/{begun[:8]}/{region}/bedrock/aws4_request"
    query = {"Action": "CallWithBearerToken", "X-Amz-Credential": scope, "X-Amz-Date": begun, "X-Amz-Expires": lasts}
    url = f"bedrock.amazonaws.com/?{urlencode(query)}&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, ""),
        ({"region": "eu-west-1"}, "valid region"),
        ({"age": 3700}, "expired"),
        ({"age": -600}, "expired"),
        ({"lasts": 50_000}, "expired"),
    ],
)
def test_short_term_keys(options, word):
    """A key made from credentials is for one region, and for some hours."""
    with (
        BedrockUpstream(KEY) as up,
        anthropic.Anthropic(
            auth_token=short_key(**options), api_key=None, base_url=f"{up.url}/anthropic", **OPTIONS
        ) as client,
    ):
        if not word:
            assert client.messages.create(model=PROFILE, **ASKED).content[0].text == DONE
            return
        with pytest.raises(anthropic.PermissionDeniedError, match=word):
            client.messages.create(model=PROFILE, **ASKED)
