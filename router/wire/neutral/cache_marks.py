"""Reads and writes marks for prompt caching in the forms that the protocols and gateways have for them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar, cast

import msgspec

from router.ir import Block, Document, Image, Request, Text, Thinking, Tool, ToolCall, ToolResult
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json

BREAKPOINT = "prompt_cache_breakpoint"
_MARKS = 4
_B = TypeVar("_B", bound=Block)
_E = TypeVar("_E", bound=Text | Image | Document | ToolResult | Tool)


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
    if not lifetime or type(block) is Thinking or type(block) is ToolCall:
        return block
    return msgspec.structs.replace(block, cache=lifetime)


class _Mark(NamedTuple):
    """A mark, and where it stands."""

    path: str
    lifetime: str


def fit_marks(request: Request, ctx: Context) -> Request:
    """The request with marks as Anthropic takes them: at most four, with that for the whole request if one is asked
    for; and none for an hour behind one for five minutes, in the order tools, system, messages.

    Marks for an hour are kept first, then the last ones, which cover the most. An hour that comes too late becomes five
    minutes. What is removed or shortened is reported. The turns must be in the order in which they are sent.
    """
    marks = list(_find_marks(request))
    room = _MARKS - (1 if request.cache else 0)
    first_short = next((at for at, mark in enumerate(marks) if mark.lifetime == "5m"), len(marks))
    if len(marks) <= room and all(mark.lifetime == "5m" for mark in marks[first_short:]):
        return request
    ranked = sorted(range(len(marks)), key=lambda at: (marks[at].lifetime == "1h", at))
    kept = set(ranked[len(ranked) - min(room, len(ranked)) :])
    lifetimes: list[str] = []
    short = False
    for at, (path, lifetime) in enumerate(marks):
        if at not in kept:
            ctx.note_dropped(f"{path}.cache_control")
            lifetimes.append("")
            continue
        if short and lifetime == "1h":
            ctx.note_weakened(f"{path}.cache_control.ttl")
        lifetimes.append("5m" if short else lifetime)
        short = short or lifetime == "5m"
    return _replace_marks(request, iter(lifetimes))


def _find_marks(request: Request) -> Iterator[_Mark]:
    """All marks in the order in which Anthropic reads them."""
    for at, tool in enumerate(request.tools):
        if tool.cache:
            yield _Mark(f"tools[{at}]", tool.cache)
    for text in request.system:
        if text.cache:
            yield _Mark("system", text.cache)
    for turn in request.turns:
        for block in turn.blocks:
            for part in block.content if type(block) is ToolResult else ():
                if part.cache:
                    yield _Mark(turn.path, part.cache)
            if type(block) is not Thinking and type(block) is not ToolCall and block.cache:
                yield _Mark(turn.path, block.cache)


def _replace_marks(request: Request, lifetimes: Iterator[str]) -> Request:
    """The request with other lifetimes of its marks, in the order of `_find_marks`."""

    def mark(entry: _E) -> _E:
        return msgspec.structs.replace(entry, cache=next(lifetimes)) if entry.cache else entry

    def mark_block(block: Block) -> Block:
        if type(block) is Thinking or type(block) is ToolCall:
            return block
        if type(block) is ToolResult and any(part.cache for part in block.content):
            block = msgspec.structs.replace(block, content=tuple(mark(part) for part in block.content))
        return mark(block)

    tools = tuple(mark(tool) for tool in request.tools)
    system = tuple(mark(text) for text in request.system)
    turns = tuple(
        msgspec.structs.replace(turn, blocks=tuple(mark_block(block) for block in turn.blocks))
        for turn in request.turns
    )
    return msgspec.structs.replace(request, tools=tools, system=system, turns=turns)


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
    return next(_find_marks(request), None) is not None


def has_marks(texts: Sequence[Text], ctx: Context) -> bool:
    """True when texts must stay separate parts, because some carry marks that the upstream supports."""
    return bool(ctx.profile.cache) and any(text.cache for text in texts)
