"""Decodes the messages of a Chat request."""

import hashlib

import msgspec

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.neutral.cache_marks import move_mark, read_part_lifetime
from router.wire.neutral.context import Context
from router.wire.openai import decode_document, parse_data_url
from router.wire.raw import json_values
from router.wire.raw.json_values import Json

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def decode_message(entry: Json, path: str, ctx: Context) -> Turn | None:
    """One message as a turn; a tool's message is a user turn with its result. None for one without content.

    Raises BadRequest with the path of what is wrong.
    """
    role = entry.get("role")
    if role not in _ROLES:
        raise BadRequest(f"{path}.role: expected one of {', '.join(_ROLES)}.")
    if entry.get("name") is not None and role != "function":
        ctx.note_dropped(f"{path}.name")
    content = entry.get("content")
    if role in ("system", "developer"):
        texts = tuple(part for part in _decode_parts(content, f"{path}.content", ctx) if isinstance(part, Text))
        return Turn("system", texts, path) if texts else None
    if role == "assistant":
        return _decode_assistant(entry, path, ctx)
    if role in ("tool", "function"):
        call = _make_call_id(json_values.require_text(entry, "name", path)) if role == "function" else None
        result = ToolResult(
            call or json_values.require_text(entry, "tool_call_id", path),
            _decode_parts(content, f"{path}.content", ctx),
        )
        return Turn("user", (result,), path)
    parts = _decode_parts(content, f"{path}.content", ctx)
    if not parts:
        raise BadRequest(f"{path}.content: a user message must have some content.")
    return Turn("user", parts, path)


def _make_call_id(name: str) -> str:
    """An id for a call in the old `function_call` form, which has none: the same one for the call and its result."""
    return f"fc_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def _decode_assistant(entry: Json, path: str, ctx: Context) -> Turn | None:
    blocks: list[Block] = list(_decode_reasoning(entry, path))
    content = entry.get("content")
    if isinstance(content, list):
        for at, part in enumerate(json_values.read_objects(content, f"{path}.content")):  # pyright: ignore[reportUnknownArgumentType]
            here = f"{path}.content[{at}]"
            said = json_values.read_text(
                part.get("refusal") if part.get("type") == "refusal" else part.get("text"), here
            )
            if part.get("type") == "refusal":
                ctx.note_weakened(here)
            blocks += [Text(said, read_part_lifetime(part))] if said else []
    elif json_values.read_text(content, f"{path}.content"):
        blocks.append(Text(str(content)))
    refusal = json_values.read_text(entry.get("refusal"), f"{path}.refusal")
    if refusal:
        ctx.note_weakened(f"{path}.refusal")
        blocks.append(Text(refusal))
    if entry.get("audio") is not None:
        raise ctx.refuse(f"{path}.audio", "spoken answers cannot be replayed")
    for at, call in enumerate(json_values.read_objects(entry.get("tool_calls"), f"{path}.tool_calls")):
        blocks.append(_decode_call(call, f"{path}.tool_calls[{at}]"))
    legacy = entry.get("function_call")
    if legacy is not None:
        form = json_values.require_object(legacy, f"{path}.function_call")
        name = json_values.require_text(form, "name", f"{path}.function_call")
        blocks.append(ToolCall(_make_call_id(name), name, json_values.read_text(form.get("arguments"), path)))
    return Turn("assistant", tuple(blocks), path) if blocks else None


def _decode_call(call: Json, path: str) -> ToolCall:
    kind = call.get("type") or "function"
    form = json_values.require_object(call.get(str(kind)), f"{path}.{kind}")
    name = json_values.require_text(form, "name", f"{path}.{kind}")
    if kind == "custom":
        text = json_values.read_text(form.get("input"), f"{path}.custom.input")
        return ToolCall(json_values.require_text(call, "id", path), name, json_values.encode_json({"input": text}))
    arguments = form.get("arguments")
    said = (
        json_values.encode_json(form["arguments"])
        if isinstance(arguments, dict)
        else json_values.read_text(arguments, f"{path}.arguments")
    )
    return ToolCall(json_values.require_text(call, "id", path), name, said)


def _decode_reasoning(entry: Json, path: str) -> list[Block]:
    """The reasoning of a message: with its signature in reasoning_details if fairlead wrote it, else plain text."""
    blocks: list[Block] = []
    details = entry.get("reasoning_details")
    for one in json_values.read_objects(details, f"{path}.reasoning_details") if isinstance(details, list) else []:  # pyright: ignore[reportUnknownArgumentType]
        if one.get("type") == "reasoning.text":
            text, signature = one.get("text"), one.get("signature")
            blocks.append(Thinking(str(text or ""), str(signature or "")))
        elif one.get("type") == "reasoning.encrypted":
            blocks.append(Thinking(redacted=str(one.get("data") or "")))
    plain = entry.get("reasoning_content") or entry.get("reasoning")
    if not blocks and isinstance(plain, str):
        blocks.append(Thinking(plain))
    return blocks


def _decode_parts(content: object, path: str, ctx: Context) -> tuple[Text | Image | Document, ...]:
    if content is None or isinstance(content, str):
        return (Text(content),) if content else ()
    parts: list[Text | Image | Document] = []
    for at, part in enumerate(json_values.read_objects(content, path)):
        here = f"{path}[{at}]"
        kind = part.get("type")
        if kind == "text":
            text = json_values.read_text(part.get("text"), f"{here}.text")
            if text:
                parts.append(Text(text, read_part_lifetime(part)))
            elif parts:
                parts[-1] = move_mark(parts[-1], read_part_lifetime(part))
        elif kind == "image_url":
            parts.append(_decode_image(part, here, ctx))
        elif kind == "file":
            parts.append(_decode_file(part, here, ctx))
        else:
            raise ctx.refuse(here, f"a part of type {kind!s} has no counterpart")
    return tuple(parts)


def _decode_image(part: Json, path: str, ctx: Context) -> Image:
    found = part.get("image_url")
    form: Json = {"url": found} if isinstance(found, str) else json_values.require_object(found, f"{path}.image_url")
    url = json_values.require_text(form, "url", f"{path}.image_url")
    detail = json_values.read_text(form.get("detail"), f"{path}.image_url.detail")
    detail = "" if detail == "auto" else detail
    if url.startswith(("http://", "https://")):
        return Image(url=url, cache=read_part_lifetime(part), detail=detail)
    media, data = parse_data_url(url, f"{path}.image_url.url")
    return Image(media, data, cache=read_part_lifetime(part), detail=detail)


def _decode_file(part: Json, path: str, ctx: Context) -> Text | Document:
    form = json_values.require_object(part.get("file"), f"{path}.file")
    if form.get("file_id"):
        raise ctx.refuse(f"{path}.file.file_id", "a file's id is known to the account it was uploaded with only")
    title = json_values.read_text(form.get("filename"), f"{path}.file.filename")
    found = decode_document(
        json_values.require_text(form, "file_data", f"{path}.file"), title, f"{path}.file.file_data", ctx
    )
    return msgspec.structs.replace(found, cache=read_part_lifetime(part))
