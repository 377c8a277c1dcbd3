"""What a request must hold beyond the types of its fields, checked as the Gemini API does."""

import re

from .errors import Refused
from .fields import get, snake

_DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}\Z")
_MEDIA = re.compile(
    r"image/(?:png|jpeg|webp|heic|heif)|application/pdf|text/[\w.+-]+|application/json|audio/[\w.+-]+|video/[\w.+-]+"
)


def check_request(model, body):
    """Raise Refused for a request that the API does not answer; the contents, merged by role."""
    contents = get(body, "contents", [])
    contents = contents if isinstance(contents, list) else [contents]
    if not contents:
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified\n")
    for index, content in enumerate(contents):
        _check_content(content, f"contents[{index}]")
    contents = merged(contents)
    _check_order(contents)
    declared = _declared(body)
    _check_choice(body, declared)
    _check_generation(model, body, declared)
    return contents


def _check_content(content, at):
    if get(content, "role", "user") not in ("user", "model", "function"):
        raise Refused(400, "Please use a valid role: user, model.")
    parts = get(content, "parts", [])
    if not parts:
        raise Refused(400, f"* GenerateContentRequest.{at}.parts: contents.parts must not be empty.\n")
    for index, part in enumerate(parts):
        where = f"{at}.parts[{index}]"
        data = [name for name in _DATA if get(part, name) is not None]
        if len(data) > 1:
            told = f"oneof field 'data' is already set. Cannot set '{data[1]}'"
            raise Refused(400, f"Invalid value at '{where}' (oneof), {told}")
        if not data and not get(part, "thoughtSignature"):
            told = "required oneof field 'data' must have one initialized field"
            raise Refused(400, f"* GenerateContentRequest.{where}.data: {told}\n")
        _check_part(part, where)


def _check_part(part, where):
    call, result, blob = (get(part, name) for name in ("functionCall", "functionResponse", "inlineData"))
    for name, one in (("functionCall", call), ("functionResponse", result)):
        if one is not None and not get(one, "name"):
            raise Refused(400, f"* GenerateContentRequest.{where}.{snake(name)}.name: Name cannot be empty.\n")
    if result is not None:
        _check_response(get(result, "response", {}))
    if blob is not None and not _MEDIA.fullmatch(get(blob, "mimeType", "")):
        raise Refused(400, f"Unsupported MIME type: {get(blob, 'mimeType', '')}")


def _check_response(value):
    """A result that looks like a JSON Schema has its references resolved, and there is nothing to resolve them in."""
    if isinstance(value, dict):
        if "$ref" in value:
            raise Refused(400, f"Reference to undefined schema: {value['$ref']}")
        for one in value.values():
            _check_response(one)
    elif isinstance(value, list):
        for one in value:
            _check_response(one)


def _of(content, name):
    return [get(part, name) for part in get(content, "parts", []) if get(part, name) is not None]


def merged(contents):
    """The contents with those of one role in a row as one: the SDKs send a streamed answer back chunk by chunk."""
    found = []
    for content in contents:
        role = "model" if get(content, "role", "user") == "model" else "user"
        if found and found[-1]["role"] == role:
            found[-1]["parts"] += get(content, "parts", [])
        else:
            found.append({"role": role, "parts": list(get(content, "parts", []))})
    return found


def _check_order(contents):
    for index, content in enumerate(contents):
        calls, results = _of(content, "functionCall"), _of(content, "functionResponse")
        if content["role"] == "model" and calls and not index:
            raise Refused(
                400,
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn.",
            )
        if results and not (index and _of(contents[index - 1], "functionCall")):
            told = "function response turn comes immediately after a function call turn"
            raise Refused(400, f"Please ensure that {told}.")
        if calls:
            _check_answered(calls, contents[index + 1 :])


def _check_answered(calls, later):
    """All calls of a content are answered in the next one."""
    results = _of(later[0], "functionResponse") if later else []
    if later and len(results) != len(calls):
        raise Refused(
            400,
            "Please ensure that the number of function response parts is equal to the number of function call parts of "
            "the function call turn.",
        )
    ids = {get(call, "id") for call in calls} - {None}
    for result in results:
        if get(result, "name") not in {get(call, "name") for call in calls}:
            raise Refused(400, f"Function response `{get(result, 'name')}` has no function call of that name.")
        if get(result, "id") and get(result, "id") not in ids:
            raise Refused(400, f"Function response id `{get(result, 'id', '')}` is not that of a function call.")


