"""Decodes the parts of a Gemini request's contents, one by one: media, code, calls that Google ran, responses."""

import base64
from urllib.parse import urlsplit

from router.errors import BadRequest
from router.ir import Document, Image, Text, ToolResult
from router.wire.gemini import names
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif")
_PDF = "application/pdf"
_TEXTS = ("application/json",)
#: The fields of a part of which it has one.
DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
)
_BESIDE = ("thought", "thoughtSignature")
_READ = names.both(*DATA, *_BESIDE)
# Fields beside the data that say how it is read, not what it is.
_HINTS = names.both("partMetadata", "videoMetadata", "mediaResolution")
_READ_OF_BLOB = names.both("mimeType", "data", "displayName")
_READ_OF_FILE = names.both("mimeType", "fileUri", "displayName")
_READ_OF_RESPONSE = names.both("id", "name", "response", "parts", "willContinue")
_READ_OF_CALL = names.both("id", "name", "args", "willContinue", "partialArgs")
_OUTPUTS = ("output", "result", "content")
# Files that only Google can read.
_HOSTS = ("generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "m.youtube.com", "youtu.be")

Media = Text | Image | Document


def find_data(part: Json, path: str, ctx: Context) -> str:
    """The name of the field that holds the part's data, '' for a part that has a signature alone. Raises BadRequest for
    a part with several, or of a kind that is not known."""
    found = [name for name in DATA if names.get(part, name) is not None]
    if len(found) > 1:
        raise BadRequest(f"{path}: a part holds one of {', '.join(DATA)}; this one holds {' and '.join(found)}.")
    if not found:
        unknown = next((key for key, value in part.items() if key not in _READ | _HINTS and value is not None), "")
        if unknown:
            raise ctx.refuse(f"{path}.{unknown[:40]}", "a part of this kind has no counterpart")
        if all(names.get(part, name) is None for name in _BESIDE):
            raise BadRequest(f"{path}: it holds nothing; a part holds one of {', '.join(DATA)}.")
    ctx.note_unread(part, _READ, f"{path}.")
    return found[0] if found else ""


def read_form(part: Json, name: str, path: str) -> tuple[Json, str]:
    """The object that holds a part's data, and its path."""
    where = f"{path}.{names.spell(part, name)}"
    return json_values.require_object(names.get(part, name), where), where


def decode_media(part: Json, kind: str, path: str, ctx: Context) -> Media:
    """A file in the part or behind an address. kind: inlineData or fileData."""
    form, where = read_form(part, kind, path)
    return _decode_blob(form, where, ctx) if kind == "inlineData" else _decode_file(form, where, ctx)


def _read_media_type(form: Json, path: str) -> str:
    found = json_values.read_text(names.get(form, "mimeType"), f"{path}.{names.spell(form, 'mimeType')}")
    return found.partition(";")[0].strip().lower().replace("image/jpg", "image/jpeg")


def _decode_blob(form: Json, path: str, ctx: Context) -> Media:
    ctx.note_unread(form, _READ_OF_BLOB, f"{path}.")
    media = _read_media_type(form, path)
    if not media:
        raise BadRequest(f"{path}.mimeType: the field is required.")
    title = json_values.read_text(names.get(form, "displayName"), f"{path}.displayName")
    data = names.normalize_base64(json_values.require_text(form, "data", path), f"{path}.data")
    if media in _IMAGES:
        return Image(media, data)
    if media == _PDF:
        return Document(media, data, title=title)
    if media.startswith("text/") or media in _TEXTS:
        ctx.note_weakened(path)
        return _decode_text_file(data, title, path)
    raise ctx.refuse(path, f"data of the type {media[:100]} has no counterpart")


def _decode_text_file(data: str, title: str, path: str) -> Text:
    try:
        text = base64.b64decode(data).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{path}.data: it is no text in UTF-8.") from None
    return Text(f"Title: {title}\n{text}" if title else text)


def _decode_file(form: Json, path: str, ctx: Context) -> Media:
    ctx.note_unread(form, _READ_OF_FILE, f"{path}.")
    field = names.spell(form, "fileUri")
    url = json_values.require_text(form, field, path)
    media = _read_media_type(form, path)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise BadRequest(f"{path}.{field}: it is no URL.") from None
    if parts.scheme not in ("https", "http") or not host or host in _HOSTS:
        raise ctx.refuse(f"{path}.{field}", "only Google can read this file, in a Gemini backend")
    if media.startswith("image/"):
        return Image(url=url)
    if media == _PDF:
        title = json_values.read_text(names.get(form, "displayName"), f"{path}.displayName")
        return Document(url=url, title=title)
    raise ctx.refuse(path, f"a file of the type {media[:100] or '(not given)'} has no counterpart")


def decode_executed(part: Json, kind: str, path: str, ctx: Context) -> Text:
    """What Google ran itself, as text: code with its result, a tool with its response."""
    ctx.note_weakened(path)
    form, where = read_form(part, kind, path)
    if kind == "executableCode":
        language = names.as_enum(form.get("language")).lower()
        return Text(f"[code {language}]\n{json_values.read_text(form.get('code'), f'{where}.code')}")
    if kind == "codeExecutionResult":
        return Text(f"[result] {json_values.read_text(form.get('output'), f'{where}.output')}".rstrip())
    name = names.as_enum(names.get(form, "toolType")).lower()
    held = form.get("args" if kind == "toolCall" else "response")
    said = "" if held is None else f" {json_values.encode_json(held)}"
    return Text(f"[{'tool' if kind == 'toolCall' else 'response of the tool'} {name}{said}]")


def read_call(part: Json, path: str, ctx: Context) -> tuple[str, str, Json]:
    """The id ('' without one), the name and the arguments of a call."""
    form, where = read_form(part, "functionCall", path)
    ctx.note_unread(form, _READ_OF_CALL, f"{where}.")
    if names.get(form, "partialArgs"):
        raise ctx.refuse(f"{where}.partialArgs", "a call is sent back with all of its arguments in args")
    call_id = json_values.read_text(form.get("id"), f"{where}.id")
    name = json_values.require_text(form, "name", where)
    return call_id, name, json_values.read_object(form.get("args"), f"{where}.args")


def read_response(part: Json, path: str, ctx: Context) -> tuple[str, str, ToolResult]:
    """The id ('' without one), the name, and the result of a response, whose call is not known yet."""
    form, where = read_form(part, "functionResponse", path)
    ctx.note_unread(form, _READ_OF_RESPONSE, f"{where}.")
    if names.get(form, "willContinue") is True:
        raise ctx.refuse(f"{where}.willContinue", "a response has one piece there")
    call_id = json_values.read_text(form.get("id"), f"{where}.id")
    name = json_values.read_text(form.get("name"), f"{where}.name")
    text, failed = _read_output(name, json_values.read_object(form.get("response"), f"{where}.response"))
    content: list[Media] = [Text(text)] if text else []
    for at, one in enumerate(json_values.read_objects(form.get("parts"), f"{where}.parts")):
        here = f"{where}.parts[{at}]"
        kind = find_data(one, here, ctx)
        if kind not in ("inlineData", "fileData"):
            raise BadRequest(f"{here}: a part of a response holds inlineData or fileData.")
        content.append(decode_media(one, kind, here, ctx))
    return call_id, name, ToolResult("", tuple(content), failed)


def _read_output(name: str, response: Json) -> tuple[str, bool]:
    """What a tool answered as text, and whether it failed."""
    said = response.get("content")
    if len(response) == 2 and response.get("name") == name and isinstance(said, str):
        # The AI SDK repeats the tool's name beside what it said.
        return said, False
    if len(response) == 1:
        [(key, value)] = response.items()
        if key == "error":
            return (value if isinstance(value, str) else json_values.encode_json(value)), True
        if key in _OUTPUTS and isinstance(value, str):
            return value, False
    return (json_values.encode_json(response) if response else ""), False
