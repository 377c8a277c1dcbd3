"""Translates a request to count tokens, and its answer, to another protocol."""

import msgspec

from router.wire import translate
from router.wire.neutral.context import Context
from router.wire.protocols import BY_NAME
from router.wire.raw.json import json_values


def question(body: bytes, source: str, target: str, ctx: Context) -> translate.Sent:
    """A request to count tokens in the target protocol, which must have token counting. Raises RouterError."""
    data = json_values.decode_object(body)
    source_counting, counting = BY_NAME[source].count, BY_NAME[target].count
    if data is not None and source_counting is not None:
        text = source_counting.read(data)
        if source_counting.fills or text is not data:
            body = msgspec.json.encode({**source_counting.fills, **text})
    sent = translate.request(body, source, target, ctx)
    if counting is None:
        return sent
    counted = json_values.decode_object(sent.body) or {}
    if counting.write is not None:
        asked = counting.write(counted, ctx.model)
    else:
        asked = {name: value for name, value in counted.items() if name in counting.fields}
    return sent._replace(body=msgspec.json.encode(asked))


def count_in(answer: json_values.Json, protocol: str) -> int | None:
    """The number of tokens in an answer; None when it holds none."""
    counting = BY_NAME[protocol].count
    return json_values.as_count(answer.get(counting.answer_field)) if counting is not None else None


def answer(tokens: int, caller: str) -> bytes:
    """The answer to a request to count tokens."""
    counting = BY_NAME[caller].count
    if counting is None:
        raise ValueError(f"{caller} does not count tokens")
    return msgspec.json.encode({**counting.marks, counting.answer_field: tokens})
