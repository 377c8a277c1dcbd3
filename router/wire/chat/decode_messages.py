"""Decodes the messages of a Chat request."""

import hashlib
from typing import cast

import msgspec

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.chat import decode_reasoning
from router.wire.neutral.cache_marks import BREAKPOINT, move_mark, read_part_lifetime
from router.wire.neutral.context import Context
from router.wire.openai import decode_document, parse_data_url
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TEXTS = ("text", "input_text", "output_text")
_MARKS = ("cache_control", BREAKPOINT)
# Fields that are read, and fields that clients put beside what they were given, which say nothing of their own.
_READ = frozenset(("role", "content", "name", *_MARKS))
_READ_OF_ASSISTANT = _READ | {"refusal", "audio", "tool_calls", "function_call", "parsed", *decode_reasoning.FIELDS}
_READ_OF_TOOL = _READ | {"tool_call_id"}
_READ_OF_PART = frozenset(("type", "text", "refusal", "image_url", "file", *_MARKS))
_READ_OF_CALL = frozenset(("type", "id", "index", "function", "custom"))
_READ_OF_FUNCTION = frozenset(("name", "arguments", "input", "parsed_arguments"))
_READ_OF_IMAGE = frozenset(("url", "detail"))
_READ_OF_FILE = frozenset(("file_id", "filename", "file_data"))


def decode_message(entry: Json, path: str, ctx: Context) -> Turn | None:
    """One message as a turn; a tool's message is a user turn with its result. None for one without content.

    Raises BadRequest with the path of what is wrong.
    """
    role = entry.get("role")
    if role not in _ROLES:
        raise BadRequest(f"{path}.role: expected one of {', '.join(_ROLES)}.")
    if entry.get("name") is not None and role not in ("function", "tool"):
        ctx.note_dropped(f"{path}.name")
    content = entry.get("content")
    if role == "assistant":
        ctx.note_unread(entry, _READ_OF_ASSISTANT, f"{path}.")
        return _decode_assistant(entry, path, ctx)
    ctx.note_unread(entry, _READ_OF_TOOL if role == "tool" else _READ, f"{path}.")
    parts = _decode_parts(content, f"{path}.content", ctx)
    if parts and (lifetime := read_part_lifetime(entry)):
        parts = (*parts[:-1], move_mark(parts[-1], lifetime))
    if role in ("system", "developer"):
        if not all(type(part) is Text for part in parts):
            raise ctx.refuse(f"{path}.content", "a system message holds text only")
        return Turn("system", parts, path) if parts else None
    if role == "tool":
        return _decode_result(entry, parts, path, ctx)
    if role == "function":
        call_id = _make_call_id(json_values.require_text(entry, "name", path))
        return Turn("user", (ToolResult(call_id, parts),), path)
    if content is None or content == []:
        raise BadRequest(f"{path}.content: a user message must have some content.")
    # OpenAI takes an empty text; an encoder whose provider does not refuses it.
    return Turn("user", parts or (Text(""),), path)


def _decode_result(entry: Json, parts: tuple[Text | Image | Document, ...], path: str, ctx: Context) -> Turn:
    """A tool's message. One without the id of its call says nothing of which call it answers: it is delivered as
    text."""
    call_id = json_values.read_text(entry.get("tool_call_id"), f"{path}.tool_call_id")
    if call_id:
        return Turn("user", (ToolResult(call_id, parts),), path)
    ctx.note_weakened(f"{path}.tool_call_id")
    name = json_values.read_text(entry.get("name"), f"{path}.name")
    said = "\n".join(part.text for part in parts if type(part) is Text)
    head = f"[tool result of {name}]" if name else "[tool result]"
    others = (part for part in parts if type(part) is not Text)
    return Turn("user", (Text(f"{head} {said}".rstrip()), *others), path)


