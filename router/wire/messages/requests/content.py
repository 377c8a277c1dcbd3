"""Decodes and encodes content blocks of Messages."""

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolCall, ToolResult
from router.wire.conversation.identifiers import to_messages_id
from router.wire.messages.requests.server_calls import summarize_server_call
from router.wire.messages.requests.tools import NAME_LIMIT, TOOL_CHANGES
from router.wire.neutral.cache_marks import build_mark, move_mark, read_lifetime
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import find_claude
from router.wire.neutral.tool_forms.root_unions import wrap_arguments
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

MEDIA = ("image/jpeg", "image/png", "image/gif", "image/webp")
_SILENT = ("fallback", "mcp_tool_listing")
_IMAGES = Text | Image | Document
_MARKED = ("type", "cache_control")
#: The fields of each block that are read, or whose loss means nothing.
FIELDS = {
    "text": frozenset((*_MARKED, "text", "citations")),
    "image": frozenset((*_MARKED, "source")),
    "document": frozenset((*_MARKED, "source", "title", "context", "citations")),
    "search_result": frozenset((*_MARKED, "source", "title", "content", "citations")),
    "tool_result": frozenset((*_MARKED, "tool_use_id", "content", "is_error")),
    "tool_use": frozenset((*_MARKED, "id", "name", "input", "caller")),
    "thinking": frozenset((*_MARKED, "thinking", "signature")),
    "redacted_thinking": frozenset((*_MARKED, "data")),
}


def decode_content(value: object, role: object, path: str, ctx: Context) -> tuple[Block, ...]:
    """The blocks of one message. Raises BadRequest with the path of what is wrong."""
    if isinstance(value, str):
        return (Text(value),) if value else ()
    blocks: list[Block] = []
    for at, entry in enumerate(json_values.read_objects(value, f"{path}.content")):
        found = _decode_block(entry, role, f"{path}.content[{at}]", ctx)
        if not found and blocks:
            blocks[-1] = move_mark(blocks[-1], read_lifetime(entry))
        blocks += found
    return tuple(blocks)


def _decode_block(entry: Json, role: object, path: str, ctx: Context) -> list[Block]:
    kind = entry.get("type")
    read = FIELDS.get(kind) if isinstance(kind, str) else None
    if read is not None and not entry.keys() <= read:
        ctx.note_unread(entry, read, f"{path}.")
    if kind == "text":
        block = decode_text(entry, path)
        if entry.get("citations"):
            ctx.note_dropped(f"{path}.citations")
        return [block] if block.text else []
    if role == "system" and kind in TOOL_CHANGES:
        return []
    if role == "system":
        raise ctx.refuse(path, f"a system message with a {kind} block has no counterpart")
    if kind in ("image", "document", "search_result"):
        return list(_decode_media(entry, path, ctx))
    if kind == "tool_result" and role == "user":
        return [_decode_result(entry, path, ctx)]
    if role == "assistant":
        return _decode_assistant_block(entry, kind, path, ctx)
    raise ctx.refuse(path, f"a block of type {kind!s} has no counterpart")


def _decode_assistant_block(entry: Json, kind: object, path: str, ctx: Context) -> list[Block]:
    """A block of a type that only the assistant writes."""
    if kind == "tool_use":
        arguments = json_values.encode_json(json_values.read_object(entry.get("input"), f"{path}.input"))
        return [
            ToolCall(
                json_values.require_text(entry, "id", path), json_values.require_text(entry, "name", path), arguments
            )
        ]
    if kind == "thinking":
        signature = json_values.read_text(entry.get("signature"), f"{path}.signature")
        return [Thinking(json_values.read_text(entry.get("thinking"), f"{path}.thinking"), signature)]
    if kind == "redacted_thinking":
        return [Thinking(redacted=json_values.read_text(entry.get("data"), f"{path}.data"))]
    if kind in _SILENT:
        return []
    if kind == "compaction":
        ctx.note_weakened(path)
        summary = json_values.read_text(entry.get("content"), f"{path}.content")
        return [Text(f"Summary of the earlier conversation:\n{summary}")] if summary else []
    if isinstance(kind, str) and (kind in ("server_tool_use", "mcp_tool_use") or kind.endswith("_tool_result")):
        ctx.note_weakened(path)
        return [Text(summarize_server_call(entry, kind))]
    raise ctx.refuse(path, f"a block of type {kind!s} has no counterpart")


