"""Rounds with tools over real connections: callers of each protocol, a backend that speaks Google's API."""

import json

import pytest

from .processes import Threaded, backend, make_home
from .upstream import Upstream, plain, stream
from .wire import ask, events

MODEL = "gemini-3-flash-preview"
SIGNATURE = "Eq0CCqoCAQw51se+Cygzzd/w=="
PLACEHOLDER = "skip_thought_signature_validator"
CALL = {"functionCall": {"id": "pt3pjoak", "name": "look", "args": {"q": "x"}}, "thoughtSignature": SIGNATURE}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
CALLERS = {"messages": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}
MISSING = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "Function call is missing a thought_signature in functionCall parts.",
            "status": "INVALID_ARGUMENT",
        }
    }
).encode()


def content(*parts, finish="STOP"):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": 0}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 2, "totalTokenCount": 9}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r1"}


def answered(*parts, streamed):
    """What the upstream sends."""
    data = json.dumps(content(*parts)).encode()
    return stream([b"data: " + data + b"\r\n\r\n"]) if streamed else plain(data)


DONE = {"text": "done"}


@pytest.fixture(scope="module")
def listening():
    found = Upstream(models=(MODEL,))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy with one backend, whose model writes 4096 tokens at most."""
    root = listening.root.removesuffix("/v1")
    backends = [backend("goo", f"{root}/v1beta", protocols=["gemini"])]
    folder = tmp_path_factory.mktemp("rounds")
    config = make_home(folder) / "config.toml"
    config.touch(mode=0o600)
    config.write_text(f'[models."{MODEL}"]\nmax_output = 4096\n', "utf-8")
    with Threaded(folder, backends=backends, default_backend="goo") as running:
        yield running


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


def tool_of(caller):
    """The tool in the caller's form."""
    if caller == "messages":
        return {"name": "look", "input_schema": SCHEMA}
    form = {"name": "look", "parameters": SCHEMA}
    return {"type": "function", **form} if caller == "responses" else {"type": "function", "function": form}


def first_request(caller, **fields):
    turns = {"input": [{"role": "user", "content": "go"}]} if caller == "responses" else {}
    turns = turns or {"messages": [{"role": "user", "content": "go"}]}
    return {
        "model": MODEL,
        "tools": [tool_of(caller)],
        **turns,
        **({"max_tokens": 99} if caller == "messages" else {}),
    } | fields


def read_call(caller, answer, *, streamed):
    """The id of the call in an answer."""
    if not streamed:
        data = answer.json()
        if caller == "messages":
            return next(one["id"] for one in data["content"] if one["type"] == "tool_use")
        if caller == "chat":
            return data["choices"][0]["message"]["tool_calls"][0]["id"]
        return next(one["call_id"] for one in data["output"] if one["type"] == "function_call")
    found = [json.loads(data) for _, data in events(answer.body) if data != b"[DONE]"]
    if caller == "messages":
        blocks = [one["content_block"] for one in found if one["type"] == "content_block_start"]
        return next(one["id"] for one in blocks if one["type"] == "tool_use")
    if caller == "chat":
        deltas = [choice["delta"] for one in found for choice in one["choices"]]
        return next(one["tool_calls"][0]["id"] for one in deltas if one.get("tool_calls"))
    items = [one["item"] for one in found if one["type"] == "response.output_item.done"]
    return next(one["call_id"] for one in items if one["type"] == "function_call")


def second_request(caller, call_id):
    """The next request of a caller that drops all reasoning."""
    asked = first_request(caller)
    arguments = '{"q":"x"}'
    if caller == "messages":
        use = {"type": "tool_use", "id": call_id, "name": "look", "input": {"q": "x"}}
        result = {"type": "tool_result", "tool_use_id": call_id, "content": "found"}
        asked["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    elif caller == "chat":
        call = {"id": call_id, "type": "function", "function": {"name": "look", "arguments": arguments}}
        asked["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": "found"},
        ]
    else:
        asked["input"] += [
            {"type": "function_call", "call_id": call_id, "name": "look", "arguments": arguments},
            {"type": "function_call_output", "call_id": call_id, "output": "found"},
        ]
    return asked


