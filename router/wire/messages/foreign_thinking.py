"""Removes from a Messages conversation what its upstream does not accept as its own: reasoning, and web searches.

A client that was answered by one upstream and then asks another sends the reasoning and the searches of the first
along. Only Anthropic can verify a signature, and read what is sealed in the result of a search: it answers 400, and the
request is sent once more without that reasoning, or with the searches as text.
"""

import re
from collections.abc import Callable
from typing import cast

import msgspec

from router.wire.conversation.sealed_state import PREFIX
from router.wire.messages.requests.server_calls import summarize_server_call
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Anthropic's error message on reasoning with a foreign signature.
REFUSED = re.compile(rb"[Ii]nvalid `?signature`? in `?thinking`? block")
#: A complaint about the sealed content of a result; what a translation wrote there is empty.
UNREADABLE = re.compile(rb"encrypted_content")
_EMPTY = re.compile(rb'"encrypted_content"\s{0,8}:\s{0,8}""')
_CALL, _RESULT = "server_tool_use", "web_search_tool_result"
_KINDS = ("thinking", "redacted_thinking")


def drop_foreign_thinking(body: bytes) -> bytes | None:
    """The request without fairlead's sealed state; if it has none, without any reasoning of earlier turns.

    None when there is nothing to remove.
    """
    data = json_values.decode_object(body)
    found = data.get("messages") if data is not None else None
    if data is None or not isinstance(found, list):
        return None
    entries = [cast("Json", one) for one in cast("list[object]", found) if isinstance(one, dict)]
    turns = [one for one in entries if one.get("role") == "assistant" and isinstance(one.get("content"), list)]
    if not _strip(turns, _is_sealed):
        # The last turn stays: in an unfinished tool round it must begin with its reasoning.
        if not _strip(turns[:-1], lambda _: True):
            return None
    elif turns and _in_tool_round(turns[-1]) and json_values.get_object(data, "thinking").get("type") == "enabled":
        data["thinking"] = {"type": "disabled"}
    return msgspec.json.encode(data)


def has_foreign_searches(body: bytes) -> bool:
    """True for a body that may hold the result of a search that a translation wrote."""
    return _EMPTY.search(body) is not None


def tell_foreign_searches(body: bytes) -> bytes | None:
    """The request with the searches that a translation wrote as text; None when it holds none."""
    data = json_values.decode_object(body)
    found = data.get("messages") if data is not None else None
    if data is None or not isinstance(found, list):
        return None
    some = False
    for turn in (cast("Json", one) for one in cast("list[object]", found) if isinstance(one, dict)):
        content = turn.get("content")
        if turn.get("role") != "assistant" or not isinstance(content, list):
            continue
        blocks = cast("list[object]", content)
        foreign = {cast("Json", one).get("tool_use_id") for one in blocks if _is_foreign_result(one)}
        if foreign:
            some = True
            turn["content"] = [_tell_search(block, foreign) for block in blocks]
    return msgspec.json.encode(data) if some else None


def _is_foreign_result(block: object) -> bool:
    """True for a result whose pages hold nothing sealed, and for an empty one or an error beside such."""
    entry = cast("Json", block) if isinstance(block, dict) else {}
    pages = entry.get("content")
    if entry.get("type") != _RESULT or not isinstance(pages, list):
        return False
    return any(isinstance(one, dict) and cast("Json", one).get("encrypted_content") == "" for one in pages)  # pyright: ignore[reportUnknownVariableType]


def _tell_search(block: object, foreign: set[object]) -> object:
    """A block as text, where it belongs to one of these searches."""
    entry = cast("Json", block) if isinstance(block, dict) else {}
    kind = entry.get("type")
    name = entry.get("id") if kind == _CALL else entry.get("tool_use_id") if kind == _RESULT else None
    if name not in foreign or name is None:
        return cast("object", block)
    return {"type": "text", "text": summarize_server_call(entry, str(kind))}


def _strip(turns: list[Json], unwanted: Callable[[Json], bool]) -> bool:
    """Remove reasoning from turns; True when any was removed."""
    some = False
    for turn in turns:
        blocks = cast("list[object]", turn["content"])
        kept = [block for block in blocks if not _is_thinking(block) or not unwanted(cast("Json", block))]
        if len(kept) < len(blocks):
            some = True
            turn["content"] = kept or [{"type": "text", "text": "(no text)"}]
    return some


def _is_thinking(block: object) -> bool:
    return isinstance(block, dict) and cast("Json", block).get("type") in _KINDS


def _is_sealed(block: Json) -> bool:
    held = block.get("signature") or block.get("data")
    return isinstance(held, str) and held.startswith(PREFIX)


def _in_tool_round(turn: Json) -> bool:
    """True for a turn with a call that no longer begins with its reasoning."""
    blocks = cast("list[object]", turn["content"])
    kinds = [cast("Json", block).get("type") for block in blocks if isinstance(block, dict)]
    return "tool_use" in kinds and kinds[0] not in _KINDS
