"""Reads request bodies of any shape: a value of an unexpected type counts as absent, never as an error."""

from typing import TypeAlias

import msgspec

from router.errors import BadRequest

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = dict[str, Json]

# Fields whose strings are not text for the model: binary data, addresses, and identifiers of the protocol.
_BINARY = {
    *("data", "url", "image_url", "file_data", "signature", "encrypted_content"),
    *("thoughtSignature", "thought_signature", "fileUri", "file_uri"),
}
_NOT_TEXT = _BINARY | {"cache_control", "type", "role", "id", "tool_use_id", "tool_call_id", "call_id", "status"}


def parse(raw: bytes | bytearray | memoryview) -> Object:
    """The request body as a JSON object; raises BadRequest."""
    try:
        body: Json = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BadRequest("The request body must be a JSON object.")
    return body


def as_json(value: object) -> Json:
    """The value as it is once it is sent."""
    return msgspec.json.decode(msgspec.json.encode(value))


def as_object(value: Json) -> Object:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Json) -> list[Object]:
    """The objects in a list; [] for a value that is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """The value if it is a string, else ''."""
    return value if isinstance(value, str) else ""


def conversation(body: Object, field: str) -> list[Object]:
    """The turns of a request; raises BadRequest when the field is missing, empty, or not a list."""
    turns = body.get(field)
    if not isinstance(turns, list) or not turns:
        raise BadRequest(f"{field}: a list with at least one item is required.")
    return objects(turns)


def text_of(content: Json) -> str:
    """The text of a string, a part, or a list of parts; parts are joined by a line break."""
    found: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str) and text:
            found.append(text)
    return "\n".join(found)


def last_text(turns: list[Object]) -> str:
    """The text of the last user turn that has any; '' when none has."""
    for turn in reversed(turns):
        if turn.get("role") == "user" and (text := text_of(turn.get("content"))).strip():
            return text
    return ""


def without_notes(turns: list[Object]) -> list[Object]:
    """The turns without the system and developer turns at the end, which some clients add after a tool result."""
    end = len(turns)
    while end and turns[end - 1].get("role") in ("system", "developer"):
        end -= 1
    return turns[:end]


def weigh(*values: Json) -> int:
    """Bytes of all text in the values; binary data, addresses and identifiers do not count."""
    size = 0
    rest = list(values)
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            size += len(value.encode())
        elif isinstance(value, list):
            rest.extend(value)
        elif isinstance(value, dict):
            rest.extend(item for key, item in value.items() if key not in _NOT_TEXT)
    return size


def tokens(size: int) -> int:
    """The tokens in `size` bytes of text, estimated as ceil(size / 3.6)."""
    return -(-size * 10 // 36)


def number_id(prefix: str, key: str, count: int) -> str:
    """An id that no other part of the answer has. count: of the parts of its kind before it."""
    return f"{prefix}_{key}_{count}" if count else f"{prefix}_{key}"


def read_grammar(value: Json) -> str:
    """The grammar in the format field of a custom tool, '' where it takes any text."""
    field = as_object(value)
    return as_text(field.get("definition")) or as_text(as_object(field.get("grammar")).get("definition"))
