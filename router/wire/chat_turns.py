"""Decodes the messages of a Chat request (translation.md 3.4)."""

import base64
import binascii
import hashlib
import re

from router.errors import BadRequest
from router.ir import Block, Document, Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire import fields
from router.wire.base import Json
from router.wire.caching import lifetime_of_part, moved
from router.wire.context import Context

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"%PDF": "application/pdf"}
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def decode(entry: Json, path: str, ctx: Context) -> Turn | None:
    """One message as a turn; a tool's message is a user turn with its result. None for one without content.

    Raises BadRequest with the path of what is wrong.
    """
    role = entry.get("role")
    if role not in _ROLES:
        raise BadRequest(f"{path}.role: expected one of {', '.join(_ROLES)}.")
    if entry.get("name") is not None and role != "function":
        ctx.dropped(f"{path}.name")
    content = entry.get("content")
    if role in ("system", "developer"):
        texts = tuple(part for part in _parts(content, f"{path}.content", ctx) if isinstance(part, Text))
        return Turn("system", texts, path) if texts else None
    if role == "assistant":
        return _assistant(entry, path, ctx)
    if role in ("tool", "function"):
        call = _function_id(fields.need(entry, "name", path)) if role == "function" else None
        result = ToolResult(call or fields.need(entry, "tool_call_id", path), _parts(content, f"{path}.content", ctx))
        return Turn("user", (result,), path)
    parts = _parts(content, f"{path}.content", ctx)
    if not parts:
        raise BadRequest(f"{path}.content: a user message must have some content.")
    return Turn("user", parts, path)


def _function_id(name: str) -> str:
    """The id of a call in the old spelling, which has none."""
    return f"fc_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def _assistant(entry: Json, path: str, ctx: Context) -> Turn | None:
    blocks: list[Block] = list(_reasoning(entry, path))
    content = entry.get("content")
    if isinstance(content, list):
        for at, part in enumerate(fields.objects(content, f"{path}.content")):  # pyright: ignore[reportUnknownArgumentType]
            here = f"{path}.content[{at}]"
            said = fields.text(part.get("refusal") if part.get("type") == "refusal" else part.get("text"), here)
            if part.get("type") == "refusal":
                ctx.weakened(here)
            blocks += [Text(said, lifetime_of_part(part))] if said else []
    elif fields.text(content, f"{path}.content"):
        blocks.append(Text(str(content)))
    refusal = fields.text(entry.get("refusal"), f"{path}.refusal")
    if refusal:
        ctx.weakened(f"{path}.refusal")
        blocks.append(Text(refusal))
    if entry.get("audio") is not None:
        raise ctx.refuse(f"{path}.audio", "spoken answers cannot be replayed")
    for at, call in enumerate(fields.objects(entry.get("tool_calls"), f"{path}.tool_calls")):
        blocks.append(_call(call, f"{path}.tool_calls[{at}]"))
    legacy = entry.get("function_call")
    if legacy is not None:
        form = fields.obj(legacy, f"{path}.function_call")
        name = fields.need(form, "name", f"{path}.function_call")
        blocks.append(ToolCall(_function_id(name), name, fields.text(form.get("arguments"), path)))
    return Turn("assistant", tuple(blocks), path) if blocks else None


def _call(call: Json, path: str) -> ToolCall:
    kind = call.get("type") or "function"
    form = fields.obj(call.get(str(kind)), f"{path}.{kind}")
    name = fields.need(form, "name", f"{path}.{kind}")
    if kind == "custom":
        text = fields.text(form.get("input"), f"{path}.custom.input")
        return ToolCall(fields.need(call, "id", path), name, fields.encoded({"input": text}))
    arguments = form.get("arguments")
    said = (
        fields.encoded(form["arguments"])
        if isinstance(arguments, dict)
        else fields.text(arguments, f"{path}.arguments")
    )
    return ToolCall(fields.need(call, "id", path), name, said)


def _reasoning(entry: Json, path: str) -> list[Block]:
    """Reasoning that came from here is in reasoning_details with its proof; other reasoning has none."""
    blocks: list[Block] = []
    details = entry.get("reasoning_details")
    for one in fields.objects(details, f"{path}.reasoning_details") if isinstance(details, list) else []:  # pyright: ignore[reportUnknownArgumentType]
        if one.get("type") == "reasoning.text":
            text, signature = one.get("text"), one.get("signature")
            blocks.append(Thinking(str(text or ""), str(signature or "")))
        elif one.get("type") == "reasoning.encrypted":
            blocks.append(Thinking(redacted=str(one.get("data") or "")))
    plain = entry.get("reasoning_content") or entry.get("reasoning")
    if not blocks and isinstance(plain, str):
        blocks.append(Thinking(plain))
    return blocks


def _parts(content: object, path: str, ctx: Context) -> tuple[Text | Image | Document, ...]:
    if content is None or isinstance(content, str):
        return (Text(content),) if content else ()
    parts: list[Text | Image | Document] = []
    for at, part in enumerate(fields.objects(content, path)):
        here = f"{path}[{at}]"
        kind = part.get("type")
        if kind == "text":
            text = fields.text(part.get("text"), f"{here}.text")
            if text:
                parts.append(Text(text, lifetime_of_part(part)))
            elif parts:
                parts[-1] = moved(parts[-1], lifetime_of_part(part))
        elif kind == "image_url":
            parts.append(_image(part, here, ctx))
        elif kind == "file":
            parts.append(_file(part, here, ctx))
        else:
            raise ctx.refuse(here, f"a part of type {kind!s} has no counterpart")
    return tuple(parts)


def _image(part: Json, path: str, ctx: Context) -> Image:
    found = part.get("image_url")
    form: Json = {"url": found} if isinstance(found, str) else fields.obj(found, f"{path}.image_url")
    url = fields.need(form, "url", f"{path}.image_url")
    if form.get("detail") not in (None, "auto"):
        ctx.dropped(f"{path}.image_url.detail")
    if url.startswith(("http://", "https://")):
        return Image(url=url, cache=lifetime_of_part(part))
    media, data = _data_url(url, f"{path}.image_url.url")
    return Image(media, data, cache=lifetime_of_part(part))


def _file(part: Json, path: str, ctx: Context) -> Text | Document:
    form = fields.obj(part.get("file"), f"{path}.file")
    if form.get("file_id"):
        raise ctx.refuse(f"{path}.file.file_id", "a file's id is known to the account it was uploaded with only")
    media, data = _data_url(fields.need(form, "file_data", f"{path}.file"), f"{path}.file.file_data")
    title = fields.text(form.get("filename"), f"{path}.file.filename")
    if media.startswith("text/"):
        said = base64.b64decode(data).decode("utf-8", "replace")
        ctx.weakened(path)
        return Text(f"Title: {title}\n{said}" if title else said, lifetime_of_part(part))
    return Document(media, data, title=title, cache=lifetime_of_part(part))


def _data_url(url: str, path: str) -> tuple[str, str]:
    """Media type and base64 of a data URL; the bytes' own beginning is believed over the label."""
    found = _DATA_URL.match(url)
    if found is None or not found[3]:
        raise BadRequest(f"{path}: expected an http(s) URL or a data URL in base64.")
    data = url[found.end() :]
    try:
        head = base64.b64decode(data[:64], validate=True)
        if len(data) % 4:
            raise binascii.Error("its length is no multiple of 4")
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{path}: its base64 is broken: {error}.") from None
    media = (found[1] or "").lower().replace("image/jpg", "image/jpeg")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        media = "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), media), data
