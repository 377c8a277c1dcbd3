"""Encodes the messages of a Chat request."""

from collections.abc import Sequence

from router.ir import Block, Document, Image, Request, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.chat.answer.call_reader import BESIDE
from router.wire.chat.answer.reasoning_details import FIELD, decode_details, join_details
from router.wire.conversation.identifiers import to_chat_id
from router.wire.conversation.sealed_state import SealedState
from router.wire.neutral.cache_marks import add_mark, has_marks, limit_marks
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.root_unions import wrap_arguments
from router.wire.neutral.turn_order import order_turns
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def encode_messages(request: Request, ctx: Context) -> list[Json]:
    """All messages, the system prompt first. Raises BadRequest."""
    messages: list[Json] = []
    if request.system:
        messages.append(
            {"role": ctx.profile.system_role, "content": _encode_texts(request.system, "\n\n", ctx, "system")}
        )
    for turn in order_turns(request.turns, ctx):
        if turn.role == "system":
            messages.append(_encode_system(turn, ctx))
        elif turn.role == "assistant":
            message = _encode_assistant(turn, ctx)
            if message is not None:
                messages.append(message)
        else:
            messages += _encode_user(turn, ctx)
    if ctx.profile.cache == "breakpoint":
        limit_marks(messages)
    return _merge_neighbours(messages) if ctx.profile.alternates else messages


def _encode_texts(blocks: Sequence[Text], between: str, ctx: Context, path: str) -> object:
    """One string, or separate parts where some carry marks for the cache."""
    if has_marks(blocks, ctx):
        return [_encode_text(block, ctx, path) for block in blocks]
    return between.join(block.text for block in blocks)


def _encode_text(block: Text, ctx: Context, path: str) -> Json:
    return add_mark({"type": "text", "text": block.text}, block.cache, ctx, path)


def _encode_system(turn: Turn, ctx: Context) -> Json:
    """A system message within the conversation, at its place; as user text where the upstream accepts only one."""
    said = "\n\n".join(block.text for block in turn.blocks if type(block) is Text)
    if not ctx.profile.single_system:
        return {"role": ctx.profile.system_role, "content": said}
    ctx.note_weakened(turn.path)
    return {"role": "user", "content": f"<system-reminder>\n{said}\n</system-reminder>"}


def _encode_assistant(turn: Turn, ctx: Context) -> Json | None:
    said = _encode_texts([block for block in turn.blocks if type(block) is Text], "", ctx, turn.path)
    calls = [block for block in turn.blocks if type(block) is ToolCall]
    if not said and not calls:
        # A message without both is refused.
        if any(type(block) is Thinking and block != Thinking() for block in turn.blocks):
            ctx.note_dropped(f"{turn.path}.thinking")
        return None
    if _has_text_behind_call(turn.blocks):
        ctx.note_weakened(turn.path)
    message: Json = {"role": "assistant"}
    empty = {"null": None, "empty": ""}
    if said or not calls:
        message["content"] = said
    elif ctx.profile.empty_content in empty:
        message["content"] = empty[ctx.profile.empty_content]
    states = [_unseal(block, ctx) for block in turn.blocks]
    _put_reasoning(message, turn, states, ctx)
    if calls:
        message["tool_calls"] = _encode_calls(turn.blocks, states, ctx)
    return message


def _unseal(block: Block, ctx: Context) -> SealedState | None:
    """The state of a block of reasoning; None where it holds none of this upstream and model."""
    if type(block) is not Thinking:
        return None
    return ctx.sealer.unseal(block.redacted, "") if block.redacted else ctx.sealer.unseal(block.signature, block.text)


def _encode_calls(blocks: Sequence[Block], states: Sequence[SealedState | None], ctx: Context) -> list[Json]:
    """The calls, each with the extra content that its upstream had put beside it, from the opaque block in front."""
    calls: list[Json] = []
    beside: Json = {}
    for block, state in zip(blocks, states, strict=True):
        if type(block) is ToolCall:
            calls.append({**_encode_call(block, ctx), **beside})
            beside = {}
        else:
            beside = _read_beside(state) or beside
    return calls


def _read_beside(state: SealedState | None) -> Json:
    """The extra content of a call; {} for other state."""
    if state is None or state.kind != "redacted":
        return {}
    found = json_values.decode_object(state.data)
    return {BESIDE: found[BESIDE]} if found is not None and BESIDE in found else {}


def _has_text_behind_call(blocks: Sequence[Block]) -> bool:
    seen = False
    for block in blocks:
        seen = seen or type(block) is ToolCall
        if seen and type(block) is Text:
            return True
    return False


def _put_reasoning(message: Json, turn: Turn, states: Sequence[SealedState | None], ctx: Context) -> None:
    """Put the upstream's own reasoning into the fields in which it accepts it; other reasoning is left out.

    What came as reasoning details goes back as such: the upstream has shown that it knows them.
    """
    replay = ctx.profile.replay
    kept: list[str] = []
    details: list[Json] = []
    lost = False
    for block, state in zip(turn.blocks, states, strict=True):
        if type(block) is not Thinking:
            continue
        if state is None:
            lost = lost or bool(block.text or block.signature or block.redacted)
        elif (more := decode_details(state.data, block.text)) is not None:
            join_details(details, more)
            kept.append(block.text)
        elif block.text:
            kept.append(block.text)
        else:
            lost = lost or bool(state.data and not _read_beside(state))
    if details:
        message[FIELD] = details
    required = replay == "reasoning_content" and any(type(block) is ToolCall for block in turn.blocks)
    said = "".join(kept)
    if required or (said and (replay == "reasoning_content" or (replay and not details))):
        message[replay] = said
    if lost or (said and not replay and not details):
        ctx.note_dropped(f"{turn.path}.thinking")


