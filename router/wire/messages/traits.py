"""What a request of Messages shows of itself, and the smallest one."""

from collections.abc import Mapping
from typing import cast

from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

#: Words in the names of models that are usually asked for in this protocol.
MODEL_WORDS = ("claude", "opus", "sonnet", "haiku")
_OWN = ("system", "stop_sequences", "thinking", "output_config", "context_management", "anthropic_version")


def recognize(top: Top, fields: Mapping[bytes, bytes]) -> int:
    """3 for a header or a field that only this protocol has, 1 for tools or a model that it usually has, else 0."""
    if b"anthropic-version" in fields or any(name in top for name in _OWN):
        return 3
    tools = top.value("tools")
    entries = cast("list[object]", tools) if isinstance(tools, list) else []
    if any(isinstance(tool, dict) and ("input_schema" in tool or _is_hosted(tool)) for tool in entries):  # pyright: ignore[reportUnknownArgumentType]
        return 1
    model = top.value("model")
    return int("max_tokens" in top and isinstance(model, str) and "claude" in model.lower())


def _is_hosted(tool: dict[object, object]) -> bool:
    """True for a tool that Anthropic runs or defines: its type ends with the day of its version, beside a name."""
    kind = tool.get("type")
    return isinstance(kind, str) and "name" in tool and kind[-9:-8] == "_" and kind[-8:].isdecimal()


def asks_thinking(top: Top) -> bool:
    """True for thinking of type enabled or adaptive."""
    thinking = top.value("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")  # pyright: ignore[reportUnknownMemberType]


def tiny_request(model: str, cap: str, text: str = "hi", tokens: int = 16) -> Json:
    """The smallest request, or one with another text and limit. cap: name of the output limit."""
    return {"model": model, cap: tokens, "messages": [{"role": "user", "content": text}]}
