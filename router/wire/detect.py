"""Which protocol a request is in, told from its fields alone; for `explain`, which is handed a body without a path."""

from collections.abc import Mapping
from typing import cast

from router.ir import Protocol
from router.wire.raw.top_level import Top

_MESSAGES = ("system", "stop_sequences", "thinking", "output_config", "context_management", "anthropic_version")
_CHAT = (
    *("max_completion_tokens", "reasoning_effort", "stream_options", "response_format", "functions", "n", "stop"),
    *("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "seed", "parallel_tool_calls", "modalities"),
)


def protocol_of(top: Top, fields: Mapping[bytes, bytes]) -> Protocol:
    """The protocol whose fields the request has; chat when nothing tells. fields: headers by lower-case name."""
    if "input" in top and "messages" not in top:
        return "responses"
    if b"anthropic-version" in fields or any(name in top for name in _MESSAGES):
        return "messages"
    if any(name in top for name in _CHAT):
        return "chat"
    if any("input_schema" in tool for tool in _objects(top.value("tools"))):
        return "messages"
    model = top.value("model")
    return "messages" if "max_tokens" in top and isinstance(model, str) and "claude" in model.lower() else "chat"


def _objects(value: object) -> list[dict[str, object]]:
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", entry) for entry in entries if isinstance(entry, dict)]