def decode_text(entry: Json, path: str) -> Text:
    """A text block."""
    if entry.get("type") not in ("text", None):
        raise BadRequest(f"{path}.type: expected text.")
    return Text(json_values.read_text(entry.get("text"), f"{path}.text"), read_lifetime(entry))


def _decode_media(entry: Json, path: str, ctx: Context) -> tuple[_IMAGES, ...]:
    kind = entry.get("type")
    if kind == "search_result":
        ctx.note_weakened(path)
        source, title = (
            json_values.read_text(entry.get("source"), f"{path}.source"),
            json_values.read_text(entry.get("title"), path),
        )
        parts = [
            decode_text(part, path).text for part in json_values.read_objects(entry.get("content"), f"{path}.content")
        ]
        return (Text(f"[source title={title} url={source}]\n" + "\n".join(parts), read_lifetime(entry)),)
    source = json_values.require_object(entry.get("source"), f"{path}.source")
    form = source.get("type")
    if form == "file":
        raise ctx.refuse(f"{path}.source", "a file's id is known to the account it was uploaded with only")
    if kind == "image":
        return (_decode_image(source, form, read_lifetime(entry), path),)
    return _decode_document(entry, source, form, path, ctx)


def _decode_image(source: Json, form: object, cache: str, path: str) -> Image:
    if form == "base64":
        media, data = (
            json_values.require_text(source, "media_type", f"{path}.source"),
            json_values.require_text(source, "data", f"{path}.source"),
        )
        return Image(media, data, cache=cache)
    if form == "url":
        return Image(url=json_values.require_text(source, "url", f"{path}.source"), cache=cache)
    raise BadRequest(f"{path}.source.type: expected base64, url or file.")


def _decode_document(entry: Json, source: Json, form: object, path: str, ctx: Context) -> tuple[_IMAGES, ...]:
    title = json_values.read_text(entry.get("title"), f"{path}.title")
    about = json_values.read_text(entry.get("context"), f"{path}.context")
    cache = read_lifetime(entry)
    if json_values.read_object(entry.get("citations"), f"{path}.citations").get("enabled"):
        ctx.note_dropped(f"{path}.citations")
    head = "\n".join(filter(None, (f"Title: {title}" if title else "", f"Context: {about}" if about else "")))
    if form == "text":
        ctx.note_weakened(path)
        return (
            Text(
                "\n".join(filter(None, (head, json_values.read_text(source.get("data"), f"{path}.source.data")))), cache
            ),
        )
    if form == "content":
        ctx.note_weakened(path)
        content = _decode_parts(source.get("content"), f"{path}.source.content", ctx)
        return (Text(head), *content) if head else content
    lead: tuple[_IMAGES, ...] = (Text(f"Context: {about}"),) if about else ()
    if form == "base64":
        media = json_values.require_text(source, "media_type", f"{path}.source")
        return (
            *lead,
            Document(media, json_values.require_text(source, "data", f"{path}.source"), title=title, cache=cache),
        )
    if form == "url":
        return (
            *lead,
            Document(url=json_values.require_text(source, "url", f"{path}.source"), title=title, cache=cache),
        )
    raise BadRequest(f"{path}.source.type: expected base64, text, content, url or file.")


def _decode_parts(value: object, path: str, ctx: Context) -> tuple[_IMAGES, ...]:
    """A string, or blocks of text, images and documents."""
    if isinstance(value, str):
        return (Text(value),) if value else ()
    parts: list[_IMAGES] = []
    for at, entry in enumerate(json_values.read_objects(value, path)):
        here = f"{path}[{at}]"
        kind = entry.get("type")
        if isinstance(kind, str) and kind in FIELDS:
            ctx.note_unread(entry, FIELDS[kind], f"{here}.")
        if kind == "text":
            parts.append(decode_text(entry, here))
        elif kind in ("image", "document", "search_result"):
            parts += _decode_media(entry, here, ctx)
        elif kind == "tool_reference":
            ctx.note_weakened(here)
            parts.append(Text(f"[tool available: {json_values.require_text(entry, 'tool_name', here)}]"))
        else:
            raise ctx.refuse(here, f"a block of type {kind!s} has no counterpart")
    return tuple(part for part in parts if type(part) is not Text or part.text)


