"""Counting tokens in another protocol: the question, and its answer (translation.md 10.8)."""

import msgspec

from router.ir import Protocol
from router.wire import translate
from router.wire.neutral.context import Context
from router.wire.raw import json_values

# Nothing is written, and the field is none of the call's; requests for text need it.
_ANY_LIMIT = 32_000

#: Where each protocol counts tokens, and the fields that are counted there; Chat does not count.
COUNTS: dict[Protocol, tuple[str, frozenset[str]]] = {
    "messages": (
        "/v1/messages/count_tokens",
        frozenset(("model", "messages", "system", "tools", "tool_choice", "thinking")),
    ),
    "responses": (
        "/v1/responses/input_tokens",
        frozenset(("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning")),
    ),
}


def question(body: bytes, source: Protocol, target: Protocol, ctx: Context) -> translate.Sent:
    """A request to count tokens in the other protocol. Raises RouterError."""
    data = json_values.decode_object(body)
    if data is not None and source == "messages":
        body = msgspec.json.encode({"max_tokens": _ANY_LIMIT, **data})
    sent = translate.request(body, source, target, ctx)
    counted = json_values.decode_object(sent.body) or {}
    kept = {name: value for name, value in counted.items() if name in COUNTS[target][1]}
    return sent._replace(body=msgspec.json.encode(kept))


def answer(tokens: int, caller: Protocol) -> bytes:
    """The answer to a request to count tokens."""
    kind = {"object": "response.input_tokens"} if caller == "responses" else {}
    return msgspec.json.encode({**kind, "input_tokens": tokens})
