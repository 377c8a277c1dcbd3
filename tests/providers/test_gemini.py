"""The fake of the Gemini API refuses what the API refuses, in its words, and answers as it does."""

import gzip
import json
import urllib.error
import urllib.request

import pytest

from ..patience import PATIENCE
from .gemini import ANSWER, KEY, GeminiUpstream, call_tool
from .gemini.signatures import DUMMIES

MODEL = "gemini-3.8-flash"
TOOL = {"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": {"type": "object", "properties": {}}}]}
HELLO = {"role": "user", "parts": [{"text": "Hello"}]}
RESULT = {"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}}


@pytest.fixture
def up():
    with GeminiUpstream(call_tool("get_weather", {"city": "Turin"})) as found:
        yield found
        assert not found.broken


def send(up, path, body=None, *, key=KEY, **fields):
    """The status, the body and its kind of one request."""
    head = {"x-goog-api-key": key, "content-type": "application/json"} | fields
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(up.url + path, data, {name: value for name, value in head.items() if value})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def generate(up, *contents, model=MODEL, verb="generateContent", **body):
    """The status and the JSON of one request for text."""
    status, data, _ = send(up, f"/v1beta/models/{model}:{verb}", {"contents": list(contents) or [HELLO], **body})
    return status, json.loads(data)


def called(up, **fields):
    """The content of a call, as the fake answered it, with other fields of its one part."""
    content = generate(up, tools=[TOOL])[1]["candidates"][0]["content"]
    [part] = content["parts"]
    part = {name: value for name, value in (part | fields).items() if value is not None}
    return {"role": "model", "parts": [part]}


def user(*parts):
    return {"role": "user", "parts": list(parts)}


SCHEMA = {"type": "OBJECT", "properties": {"n": {"type": "NUMBER", "exclusiveMinimum": 1}}}
#: A body, and words of what it is refused with.
REFUSED = {
    "unknown key": ({"seed": 1}, 'Unknown name "seed": Cannot find field.'),
    "unknown key below": ({"generationConfig": {"top_q": 1}}, "Unknown name \"top_q\" at 'generation_config'"),
    "schema keyword": (
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}]},
        "Unknown name \"exclusiveMinimum\" at 'tools[0].function_declarations[0].parameters.properties[0].value'",
    ),
    "list of types": (
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": ["STRING", "NULL"]}}]}]},
        "Proto field is not repeating, cannot start list.",
    ),
    "text that is none": ({"contents": [user({"text": 5})]}, "Invalid value at 'contents[0].parts[0].text'"),
    "no base64": ({"contents": [user({"inlineData": {"mimeType": "image/png", "data": "%"}})]}, "TYPE_BYTES"),
    "no contents": ({"contents": []}, "contents is not specified"),
    "no parts": ({"contents": [user()]}, "contents.parts must not be empty"),
    "empty part": ({"contents": [user({})]}, "must have one initialized field"),
    "two data fields": ({"contents": [user({"text": "a", "fileData": {"fileUri": "u"}})]}, "oneof field 'data'"),
    "role": ({"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]}, "valid role: user, model"),
    "gif": ({"contents": [user({"inlineData": {"mimeType": "image/gif", "data": "AAAA"}})]}, "MIME type: image/gif"),
    "both kinds of thinking": (
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH", "thinkingBudget": 100}}},
        "only one of thinking budget and thinking level",
    ),
    "level": (
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}},
        "Thinking level MINIMAL is not supported",
    ),
    "stops": ({"generationConfig": {"stopSequences": list("abcdef")}}, "stop sequences"),
    "output": ({"generationConfig": {"maxOutputTokens": 65537}}, "65536"),
    "schema without its type": ({"generationConfig": {"responseJsonSchema": {}}}, "response_mime_type"),
    "function name": ({"tools": [{"functionDeclarations": [{"name": "1a"}]}]}, "Invalid function name"),
    "declared twice": ({"tools": [TOOL, TOOL]}, "Duplicate function declaration found: get_weather"),
    "allowed names": (
        {"tools": [TOOL], "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["get_weather"]}}},
        "only be set when function calling mode is ANY or VALIDATED",
    ),
    "result without a call": ({"contents": [HELLO, user(RESULT)]}, "comes immediately after a function call turn"),
    "call at the beginning": (
        {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]},
        "function call turn comes immediately after a user turn",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(up, name):
    """What the API refuses is a 400 with its words, and with the paths of the fields where these do not fit."""
    body, words = REFUSED[name]
    status, answer = generate(up, **{"contents": [HELLO], **body})
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer["error"]["message"]
    if "Unknown name" in words or "Invalid value" in words:
        [detail] = answer["error"]["details"]
        assert words in detail["fieldViolations"][0]["description"]


def test_spellings(up):
    """snake_case, numbers as text, urlsafe base64 without padding and enums in lower case are taken."""
    picture = {"inline_data": {"mime_type": "image/png", "data": "-_-_-g"}}
    config = {"max_output_tokens": "100", "thinking_config": {"thinking_level": "high"}}
    status, answer = generate(up, user({"text": "Hi"}, picture), generation_config=config, system_instruction=HELLO)
    assert status == 200, answer


@pytest.mark.parametrize(
    ("model", "config", "status"),
    [
        ("gemini-2.5-pro", {"thinkingBudget": 0}, 400),
        ("gemini-2.5-pro", {"thinkingBudget": -1}, 200),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, 200),
        ("gemini-2.5-flash", {"thinkingBudget": 24577}, 400),
        ("gemini-2.5-flash", {"thinkingLevel": "HIGH"}, 400),
        ("gemini-3.5-flash", {"thinkingLevel": "MINIMAL"}, 200),
        ("gemini-4-hydrogen", {"thinkingLevel": "XHIGH"}, 200),
        ("gemini-4-argon", {"thinkingLevel": "XHIGH"}, 400),
    ],
)
def test_thinking(up, model, config, status):
    """Each model takes its own levels and budgets."""
    assert generate(up, model=model, generationConfig={"thinkingConfig": config})[0] == status