def _decode_result(entry: Json, path: str, ctx: Context) -> ToolResult:
    return ToolResult(
        json_values.require_text(entry, "tool_use_id", path),
        _decode_parts(entry.get("content"), f"{path}.content", ctx),
        json_values.read_bool(entry.get("is_error"), f"{path}.is_error") is True,
        read_lifetime(entry),
    )


def encode_block(block: Block, ctx: Context, path: str) -> Json | None:
    """A block in the form of Messages; None for one that must not be sent. Raises BadRequest."""
    if type(block) is Text:
        if not block.text or block.text.isspace():
            return None
        return _add_mark({"type": "text", "text": block.text}, block.cache)
    if type(block) is Image:
        return _add_mark(_encode_image(block, ctx, path), block.cache)
    if type(block) is Document:
        return _add_mark(_encode_document(block, ctx, path), block.cache)
    if type(block) is ToolCall:
        return _encode_call(block, ctx, path)
    if type(block) is ToolResult:
        return _encode_result(block, ctx, path)
    return _encode_thinking(block, ctx, path)


def _add_mark(entry: Json, cache: str) -> Json:
    return {**entry, "cache_control": build_mark(cache)} if cache else entry


def _encode_image(block: Image, ctx: Context, path: str) -> Json:
    if block.detail:
        ctx.note_dropped(f"{path}.detail")
    if block.url:
        return {"type": "image", "source": {"type": "url", "url": block.url}}
    if block.media_type not in MEDIA:
        raise ctx.refuse(path, f"images are {', '.join(MEDIA)}, not {block.media_type}")
    return {"type": "image", "source": {"type": "base64", "media_type": block.media_type, "data": block.data}}


def _encode_document(block: Document, ctx: Context, path: str) -> Json:
    if block.url:
        source: Json = {"type": "url", "url": block.url}
    elif block.media_type == "application/pdf":
        source = {"type": "base64", "media_type": block.media_type, "data": block.data}
    else:
        raise ctx.refuse(path, f"files are application/pdf or text/plain, not {block.media_type}")
    entry: Json = {"type": "document", "source": source}
    return {**entry, "title": block.title} if block.title else entry


def _encode_call(block: ToolCall, ctx: Context, path: str) -> Json:
    arguments: object = json_values.as_raw_object(block.arguments)
    if arguments is None:
        ctx.note_weakened(f"{path}.arguments")
        arguments = {"_raw_arguments": block.arguments}
    elif block.name in ctx.union_tools:
        arguments = wrap_arguments(arguments)
    name = ctx.names.encode(block.name, NAME_LIMIT)
    return {"type": "tool_use", "id": to_messages_id(block.id), "name": name, "input": arguments}


def _encode_result(block: ToolResult, ctx: Context, path: str) -> Json:
    entry: Json = {"type": "tool_result", "tool_use_id": to_messages_id(block.call_id)}
    parts = [part for one in block.content if (part := encode_block(one, ctx, path)) is not None]
    if len(parts) == 1 and len(parts[0]) == 2 and "text" in parts[0]:
        entry["content"] = parts[0]["text"]
    elif parts:
        entry["content"] = parts
    if block.is_error:
        entry["is_error"] = True
    return _add_mark(entry, block.cache)


def _encode_thinking(block: Thinking, ctx: Context, path: str) -> Json | None:
    """Reasoning as this upstream and model gave it: with its signature, without one where it signs nothing; other
    reasoning is dropped."""
    carried = ctx.sealer.unseal(block.signature or block.redacted, block.text)
    if carried is not None and carried.kind == "signature":
        return {"type": "thinking", "thinking": block.text, "signature": carried.data}
    if carried is not None and carried.kind == "redacted":
        return {"type": "redacted_thinking", "data": carried.data}
    if carried is not None and not find_claude(ctx.model).signs:
        return {"type": "thinking", "thinking": block.text}
    ctx.note_dropped(f"{path}.reasoning")
    return None
