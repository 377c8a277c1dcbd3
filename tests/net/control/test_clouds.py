"""The control plane at clouds: where catalogs and tiny requests go, and how the clouds' own errors are read."""

import json

import msgspec
import pytest
import trio

from router.backends import Backend
from router.net.control.calls import probe, probe_stream

from ...providers.event_frames import KIND, write_event, write_exception
from ..peers import KEY, failure, listed, models

PLACE = "/v1/projects/p-1/locations/global"
HELLO = (200, {}, b'{"content":[{"type":"text","text":"Hi"}]}')


def cloud(peer, vendor, root, **fields):
    """A backend of a cloud on loopback."""
    place = peer.root.removesuffix("/v1")
    roots = {name: place + path for name, path in fields.pop("roots", {}).items()}
    return Backend(name="some", root=place + root, vendor=vendor, roots=roots, **fields)


def vertex(peer):
    return cloud(
        peer,
        "vertex",
        f"{PLACE}/endpoints/openapi",
        protocols=("messages", "chat"),
        roots={"messages": f"{PLACE}/publishers/anthropic"},
        variables={"project": "p-1", "location": "global"},
    )


def test_a_tiny_request_to_claude_on_vertex(peer):
    """It goes to the path with the model, with the version in the body, and the key as a bearer."""
    path = f"{PLACE}/publishers/anthropic/models/claude-opus-5"
    peer.answers[f"{path}:rawPredict"] = HELLO
    assert trio.run(lambda: probe(vertex(peer), KEY, "claude-opus-5", "messages")) == "Hi"
    stream = (200, {"content-type": "text/event-stream"}, b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    peer.answers[f"{path}:streamRawPredict"] = stream
    assert trio.run(lambda: probe_stream(vertex(peer), KEY, "claude-opus-5", "messages")).events == 1
    for _, _, headers, body in peer.seen:
        sent = json.loads(body)
        assert sent["anthropic_version"] == "vertex-2023-10-16"
        assert "model" not in sent
        assert headers["authorization"] == f"Bearer {KEY.reveal()}"
        assert "anthropic-version" not in headers
        assert "x-api-key" not in headers


def test_a_tiny_request_to_invoke_model(peer):
    """Its stream, which comes in other frames, is read as any other, with the error in it."""
    backend = cloud(peer, "bedrock-invoke", "/model", protocols=("messages",))
    peer.answers["/model/us.claude-x-v1:0/invoke"] = HELLO
    assert trio.run(lambda: probe(backend, KEY, "us.claude-x-v1:0", "messages")) == "Hi"
    path, kind = "/model/us.claude-x-v1:0/invoke-with-response-stream", {"content-type": KIND}
    events = write_event(b'{"type":"message_start"}') + write_event(b'{"type":"message_stop"}')
    peer.answers[path] = (200, kind, events)
    assert trio.run(lambda: probe_stream(backend, KEY, "us.claude-x-v1:0", "messages")).events == 2
    peer.answers[path] = (200, kind, write_exception("throttlingException", message="Too many tokens"))
    told = str(failure(lambda: probe_stream(backend, KEY, "us.claude-x-v1:0", "messages")))
    assert "Too many tokens (throttlingException)" in told
    for _, _, headers, body in peer.seen:
        assert json.loads(body).keys() == {"anthropic_version", "max_tokens", "messages"}
        assert headers["accept"] == "application/json"


def test_a_name_that_cannot_be_asked_for(peer):
    """A model that would change the path is refused before anything is sent."""
    assert "cannot stand in the path" in str(failure(lambda: probe(vertex(peer), KEY, "a/b", "messages")))
    assert peer.seen == []


def test_a_cloud_without_a_list_is_not_asked(peer):
    """A provider that lists nothing that can be asked for is not asked, and counts as one without a list."""
    assert failure(lambda: models_of(vertex(peer))).status == 404
    assert peer.seen == []


async def models_of(backend):
    from router.net.control.calls import fetch_models

    return await fetch_models(backend, KEY)


def test_a_list_with_a_needed_header(peer):
    """The workspace goes along with the catalog as with requests, and the chosen header carries the key."""
    backend = cloud(
        peer, "claude-aws", "/v1", protocols=("messages",), variables={"region": "us-east-1", "workspace": "w1"}
    )
    peer.answers["/v1/models?limit=1000"] = listed("claude-opus-5")
    assert models(backend) == ["claude-opus-5"]
    assert models(msgspec.structs.replace(backend, auth_header="api-key")) == ["claude-opus-5"]
    (_, _, first, _), (_, _, second, _) = peer.seen
    assert (first["anthropic-workspace-id"], first["authorization"]) == ("w1", f"Bearer {KEY.reveal()}")
    assert (second["api-key"], second.get("authorization")) == (KEY.reveal(), None)


@pytest.mark.parametrize(
    ("body", "headers", "text", "code"),
    [
        (
            b'[{"error":{"code":403,"message":"Vertex AI API has not been used.","status":"PERMISSION_DENIED"}}]',
            {},
            "Vertex AI API has not been used.",
            "PERMISSION_DENIED",
        ),
        (
            b'{"message":"The security token included in the request is invalid."}',
            {"x-amzn-errortype": "UnrecognizedClientException:http://internal.amazon.com/coral/x/"},
            "The security token included in the request is invalid.",
            "UnrecognizedClientException",
        ),
        (b'{"Message":"User is not authorized."}', {}, "User is not authorized.", ""),
        (b"[]", {}, "127.0.0.1", ""),
    ],
)
def test_the_clouds_own_errors(peer, body, headers, text, code):
    """Google's error object, also in a list, and AWS's message with its kind in a header are read."""
    peer.answers[f"{PLACE}/publishers/anthropic/models/m:rawPredict"] = (403, headers, body)
    found = failure(lambda: probe(vertex(peer), KEY, "m", "messages"))
    assert (found.status, found.code) == (403, code)
    assert text in str(found)
