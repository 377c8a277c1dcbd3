"""Encodes the turns of a Responses request as items."""

from collections.abc import Sequence
from typing import cast

from router.ir import Block, Document, Image, Request, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.conversation.identifiers import CALL_ID_LIMIT, to_chat_id
from router.wire.neutral.cache_marks import add_mark, has_marks, limit_marks
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.neutral.turn_order import order_turns
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.reasoning_state import decode_proof


def encode_items(request: Request, ctx: Context) -> list[Json]:
    """All items. Raises BadRequest."""
    custom = {tool.name for tool in request.tools if tool.format is not None}
    items: list[Json] = []
    if request.system and not fits_instructions(request, ctx):
        items.append(_build_message(ctx.profile.system_role, _encode_texts(request.system, ctx, "system")))
    for turn in order_turns(request.turns, ctx):
        if turn.role == "system":
            items.append(_build_message(ctx.profile.system_role, _encode_texts(turn.blocks, ctx, turn.path)))
        elif turn.role == "assistant":
            items += _encode_assistant(turn, custom, ctx)
        else:
            items += _encode_user(turn, custom, request, ctx)
    limit_marks(items)
    return items


def fits_instructions(request: Request, ctx: Context) -> bool:
    """True when the system prompt can be sent as `instructions`, which have no parts and no marks."""
    return not request.inline and not has_marks(request.system, ctx)


def _build_message(role: str, content: list[Json]) -> Json:
    return {"type": "message", "role": role, "content": content}


def _encode_texts(blocks: Sequence[Block], ctx: Context, path: str) -> list[Json]:
    return [_encode_text(block, ctx, path) for block in blocks if type(block) is Text]


def _encode_text(block: Text, ctx: Context, path: str) -> Json:
    return add_mark({"type": "input_text", "text": block.text}, block.cache, ctx, path)


def _encode_assistant(turn: Turn, custom: set[str], ctx: Context) -> list[Json]:
    items: list[Json] = []
    for block in _join_calls(turn, ctx):
        if type(block) is Text:
            _add_text(items, block)
        elif type(block) is ToolCall:
            items.append(_encode_call(block, custom, ctx))
        elif type(block) is Thinking:
            found = _encode_reasoning(block, turn.path, ctx)
            items += [found] if found is not None else []
    return items


def _join_calls(turn: Turn, ctx: Context) -> Sequence[Block]:
    """The blocks without text between calls: some servers expect the results behind the first message."""
    at = [index for index, block in enumerate(turn.blocks) if type(block) is ToolCall]
    if not at:
        return turn.blocks
    first, last = at[0], at[-1]
    between = [block for block in turn.blocks[first:last] if type(block) is Text]
    if not between:
        return turn.blocks
    ctx.note_weakened(turn.path)
    calls = [block for block in turn.blocks[first:last] if type(block) is not Text]
    return [*turn.blocks[:first], *between, *calls, *turn.blocks[last:]]


def _add_text(items: list[Json], block: Text) -> None:
    part: Json = {"type": "output_text", "text": block.text}
    if items and items[-1].get("role") == "assistant":
        cast("list[Json]", items[-1]["content"]).append(part)
    else:
        items.append(_build_message("assistant", [part]))


def _encode_call(call: ToolCall, custom: set[str], ctx: Context) -> Json:
    name = ctx.names.encode(call.name, CALL_ID_LIMIT)
    head: Json = {"call_id": to_chat_id(call.id, "free"), "name": name}
    if call.name in custom:
        return {"type": "custom_tool_call", **head, "input": freeform_tools.unwrap(call.arguments)}
    return {"type": "function_call", **head, "arguments": call.arguments or "{}"}


def _encode_reasoning(block: Thinking, path: str, ctx: Context) -> Json | None:
    """Reasoning as the item that this upstream and model gave; other reasoning is dropped."""
    carried = ctx.sealer.unseal(block.signature, block.text) if block.signature else None
    if carried is None or carried.kind != "signature":
        ctx.note_dropped(f"{path}.reasoning")
        return None
    state = decode_proof(carried.data)
    if state is None:
        ctx.note_dropped(f"{path}.reasoning")
        return None
    item_id, encrypted, sizes = state
    item: Json = {"type": "reasoning", **({"id": item_id} if item_id else {})}
    return {**item, "summary": _split_summary(block.text, sizes), "encrypted_content": encrypted}


def _split_summary(text: str, sizes: list[int]) -> list[Json]:
    """Split a summary into its parts, which were joined with a blank line."""
    parts: list[Json] = []
    at = 0
    for size in sizes:
        parts.append({"type": "summary_text", "text": text[at : at + size]})
        at += size + 2
    return parts


def _encode_user(turn: Turn, custom: set[str], request: Request, ctx: Context) -> list[Json]:
    """The results of a turn, then the rest of it as one message."""
    items: list[Json] = []
    parts: list[Json] = []
    for block in turn.blocks:
        if type(block) is ToolResult:
            items.append(_encode_result(block, turn.path, _is_custom(block.call_id, custom, request), ctx))
        elif type(block) is not Thinking and type(block) is not ToolCall:
            parts.append(_encode_part(block, ctx, turn.path))
    return [*items, _build_message("user", parts)] if parts else items


def _is_custom(call_id: str, custom: set[str], request: Request) -> bool:
    if not custom:
        return False
    calls = (block for turn in request.turns for block in turn.blocks if type(block) is ToolCall)
    return any(call.id == call_id and call.name in custom for call in calls)


def _encode_result(block: ToolResult, path: str, custom: bool, ctx: Context) -> Json:
    parts = [_encode_part(part, ctx, path) for part in block.content]
    said = "\n".join(part.text for part in block.content if type(part) is Text)
    if block.is_error:
        ctx.note_weakened(f"{path}.is_error")
        if not said.lower().startswith(("error", "[error]")):
            said = f"[error] {said}".rstrip()
            parts.insert(0, {"type": "input_text", "text": "[error]"})
    only_text = all(type(part) is Text for part in block.content)
    kind = "custom_tool_call_output" if custom else "function_call_output"
    output: object = said if only_text else parts
    return {"type": kind, "call_id": to_chat_id(block.call_id, "free"), "output": output}


def _encode_part(block: Text | Image | Document, ctx: Context, path: str) -> Json:
    if type(block) is Text:
        return _encode_text(block, ctx, path)
    data = f"data:{block.media_type};base64,{block.data}"
    if type(block) is Image:
        part: Json = {"type": "input_image", "image_url": block.url or data, "detail": block.detail or "auto"}
    elif block.url:
        part = {"type": "input_file", "file_url": block.url}
    else:
        part = {"type": "input_file", "filename": block.title or "document.pdf", "file_data": data}
    return add_mark(part, block.cache, ctx, path)
