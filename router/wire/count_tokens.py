"""Counting tokens in another protocol: the question, and its answer."""

import msgspec

from router.wire import translate
from router.wire.neutral.context import Context
from router.wire.protocols import BY_NAME
from router.wire.raw import json_values


def question(body: bytes, source: str, target: str, ctx: Context) -> translate.Sent:
    """A request to count tokens in the other protocol, which must count. Raises RouterError."""
    data = json_values.decode_object(body)
    asked, counting = BY_NAME[source].count, BY_NAME[target].count
    if data is not None and asked is not None and asked.fills:
        body = msgspec.json.encode({**asked.fills, **data})
    sent = translate.request(body, source, target, ctx)
    if counting is None:
        return sent
    counted = json_values.decode_object(sent.body) or {}
    fields = {name: value for name, value in counted.items() if name in counting.fields}
    return sent._replace(body=msgspec.json.encode(fields))


def count_in(answer: json_values.Json, protocol: str) -> int | None:
    """The tokens that an answer tells; None when it does not."""
    counting = BY_NAME[protocol].count
    return json_values.as_count(answer.get(counting.answer_field)) if counting is not None else None


def answer(tokens: int, caller: str) -> bytes:
    """The answer to a request to count tokens."""
    counting = BY_NAME[caller].count
    if counting is None:
        raise ValueError(f"{caller} does not count tokens")
    return msgspec.json.encode({**counting.marks, counting.answer_field: tokens})
