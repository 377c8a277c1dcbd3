"""What a request of Responses shows of itself, the smallest one, and what it leaves behind at the upstream."""

from collections.abc import Collection, Iterable, Mapping
from typing import cast

import msgspec

from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

#: Input that only the organisation it was written for can read.
SEALED = b'"encrypted_content"'
# Tools that the client runs itself, and searches, which change nothing; all others may have acted, or cost money, by
# the time an answer fails.
_CLIENTS_TOOLS = frozenset(
    ("function", "custom", "namespace", "local_shell", "shell", "apply_patch", "computer", "computer_use_preview")
)


_SEARCHES = ("web_search", "file_search")


class _Tool(msgspec.Struct):
    type: object = None
    execution: object = None


_tools = msgspec.json.Decoder(list[_Tool])


class _Item(msgspec.Struct):
    id: object = None


class _Answer(msgspec.Struct):
    output: list[_Item] = []
    response: "_Answer | None" = None


_answers = msgspec.json.Decoder(_Answer)
# What an item of a type holds where it is sent whole; without all of it, the server takes what it has under the id. The
# type of a reference may be left out.
_REFERENCE = "item_reference"
_CONTENTS: dict[str, tuple[str, ...]] = {
    _REFERENCE: (),
    "reasoning": ("encrypted_content", "content"),
    "image_generation_call": ("result",),
}
#: Items of one answer whose ids are read, and characters of an id.
_ITEMS_LIMIT, _ID_LIMIT = 256, 256


def recognize(top: Top, fields: Mapping[bytes, bytes]) -> int:
    """4 for a conversation under the name that only this protocol has, else 0."""
    return 4 if "input" in top and "messages" not in top else 0


def asks_thinking(top: Top) -> bool:
    """True for a reasoning object that says something, and not effort none."""
    found = top.value("reasoning")
    reasoning = cast("Json", found) if isinstance(found, dict) else {}
    return bool(reasoning) and reasoning.get("effort") != "none"


def tiny_request(model: str, cap: str, text: str = "hi", tokens: int = 16) -> Json:
    """The smallest request, or one with another text and limit. cap: name of the output limit."""
    return {"model": model, "input": text, cap: tokens, "store": False}


def issues(top: Top | None) -> bool:
    """True when the answer may be named later: what is not stored cannot; Codex stores nothing."""
    return top is None or top.raw("store") != b"false"


def list_issued_items(answer: bytes | bytearray) -> list[str]:
    """The ids of the items in an answer, or in the event that ends its stream: a later request can name them."""
    try:
        found = _answers.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    items = (found.response or found).output[:_ITEMS_LIMIT]
    return [item.id for item in items if isinstance(item.id, str) and 0 < len(item.id) <= _ID_LIMIT]


def list_referenced_items(top: Top) -> list[str]:
    """The ids of items that a request names in the place of what they hold."""
    found = (top.value(name) for name in ("input", "items") if name in top)
    entries = [one for items in found if isinstance(items, list) for one in cast("list[object]", items)]
    objects = (cast("Json", one) for one in entries if isinstance(one, dict))
    named = (one.get("id") for one in objects if _is_reference(one))
    return [name for name in named if isinstance(name, str) and name]


def _is_reference(item: Json) -> bool:
    if item.get("type") is None and "role" in item:
        return False  # a message
    held = _CONTENTS.get(str(item.get("type") or _REFERENCE))
    return held is not None and not any(item.get(field) for field in held)


def leaves_traces(top: Top, dropped: Collection[str] | None = None) -> bool:
    """True for a request that is kept, runs on, follows another, or has the server act.

    dropped: the paths that a translation left out; None for a request that is passed on. What a translated one follows,
    and its answer, are kept by this proxy and not by the upstream.
    """
    if dropped is None and _is_kept(top):
        return True
    raw = top.raw("tools")
    if raw in (None, b"null", b"[]"):
        return False
    try:
        tools = list(cast("Iterable[_Tool]", _tools.decode(raw or b"")))
    except (msgspec.DecodeError, RecursionError):
        return True
    gone = dropped or ()
    return any(not _is_harmless(tool) and f"tools[{at}]" not in gone for at, tool in enumerate(tools))


def _is_kept(top: Top) -> bool:
    """True for a request that the upstream keeps, works on later, or completes from what it kept."""
    if top.raw("store") != b"false" or top.raw("background") == b"true":
        return True
    return any(top.raw(name) not in (None, b"null") for name in ("previous_response_id", "conversation"))


def _is_harmless(tool: _Tool) -> bool:
    """True for a tool that runs at the client, or that leaves nothing behind: a search."""
    if isinstance(tool.type, str) and tool.type.startswith(_SEARCHES):
        return True
    return tool.type in _CLIENTS_TOOLS or (tool.type == "tool_search" and tool.execution == "client")
