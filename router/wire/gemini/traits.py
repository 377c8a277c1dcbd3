"""What a request of Google's generateContent shows of itself, and the smallest one.

Google's servers read each field in camelCase and in snake_case.
"""

import re
from collections.abc import Mapping

import msgspec

from router.wire.gemini.names import both, get, get_object
from router.wire.protocol import Images
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

#: Words in the names of models that are usually asked for in this protocol.
MODEL_WORDS = ("gemini", "gemma")
#: Where the output limit stands; the last spelling is the documented one.
OUTPUT_CAPS = (
    "generation_config.max_output_tokens",
    "generation_config.maxOutputTokens",
    "generationConfig.max_output_tokens",
    "generationConfig.maxOutputTokens",
)
#: Where the number of answers stands.
CHOICES = (
    "generation_config.candidate_count",
    "generation_config.candidateCount",
    "generationConfig.candidate_count",
    "generationConfig.candidateCount",
)
_OWN = (
    *("contents", "systemInstruction", "generationConfig", "safetySettings", "toolConfig", "cachedContent"),
    *("system_instruction", "generation_config", "safety_settings", "tool_config", "cached_content"),
    "generateContentRequest",
)
#: Levels of thinking by effort, and what takes the place of the effort `none` where a model can be without.
LEVELS = {name: name.upper() for name in ("minimal", "low", "medium", "high", "xhigh")} | {"none": "LOW", "max": "HIGH"}
# The tools that the caller runs; all others are Google's.
_OF_THE_CALLER = frozenset(both("functionDeclarations"))
_KEPT = (*both("cachedContent"), *both("continuationToken"))
_tools = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_LEVELS = ("thinkingLevel", "thinking_level")
_BUDGETS = ("thinkingBudget", "thinking_budget")


def recognize(top: Top, fields: Mapping[bytes, bytes]) -> int:
    """4 for a field that only this protocol has, else 0."""
    return 4 if any(name in top for name in _OWN) else 0


def asks_thinking(top: Top) -> bool:
    """True for a thinking level, or a budget other than 0."""
    config: Json = {name: top.value(name) for name in ("generationConfig", "generation_config") if name in top}
    config = get_object(get_object(config, "generationConfig"), "thinkingConfig")
    if any(isinstance(config.get(name), str) and config[name] for name in _LEVELS):
        return True
    return any(config.get(name) not in (None, 0, "0") for name in _BUDGETS)


def find_bound(top: Top) -> str:
    """The first tool that runs at Google, or what is kept there; '' for a request without."""
    kept = next((name for name in _KEPT if top.raw(name) not in (None, b"null")), "")
    raw = top.raw("tools")
    if kept or raw is None:
        return kept
    try:
        tools = _tools.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return ""
    found = (f"tools[{at}].{key}" for at, tool in enumerate(tools) for key in tool if key not in _OF_THE_CALLER)
    return next(found, "")


def turn_off(model: str) -> Mapping[str, object]:
    """The fields that switch thinking off, by dotted path; {} for a model that cannot be without."""
    if "gemini-2.5-flash" not in model.lower():
        return {}
    return {"generationConfig.thinkingConfig.thinkingBudget": 0}


def tiny_request(model: str, cap: str, text: str = "hi", tokens: int = 16) -> Json:
    """The smallest request, or one with another text and limit, whose model stands in the path. cap: where the output
    limit stands."""
    holder, _, name = cap.partition(".")
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], holder: {name: tokens}}


def _read_part_type(part: Json) -> object:
    """`image` for a part that holds one, inline or as a file."""
    for name in ("inlineData", "fileData"):
        media = get(get_object(part, name), "mimeType")
        if isinstance(media, str) and media[:6].lower() == "image/":
            return "image"
    return None


# The name of the field that tells what a file is, in each spelling; its quote is rare in the data of files.
_MEDIA_TYPE = re.compile(rb'"mime_?[tT]ype"|\\u00[567]')
#: How contents hold images; a response of a tool has parts of its own.
IMAGES = Images(
    frozenset(("image",)),
    _MEDIA_TYPE,
    _read_part_type,
    ("parts", "functionResponse", "function_response"),
)
