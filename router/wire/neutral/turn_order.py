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

    A call that repeats the id of an earlier one gets an id of its own, and the results of one id go to its calls in
    their order. Further results of a call are merged; a call without a result gets one that says so; a result without
    a call becomes text; other turns that stood between come behind the results.
    """
    out: list[Turn] = []
    given: dict[str, int] = {}
    at = 0
    while at < len(turns):
        turn = turns[at]
        at += 1
        if turn.role != "assistant":
            out.append(_convert_orphans(turn, ctx))
            continue
        blocks = list(turn.blocks)
        called = _has_call(turn)
        while called and at < len(turns) and turns[at].role == "assistant":
            blocks += turns[at].blocks
            at += 1
        renamed = _rename_repeated_calls(blocks, given)
        turn = Turn("assistant", tuple(blocks), turn.path)
        end = at
        while end < len(turns) and turns[end].role != "assistant":
            end += 1
        out.append(turn)
        out += _collect_results(turn, renamed, turns[at:end], ctx)
        at = end
    return out


def _has_call(turn: Turn) -> bool:
    return ToolCall in map(type, turn.blocks)


def _rename_repeated_calls(blocks: list[Block], given: dict[str, int]) -> dict[str, list[str]]:
    """Give calls whose id another call of the conversation has an id of their own: all protocols pair calls and results
    by id, and Anthropic refuses ids that repeat.

    given: how often an id was given, by the id without its suffix; grows. Returns the new ids by the id in `blocks`.
    """
    renamed: dict[str, list[str]] = {}
    for at, block in enumerate(blocks):
        if type(block) is not ToolCall:
            continue
        found = block.id
        while found in given:
            given[block.id] += 1
            found = f"{block.id}_{given[block.id]}"
        given[found] = 1
        renamed.setdefault(block.id, []).append(found)
        if found != block.id:
            blocks[at] = ToolCall(found, block.name, block.arguments)
    return renamed


def _collect_results(turn: Turn, renamed: dict[str, list[str]], following: Sequence[Turn], ctx: Context) -> list[Turn]:
    """The results for a turn's calls as one user turn, then the rest of the turns that follow it."""
    results: dict[str, list[ToolResult]] = {}
    waiting = {old: list(reversed(new)) for old, new in renamed.items()}
    rest: list[Turn] = []
    for one in following:
        if ToolResult not in map(type, one.blocks):
            rest.append(one)
            continue
        kept: list[Block] = []
        for block in one.blocks:
            if type(block) is not ToolResult:
                kept.append(block)
            elif block.call_id in waiting:
                ids = waiting[block.call_id]
                call_id = ids.pop() if len(ids) > 1 else ids[0]
                found = results.setdefault(call_id, [])
                if found:
                    ctx.note_weakened(one.path)
                found.append(block)
            else:
                kept += _convert_orphan(block, one.path, ctx)
        if kept:
            rest.append(Turn(one.role, tuple(kept), one.path))
    calls = [block.id for block in turn.blocks if type(block) is ToolCall]
    for call in calls:
        if call not in results:
            ctx.note_weakened(f"{turn.path}.tool_calls")
            results[call] = [ToolResult(call, (Text(MISSING),), is_error=True)]
    if not calls:
        return rest
    path = following[0].path if following else turn.path
    return [Turn("user", tuple(_merge_results(call, results[call]) for call in calls), path), *rest]


def _merge_results(call_id: str, found: list[ToolResult]) -> ToolResult:
    """The results of one call as one."""
    if len(found) == 1 and found[0].call_id == call_id:
        return found[0]
    content = tuple(part for one in found for part in one.content)
    cache = next((one.cache for one in found if one.cache), found[-1].cache)
    return ToolResult(call_id, content, any(one.is_error for one in found), cache)


def _convert_orphans(turn: Turn, ctx: Context) -> Turn:
    if ToolResult not in map(type, turn.blocks):
        return turn
    blocks: list[Block] = []
    for block in turn.blocks:
        blocks += _convert_orphan(block, turn.path, ctx) if type(block) is ToolResult else [block]
    return Turn(turn.role, tuple(blocks), turn.path)


def _convert_orphan(block: ToolResult, path: str, ctx: Context) -> list[Block]:
    ctx.note_weakened(path)
    said = "\n".join(part.text for part in block.content if type(part) is Text)
    others: list[Block] = [part for part in block.content if isinstance(part, Image | Document)]
    return [Text(f"[orphan tool result {block.call_id}] {said}".rstrip()), *others]