def _make_call_id(name: str) -> str:
    """An id for a call in the old `function_call` form, which has none: the same one for the call and its result."""
    return f"fc_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def _decode_assistant(entry: Json, path: str, ctx: Context) -> Turn | None:
    blocks: list[Block] = [*decode_reasoning.decode_reasoning(entry, path, ctx)]
    content = entry.get("content")
    if isinstance(content, list):
        thought = bool(blocks)
        for at, part in enumerate(json_values.read_objects(cast("list[object]", content), f"{path}.content")):
            found = _decode_assistant_part(part, f"{path}.content[{at}]", ctx)
            # A field of the message repeats the reasoning of its parts.
            blocks += [block for block in found if not (thought and type(block) is Thinking)]
    elif json_values.read_text(content, f"{path}.content"):
        blocks.append(Text(str(content), read_part_lifetime(entry)))
    refusal = json_values.read_text(entry.get("refusal"), f"{path}.refusal")
    if refusal:
        ctx.note_weakened(f"{path}.refusal")
        blocks.append(Text(refusal))
    if entry.get("audio") is not None:
        raise ctx.refuse(f"{path}.audio", "spoken answers cannot be replayed")
    for at, call in enumerate(json_values.read_objects(entry.get("tool_calls"), f"{path}.tool_calls")):
        blocks.append(_decode_call(call, f"{path}.tool_calls[{at}]", ctx))
    legacy = entry.get("function_call")
    if legacy is not None:
        here = f"{path}.function_call"
        form = json_values.require_object(legacy, here)
        name = json_values.require_text(form, "name", here)
        blocks.append(ToolCall(_make_call_id(name), name, _decode_arguments(form, here)))
    return Turn("assistant", tuple(blocks), path) if blocks else None


def _decode_assistant_part(part: Json, path: str, ctx: Context) -> list[Block]:
    """A part of what the model said before. One that the protocol does not define is left out: the conversation goes
    on without it."""
    kind = part.get("type")
    if kind in decode_reasoning.PARTS:
        return [*decode_reasoning.decode_thinking_part(part, path, ctx)]
    if kind == "refusal":
        ctx.note_weakened(path)
        said = json_values.read_text(part.get("refusal"), f"{path}.refusal")
    elif kind in _TEXTS:
        ctx.note_unread(part, _READ_OF_PART, f"{path}.")
        said = json_values.read_text(part.get("text"), f"{path}.text")
    else:
        ctx.note_dropped(path)
        return []
    return [Text(said, read_part_lifetime(part))] if said else []


def _decode_call(call: Json, path: str, ctx: Context) -> ToolCall:
    kind = "custom" if call.get("type") == "custom" else "function"
    here = f"{path}.{kind}"
    form = json_values.require_object(call.get(kind), here)
    name = json_values.require_text(form, "name", here)
    # Most have nothing else: to spell the path takes longer than to look.
    if not _READ_OF_CALL.issuperset(call):
        ctx.note_unread(call, _READ_OF_CALL, f"{path}.")
    if not _READ_OF_FUNCTION.issuperset(form):
        ctx.note_unread(form, _READ_OF_FUNCTION, f"{here}.")
    if kind == "custom":
        text = json_values.read_text(form.get("input"), f"{here}.input")
        return ToolCall(json_values.require_text(call, "id", path), name, json_values.encode_json({"input": text}))
    return ToolCall(json_values.require_text(call, "id", path), name, _decode_arguments(form, here))


def _decode_arguments(form: Json, path: str) -> str:
    """The arguments of a call as JSON text; some clients send the object itself."""
    arguments = form.get("arguments")
    if isinstance(arguments, dict):
        return json_values.encode_json(cast("Json", arguments))
    return json_values.read_text(arguments, f"{path}.arguments")


def _decode_parts(content: object, path: str, ctx: Context) -> tuple[Text | Image | Document, ...]:
    if content is None or isinstance(content, str):
        return (Text(content),) if content else ()
    parts: list[Text | Image | Document] = []
    for at, part in enumerate(json_values.read_objects(content, path)):
        here = f"{path}[{at}]"
        kind = part.get("type")
        ctx.note_unread(part, _READ_OF_PART, f"{here}.")
        if kind in _TEXTS:
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
    ctx.note_unread(form, _READ_OF_IMAGE, f"{path}.image_url.")
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
    ctx.note_unread(form, _READ_OF_FILE, f"{path}.file.")
    title = json_values.read_text(form.get("filename"), f"{path}.file.filename")
    data = json_values.require_text(form, "file_data", f"{path}.file")
    if data.startswith(("http://", "https://")):
        # As OpenRouter takes it.
        return Document(url=data, title=title, cache=read_part_lifetime(part))
    found = decode_document(data, title, f"{path}.file.file_data", ctx)
    return msgspec.structs.replace(found, cache=read_part_lifetime(part))
