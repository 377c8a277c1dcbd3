"""Decodes a Gemini request. The model and the wish for a stream stand in its path."""

from router.ir import Request, Text
from router.wire.gemini import names
from router.wire.gemini.requests.decode_config import Config, decode_reasoning, decode_shape, read_config
from router.wire.gemini.requests.decode_contents import decode_contents
from router.wire.gemini.requests.decode_tools import decode_choice, decode_tools
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_READ = names.both(
    *("model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"),
    *("safetySettings", "cachedContent", "continuationToken", "modelArmorConfig", "serviceTier"),
)
_REFUSED = {
    "cachedContent": "the content is kept at Google, and there is no Gemini backend to send it to",
    "continuationToken": "an answer is continued by the upstream that began it",
    "modelArmorConfig": "what Model Armor promises is not known there",
}
# Thresholds that filter nothing.
_OPEN = ("", "BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED")
_STANDARD = ("", "UNSPECIFIED", "STANDARD", "SERVICE_TIER_UNSPECIFIED", "SERVICE_TIER_STANDARD")


def decode_request(data: Json, ctx: Context) -> Request:
    """The neutral request, whose model is what the body names, '' for nothing. Raises BadRequest with the path of a
    field that is wrong or cannot be carried over."""
    for name, why in _REFUSED.items():
        if names.get(data, name) is not None:
            raise ctx.refuse(names.spell(data, name), why)
    config = read_config(data, ctx)
    ctx.paths |= {
        "messages": "contents",
        "max_tokens": config.name("maxOutputTokens"),
        "stop": config.name("stopSequences"),
        "temperature": config.name("temperature"),
        "top_p": config.name("topP"),
        "top_k": config.name("topK"),
        "parameters": "parameters",
    }
    ctx.note_unread(data, _READ)
    _note_filters(data, ctx)
    declared, hosted = decode_tools(data, ctx)
    choice, tools = decode_choice(data, declared, ctx)
    return Request(
        model=json_values.read_text(data.get("model"), "model").removeprefix("models/"),
        system=_decode_system(data, ctx),
        turns=decode_contents(data, ctx),
        tools=tools,
        hosted=hosted,
        choice=choice,
        max_tokens=config.integer("maxOutputTokens", 1),
        stop=json_values.read_texts(names.get(config.data, "stopSequences"), config.name("stopSequences")),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=_decode_top_k(config),
        reasoning=decode_reasoning(config, ctx),
        shape=decode_shape(config, ctx),
    )


def _decode_top_k(config: Config) -> int | None:
    """The proto has a float there; what is no whole number is cut, as Google does."""
    found = names.get(config.data, "topK")
    return int(found) if isinstance(found, float) and 0 <= found < 2**31 else config.integer("topK")


def _decode_system(data: Json, ctx: Context) -> tuple[Text, ...]:
    """The texts of the system prompt; some callers give one text in place of a content."""
    path = names.spell(data, "systemInstruction")
    found = data.get(path)
    if isinstance(found, str):
        return (Text(found),) if found else ()
    content = json_values.read_object(found, path)
    ctx.note_unread(content, frozenset(("role", "parts")), f"{path}.")
    texts: list[Text] = []
    for at, part in enumerate(json_values.read_objects(content.get("parts"), f"{path}.parts")):
        where = f"{path}.parts[{at}]"
        text = json_values.read_text(part.get("text"), f"{where}.text")
        other = next((key for key, value in part.items() if key != "text" and value is not None), "")
        if other and part.get("text") is None:
            raise ctx.refuse(f"{where}.{other[:40]}", "a system prompt holds text only")
        ctx.note_unread(part, frozenset(("text",)), f"{where}.")
        if text:
            texts.append(Text(text))
    return tuple(texts)


def _note_filters(data: Json, ctx: Context) -> None:
    """Note the filters and the tier, which no other provider has in this form."""
    path = names.spell(data, "safetySettings")
    filters = json_values.read_objects(data.get(path), path)
    if any(names.as_enum(one.get("threshold")) not in _OPEN for one in filters):
        ctx.note_weakened(path)
    elif filters:
        ctx.note_dropped(path)
    tier = names.read_enum(data, "serviceTier", "")
    if tier not in _STANDARD:
        ctx.note_dropped(names.spell(data, "serviceTier"))
