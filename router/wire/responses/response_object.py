"""The response object, which holds an answer and repeats fields of its request."""

import msgspec

from router.wire import stored_responses
from router.wire.neutral.context import Context
from router.wire.raw.json import large_json
from router.wire.raw.json.json_values import Json

_encode = msgspec.json.encode
#: Request fields that a response repeats, with their defaults. The models of the SDKs require several.
REPEATED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}


class ResponseObject:
    """Encodes the response objects of one answer: each has the same id, time and repeated fields.

    model: the one that answered.
    """

    __slots__ = ("_fields", "_head", "_repeated", "_repeated_fields", "id")

    def __init__(self, ctx: Context, model: str):
        self.id = stored_responses.make_id(ctx.new_id() + ctx.new_id())
        asked = ctx.request_fields
        repeated = {name: asked[name] if asked.get(name) is not None else REPEATED[name] for name in REPEATED}
        repeated["store"] = ctx.store is not None
        head: Json = {"id": self.id, "object": "response", "created_at": ctx.now, "model": ctx.shown_model or model}
        self._fields, self._repeated_fields = head, repeated
        self._head = _encode(head)[:-1]
        self._repeated = b"," + _encode(repeated)[1:]

    def encode(
        self,
        status: str,
        output: list[Json],
        usage: Json | None,
        *,
        error: Json | None = None,
        reason: str = "",
        large: bool = False,
    ) -> bytes:
        """Encode a response object. reason: why it is incomplete. large: its output takes megabytes."""
        said: Json = {"status": status, "error": error, "incomplete_details": _describe_reason(reason)}
        said |= {"output": output, "usage": usage}
        if large:
            written = msgspec.Raw(memoryview(large_json.encode(said))[1:-1])
            return large_json.frame(self._head + b",", written, self._repeated)
        return self._head + b"," + _encode(said)[1:-1] + self._repeated

    def describe(self, status: str, usage: Json | None, *, reason: str = "") -> Json:
        """The response object of a finished answer without its output, to be stored beside it."""
        said: Json = {"status": status, "error": None, "incomplete_details": _describe_reason(reason), "usage": usage}
        return {**self._fields, **said, **self._repeated_fields}


def _describe_reason(reason: str) -> Json | None:
    return {"reason": reason} if reason else None