def _declared(body):
    tools = get(body, "tools", [])
    found = [one for tool in tools for one in get(tool, "functionDeclarations", [])]
    names = []
    for index, one in enumerate(found):
        name = get(one, "name", "")
        where = f"tools[0].function_declarations[{index}]"
        if not _NAME.match(name):
            raise Refused(
                400,
                f"* GenerateContentRequest.{where}.name: [FIELD_INVALID] Invalid function name. Must start with a "
                "letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), "
                "or dashes (-), with a maximum length of 128.\n",
            )
        if name in names:
            raise Refused(400, f"Duplicate function declaration found: {name}")
        if get(one, "parameters") is not None and get(one, "parametersJsonSchema") is not None:
            raise Refused(400, f"{where}: parameters and parameters_json_schema are mutually exclusive.")
        _check_schemas(one, where)
        names.append(name)
    return names


def _check_schemas(declared, where):
    schema = get(declared, "parameters")
    if schema is not None and get(schema, "type", "").upper() == "OBJECT" and get(schema, "properties") == {}:
        raise Refused(
            400,
            f"* GenerateContentRequest.{where}.parameters.properties: should be non-empty for OBJECT type\n",
        )
    schema = get(declared, "parametersJsonSchema")
    if schema is not None and (not isinstance(schema, dict) or schema.get("type", "object").lower() != "object"):
        raise Refused(400, f"{where}.parameters_json_schema must be an object schema.")


def _check_choice(body, declared):
    config = get(get(body, "toolConfig", {}), "functionCallingConfig", {})
    mode, allowed = get(config, "mode", "AUTO").upper(), get(config, "allowedFunctionNames", [])
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise Refused(400, "Allowed function names should only be set when function calling mode is ANY or VALIDATED.")
    for name in allowed:
        if name not in declared:
            raise Refused(400, f"Allowed function name `{name}` is not declared.")
    if mode == "ANY" and not declared:
        raise Refused(400, "Function calling config is set without function_declarations.")


def _check_generation(model, body, declared):
    config = get(body, "generationConfig", {})
    if len(get(config, "stopSequences", [])) > 5:
        raise Refused(400, "The number of stop sequences must not be greater than 5.")
    if int(get(config, "maxOutputTokens", 1)) < 1:
        raise Refused(400, "max_output_tokens must be positive.")
    if int(get(config, "maxOutputTokens", 1)) > model.output:
        raise Refused(400, f"The maximum number of output tokens is {model.output}.")
    if not 0 <= get(config, "temperature", 0) <= 2:
        raise Refused(400, "Invalid value for temperature: must be in the range [0.0, 2.0].")
    mime = get(config, "responseMimeType", "text/plain")
    if mime not in ("text/plain", "application/json", "text/x.enum"):
        where = "generation_config.response_mime_type"
        raise Refused(400, f"* GenerateContentRequest.{where}: allowed mimetypes are {_TYPES}.\n")
    if mime == "application/json" and declared and not model.signed:
        raise Refused(400, "Function calling with a response mime type: 'application/json' is unsupported")
    shaped = [name for name in ("responseSchema", "responseJsonSchema") if get(config, name) is not None]
    if len(shaped) > 1:
        raise Refused(400, "response_schema and response_json_schema are mutually exclusive.")
    if shaped and mime == "text/plain":
        raise Refused(
            400,
            f"* GenerateContentRequest.generation_config.response_mime_type: when {snake(shaped[0])} is set, "
            f"response_mime_type must be one of {_TYPES}.\n",
        )
    _check_thinking(model, get(config, "thinkingConfig", {}))


_TYPES = "`text/plain`, `application/json`, `text/x.enum`"


def _check_thinking(model, config):
    level, budget = get(config, "thinkingLevel"), get(config, "thinkingBudget")
    if level is not None and budget is not None:
        raise Refused(400, "You can only set only one of thinking budget and thinking level.")
    if level is not None:
        if not model.levels:
            raise Refused(400, "Thinking level is not supported for this model.")
        if level.upper() not in model.levels:
            raise Refused(400, f"Thinking level {level.upper()} is not supported for this model.")
    if budget is None:
        return
    budget = int(budget)
    if model.budgets is None:
        raise Refused(400, "Thinking budget is not supported for this model.")
    if budget == 0 and not model.off and not model.levels:
        raise Refused(400, "Budget 0 is invalid. This model only works in thinking mode.")
    if budget > 0 and not model.budgets[0] <= budget <= model.budgets[1]:
        low, high = model.budgets
        raise Refused(400, f"The thinking budget {budget} is invalid. Please choose a value between {low} and {high}.")
