"""What a request of Chat shows of itself, the smallest one, and how it asks for usage."""

from collections.abc import Mapping

import msgspec

from router.wire.raw.json.json_values import Json
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import Top

#: The field that asks for the usage of a stream.
USAGE_FIELD = "stream_options"
_OWN = (
    *("max_completion_tokens", "reasoning_effort", "stream_options", "response_format", "functions", "n", "stop"),
    *("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "seed", "parallel_tool_calls", "modalities"),
)


def recognize(top: Top, fields: Mapping[bytes, bytes]) -> int:
    """2 for a field that Messages has not, else 0."""
    return 2 if any(name in top for name in _OWN) else 0


def asks_thinking(top: Top) -> bool:
    """True for a reasoning_effort other than none."""
    effort = top.value("reasoning_effort")
    return isinstance(effort, str) and effort not in ("", "none")


def tiny_request(model: str, cap: str, text: str = "hi", tokens: int = 16) -> Json:
    """The smallest request, or one with another text and limit. cap: name of the output limit."""
    return {"model": model, cap: tokens, "messages": [{"role": "user", "content": text}]}


def ask_usage(splice: Splice) -> bool:
    """Ask for the usage event; False when the client did already, or when it cannot be told."""
    if not splice.is_unique(USAGE_FIELD):
        return False
    options = splice.value(USAGE_FIELD)
    if not isinstance(options, dict):
        splice.put(USAGE_FIELD, b'{"include_usage":true}')
        return True
    if options.get("include_usage") is True:  # pyright: ignore[reportUnknownMemberType]
        return False
    splice.put(USAGE_FIELD, msgspec.json.encode({**options, "include_usage": True}))
    return True
