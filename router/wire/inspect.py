"""What a request body holds, as routing rules ask: tools and images.

An image is a content block of an image's type where the protocol has content blocks; a text that spells the same
words is none. Bodies without the type's name are told by a byte search; only where the name stands, plainly or in a
spelling with \\u escapes, the conversation is decoded and walked.
"""

from typing import cast

from router.wire.protocol import WireProtocol
from router.wire.raw.json_values import Json
from router.wire.raw.top_level import Top

# Where blocks nest: messages: content > tool_result.content. Responses: content, or a tool's output.
_HOLDERS = ("content", "output")


def has_tools(top: Top) -> bool:
    """True when `tools`, or Chat's older `functions`, is a list with something in it."""
    for name in ("tools", "functions"):
        raw = top.raw(name)
        if raw is not None and raw[:1] == b"[" and raw[1:-1].strip():
            return True
    return False


def has_images(top: Top, entry: WireProtocol) -> bool:
    """True when the conversation holds a block of an image's type, in a turn or in a tool's result."""
    images = entry.images
    raw = top.raw(entry.conversation) if images is not None else None
    if images is None or raw is None or images.needle.search(raw) is None:
        return False
    return any(_shows(turn, images.types) for turn in _list(top.value(entry.conversation)))


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