def test_json_beside_tools(up):
    """JSON and functions together are for Gemini 3 and later."""
    config = {"generationConfig": {"responseMimeType": "application/json"}, "tools": [TOOL]}
    assert generate(up, **config)[0] == 200
    status, answer = generate(up, model="gemini-2.5-flash", **config)
    assert (status, "is unsupported" in answer["error"]["message"]) == (400, True)


@pytest.mark.parametrize("dummy", ["", *DUMMIES])
def test_first_calls_are_signed(up, dummy):
    """The first call of the turn carries its signature or a documented stand-in; without one the request is refused."""
    content = called(up, thoughtSignature=dummy or None)
    status, answer = generate(up, HELLO, content, user(RESULT), tools=[TOOL])
    if dummy:
        assert status == 200
        return
    assert status == 400
    assert "missing a thought_signature in functionCall parts" in answer["error"]["message"]
    assert "`default_api:get_weather` , position 1" in answer["error"]["message"]


def test_earlier_turns_are_not_checked(up):
    """Behind a further text of the user a call without its signature passes, and on Gemini 2.5 in every place."""
    unsigned = called(up, thoughtSignature=None)
    done = [HELLO, unsigned, user(RESULT), {"role": "model", "parts": [{"text": "Sunny."}]}, HELLO]
    assert generate(up, *done, tools=[TOOL])[0] == 200
    assert generate(up, HELLO, unsigned, user(RESULT), tools=[TOOL], model="gemini-2.5-flash")[0] == 200


def test_signatures_are_checked(up):
    """A signature comes back in either alphabet; changed or cut it is refused."""
    content = called(up)
    signature = content["parts"][0]["thoughtSignature"]
    assert {"+", "/"} & set(signature)
    safe = signature.replace("+", "-").replace("/", "_").rstrip("=")
    assert generate(up, HELLO, called(up, thoughtSignature=safe), user(RESULT), tools=[TOOL])[0] == 200
    for wrong in (signature[:-8], "AAAA" + signature[4:], "cnRyMS4A"):
        status, answer = generate(up, HELLO, called(up, thoughtSignature=wrong), user(RESULT), tools=[TOOL])
        assert (status, answer["error"]["message"]) == (400, "Corrupted thought signature.")


def test_a_dummy_on_a_sibling_silences(up):
    """A stand-in on the second of two calls is answered with nothing."""
    content = called(up)
    content["parts"].append({"functionCall": {"name": "get_weather"}, "thoughtSignature": DUMMIES[0]})
    status, answer = generate(up, HELLO, content, user(RESULT, RESULT), tools=[TOOL])
    assert (status, answer["candidates"][0]["content"]) == (200, {"role": "model"})


@pytest.mark.parametrize("results", [[], [RESULT, RESULT]])
def test_results_are_counted(up, results):
    """Each call has one response, in the next content."""
    status, answer = generate(up, HELLO, called(up), user({"text": "So?"}, *results), tools=[TOOL])
    assert (status, "number of function response parts" in answer["error"]["message"]) == (400, True)


def test_a_result_like_a_schema(up):
    """A result that holds a reference as JSON is refused; as a text it is taken."""
    for value, status in (({"properties": {"a": {"$ref": "#/x"}}}, 400), ({"output": '{"$ref": "#/x"}'}, 200)):
        result = {"functionResponse": {"name": "get_weather", "response": value}}
        assert generate(up, HELLO, called(up), user(result), tools=[TOOL])[0] == status


