"""Keys, counts and names of Google's API at the proxy's door."""

import json

import pytest

from .processes import Threaded, backend
from .upstream import Upstream, plain
from .wire import ask

CLIENT_KEY = "client-key-0123456789-0123456789-01"
OTHER = "AIza-another-key-0123456789"
KEY = "AIza-upstream-key-0123456789"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
PATH = "/v1beta/models/gemini-x:generateContent"
DONE = {"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"}
WHOLE = json.dumps({"candidates": [DONE]}).encode()


@pytest.fixture(scope="module")
def listening():
    found = Upstream()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy that asks for a key, with backends that speak Google's API and Messages."""
    root = listening.root.removesuffix("/v1")
    backends = [
        backend("goo", f"{root}/v1beta", protocols=["gemini"], auth="key", key=KEY),
        backend("mess", f"{root}/v1", protocols=["messages"]) | {"added": 1},
        backend("talk", f"{root}/v1", protocols=["chat"]) | {"added": 2},
    ]
    settings = {"default_backend": "goo", "api_key": CLIENT_KEY, "require_key": "on"}
    with Threaded(tmp_path_factory.mktemp("keys"), backends=backends, **settings) as running:
        yield running


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


WAYS = {
    "x-goog-api-key": ("", ((b"x-goog-api-key", CLIENT_KEY.encode()),)),
    "bearer": ("", ((b"Authorization", b"Bearer " + CLIENT_KEY.encode()),)),
    "x-api-key": ("", ((b"x-api-key", CLIENT_KEY.encode()),)),
    "x-fairlead-key": ("", ((b"x-fairlead-key", CLIENT_KEY.encode()),)),
    "query": (f"?key={CLIENT_KEY}", ()),
    "both": ("", ((b"x-goog-api-key", CLIENT_KEY.encode()), (b"Authorization", b"Bearer " + CLIENT_KEY.encode()))),
}
GOOD = ((b"x-goog-api-key", CLIENT_KEY.encode()),)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_key_comes_in_any_way(proxy, upstream, way):
    """Each way in which Google's clients send a key opens the door, and no way leads the key upstream."""
    query, fields = WAYS[way]
    upstream.script(plain(WHOLE))
    assert ask(proxy.port, PATH + query, BODY, *fields).status == 200
    seen = upstream.seen[0]
    assert seen.field(b"x-goog-api-key") == KEY.encode()
    assert CLIENT_KEY.encode() not in seen.line + b"".join(b"".join(line) for line in seen.lines)


