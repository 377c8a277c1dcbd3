"""The parts of a prompt that providers cache, as hashes: tools, system, conversation, and the settings of a request."""

import re
from array import array
from collections.abc import Sequence
from typing import Literal

import msgspec

from router.policy.cache.canonical import count_marks, cut_marks, hash_part, unwrap_text
from router.policy.cache.conversation import Conversation
from router.redaction import is_like_key
from router.wire.raw.json.json_values import UNREADABLE
from router.wire.raw.json.top_level import Top

#: Fields of a request, beside its prompt and its model, that providers cache a prompt by.
SETTINGS = frozenset(
    (
        *("thinking", "output_config", "output_format", "tool_choice", "speed", "service_tier", "context_management"),
        *("reasoning", "reasoning_effort", "text", "verbosity", "response_format", "parallel_tool_calls"),
        *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "mcp_servers", "functions"),
    )
)
# OpenAI's options of a cache; the other members of them are no settings, such as the id of an answer to compare with.
_OPTIONS = "prompt_cache_options"
#: Where tools stand, and system prompts that are not in the conversation.
TOOLS = ("tools",)
SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
#: Parts of a list that are hashed one by one; those behind them have one hash together.
PARTS_LIMIT = 200
#: Bytes that a signature covers whole: of tools, and of a system prompt, in which a date may change alone.
WHOLE_TOOLS, WHOLE_SYSTEM = 1024, 32_768
# Claude Code's billing line differs from request to request; it is taken out, or its vendor reads it apart.
_BILLING = b'"x-anthropic-billing-header:'
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")

_items = msgspec.json.Decoder(list[msgspec.Raw])


class _Options(msgspec.Struct):
    mode: object = None
    ttl: object = None


_options = msgspec.json.Decoder(_Options)


class _Function(msgspec.Struct):
    name: str = ""


class _Tool(msgspec.Struct):
    name: str = ""
    type: str = ""
    function: _Function | None = None


_tool = msgspec.json.Decoder(_Tool)


class Parts(msgspec.Struct, frozen=True, gc=False):
    """The tools of a request, or the blocks of its system prompt."""

    #: Of the bytes as they came; 0 when there are none.
    signature: int
    hashes: "array[int]"
    #: The names of tools, '' for what is none.
    names: tuple[str, ...]
    marks: int
    #: About how many bytes it takes in memory.
    size: int = 0


NO_PARTS = Parts(0, array("q"), (), 0)


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """The prompt of one request."""

    tools: Parts
    system: Parts
    conversation: Conversation
    #: Name and hash of each of SETTINGS that it has.
    settings: tuple[tuple[str, int], ...]
    #: Marks for caches in all of it.
    marks: int

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return 2000 + 8 * len(self.conversation.hashes) + self.tools.size + self.system.size


class Change(msgspec.Struct, frozen=True, gc=False):
    """The first part of a prompt that is not as in the request before it."""

    part: Literal["settings", "tools", "system", "messages"]
    #: Which one, in words; names of fields and tools, numbers and roles alone.
    text: str


def read_settings(top: Top) -> tuple[tuple[str, int], ...]:
    """Name and hash of each of SETTINGS in a request, in the order of their names."""
    found = [name for name in top if name in SETTINGS]
    return tuple([(name, _hash_setting(name, top.raw(name))) for name in sorted(found)]) if found else ()


def _hash_setting(name: str, raw: bytes | None) -> int:
    if name != _OPTIONS or raw is None:
        return hash(raw)
    try:
        found = _options.decode(raw)
    except UNREADABLE:
        return hash(raw)
    return _hash_options(str(found.mode), str(found.ttl))


def _hash_options(mode: str, ttl: str) -> int:
    return hash((mode, ttl))


#: Settings that ask for the longer lifetime of a cache.
_LONGER = (
    ("prompt_cache_retention", hash(b'"24h"')),
    *((_OPTIONS, _hash_options(mode, "12h")) for mode in ("None", "implicit", "explicit")),
)


def asks_for_longer(prompt: Prompt) -> bool:
    """True for a request whose settings ask the cache to keep it for the longer time that the provider offers; marks,
    by which others ask for it, are told by the usage of the answer."""
    return any(setting in _LONGER for setting in prompt.settings)


def find_extent(top: Top, names: Sequence[str]) -> tuple[int, int] | None:
    """Where the first of these members stands in a body; None when it has none of them."""
    for name in names:
        span = top.find_span(name)
        if span is not None:
            return span
    return None


def read_tools(raw: bytes, signature: int) -> Parts:
    """Read the list of tools."""
    return _read_parts(raw, signature, _items_of(raw), named=True)


def read_system(raw: bytes, signature: int) -> Parts:
    """Read a system prompt; a text and a single block of it are the same."""
    if raw.startswith(b'"'):
        return Parts(signature, array("q", [hash(raw)]), (), 0)
    found = [item for item in _items_of(raw) if _BILLING not in bytes(item[:400])]
    if len(found) == 1:
        text = unwrap_text(cut_marks(found[0]))
        if text is not None:
            return Parts(signature, array("q", [hash(text)]), (), count_marks(raw))
    return _read_parts(raw, signature, found, named=False)


def _items_of(raw: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _items.decode(raw)]
    except UNREADABLE:
        return [raw]


def _read_parts(raw: bytes, signature: int, items: list[bytes], *, named: bool) -> Parts:
    hashes = array("q", [hash_part(item) for item in items[:PARTS_LIMIT]])
    if len(items) > PARTS_LIMIT:
        hashes.append(hash(tuple(items[PARTS_LIMIT:])))
    names = tuple(_name_tool(item) for item in items[:PARTS_LIMIT]) if named else ()
    size = 8 * len(hashes) + sum(len(name) + 57 for name in names)
    return Parts(signature, hashes, names, count_marks(raw), size)


def _name_tool(item: bytes) -> str:
    try:
        found = _tool.decode(item)
    except UNREADABLE:
        return ""
    name = found.name or (found.function.name if found.function is not None else "") or found.type
    return name if _TOOL_NAME.fullmatch(name) and not is_like_key(name) else ""


def find_setting(before: Prompt, after: Prompt) -> Change | None:
    """The first setting that differs."""
    if before.settings == after.settings:
        return None
    old, new = dict(before.settings), dict(after.settings)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            how = "added" if name not in old else "removed" if name not in new else "changed"
            return Change("settings", f"{name} {how}")
    return None


def find_tool(before: Parts, after: Parts) -> Change | None:
    """The first tool that differs."""
    at = _find_difference(before, after)
    if at is None:
        return None
    old = before.names[at] if at < len(before.names) else ""
    new = after.names[at] if at < len(after.names) else ""
    if new and new not in before.names:
        text = f"{new} added"
    elif old and old not in after.names:
        text = f"{old} removed"
    elif new and new == old:
        text = f"{new} changed"
    elif new and old:
        text = f"{new} moved"
    else:
        text = f"tool {at + 1}"
    return Change("tools", text)


def find_block(before: Parts, after: Parts) -> Change | None:
    """The first block of the system prompt that differs."""
    at = _find_difference(before, after)
    return None if at is None else Change("system", f"block {at + 1} of {max(len(before.hashes), len(after.hashes))}")


def _find_difference(before: Parts, after: Parts) -> int | None:
    if before is after or before.hashes == after.hashes:
        return None
    for at, (old, new) in enumerate(zip(before.hashes, after.hashes, strict=False)):
        if old != new:
            return at
    return min(len(before.hashes), len(after.hashes))