def post(proxy, caller, body):
    answer = ask(proxy.port, CALLERS[caller], json.dumps(body).encode())
    assert answer.status == 200, answer.body
    return answer


def sent(upstream):
    """The bodies that the upstream got."""
    return [json.loads(one.body) for one in list(upstream.seen)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("caller", CALLERS)
def test_a_signature_returns_on_its_call(proxy, upstream, caller, streamed):
    """The second request holds the call as the model made it, with its signature, and the response behind it."""
    upstream.script(answered(CALL, streamed=streamed))
    answer = post(proxy, caller, first_request(caller, stream=streamed))
    upstream.script(answered(DONE, streamed=False))
    answer = post(proxy, caller, second_request(caller, read_call(caller, answer, streamed=streamed)))
    assert b"done" in answer.body
    first, second = sent(upstream)
    assert first["tools"] == [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}]
    response = {"id": "pt3pjoak", "name": "look", "response": {"output": "found"}}
    assert second["contents"] == [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [CALL]},
        {"role": "user", "parts": [{"functionResponse": response}]},
    ]


@pytest.mark.parametrize("caller", CALLERS)
def test_a_lost_signature_is_replaced(proxy, upstream, caller):
    """A call that another upstream made gets the documented placeholder at once."""
    upstream.script(answered(DONE, streamed=False))
    post(proxy, caller, second_request(caller, "call_of_another_time_1a2b3c4d"))
    (asked,) = sent(upstream)
    assert [part.get("thoughtSignature") for part in asked["contents"][1]["parts"]] == [PLACEHOLDER]


@pytest.mark.parametrize("caller", CALLERS)
def test_a_signature_that_is_refused_is_replaced(proxy, upstream, caller):
    """A 400 that names signatures is answered with one more request, without them."""
    upstream.script(answered(CALL, streamed=False))
    call_id = read_call(caller, post(proxy, caller, first_request(caller)), streamed=False)
    upstream.script(plain(MISSING, b"400 Bad Request"))
    upstream.script(answered(DONE, streamed=False))
    assert b"done" in post(proxy, caller, second_request(caller, call_id)).body
    signatures = [one["contents"][1]["parts"][0]["thoughtSignature"] for one in sent(upstream)[1:]]
    assert signatures == [SIGNATURE, PLACEHOLDER]


def test_a_refused_signature_of_a_caller_of_this_protocol(proxy, upstream):
    """A request that is passed on as it is gets its signatures replaced when they are refused, once."""
    contents = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [CALL, {"functionCall": {"name": "look", "args": {}}}]},
    ]
    body = json.dumps({"contents": contents}).encode()
    path = f"/v1beta/models/{MODEL}:generateContent"
    upstream.script(plain(MISSING, b"400 Bad Request"))
    upstream.script(answered(DONE, streamed=False))
    assert ask(proxy.port, path, body).status == 200
    first, second = sent(upstream)
    assert first["contents"] == contents
    assert second["contents"][1]["parts"] == [{**CALL, "thoughtSignature": PLACEHOLDER}, contents[1]["parts"][1]]
    upstream.script(plain(MISSING, b"400 Bad Request"))
    upstream.script(plain(MISSING, b"400 Bad Request"))
    answer = ask(proxy.port, path, body)
    assert (answer.status, answer.body) == (400, MISSING)


@pytest.mark.parametrize("caller", CALLERS)
def test_an_output_limit_over_that_of_the_model(proxy, upstream, caller):
    """What the user says of the model bounds what is asked for, and the caller is told."""
    field = "max_output_tokens" if caller == "responses" else "max_tokens"
    upstream.script(answered(DONE, streamed=False))
    answer = post(proxy, caller, first_request(caller, **{field: 64_000}))
    assert sent(upstream)[0]["generationConfig"] == {"maxOutputTokens": 4096}
    assert f"{field}=weakened".encode() in answer.field(b"x-fairlead-loss")


def test_an_output_limit_over_that_in_the_notes_of_others(proxy, upstream):
    """What only the shipped table says of a model is no reason to ask for less."""
    upstream.script(answered(DONE, streamed=False))
    post(proxy, "chat", first_request("chat", model="gemini-3.8-flash", max_tokens=10**6))
    assert sent(upstream)[0]["generationConfig"] == {"maxOutputTokens": 10**6}
