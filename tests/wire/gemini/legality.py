"""The rules of a generateContent request, as Google documents them and its errors tell them."""

import base64
import re

import jsonschema

from router.wire.gemini.models import find_model

PLACEHOLDER = "skip_thought_signature_validator"
TOP = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
CONFIG = {
    *("maxOutputTokens", "stopSequences", "temperature", "topP", "topK", "thinkingConfig"),
    *("responseMimeType", "responseJsonSchema"),
}
LEVELS = {"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
DATA = {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
IMAGES = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}


def check_request(body, model):
    """Assert that the API takes a request for a model of that name."""
    known = find_model(model)
    assert body.keys() <= TOP
    contents = body["contents"]
    assert contents
    assert contents[0]["role"] == "user"
    assert [one["role"] for one in contents] == [("user", "model")[at % 2] for at in range(len(contents))]
    calls = []
    for content in contents:
        assert content.keys() == {"role", "parts"}
        assert content["parts"]
        for part in content["parts"]:
            _check_part(part, content["role"], known)
        calls = _check_calls(content, calls, known)
    assert not calls, "the last calls have no responses"
    if "systemInstruction" in body:
        assert known.system
        assert body["systemInstruction"].keys() == {"parts"}
        assert all(part.keys() == {"text"} and part["text"] for part in body["systemInstruction"]["parts"])
    _check_tools(body)
    _check_config(body, known)


def _check_part(part, role, known):
    assert len(part.keys() & DATA) == 1
    assert part.keys() <= DATA | {"thoughtSignature"}
    if "thoughtSignature" in part:
        assert role == "model"
        assert part["thoughtSignature"]
        # It stands for a signature that older models do not ask for.
        assert known.signs or part["thoughtSignature"] != PLACEHOLDER
    if "text" in part:
        assert isinstance(part["text"], str)
        assert part["text"]
    if "inlineData" in part:
        _check_inline(part["inlineData"])
    if "fileData" in part:
        assert part["fileData"].keys() <= {"fileUri", "mimeType"}
        assert part["fileData"]["fileUri"]
    if "functionCall" in part:
        assert role == "model"
        assert part["functionCall"].keys() <= {"id", "name", "args"}
        assert isinstance(part["functionCall"]["args"], dict)
    if "functionResponse" in part:
        assert role == "user"
        _check_response(part["functionResponse"], known)


def _check_inline(found):
    assert found.keys() <= {"mimeType", "data", "displayName"}
    assert found["mimeType"] in IMAGES | {"application/pdf"}
    base64.b64decode(found["data"], validate=True)


def _check_response(found, known):
    assert found.keys() <= {"id", "name", "response", "parts"}
    # An object that looks like a schema would be searched for references.
    ((key, said),) = found["response"].items()
    assert key in ("output", "error")
    assert isinstance(said, str)
    if "parts" in found:
        assert known.signs
        assert found["parts"]
        assert all(part.keys() <= {"inlineData", "fileData"} for part in found["parts"])


def _check_calls(content, before, known):
    """Responses answer all the calls directly before them, in order and first. Returns the calls of this content."""
    parts = content["parts"]
    responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
    assert all("functionResponse" in part for part in parts[: len(responses)]), "responses are not first"
    assert [one["name"] for one in responses] == [one["name"] for one in before]
    assert [one.get("id") for one in responses] == [one.get("id") for one in before]
    calls = [part for part in parts if "functionCall" in part]
    assert all(NAME.fullmatch(part["functionCall"]["name"]) for part in calls)
    ids = [part["functionCall"].get("id") for part in calls]
    if known.signs:
        assert not calls or calls[0].get("thoughtSignature"), "the first call is not signed"
        assert all(ids)
        assert len(set(ids)) == len(ids)
        assert all(part.get("thoughtSignature") != PLACEHOLDER for part in calls[1:])
    else:
        assert not any(ids)
    return [part["functionCall"] for part in calls]


def _check_tools(body):
    if "tools" not in body:
        assert "toolConfig" not in body
        return
    (entry,) = body["tools"]
    assert entry.keys() == {"functionDeclarations"}
    assert entry["functionDeclarations"]
    names = [one["name"] for one in entry["functionDeclarations"]]
    assert len(set(names)) == len(names)
    for one in entry["functionDeclarations"]:
        assert one.keys() <= {"name", "description", "parametersJsonSchema"}
        assert NAME.fullmatch(one["name"])
        schema = one["parametersJsonSchema"]
        assert schema["type"] == "object"
        check_schema(schema)
    if "toolConfig" in body:
        assert body["toolConfig"].keys() == {"functionCallingConfig"}
        choice = body["toolConfig"]["functionCallingConfig"]
        assert choice.keys() <= {"mode", "allowedFunctionNames"}
        assert choice["mode"] in ("AUTO", "ANY", "NONE", "VALIDATED")
        assert set(choice.get("allowedFunctionNames", [])) <= set(names)
        assert choice["mode"] == "ANY" or "allowedFunctionNames" not in choice


def check_schema(schema):
    """Assert that a schema is one, and that its references stand alone."""
    assert "$schema" not in schema
    jsonschema.Draft202012Validator.check_schema(schema)
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                assert all(key.startswith("$") for key in node)
            left += node.values()
        elif isinstance(node, list):
            left += node


def _check_config(body, known):
    config = body.get("generationConfig")
    if config is None:
        return
    assert config
    assert config.keys() <= CONFIG
    assert config.keys().isdisjoint({"temperature", "topP", "topK"}) or known.sampling
    assert 0 <= config.get("temperature", 0) <= 2
    if "stopSequences" in config:
        assert 1 <= len(config["stopSequences"]) <= 5
        assert all(config["stopSequences"])
    if "thinkingConfig" in config:
        _check_thinking(config["thinkingConfig"], known)
    if "responseMimeType" in config:
        assert config["responseMimeType"] == "application/json"
        assert known.signs or "tools" not in body
    if "responseJsonSchema" in config:
        assert "responseMimeType" in config
        check_schema(config["responseJsonSchema"])


def _check_thinking(found, known):
    assert found
    assert found.keys() <= {"includeThoughts", "thinkingLevel", "thinkingBudget"}
    assert not {"thinkingLevel", "thinkingBudget"} <= found.keys()
    if "thinkingLevel" in found:
        assert found["thinkingLevel"] in LEVELS
        assert found["thinkingLevel"].lower() in known.levels
    if "thinkingBudget" in found:
        budgets = known.budgets
        assert found["thinkingBudget"] == budgets.off or budgets.least <= found["thinkingBudget"] <= budgets.most
