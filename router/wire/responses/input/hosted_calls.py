"""Calls in a conversation that the provider ran itself, as one text each."""

from typing import cast

from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: The most characters of a call's arguments, and of its result, that are told.
TEXT_LIMIT = 8 << 10
#: The name of the tool by the type of the item, '' where nothing is told.
HOSTED = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "mcp_list_tools": "",
    "computer_call": "computer",
    "computer_call_output": "",
}
_ASKED = ("action", "queries", "code", "revised_prompt")
_ANSWERED = ("output", "outputs", "results", "error")


def is_hosted_search(item: Json) -> bool:
    """True for a search for tools, or its output, that the provider ran itself."""
    execution = item.get("execution")
    return execution == "server" or (execution != "client" and not item.get("call_id"))


def summarize_call(item: Json, kind: str) -> str:
    """What was asked and what came back, as far as it is text."""
    tool = HOSTED[kind]
    if not tool:
        return ""
    asked = _tell(next((item[name] for name in _ASKED if item.get(name)), None))
    if kind == "mcp_call":
        named = [str(item[name]) for name in ("server_label", "name") if item.get(name)]
        asked = f"{'.'.join(named)} {_tell(item.get('arguments'))}".strip()
    answered = _tell(next((item[name] for name in _ANSWERED if item.get(name)), None))
    said = f"[{tool}: {asked}]" if asked else f"[{tool}]"
    return f"{said}\n{answered}" if answered else said


def _tell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        entries = [cast("Json", one) for one in cast("list[object]", value) if isinstance(one, dict)]
        # The picture that a program drew is no text.
        value = [one for one in entries if one.get("type") != "image"] if entries else cast("object", value)
        if not value:
            return ""
    text = value if isinstance(value, str) else json_values.encode_json(value)
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]} [cut off here]"
