"""Reads Google's JSON: names in camelCase or with underscores, also mixed."""

import base64
import binascii

from router.demo.body import Json, Object, as_object, as_text, conversation, objects
from router.demo.reply import Tool
from router.demo.script import compact
from router.errors import BadRequest

#: Texts that Google documents for a signature that is lost, raw or in base64.
_PLACEHOLDERS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
# The only member of a response that has one text, by its name.
_TEXTS = ("output", "result", "content", "error")


def get(value: Json, name: str) -> Json:
    """A field of an object by its name in camelCase, which counts before the other one; None where it is absent."""
    found = as_object(value)
    other = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return found[name] if name in found else found.get(other)


def get_object(value: Json, name: str) -> Object:
    """A field that is an object, else an empty one."""
    return as_object(get(value, name))


def get_text(value: Json, name: str) -> str:
    """A field that is a string, else ''."""
    return as_text(get(value, name))


def list_contents(body: Object) -> list[Object]:
    """The contents of a request. Raises BadRequest where there is none."""
    return conversation(body, "contents")


def list_parts(content: Json) -> list[Object]:
    """The parts of a content."""
    return objects(get(content, "parts"))


def get_role(content: Object) -> str:
    """`user` or `model`; a content of results may say `function`, and one that says nothing is the user's."""
    return "model" if get_text(content, "role").lower() == "model" else "user"


def join_texts(content: Json) -> str:
    """The text of a content, without thoughts."""
    return "\n".join(
        text for part in list_parts(content) if not part.get("thought") and (text := get_text(part, "text"))
    )


def is_response(content: Object) -> bool:
    """True for a content that has nothing but responses to calls."""
    parts = list_parts(content)
    return bool(parts) and all(get_object(part, "functionResponse") for part in parts)


def read_response(response: Object) -> str:
    """What a tool returned, as a text."""
    value = get_object(response, "response")
    if len(value) == 1 and (name := next(iter(value))) in _TEXTS and isinstance(value[name], str):
        return as_text(value[name])
    return compact(value)


def list_tools(body: Object) -> list[Tool]:
    """The functions that a request declares, less those that it does not allow."""
    declared = [one for tool in objects(body.get("tools")) for one in objects(get(tool, "functionDeclarations"))]
    found = [Tool(name=name, schema=_read_schema(one)) for one in declared if (name := get_text(one, "name"))]
    allowed = _list_allowed(body)
    return [tool for tool in found if tool.name in allowed] if allowed else found


def _list_allowed(body: Object) -> list[str]:
    names = get(get_object(get(body, "toolConfig"), "functionCallingConfig"), "allowedFunctionNames")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def read_choice(body: Object) -> Json:
    """The choice of a tool, in the words that the demo has for all protocols."""
    config = get_object(get(body, "toolConfig"), "functionCallingConfig")
    mode, allowed = get_text(config, "mode").upper(), _list_allowed(body)
    if mode == "NONE":
        return "none"
    if mode == "ANY":
        return {"type": "tool", "name": allowed[0]} if len(allowed) == 1 else "required"
    return None


def read_format(body: Object) -> Object | None:
    """The JSON schema of the required answer; {"type": "object"} for any JSON; None for prose."""
    config = get_object(body, "generationConfig")
    if get_text(config, "responseMimeType") != "application/json":
        return None
    schema = get_object(config, "responseJsonSchema") or get_object(config, "responseSchema")
    return as_object(_lower_types(schema)) or {"type": "object"}


def _read_schema(declaration: Object) -> Object:
    return as_object(
        _lower_types(get_object(declaration, "parametersJsonSchema") or get_object(declaration, "parameters"))
    )


def _lower_types(value: Json) -> Json:
    """A schema with its types in lower case, as JSON Schema has them; Google's own form has them in capitals."""
    if isinstance(value, list):
        return [_lower_types(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: one.lower() if name == "type" and isinstance(one, str) else _lower_types(one)
        for name, one in value.items()
    }


def decode_base64(data: str) -> bytes:
    """The bytes of base64 in either alphabet, with or without its padding. Raises BadRequest."""
    text = data.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Base64 decoding failed.") from None


def is_placeholder(signature: str) -> bool:
    """True for a documented text in the place of a signature."""
    if signature in _PLACEHOLDERS:
        return True
    try:
        return decode_base64(signature).decode("ascii", "replace") in _PLACEHOLDERS
    except BadRequest:
        return False
