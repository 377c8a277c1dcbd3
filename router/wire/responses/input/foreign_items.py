"""Items of a conversation that no other protocol has, as text.

Agents add new types of items with each version. One that is refused would end the thread, since each later request
holds it too; as text it tells the model what was said. Only a sealed history cannot be told (compaction.py).
"""

from collections.abc import Iterator
from typing import Literal, cast

from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: The most characters of an item that are told.
TEXT_LIMIT = 64 << 10
_DEPTH = 12
_SEALED = "encrypted_content"
# Fields whose text is told without their name, and fields that tell nothing.
_PLAIN = frozenset(
    ("text", "content", "summary", "message", "output", "outputs", "result", "results", "parts", "input")
)
_SILENT = frozenset(("type", "id", "role", "status", "fingerprint", "signature", "role", "phase"))
_LABELS = ("author", "sender", "name", "server_label", "recipient")
_OF_USER = ("_output", "_result", "_response", "_message")
_OF_ASSISTANT = ("call", "reasoning", "program", "assistant", "request")


def tell_item(item: Json, kind: str) -> tuple[Literal["user", "assistant"], str]:
    """Whose words an item is, and its text: its type, and each of its fields that holds a text."""
    labels = [f"{name} {value}" for name in _LABELS if isinstance(value := item.get(name), str) and value]
    head = f"[{', '.join([kind, *labels])}]"
    rest = {name: value for name, value in item.items() if name not in _LABELS}
    text = "\n".join([head, *_tell_fields(rest, _DEPTH)])
    cut = text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\n[cut off here]"
    return _find_role(item, kind), cut


def _find_role(item: Json, kind: str) -> Literal["user", "assistant"]:
    if item.get("role") in ("user", "assistant"):
        return "assistant" if item["role"] == "assistant" else "user"
    if kind.endswith(_OF_USER):
        return "user"
    return "assistant" if any(word in kind for word in _OF_ASSISTANT) else "user"


def _tell_fields(item: Json, depth: int) -> Iterator[str]:
    if _SEALED in (item.get("type"), *item):
        yield "[encrypted content]"
    for name, value in item.items():
        if name in _SILENT or name == _SEALED or name.endswith(("_id", "_passthrough")):
            continue
        for text in _tell(value, depth):
            yield text if name in _PLAIN else f"{name}: {text}"


def _tell(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, list) and depth:
        for one in cast("list[object]", value):
            yield from _tell(one, depth - 1)
    elif isinstance(value, dict) and depth:
        yield from _tell_fields(cast("Json", value), depth - 1)
    elif isinstance(value, bool | int | float):
        yield json_values.encode_json(value)
