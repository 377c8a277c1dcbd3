"""Clouds on loopback: what leaves for each protocol of a provider that has paths, key headers and fields of its own."""

import itertools
import json

import pytest

from .processes import Threaded, backend, until
from .samples import PROTOCOLS
from .traffic import answer_of, events_of
from .upstream import Upstream, plain, stream
from .wire import ask

SAMPLES = {one.name: one for one in PROTOCOLS}
USAGE = {
    "messages": {"input_tokens": 10, "output_tokens": 5},
    "chat": {"prompt_tokens": 10, "completion_tokens": 5},
    "responses": {"input_tokens": 10, "output_tokens": 5},
}
TURNS = {
    "messages": {"max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]},
    "chat": {"max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"max_output_tokens": 50, "input": "Hi", "store": False},
}
PLACE = "/v1/projects/p-1/locations/global"
KEY = "cloud-key-0123456789"


@pytest.fixture(scope="module")
def listening():
    found = Upstream()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy with clouds that stand on one loopback port."""
    place = listening.root.removesuffix("/v1")

    def cloud(name, root, protocols, **more):
        made = backend(name, place + root, protocols=protocols, vendor=name, auth="key", key=KEY)
        return made | {
            key: {one: place + path for one, path in value.items()} if key == "roots" else value
            for key, value in more.items()
        }

    backends = [
        cloud(
            "vertex",
            f"{PLACE}/endpoints/openapi",
            ["messages", "chat", "responses", "gemini"],
            roots={
                "messages": f"{PLACE}/publishers/anthropic",
                "responses": f"{PLACE}/publishers/openai/v1",
                "gemini": f"{PLACE}/publishers/google",
            },
            variables={"project": "p-1", "location": "global"},
        ),
        cloud("foundry", "/openai/v1", ["messages", "chat", "responses"], roots={"messages": "/anthropic/v1"}),
        cloud("claude-aws", "/v1", ["messages"], variables={"region": "us-east-1", "workspace": "w1"}),
        cloud("bedrock", "/openai/v1", ["messages", "chat"], roots={"messages": "/anthropic/v1"}),
        cloud("azure", "/openai/v1", ["chat", "responses"], auth_header="api-key"),
    ]
    with Threaded(tmp_path_factory.mktemp("clouds"), backends=backends, echo_model="off") as running:
        running.entries = []
        running.call(lambda: running.serving.runtime.recorder.listeners.add(running.entries.append))
        yield running


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


def answer_in(spoken, *, streamed):
    """What an upstream answers."""
    sample = SAMPLES[spoken]
    return stream(events_of(sample, USAGE[spoken])) if streamed else plain(answer_of(sample, USAGE[spoken]))


def send(proxy, upstream, caller, model, spoken, *, streamed=False, headers=()):
    """Send a request; what its upstream got: path, body and request."""
    upstream.script(answer_in(spoken, streamed=streamed))
    body = {"model": model, **TURNS[caller], **({"stream": True} if streamed else {})}
    answer = ask(proxy.port, SAMPLES[caller].path, json.dumps(body).encode(), *headers)
    assert (answer.status, answer.whole) == (200, True), answer.body
    [seen] = upstream.seen
    return seen.line.split()[1].decode(), json.loads(seen.body), seen


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("caller", ["messages", "chat", "responses"])
def test_claude_on_vertex(proxy, upstream, caller, streamed):
    """Its model stands in the path and not in the body, beside the version of the API; the header of the version stays
    behind. Relayed and translated are alike."""
    path, body, seen = send(
        proxy,
        upstream,
        caller,
        "vertex:claude-opus-4-5@20251101",
        "messages",
        streamed=streamed,
        headers=[(b"anthropic-version", b"2023-06-01"), (b"anthropic-beta", b"b1")] if caller == "messages" else [],
    )
    verb = "streamRawPredict" if streamed else "rawPredict"
    assert path == f"{PLACE}/publishers/anthropic/models/claude-opus-4-5@20251101:{verb}"
    assert "model" not in body
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert body.get("stream", False) is streamed
    assert seen.field(b"anthropic-version") is None
    assert seen.field(b"anthropic-beta") == (b"b1" if caller == "messages" else None)
    assert seen.field(b"authorization") == b"Bearer " + KEY.encode()
    assert seen.field(b"x-api-key") is None


def test_a_count_on_vertex(proxy, upstream):
    """A count names the model in its body, at a path without one."""
    upstream.script(plain(b'{"input_tokens":7}'))
    body = {"model": "vertex:claude-opus-5", "messages": [{"role": "user", "content": "Hi"}]}
    answer = ask(proxy.port, "/v1/messages/count_tokens", json.dumps(body).encode())
    assert answer.json() == {"input_tokens": 7}
    [seen] = upstream.seen
    assert seen.line.split()[1].decode() == f"{PLACE}/publishers/anthropic/models/count-tokens:rawPredict"
    assert json.loads(seen.body)["model"] == "claude-opus-5"


@pytest.mark.parametrize("caller", ["gemini", "messages"])
def test_a_count_of_gemini_on_vertex(proxy, upstream, caller):
    """Its system prompt stands beside the contents, where Vertex reads it, whoever asks."""
    upstream.script(plain(b'{"totalTokens":7}'))
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}]
    path, body = "/v1/messages/count_tokens", {"model": "vertex:gemini-3-pro", "system": "be brief"}
    if caller == "messages":
        body |= {"messages": [{"role": "user", "content": "Hi"}]}
    else:
        path = "/v1beta/models/vertex:gemini-3-pro:countTokens"
        inner = {"model": "models/x", "contents": contents, "systemInstruction": {"parts": [{"text": "be brief"}]}}
        body = {"generateContentRequest": inner}
    answer = ask(proxy.port, path, json.dumps(body).encode())
    assert answer.json() == ({"input_tokens": 7} if caller == "messages" else {"totalTokens": 7})
    [seen] = upstream.seen
    assert seen.line.split()[1].decode() == f"{PLACE}/publishers/google/models/gemini-3-pro:countTokens"
    sent = json.loads(seen.body)
    assert sent["contents"] == contents
    assert sent["systemInstruction"]["parts"] == [{"text": "be brief"}]
    assert not sent.keys() & {"generateContentRequest", "model"}


@pytest.mark.parametrize(
    "model", ["vertex:claude-a/b", "vertex:claude-..:x", "vertex:claude-a?x=1", "vertex:claude-a#b"]
)
def test_a_model_that_would_change_the_path(proxy, upstream, model):
    """It is refused in the caller's form before anything is sent."""
    body = {"model": model, **TURNS["messages"]}
    answer = ask(proxy.port, "/v1/messages", json.dumps(body).encode())
    assert answer.status == 400
    assert "cannot stand in the path" in answer.json()["error"]["message"]
    assert upstream.seen == []


CASES = [
    ("vertex:google/gemini-3-pro", "chat", f"{PLACE}/endpoints/openapi/chat/completions"),
    ("vertex:gpt-5.6", "responses", f"{PLACE}/publishers/openai/v1/responses"),
    ("foundry:claude-opus-5", "messages", "/anthropic/v1/messages"),
    ("claude-aws:claude-opus-5", "messages", "/v1/messages"),
]


@pytest.mark.parametrize(("caller", "case"), [*itertools.product(TURNS, CASES)])
def test_each_model_in_its_protocol(proxy, upstream, caller, case):
    """A cloud serves a model in its own protocol, whatever the caller's is, and under that protocol's root."""
    model, spoken, expected = case
    path, body, _ = send(proxy, upstream, caller, model, spoken)
    assert path == expected
    assert body["model"] == model.partition(":")[2]


def test_keys_in_their_headers(proxy, upstream):
    """The key goes in the header of the protocol, or in the one that the user chose, and in no other."""
    names = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
    bare, bearer = KEY.encode(), b"Bearer " + KEY.encode()
    for model, caller, spoken, wanted in (
        ("foundry:claude-opus-5", "messages", "messages", (None, bare, None, None)),
        ("foundry:gpt-x", "chat", "chat", (bearer, None, None, None)),
        ("azure:gpt-x", "chat", "chat", (None, None, bare, None)),
        ("azure:gpt-x", "messages", "responses", (None, None, bare, None)),
        ("claude-aws:claude-opus-5", "messages", "messages", (bearer, None, None, None)),
    ):
        upstream.clear()
        _, _, seen = send(proxy, upstream, caller, model, spoken, headers=[(b"api-key", b"callers-own")])
        assert tuple(seen.field(name) for name in names) == wanted


def test_headers_go_to_their_vendor_alone(proxy, upstream):
    """A header of one cloud is not passed on to another, and a needed one is the backend's and not the caller's."""
    own = [
        (b"x-ms-client-request-id", b"1"),
        (b"x-amzn-bedrock-trace", b"1"),
        (b"x-vertex-ai-llm-request-type", b"shared"),
        (b"x-goog-user-project", b"1"),
        (b"cf-aig-gateway-id", b"1"),
        (b"x-hf-bill-to", b"1"),
        (b"anthropic-workspace-id", b"callers"),
    ]
    kept = {
        "vertex:google/m": {b"x-vertex-ai-llm-request-type", b"x-goog-user-project"},
        "foundry:m": {b"x-ms-client-request-id"},
    }
    for model, expected in kept.items():
        upstream.clear()
        _, _, seen = send(proxy, upstream, "chat", model, "chat", headers=own)
        assert {name for name, _ in own if seen.field(name) is not None} == expected
    upstream.clear()
    _, _, seen = send(proxy, upstream, "messages", "claude-aws:claude-opus-5", "messages", headers=own)
    assert seen.field(b"anthropic-workspace-id") == b"w1"
    assert seen.field(b"x-amzn-bedrock-trace") == b"1"


@pytest.mark.parametrize("caller", ["messages", "chat"])
def test_an_error_of_aws(proxy, upstream, caller):
    """Its message comes in the caller's form; the history has its kind, which stands in a header alone, and what to do
    where the name is one of another service."""
    said = "The provided model identifier is invalid."
    kind = (b"x-amzn-ErrorType", b"ValidationException:http://internal.amazon.com/coral/x/")
    upstream.script(plain(json.dumps({"message": said}).encode(), b"400 Bad Request", kind))
    body = {"model": "bedrock:anthropic.claude-opus-5", **TURNS[caller]}
    answer = ask(proxy.port, SAMPLES[caller].path, json.dumps(body).encode())
    assert answer.status == 400
    error = answer.json()["error"]
    assert (error["message"], error["type"]) == (said, "invalid_request_error")
    name = answer.field(b"x-fairlead-request-id").decode()
    assert until(lambda: any(one.id == name for one in list(proxy.entries)))
    entry = next(one for one in proxy.entries if one.id == name)
    assert f"ValidationException: {said}" in str(entry.tries)
    assert "bedrock-mantle" in str(entry.notes)


DETAILS = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "X", "domain": "googleapis.com"}]


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [(404, "NOT_FOUND", "not_found_error"), (400, "INVALID_ARGUMENT", "invalid_request_error")],
)
@pytest.mark.parametrize("listed", [False, True], ids=["object", "list"])
def test_an_error_of_google_in_front_of_claude(proxy, upstream, code, status, kind, listed):
    """It has the form of the caller's protocol, and all that Google said beside."""
    error = {"code": code, "message": "Said by Google.", "status": status, "details": DETAILS}
    body = {"error": error}
    upstream.script(plain(json.dumps([body] if listed else body).encode(), f"{code} Refused".encode()))
    asked = {"model": "vertex:claude-opus-5", **TURNS["messages"]}
    answer = ask(proxy.port, "/v1/messages", json.dumps(asked).encode())
    assert answer.status == code
    found = answer.json()
    assert found["type"] == "error"
    assert found["error"] == {**error, "type": kind}


