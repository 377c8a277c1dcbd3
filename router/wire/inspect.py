"""Finds out whether a request body holds tools, a web search and images, for routing rules.

An image is a content block of an image type; a text that spells the same words does not count. A byte search rules out
bodies without the name of such a type; only where the name occurs, plainly or spelled with \\u escapes, the
conversation is decoded and walked.
"""

from typing import Literal, cast

import msgspec

from router.wire.protocol import Images, WireProtocol
from router.wire.raw import scan
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

# A web search is known by the beginning of its type, or by a field of this name. Longer lists of tools are those of an
# agent, never a search alone.
_SEARCH, _FIELD = "web_search", b"oogle"
_TOOLS_LIMIT = 1 << 20
# Bytes of the longest name of an image type, with its quotes.
_NEEDLE = 32


class _Tool(msgspec.Struct):
    type: object = None
    # In either spelling, the newer and the older search of Google, and the functions that may stand beside it.
    camel: object = msgspec.field(name="googleSearch", default=None)
    snake: object = msgspec.field(name="google_search", default=None)
    old_camel: object = msgspec.field(name="googleSearchRetrieval", default=None)
    old_snake: object = msgspec.field(name="google_search_retrieval", default=None)
    functions: object = msgspec.field(name="functionDeclarations", default=None)
    snake_functions: object = msgspec.field(name="function_declarations", default=None)

    @property
    def searches(self) -> bool:
        """True for a search that the provider runs."""
        if isinstance(self.type, str) and self.type.startswith(_SEARCH):
            return True
        return any(one is not None for one in (self.camel, self.snake, self.old_camel, self.old_snake))

    @property
    def calls(self) -> bool:
        """True for functions beside a search in one entry."""
        return bool(self.functions or self.snake_functions)


_tools = msgspec.json.Decoder(list[_Tool])


def has_tools(top: Top) -> bool:
    """True when `tools`, or Chat's older `functions`, is a list that is not empty."""
    for name in ("tools", "functions"):
        raw = top.raw(name)
        if raw is not None and raw[:1] == b"[" and raw[1:-1].strip():
            return True
    return False


def find_web_search(top: Top) -> Literal["", "among", "only"]:
    """Whether the request offers a web search that the provider runs: among other tools, or as the only one."""
    raw = top.raw("tools") or b""
    # Mostly the first bytes tell that it is not empty, without a copy.
    if raw[:1] == b"[" and (raw[1:32].strip() not in (b"", b"]") or raw[1:-1].strip()):
        # One byte is searched for much faster than two.
        escaped = b"\\" in raw and b"\\u" in raw
        if len(raw) > _TOOLS_LIMIT or (b"web_search" not in raw and _FIELD not in raw and not escaped):
            return ""
        try:
            tools = _tools.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return ""
        searches = [tool.searches for tool in tools]
        only = all(searches) and not any(tool.calls for tool in tools)
        return "only" if only else "among" if any(searches) else ""
    return "only" if top.raw("web_search_options") not in (None, b"null") else ""


def has_images(top: Top, entry: WireProtocol) -> bool:
    """True when the conversation holds a block of an image type, in a turn or in a tool's result."""
    images = entry.images
    raw = top.raw(entry.conversation) if images is not None else None
    if images is None or raw is None or scan.search(images.needle, raw, _NEEDLE) is None:
        return False
    return any(_has_image(turn, images) for turn in _as_list(top.value(entry.conversation)))


def _has_image(value: object, images: Images) -> bool:
    """True when a turn, an item or a block is an image, or holds one as content."""
    block = _as_object(value)
    if not block:
        return False
    kind = images.read_type(block)
    if isinstance(kind, str) and kind in images.types:
        return True
    # computer_call_output has its one screenshot as an object.
    return any(
        _has_image(inner, images)
        for holder in images.holders
        for inner in (*_as_list(block.get(holder)), _as_object(block.get(holder)))
    )


def _as_object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _as_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
