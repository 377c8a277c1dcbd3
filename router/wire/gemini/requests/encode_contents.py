"""Encodes the conversation of a generateContent request.

Rules of this file: contents of both roles alternate, and a user's is first; the responses to calls stand directly
behind them, at the beginning of their content and in the order of the calls; what a tool returned is always a text,
since the API looks for references of JSON Schema in an object and refuses those that it cannot follow.
"""

from collections.abc import Sequence
from typing import cast

from router.ir import Block, Document, Image, Request, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.gemini.models import GeminiModel
from router.wire.gemini.requests.encode_tools import encode_name
from router.wire.gemini.signatures import PLACEHOLDER, read_signature
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.root_unions import wrap_arguments
from router.wire.neutral.turn_order import order_turns
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_START = "(conversation start)"
_IMAGES = frozenset(("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"))
# The types of images by the ends of their URLs, for the field that says the type.
_ENDINGS = {
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    **{f".{kind}": f"image/{kind}" for kind in ("png", "webp", "heic", "heif")},
}
_SIGNATURE = "thoughtSignature"


def encode_contents(request: Request, model: GeminiModel, ctx: Context) -> list[Json]:
    """The value of `contents`. Raises BadRequest for a conversation of which nothing can be sent."""
    contents: list[Json] = []
    # The names of the calls so far, which their responses repeat.
    names: dict[str, str] = {}
    for turn in order_turns(request.turns, ctx):
        if turn.role == "assistant":
            role, parts = "model", _encode_assistant(turn, names, model, ctx)
        else:
            role, parts = "user", _encode_user(turn, names, model, ctx)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            _parts_of(contents[-1]).extend(parts)
        else:
            contents.append({"role": role, "parts": parts})
    if not contents:
        path = request.turns[0].path if request.turns else "messages"
        raise ctx.refuse(path, "a conversation without any text or call cannot be sent")
    if contents[0]["role"] == "model":
        ctx.note_weakened(request.turns[0].path)
        contents.insert(0, {"role": "user", "parts": [{"text": _START}]})
    if model.signs and ctx.profile.skips_signatures:
        for content in contents:
            _sign_first_call(content)
    return contents


def put_system_in_front(contents: Sequence[Json], parts: Sequence[Json]) -> None:
    """Put the system prompt in front of the first user's text, for a model that has no place for one."""
    _parts_of(contents[0])[:0] = parts


def _parts_of(content: Json) -> list[Json]:
    return cast("list[Json]", content["parts"])


def _sign_first_call(content: Json) -> None:
    """Give the first call of a model's content the placeholder if it has no signature. Further ones need none, and with
    one the model may answer nothing. Since that holds for the whole history, its beginning stays the same."""
    first = next((part for part in _parts_of(content) if "functionCall" in part), None)
    if first is not None:
        first.setdefault(_SIGNATURE, PLACEHOLDER)


def _encode_assistant(turn: Turn, names: dict[str, str], model: GeminiModel, ctx: Context) -> list[Json]:
    """The parts of a model's turn. A signature goes to the call behind it, or else to the last text."""
    parts: list[Json] = []
    signature = ""
    for block in turn.blocks:
        if type(block) is Thinking:
            found, known = read_signature(block, ctx)
            signature = found or signature
            if not known:
                ctx.note_dropped(f"{turn.path}.thinking")
        elif type(block) is ToolCall:
            part = _encode_call(block, names, model, ctx)
            if signature:
                part[_SIGNATURE] = signature
                signature = ""
            parts.append(part)
        else:
            parts += _encode_block(block, turn.path, ctx)
    texts = [part for part in parts if "text" in part]
    if signature and texts:
        texts[-1][_SIGNATURE] = signature
    return parts


def _encode_call(call: ToolCall, names: dict[str, str], model: GeminiModel, ctx: Context) -> Json:
    name = names[call.id] = encode_name(call.name, ctx)
    arguments: object = json_values.as_raw_object(call.arguments)
    if arguments is None:
        ctx.note_weakened(f"tool call {call.name}")
        arguments = {"_raw_arguments": call.arguments}
    elif call.name in ctx.union_tools:
        arguments = wrap_arguments(arguments)
    return {"functionCall": {**_name_id(call.id, model), "name": name, "args": arguments}}


def _name_id(call_id: str, model: GeminiModel) -> Json:
    """The id of a call, which older models do not know."""
    return {"id": call_id} if model.signs and call_id else {}


def _encode_user(turn: Turn, names: dict[str, str], model: GeminiModel, ctx: Context) -> list[Json]:
    """The parts of a user's or a system turn: all responses, then what older models cannot have in them, then the
    rest."""
    if turn.role == "system":
        ctx.note_weakened(turn.path)
        said = "\n".join(block.text for block in turn.blocks if type(block) is Text)
        return [{"text": f"<system-reminder>\n{said}\n</system-reminder>"}] if said else []
    responses: list[Json] = []
    shown: list[Json] = []
    rest: list[Json] = []
    for block in turn.blocks:
        if type(block) is ToolResult:
            part, beside = _encode_result(block, names, model, turn.path, ctx)
            responses.append(part)
            shown += beside
        else:
            rest += _encode_block(block, turn.path, ctx)
    if shown:
        ctx.note_weakened(turn.path)
    return [*responses, *shown, *rest]


def _encode_result(
    block: ToolResult, names: dict[str, str], model: GeminiModel, path: str, ctx: Context
) -> tuple[Json, list[Json]]:
    """The response to a call, and the images and documents that cannot be in it."""
    text = "\n".join(part.text for part in block.content if type(part) is Text)
    media = [made for part in block.content if type(part) is not Text for made in _encode_block(part, path, ctx)]
    response: Json = {**_name_id(block.call_id, model), "name": names.get(block.call_id, "unknown_tool")}
    response["response"] = {"error" if block.is_error else "output": text}
    if media and model.signs:
        response["parts"] = media
        media = []
    return {"functionResponse": response}, media


def _encode_block(block: Block, path: str, ctx: Context) -> list[Json]:
    """The part of a block that is neither reasoning nor a call nor a result; none for an empty text."""
    if type(block) is Text:
        return [{"text": block.text}] if block.text else []
    if type(block) is Image:
        return [_encode_image(block, path, ctx)]
    if type(block) is not Document:
        return []
    if block.url:
        return [_encode_url(block.url, "application/pdf", path, ctx)]
    data: Json = {"mimeType": block.media_type or "application/pdf", "data": block.data}
    if block.title:
        data["displayName"] = block.title
    return [{"inlineData": data}]


def _encode_image(block: Image, path: str, ctx: Context) -> Json:
    if block.detail not in ("", "auto"):
        ctx.note_dropped(f"{path}.detail")
    if block.url:
        place = block.url.partition("?")[0].partition("#")[0].lower()
        return _encode_url(block.url, _ENDINGS.get(place[place.rfind(".") :], ""), path, ctx)
    if block.media_type not in _IMAGES:
        raise ctx.refuse(path, f"images of type {block.media_type or '(unknown)'} are not taken by Gemini")
    return {"inlineData": {"mimeType": block.media_type, "data": block.data}}


def _encode_url(url: str, media_type: str, path: str, ctx: Context) -> Json:
    if not ctx.profile.fetches_urls:
        raise ctx.refuse(path, "the backend takes no URLs of images and documents, and they are not fetched here")
    return {"fileData": {"mimeType": media_type, "fileUri": url} if media_type else {"fileUri": url}}
