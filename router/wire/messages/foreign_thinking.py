"""Removes reasoning from a Messages conversation that its upstream does not accept as its own.

A client that was answered by one upstream and then asks another sends the reasoning of the first along. Only Anthropic
can verify the signature: it answers 400, and the request is sent once more without that reasoning.
"""

import re
from collections.abc import Callable
from typing import cast

import msgspec

from router.wire.neutral.sealed_state import PREFIX
from router.wire.raw import json_values
from router.wire.raw.json_values import Json

#: Anthropic's error message on reasoning with a foreign signature.
REFUSED = re.compile(rb"[Ii]nvalid `?signature`? in `?thinking`? block")
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