def _encode_call(call: ToolCall, ctx: Context) -> Json:
    name = ctx.names.encode(call.name, ctx.profile.name_limit)
    arguments: str = call.arguments or "{}"
    if call.name in ctx.union_tools and (given := json_values.as_raw_object(arguments)) is not None:
        arguments = json_values.encode_json(wrap_arguments(given))
    function = {"name": name, "arguments": arguments}
    return {"id": to_chat_id(call.id, ctx.profile.id_form), "type": "function", "function": function}


def _encode_user(turn: Turn, ctx: Context) -> list[Json]:
    """All results of a turn first, one tool message each, then the rest of the turn as a user message."""
    messages: list[Json] = []
    shown: list[Json] = []
    parts: list[Json] = []
    for block in turn.blocks:
        if type(block) is ToolResult:
            messages.append(_encode_result(block, shown, turn.path, ctx))
        elif type(block) is not Thinking and type(block) is not ToolCall:
            parts.append(_encode_part(block, ctx, turn.path))
    if shown:
        ctx.note_weakened(turn.path)
        messages.append({"role": "user", "content": [{"type": "text", "text": "Tool result images:"}, *shown]})
    if not turn.blocks:
        messages.append({"role": "user", "content": ""})
    if parts:
        lone = parts[0]["text"] if len(parts) == 1 and len(parts[0]) == 2 and "text" in parts[0] else None
        messages.append({"role": "user", "content": parts if lone is None else lone})
    return messages


def _encode_result(block: ToolResult, shown: list[Json], path: str, ctx: Context) -> Json:
    """A tool message. shown: filled with the images and files that a tool message cannot hold."""
    texts: list[str] = []
    inline: list[Json] = []
    for part in block.content:
        if type(part) is Text:
            texts.append(part.text)
        elif ctx.profile.tool_images:
            inline.append(_encode_part(part, ctx, path))
        else:
            shown.append(_encode_part(part, ctx, path))
            kind = "image" if type(part) is Image else "file"
            texts.append(f"[{kind} {len(shown)} of tool result {block.call_id}: see next user message]")
    said = "\n".join(texts)
    if block.is_error:
        ctx.note_weakened(f"{path}.is_error")
        said = said if said.lower().startswith(("error", "[error]")) else f"[error] {said}".rstrip()
    content: object = said or ctx.profile.empty_result
    if inline or (block.cache and ctx.profile.cache):
        parts: list[Json] = [*([{"type": "text", "text": said}] if said else []), *inline]
        content = [*parts[:-1], add_mark(parts[-1], block.cache, ctx, path)] if parts else said
    return {"role": "tool", "tool_call_id": to_chat_id(block.call_id, ctx.profile.id_form), "content": content}


def _encode_part(block: Text | Image | Document, ctx: Context, path: str) -> Json:
    if type(block) is Text:
        return _encode_text(block, ctx, path)
    if type(block) is Image:
        if block.url and not ctx.profile.remote_images:
            raise ctx.refuse(path, "the backend takes no image URLs, and they are not fetched here")
        url = block.url or f"data:{block.media_type};base64,{block.data}"
        image: Json = {"url": url, "detail": block.detail} if block.detail else {"url": url}
        return add_mark({"type": "image_url", "image_url": image}, block.cache, ctx, path)
    if block.url:
        raise ctx.refuse(path, "documents by URL have no counterpart, and they are not fetched here")
    if not ctx.profile.files:
        raise ctx.refuse(path, "the backend is not known to read files")
    title = block.title or "document.pdf"
    data = f"data:{block.media_type};base64,{block.data}"
    return add_mark({"type": "file", "file": {"filename": title, "file_data": data}}, block.cache, ctx, path)


def _merge_neighbours(messages: list[Json]) -> list[Json]:
    """Merge neighbouring user messages, and a user's text into a tool message directly in front of it."""
    out: list[Json] = []
    for message in messages:
        role = message["role"]
        if out and role == "user" and out[-1]["role"] == "user":
            out[-1] = {"role": "user", "content": _as_parts(out[-1]) + _as_parts(message)}
        elif out and role == "user" and out[-1]["role"] == "tool" and _is_text(message):
            out[-1] = {**out[-1], "content": f"{_join_texts(out[-1])}\n\n{_join_texts(message)}"}
        else:
            out.append(message)
    return out


def _as_parts(message: Json) -> list[Json]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]  # pyright: ignore[reportUnknownVariableType]


def _is_text(message: Json) -> bool:
    return all(part["type"] == "text" for part in _as_parts(message))


def _join_texts(message: Json) -> str:
    return "\n".join(str(part["text"]) for part in _as_parts(message))
