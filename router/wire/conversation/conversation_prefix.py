"""Tells conversations apart by what was said in them so far.

Some upstreams number the ids of their calls anew in each conversation, so that an id alone does not name a call.
"""

from collections.abc import Iterable

from router.ir import Block, Text, Thinking, ToolCall, ToolResult, Turn


def prefix_hashes(turns: Iterable[Turn]) -> list[int]:
    """A hash of what was said before each turn, and one more of the whole conversation; valid in this process only.

    Left out is what clients change or drop when they send their history: reasoning, ids of calls, marks for caching,
    and system messages. Python's own hash takes a quarter of the time of SHA-256, and is keyed at random.
    """
    state = 1
    found = [state]
    for turn in turns:
        if turn.role != "system":
            parts: list[str] = []
            _add_parts(turn.blocks, parts)
            # One by one: some clients join or split turns.
            for part in parts:
                state = hash((state, part))
        found.append(state)
    return found


def _add_parts(blocks: Iterable[Block], parts: list[str]) -> None:
    for block in blocks:
        if type(block) is Text:
            parts += ("text", block.text)
        elif type(block) is ToolCall:
            parts += ("call", block.name, block.arguments)
        elif type(block) is ToolResult:
            parts.append("result")
            _add_parts(block.content, parts)
        elif type(block) is not Thinking:
            parts += (block.__class__.__name__, block.url or block.data)
