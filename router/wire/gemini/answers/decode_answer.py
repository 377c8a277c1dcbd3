"""Decodes whole answers of generateContent."""

from typing import cast

from router.ir import Answer, Event, Fault
from router.wire.gemini.answers.decode_stream import GeminiDecoder
from router.wire.neutral import assemble
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_STOP = "STOP"


def decode_answer(data: Json, ctx: Context) -> Answer | Fault | None:
    """The neutral answer; None for JSON that is no answer of this protocol. Raises TooMany.

    A whole answer has the form of a chunk. Some servers leave the finish reason of a whole one out.
    """
    found = data.get("candidates")
    candidates = cast("list[object]", found) if isinstance(found, list) else []
    blocked = json_values.get_object(data, "promptFeedback").get("blockReason")
    if not blocked and not any(isinstance(one, dict) for one in candidates):
        return None
    chunk: Json = {**data, "candidates": [_finish(one) for one in candidates]}
    decoder = GeminiDecoder(ctx)
    events: list[Event] = decoder.feed("", chunk)
    events += decoder.done()
    return assemble.assemble_answer(events, ctx)


def _finish(candidate: object) -> object:
    if not isinstance(candidate, dict) or candidate.get("finishReason"):  # pyright: ignore[reportUnknownMemberType]
        return cast("object", candidate)
    return {**cast("Json", candidate), "finishReason": _STOP}