@pytest.mark.parametrize(("query", "fields"), [("", ()), (f"?key={OTHER}", ()), ("", ((b"x-goog-api-key", b"wrong"),))])
def test_a_wrong_key_is_refused_in_googles_form(proxy, upstream, query, fields):
    """Without the right key nothing is asked, and the error quotes no key."""
    answer = ask(proxy.port, PATH + query, BODY, *fields)
    assert (answer.status, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert OTHER.encode() not in answer.body
    assert upstream.seen == []


def test_a_key_in_the_query_opens_no_other_path(proxy, upstream):
    """The parameter is a key on the paths of this API alone."""
    body = json.dumps({"model": "talk:m", "messages": []}).encode()
    assert ask(proxy.port, f"/v1/chat/completions?key={CLIENT_KEY}", body).status == 401
    assert ask(proxy.port, f"/v1/models?key={CLIENT_KEY}").status == 200


def test_headers_for_google_go_to_google_alone(proxy, upstream):
    """The id of an installation, and what Google's clients tell of themselves, is not for another vendor."""
    told = ((b"x-gemini-api-privileged-user-id", b"u-1"), (b"x-goog-api-client", b"gl"), (b"x-goog-user-project", b"p"))
    upstream.script(plain(json.dumps({"data": [], "object": "list"}).encode()))
    body = json.dumps({"model": "talk:m", "input": "x"}).encode()
    ask(proxy.port, "/v1/embeddings", body, *GOOD, *told)
    seen = upstream.seen[0]
    assert [seen.field(name) for name, _ in told] == [None, None, None]


def test_a_count_is_asked_of_a_backend_of_another_protocol(proxy, upstream):
    """A count of Google's API comes from a backend that counts in Messages, with the system prompt in it."""
    upstream.script(plain(b'{"input_tokens": 42}'))
    asked = {"generateContentRequest": {"model": "models/x", **json.loads(BODY)}}
    asked["generateContentRequest"]["systemInstruction"] = {"parts": [{"text": "be brief"}]}
    answer = ask(proxy.port, "/v1beta/models/mess:m:countTokens", json.dumps(asked).encode(), *GOOD)
    assert (answer.status, answer.json()) == (200, {"totalTokens": 42})
    assert upstream.seen[0].line == b"POST /v1/messages/count_tokens HTTP/1.1"
    assert b"be brief" in upstream.seen[0].body


def test_a_count_is_estimated_where_a_backend_has_none(proxy, upstream):
    """A backend of Chat counts nothing: the estimate says that it is one."""
    answer = ask(proxy.port, "/v1beta/models/talk:m:countTokens", BODY, *GOOD)
    assert answer.status == 200
    assert answer.json()["totalTokens"] > 0
    assert answer.field(b"x-fairlead-loss") == b"input_tokens=weakened"


def test_a_caller_of_messages_counts_at_this_api(proxy, upstream):
    """The request to count names the model, and holds system prompt and tools."""
    upstream.script(plain(b'{"totalTokens": 7}'))
    turns = [{"role": "user", "content": "hi"}]
    body = {"model": "goo:gemini-x", "system": "be brief", "messages": turns}
    answer = ask(proxy.port, "/v1/messages/count_tokens", json.dumps(body).encode(), *GOOD)
    assert (answer.status, answer.json()) == (200, {"input_tokens": 7})
    assert upstream.seen[0].line == b"POST /v1beta/models/gemini-x:countTokens HTTP/1.1"
    sent = json.loads(upstream.seen[0].body)["generateContentRequest"]
    assert sent["model"] == "models/gemini-x"
    assert sent["systemInstruction"]["parts"] == [{"text": "be brief"}]


def test_a_renamed_model_is_renamed_in_the_body_too(proxy, upstream):
    """Embeddings name the model in the path and in each request."""
    upstream.script(plain(b'{"embeddings": []}'))
    asked = {"requests": [{"model": "models/goo:emb", "content": {"parts": [{"text": "a"}]}}]}
    path = "/v1beta/models/goo:emb:batchEmbedContents"
    assert ask(proxy.port, path, json.dumps(asked).encode(), *GOOD).status == 200
    assert upstream.seen[0].line == b"POST /v1beta/models/emb:batchEmbedContents HTTP/1.1"
    assert json.loads(upstream.seen[0].body)["requests"][0]["model"] == "models/emb"


def test_embeddings_are_not_translated(proxy, upstream):
    """A backend of another protocol does not get them, and the error says so."""
    answer = ask(proxy.port, "/v1beta/models/mess:m:embedContent", BODY, *GOOD)
    assert answer.json()["error"]["code"] == answer.status == 501
    assert answer.json()["error"]["status"] == "UNIMPLEMENTED"
    assert upstream.seen == []


def test_a_signature_of_fairleads_own_does_not_reach_google(proxy, upstream):
    """It is replaced by the placeholder that Google documents."""
    upstream.script(plain(WHOLE))
    call = {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "cnRyMS4AAAAA"}
    said = {"contents": [{"role": "model", "parts": [call]}, *json.loads(BODY)["contents"]]}
    path = "/v1beta/models/gemini-3.5-flash:generateContent"
    assert ask(proxy.port, path, json.dumps(said).encode(), *GOOD).status == 200
    assert b"cnRyMS4A" not in upstream.seen[0].body
    assert b"skip_thought_signature_validator" in upstream.seen[0].body


def test_what_is_stored_at_google_is_not_found_without_a_backend(tmp_path, listening):
    """Files and caches of this API are not found where no backend speaks it."""
    with Threaded(tmp_path, backends=[backend("mess", listening.root, protocols=["messages"])]) as running:
        answer = ask(running.port, "/v1beta/files/abc")
    assert (answer.status, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert "gemini" in answer.json()["error"]["message"]
