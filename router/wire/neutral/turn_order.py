"""Brings a conversation into the order that all protocols accept: results follow directly behind the message with their
calls.

Changes to a turn depend only on the turns up to the next assistant turn, never on the end of the conversation: a
growing conversation keeps its translated prefix, and so its place in the upstream's prompt cache.
"""

from collections.abc import Sequence

from router.ir import Block, Document, Image, Text, ToolCall, ToolResult, Turn
from router.wire.neutral.context import Context

MISSING = "[no result recorded]"


def order_turns(turns: Sequence[Turn], ctx: Context) -> list[Turn]:
    """The turns with every tool result directly behind its call, in the order of the calls.

    Results of one call are merged; a call without a result gets one that says so; a result without a call becomes
    text; other turns that stood between come behind the results.
    """
    out: list[Turn] = []
    at = 0
    while at < len(turns):
        turn = turns[at]
        at += 1
        if turn.role != "assistant":
            out.append(_convert_orphans(turn, ctx))
            continue
        while at < len(turns) and turns[at].role == "assistant" and _call_ids(turn):
            turn = Turn("assistant", turn.blocks + turns[at].blocks, turn.path)
            at += 1
        turn = _drop_repeated_calls(turn, ctx)
        end = at
        while end < len(turns) and turns[end].role != "assistant":
            end += 1
        out.append(turn)
        out += _collect_results(turn, turns[at:end], ctx)
        at = end
    return out


def _call_ids(turn: Turn) -> list[str]:
    return [block.id for block in turn.blocks if isinstance(block, ToolCall)]


def _drop_repeated_calls(turn: Turn, ctx: Context) -> Turn:
    """The turn without calls that repeat the id of an earlier one: their results could not be told apart."""
    calls = _call_ids(turn)
    if len(set(calls)) == len(calls):
        return turn
    ctx.note_weakened(f"{turn.path}.tool_calls")
    blocks: list[Block] = []
    seen: set[str] = set()
    for block in turn.blocks:
        if isinstance(block, ToolCall):
            if block.id in seen:
                continue
            seen.add(block.id)
        blocks.append(block)
    return Turn(turn.role, tuple(blocks), turn.path)


def _collect_results(turn: Turn, following: Sequence[Turn], ctx: Context) -> list[Turn]:
    """The results for a turn's calls as one user turn, then the rest of the turns that follow it."""
    calls = _call_ids(turn)
    results: dict[str, ToolResult] = {}
    rest: list[Turn] = []
    for one in following:
        kept: list[Block] = []
        for block in one.blocks:
            if not isinstance(block, ToolResult):
                kept.append(block)
            elif block.call_id in calls:
                results[block.call_id] = _merge_results(results.get(block.call_id), block, one.path, ctx)
            else:
                kept += _convert_orphan(block, one.path, ctx)
        if kept:
            rest.append(Turn(one.role, tuple(kept), one.path))
    for call in calls:
        if call not in results:
            ctx.note_weakened(f"{turn.path}.tool_calls")
            results[call] = ToolResult(call, (Text(MISSING),), is_error=True)
    if not calls:
        return rest
    path = following[0].path if following else turn.path
    return [Turn("user", tuple(results[call] for call in dict.fromkeys(calls)), path), *rest]


def _merge_results(old: ToolResult | None, new: ToolResult, path: str, ctx: Context) -> ToolResult:
    if old is None:
        return new
    ctx.note_weakened(path)
    return ToolResult(new.call_id, old.content + new.content, old.is_error or new.is_error, old.cache or new.cache)


def _convert_orphans(turn: Turn, ctx: Context) -> Turn:
    if not any(isinstance(block, ToolResult) for block in turn.blocks):
        return turn
    blocks: list[Block] = []
    for block in turn.blocks:
        blocks += _convert_orphan(block, turn.path, ctx) if isinstance(block, ToolResult) else [block]
    return Turn(turn.role, tuple(blocks), turn.path)


def _convert_orphan(block: ToolResult, path: str, ctx: Context) -> list[Block]:
    ctx.note_weakened(path)
    said = "\n".join(part.text for part in block.content if isinstance(part, Text))
    others: list[Block] = [part for part in block.content if isinstance(part, Image | Document)]
    return [Text(f"[orphan tool result {block.call_id}] {said}".rstrip()), *others]
