"""Google's API at the demo over real sockets: answers, streams in both forms, tools, counts, lists and errors."""

import json

import httpx
import pytest

from router.backends.key_forms import WRONG_KEY

TOOL = {
    "name": "get_weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}}},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def user(text):
    return {"role": "user", "parts": [{"text": text}]}


def ask(http, model, verb, status=200, /, **body):
    """The answer to a request, as JSON."""
    answer = http.post(f"/v1beta/models/{model}:{verb}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def parts_of(answer):
    """The parts of the first candidate."""
    return answer["candidates"][0]["content"]["parts"]


def stream(http, model, **body):
    """The chunks of a stream of events; each line of it is as Google writes them."""
    answer = http.post(f"/v1beta/models/{model}:streamGenerateContent?alt=sse", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("\r\n\r\n")
    events = answer.text.removesuffix("\r\n\r\n").split("\r\n\r\n")
    assert all(event.startswith("data: {") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_an_answer(http, version):
    """The last text comes back, whole, with what it took; the role may be absent."""
    body = {"contents": [{"parts": [{"text": "Say hello"}]}], "system_instruction": {"parts": [{"text": "Be brief."}]}}
    answer = http.post(f"/{version}/models/demo:generateContent", json=body).json()
    assert parts_of(answer) == [{"text": "Say hello"}]
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert (answer["modelVersion"], len(answer["responseId"])) == ("demo", 24)
    assert answer["usageMetadata"] == {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}


def test_a_stream(http):
    """Word by word, with usage that grows; the reason of the end is in the last chunk alone, whose usage is final."""
    chunks = stream(http, "demo", contents=[user("one two three")])
    assert [parts_of(chunk)[0]["text"] for chunk in chunks] == ["one ", "two ", "three", ""]
    assert ["finishReason" in chunk["candidates"][0] for chunk in chunks] == [False, False, False, True]
    counts = [chunk["usageMetadata"]["candidatesTokenCount"] for chunk in chunks]
    assert counts == sorted(counts)
    assert (
        counts[-1]
        == ask(http, "demo", "generateContent", contents=[user("one two three")])["usageMetadata"][
            "candidatesTokenCount"
        ]
    )


def test_a_stream_as_an_array(http):
    """Without alt=sse the same chunks are an array in JSON."""
    answer = http.post("/v1beta/models/demo:streamGenerateContent", json={"contents": [user("one two")]})
    assert answer.headers["content-type"].startswith("application/json")
    texts = [parts_of(chunk)[0]["text"] for chunk in answer.json()]
    assert texts == ["one ", "two", ""]


@pytest.mark.parametrize("name", ["parameters", "parametersJsonSchema", "parameters_json_schema"])
def test_a_tool_round(http, name):
    """A call comes whole, with an id and arguments that fit the schema in any spelling; then its result as text."""
    tools = [{"functionDeclarations": [{"name": "get_weather", name: TOOL["parameters"]}]}]
    for answer in (
        ask(http, "demo-tools", "generateContent", contents=[user("weather")], tools=tools),
        stream(http, "demo-tools", contents=[user("weather")], tools=tools)[0],
    ):
        [part] = parts_of(answer)
        call = part["functionCall"]
        assert (call["name"], set(call["args"]), part.keys()) == ("get_weather", {"city", "days"}, {"functionCall"})
    response = {"id": call["id"], "name": "get_weather", "response": {"output": "sunny"}}
    contents = [user("weather"), {"role": "model", "parts": [part]}]
    contents.append({"role": "function", "parts": [{"functionResponse": response}]})
    after = ask(http, "demo-tools", "generateContent", contents=contents, tools=tools)
    assert parts_of(after) == [{"text": "The tool returned: sunny"}]
    response["response"] = {"rows": [1], "output": "x"}
    after = ask(http, "demo-tools", "generateContent", contents=contents, tools=tools)
    assert parts_of(after) == [{"text": 'The tool returned: {"rows":[1],"output":"x"}'}]


@pytest.mark.parametrize(
    ("config", "called"),
    [
        ({"mode": "AUTO"}, "read_a"),
        ({"mode": "NONE"}, None),
        ({"mode": "ANY", "allowedFunctionNames": ["write_b"]}, "write_b"),
        ({"mode": "any", "allowed_function_names": ["write_b", "write_c"]}, "write_b"),
        ({"mode": "VALIDATED"}, "read_a"),
    ],
)
def test_which_tool(http, config, called):
    """The choice of a request counts, in any case and spelling."""
    tools = [{"functionDeclarations": [{"name": name} for name in ("write_b", "read_a", "write_c")]}]
    choice = {"functionCallingConfig": config}
    answer = ask(http, "demo-tools", "generateContent", contents=[user("go")], tools=tools, toolConfig=choice)
    assert parts_of(answer)[0].get("functionCall", {}).get("name") == called


def test_json_answers(http):
    """A schema in either field, with types in capitals too, is answered by JSON that fits; without one, an object."""
    for config in (
        {"responseJsonSchema": SCHEMA},
        {"response_schema": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}},
    ):
        config = {"responseMimeType": "application/json", **config}
        answer = ask(http, "demo", "generateContent", contents=[user("x")], generationConfig=config)
        assert set(json.loads(parts_of(answer)[0]["text"])) == {"city"}
    config = {"responseMimeType": "application/json"}
    answer = ask(http, "demo", "generateContent", contents=[user("x")], generationConfig=config)
    assert json.loads(parts_of(answer)[0]["text"]) == {}


def test_counts_and_embeddings(http):
    """A count in both forms of its request, and vectors of the length that is asked for."""
    contents = [user("some words")]
    plain = ask(http, "demo", "countTokens", contents=contents)
    wrapped = ask(http, "demo", "countTokens", generateContentRequest={"model": "models/demo", "contents": contents})
    assert (
        plain
        == wrapped
        == {
            "totalTokens": 3,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        }
    )
    request = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8}
    one = ask(http, "demo", "embedContent", **request)["embedding"]["values"]
    several = ask(http, "demo", "batchEmbedContents", requests=[request, {"content": {"parts": [{"text": "b"}]}}])
    assert (len(one), several["embeddings"][0]["values"]) == (8, one)
    assert len(several["embeddings"][1]["values"]) == 256


def test_lists(http):
    """In Google's shape on its own paths, and on the common one for requests that are marked as Google's."""
    listed = http.get("/v1beta/models").json()["models"]
    assert listed[0]["name"] == "models/demo"
    assert "generateContent" in listed[0]["supportedGenerationMethods"]
    assert http.get("/v1/models", headers={"x-goog-api-key": "k"}).json()["models"] == listed
    assert http.get("/v1/models/demo", headers={"x-goog-api-client": "x"}).json() == listed[0]
    assert http.get("/v1beta/models/demo-full").json()["inputTokenLimit"] == 65_536
    assert http.get("/v1/models").json()["object"] == "list"


@pytest.mark.parametrize(
    ("path", "body", "code", "status"),
    [
        ("/v1beta/models/demo-429:generateContent", {"contents": [user("x")]}, 429, "RESOURCE_EXHAUSTED"),
        ("/v1beta/models/demo-500:generateContent", {"contents": [user("x")]}, 500, "INTERNAL"),
        ("/v1beta/models/demo-529:streamGenerateContent", {"contents": [user("x")]}, 503, "UNAVAILABLE"),
        ("/v1beta/models/demo:generateContent", {}, 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/demo:generateContent", {"contents": []}, 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/demo:paint", {"contents": []}, 405, "INVALID_ARGUMENT"),
    ],
)
def test_errors(http, path, body, code, status):
    """In Google's form, with the wait in the body."""
    answer = http.post(path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (code, code, status)
    assert ("details" in error) == (code == 429)


def test_a_wrong_key(http):
    """It is a 400 with a reason, as Google has it, wherever the key stands."""
    path = "/v1beta/models/demo:generateContent"
    body = {"contents": [user("x")]}
    for answer in (
        http.post(path, json=body, headers={"x-goog-api-key": WRONG_KEY}),
        http.post(f"{path}?key={WRONG_KEY}", json=body),
    ):
        assert (answer.status_code, answer.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")


def test_a_stream_that_breaks_off(http):
    """demo-cut dies in the middle of either form."""
    for query in ("?alt=sse", ""):
        with pytest.raises(httpx.HTTPError):
            http.post(f"/v1beta/models/demo-cut:streamGenerateContent{query}", json={"contents": [user("a b c d")]})