def test_a_stream(up):
    """Only data lines with CRLF, thoughts first, usage that grows, an empty text with the signature at the end."""
    body = {"contents": [HELLO], "generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    status, data, fields = send(up, f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", body)
    assert (status, fields["content-type"]) == (200, "text/event-stream")
    frames = data.split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: {") for frame in frames)
    chunks = [json.loads(frame[6:]) for frame in frames]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert parts[0]["thought"]
    assert "".join(part["text"] for part in parts[1:]) == ANSWER
    assert (parts[-1]["text"], parts[-1]["thoughtSignature"]) == ("", up.signer.issued[-1])
    assert ["finishReason" in chunk["candidates"][0] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    counts = [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_a_stream_as_an_array(up):
    """Without alt=sse the chunks are one JSON array, and so are errors."""
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"
    status, data, fields = send(up, path, {"contents": [HELLO]})
    assert (status, fields["content-type"]) == (200, "application/json; charset=UTF-8")
    assert json.loads(data)[-1]["candidates"][0]["finishReason"] == "STOP"
    [error] = json.loads(send(up, path, {"contents": []})[1])
    assert error["error"]["code"] == 400


def test_a_stream_with_an_error(up):
    """An error in the middle is one more data line, and the body ends in order."""
    _, data, _ = send(up, f"/v1beta/models/{MODEL}-sse-error:streamGenerateContent?alt=sse", {"contents": [HELLO]})
    assert json.loads(data.split(b"data: ")[-1])["error"]["status"] == "UNAVAILABLE"
    assert b"finishReason" not in data


def test_gzip(up):
    """Who takes gzip gets it, for streams too."""
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    _, data, fields = send(up, path, {"contents": [HELLO]}, **{"accept-encoding": "gzip"})
    assert fields["content-encoding"] == "gzip"
    assert gzip.decompress(data).startswith(b"data: {")


@pytest.mark.parametrize(
    ("key", "fields", "status", "word"),
    [
        ("", {}, 403, "unregistered callers"),
        ("AIza-other", {}, 400, "API key not valid"),
        (KEY, {"authorization": "Bearer k"}, 401, "OAuth 2 access token"),
    ],
)
def test_keys(up, key, fields, status, word):
    """No key is a 403, a wrong one a 400 with its reason, and a Bearer is taken for an OAuth token."""
    found, data, _ = send(up, f"/v1beta/models/{MODEL}:generateContent", {"contents": [HELLO]}, key=key, **fields)
    assert (found, word in data.decode()) == (status, True)
    assert (status == 400) is (b"API_KEY_INVALID" in data)


def test_limits(up):
    """A limit says in its body how long it holds and for which model; no header says so."""
    path = f"/v1beta/models/{MODEL}-err-429-ra7:generateContent"
    status, data, fields = send(up, path, {"contents": [HELLO]})
    quota, retry = json.loads(data)["error"]["details"]
    assert (status, retry["retryDelay"], fields["retry-after"]) == (429, "7s", None)
    assert quota["violations"][0]["quotaDimensions"]["model"] == f"{MODEL}-err-429-ra7"


def test_a_fault_passes(up):
    """-x1 is for the first request of the name."""
    assert [generate(up, model=f"{MODEL}-err-503-x1")[0] for _ in range(2)] == [503, 200]


def test_other_calls(up):
    """Tokens are counted, texts embedded, models listed in pages; what is not there is a 404 in Google's words."""
    inner = {"model": f"models/{MODEL}", "contents": [HELLO], "systemInstruction": HELLO}
    count = f"/v1beta/models/{MODEL}:countTokens"
    assert json.loads(send(up, count, {"generateContentRequest": inner})[1])["totalTokens"] > 0
    assert send(up, count, {"contents": [HELLO], "generateContentRequest": inner})[0] == 400
    assert send(up, count, {"generateContentRequest": inner | {"model": "models/other"}})[0] == 400
    one = {"model": "models/gemini-embedding-001", "content": HELLO}
    batch = "/v1/models/gemini-embedding-001:batchEmbedContents"
    assert len(json.loads(send(up, batch, {"requests": [one, one]})[1])["embeddings"]) == 2
    assert send(up, batch, {"requests": [one | {"model": "models/other"}]})[0] == 400
    names, token = [], "0"
    while token:
        found = json.loads(send(up, f"/v1beta/models?pageSize=5&pageToken={token}")[1])
        names += [model["name"] for model in found["models"]]
        token = found.get("nextPageToken")
    assert f"models/{MODEL}" in names
    assert len(names) == len(set(names)) > 10
    status, answer = generate(up, model="gemini-1.0-pro")
    assert (status, "is not found for API version v1beta" in answer["error"]["message"]) == (404, True)
