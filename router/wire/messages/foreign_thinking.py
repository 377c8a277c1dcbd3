"""A Messages conversation without reasoning that its upstream does not take for its own.

A client that was answered by one upstream and asks another sends the reasoning of the first along. Only Anthropic can
tell whose it is: it answers 400, and the request goes out once more without.
"""

import re
from collections.abc import Callable
from typing import cast

import msgspec

from router.wire.neutral.sealed_state import PREFIX
from router.wire.raw import json_values
from router.wire.raw.json_values import Json

#: What Anthropic answers to reasoning that is not its own.
REFUSED = re.compile(rb"[Ii]nvalid `?signature`? in `?thinking`? block")
_KINDS = ("thinking", "redacted_thinking")


def drop_foreign_thinking(body: bytes) -> bytes | None:
    """The request without the carriers in it; if it has none, without any reasoning of earlier turns.

    None when nothing can be left out.
    """
    data = json_values.decode_object(body)
    found = data.get("messages") if data is not None else None
    if data is None or not isinstance(found, list):
        return None
    entries = [cast("Json", one) for one in cast("list[object]", found) if isinstance(one, dict)]
    turns = [one for one in entries if one.get("role") == "assistant" and isinstance(one.get("content"), list)]
    if not _strip(turns, _is_sealed):
        # The turn of a tool round that is under way must begin with its reasoning.
        if not _strip(turns[:-1], lambda _: True):
            return None
    elif turns and _in_tool_round(turns[-1]) and json_values.get_object(data, "thinking").get("type") == "enabled":
        data["thinking"] = {"type": "disabled"}
    return msgspec.json.encode(data)


def _strip(turns: list[Json], unwanted: Callable[[Json], bool]) -> bool:
    """Take reasoning out of turns; True when there was any."""
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