@pytest.mark.parametrize(
    ("model", "caller", "body"),
    [
        ("vertex:claude-opus-5", "messages", {"type": "error", "error": {"type": "not_found_error", "message": "No."}}),
        ("vertex:google/m", "chat", {"error": {"code": 404, "message": "No.", "status": "NOT_FOUND"}}),
        ("vertex:gemini-3-pro", "gemini", {"error": {"code": 404, "message": "No.", "status": "NOT_FOUND"}}),
        ("azure:gpt-x", "chat", {"error": {"code": "DeploymentNotFound", "message": "No."}}),
    ],
)
def test_an_error_that_clients_read_stays(proxy, upstream, model, caller, body):
    """An error in the form of the caller's protocol comes byte for byte."""
    data = json.dumps(body, indent=1).encode()
    upstream.script(plain(data, b"404 Not Found"))
    path, asked = "", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    if caller == "gemini":
        path = f"/v1beta/models/{model}:generateContent"
    else:
        path, asked = SAMPLES[caller].path, {"model": model, **TURNS[caller]}
    answer = ask(proxy.port, path, json.dumps(asked).encode())
    assert (answer.status, answer.body) == (404, data)


def test_an_error_of_azure_in_front_of_claude(proxy, upstream):
    """It has a code and no type: a caller of Messages gets both."""
    error = {"code": "DeploymentNotFound", "message": "The deployment does not exist."}
    upstream.script(plain(json.dumps({"error": error}).encode(), b"404 Not Found"))
    answer = ask(proxy.port, "/v1/messages", json.dumps({"model": "foundry:my-claude", **TURNS["messages"]}).encode())
    assert answer.status == 404
    assert answer.json() == {"type": "error", "error": {**error, "type": "not_found_error"}}


GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("caller", ["messages", "chat", "responses", "gemini"])
def test_gemini_on_vertex(proxy, upstream, caller, streamed):
    """It is asked in its own protocol under the publisher's root, with the key as a bearer, whoever calls."""
    data = json.dumps(GEMINI).encode()
    upstream.script(stream([b"data: " + data + b"\r\n\r\n"]) if streamed else plain(data))
    verb = "streamGenerateContent" if streamed else "generateContent"
    body = {"model": "vertex:gemini-3-pro", **TURNS.get(caller, {}), **({"stream": True} if streamed else {})}
    path = SAMPLES[caller].path if caller in TURNS else ""
    if caller == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
        path = f"/v1beta/models/vertex:gemini-3-pro:{verb}{'?alt=sse' if streamed else ''}"
    answer = ask(proxy.port, path, json.dumps(body).encode())
    assert (answer.status, answer.whole) == (200, True), answer.body
    assert b"Hi" in answer.body
    [seen] = upstream.seen
    wanted = f"{PLACE}/publishers/google/models/gemini-3-pro:{verb}{'?alt=sse' if streamed else ''}"
    assert seen.line.split()[1].decode() == wanted
    assert "model" not in json.loads(seen.body)
    assert seen.field(b"authorization") == b"Bearer " + KEY.encode()
    assert seen.field(b"x-goog-api-key") is None


def test_a_wrong_key_that_google_calls_a_400(tmp_path, upstream):
    """A caller of Messages gets what it takes for a wrong key: 401 and `authentication_error`, with Google's words."""
    place = upstream.root.removesuffix("/v1")
    made = backend("vertex", place, protocols=["messages"], vendor="vertex", auth="key", key=KEY)
    said = {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
    upstream.script(plain(json.dumps({"error": said}).encode(), b"400 Bad Request"))
    with Threaded(tmp_path, backends=[made], echo_model="off") as running:
        body = {"model": "vertex:claude-opus-5", **TURNS["messages"]}
        answer = ask(running.port, "/v1/messages", json.dumps(body).encode())
    assert answer.status == 401
    assert answer.json() == {"type": "error", "error": {**said, "type": "authentication_error"}}
