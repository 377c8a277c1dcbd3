"""Reads and writes marks for prompt caching in the forms that the protocols and gateways have for them."""

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import msgspec

from router.ir import Block, Request, Text, Thinking, ToolCall
from router.wire.neutral.context import Context
from router.wire.raw.json_values import Json

BREAKPOINT = "prompt_cache_breakpoint"
_MARKS = 4
_B = TypeVar("_B", bound=Block)


def build_mark(lifetime: str) -> Json:
    """Anthropic's mark of a lifetime: 5m or 1h."""
    return {"type": "ephemeral", "ttl": "1h"} if lifetime == "1h" else {"type": "ephemeral"}


def read_lifetime(entry: Json) -> str:
    """The lifetime of Anthropic's mark on an entry, '' without one."""
    found = entry.get("cache_control")
    if not isinstance(found, dict):
        return ""
    return "1h" if cast("Json", found).get("ttl") == "1h" else "5m"


def read_part_lifetime(part: Json) -> str:
    """The lifetime of a mark on a part of a Chat message: OpenAI's own, or Anthropic's as gateways take it."""
    found = part.get(BREAKPOINT)
    if isinstance(found, dict):
        # OpenAI's are minimum lifetimes: 30m and more.
        return "1h" if cast("Json", found).get("ttl") else "5m"
    return read_lifetime(part)


def add_mark(part: Json, lifetime: str, ctx: Context, path: str) -> Json:
    """A part of a message with the form of mark that the upstream supports; without one where it supports none."""
    if not lifetime or not ctx.profile.cache:
        return part
    if ctx.profile.cache == "cache_control":
        return {**part, "cache_control": build_mark(lifetime)}
    if lifetime == "1h":
        ctx.note_weakened(f"{path}.cache_control.ttl")
        return {**part, BREAKPOINT: {"mode": "explicit", "ttl": "30m"}}
    return {**part, BREAKPOINT: {"mode": "explicit"}}


def move_mark(block: _B, lifetime: str) -> _B:
    """The block with the mark of a dropped block that followed it; reasoning and calls cannot hold marks."""
    if not lifetime or isinstance(block, Thinking | ToolCall):
        return block
    return msgspec.structs.replace(block, cache=lifetime)


def limit_marks(messages: Sequence[Json]) -> None:
    """Remove all but the last four of OpenAI's marks: the API writes no more than four cache entries a request."""
    left = _MARKS
    for part in _parts_backwards(messages):
        if BREAKPOINT in part:
            left -= 1
            if left < 0:
                del part[BREAKPOINT]


def _parts_backwards(messages: Sequence[Json]) -> Iterable[Json]:
    for message in reversed(messages):
        content = message.get("content")
        if isinstance(content, list):
            yield from reversed(cast("list[Json]", content))


def is_marked(request: Request) -> bool:
    """True when the caller set marks itself."""
    blocks = (block for turn in request.turns for block in turn.blocks)
    return any(getattr(one, "cache", "") for part in (request.system, request.tools, blocks) for one in part)


def has_marks(texts: Sequence[Text], ctx: Context) -> bool:
    """True when texts must stay separate parts, because some carry marks that the upstream supports."""
    return bool(ctx.profile.cache) and any(text.cache for text in texts)
