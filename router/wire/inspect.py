"""What a request body holds, as routing rules ask: tools, images, thinking.

An image is a content block of an image's type where the protocol has content blocks; a text that spells the same
words is none. Bodies without the type's name are told by a byte search; only where the name stands, plainly or in a
spelling with \\u escapes, the conversation is decoded and walked.
"""

import re
from typing import cast

from router.ir import Protocol
from router.wire.raw.json_values import Json
from router.wire.raw.top_level import Top

# Type names as JSON strings; in a text their quotes would be escaped. Letters may be written as \u0061 to \u007a.
_IMAGES = {
    "messages": re.compile(rb'"image"|\\u00[67]'),
    "chat": re.compile(rb'"image_url"|\\u00[567]'),
    "responses": re.compile(rb'"(?:input_image|computer_screenshot)"|\\u00[567]'),
}
_TYPES = {
    "messages": frozenset(("image",)),
    "chat": frozenset(("image_url",)),
    "responses": frozenset(("input_image", "computer_screenshot")),
}
# Where blocks nest: messages: content > tool_result.content. Responses: content, or a tool's output.
_HOLDERS = ("content", "output")


def has_tools(top: Top) -> bool:
    """True when `tools`, or Chat's older `functions`, is a list with something in it."""
    for name in ("tools", "functions"):
        raw = top.raw(name)
        if raw is not None and raw[:1] == b"[" and raw[1:-1].strip():
            return True
    return False


def asks_thinking(top: Top, protocol: Protocol | None) -> bool:
    """True when the caller asks the model to reason, by the field its protocol has for that.

    Messages: thinking of type enabled or adaptive. Chat: a reasoning_effort other than none. Responses: a reasoning
    object that says something, and not effort none.
    """
    if protocol == "messages":
        return _object(top.value("thinking")).get("type") in ("enabled", "adaptive")
    if protocol == "responses":
        reasoning = _object(top.value("reasoning"))
        return bool(reasoning) and reasoning.get("effort") != "none"
    effort = top.value("reasoning_effort")
    return isinstance(effort, str) and effort not in ("", "none")


def has_images(top: Top, protocol: Protocol | None) -> bool:
    """True when the conversation holds a block of an image's type, in a turn or in a tool's result."""
    if protocol is None:
        return False
    name = "input" if protocol == "responses" else "messages"
    raw = top.raw(name)
    if raw is None or _IMAGES[protocol].search(raw) is None:
        return False
    return any(_shows(turn, _TYPES[protocol]) for turn in _list(top.value(name)))


def _shows(value: object, types: frozenset[str]) -> bool:
    """True when a turn, an item or a block is an image, or holds one as content."""
    block = _object(value)
    if not block:
        return False
    kind = block.get("type")
    if isinstance(kind, str) and kind in types:
        return True
    # computer_call_output has its one screenshot as an object.
    return any(
        _shows(inner, types) for holder in _HOLDERS for inner in (*_list(block.get(holder)), _object(block.get(holder)))
    )


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
