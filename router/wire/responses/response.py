"""Decodes and encodes whole answers of Responses.

A whole answer is decoded as a stream that consists of its last event, and encoded as the last event of its stream.
"""

import msgspec

from router.ir import Answer, Fault
from router.wire.neutral import assemble
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json
from router.wire.responses.decode_stream import ResponsesDecoder
from router.wire.responses.output.compaction_encoder import make_encoder


def decode_answer(data: Json, ctx: Context) -> Answer | Fault | None:
    """The neutral answer; None for JSON that is no answer of this protocol."""
    if not isinstance(data.get("output"), list) and data.get("object") != "response":
        return None
    status = str(data.get("status") or "completed")
    events = ResponsesDecoder(ctx).feed("", {"type": f"response.{status}", "response": data})
    return assemble.assemble_answer(events, ctx)


def encode_answer(answer: Answer, ctx: Context) -> msgspec.Raw:
    """The answer in the form of Responses."""
    encoder = make_encoder(ctx, silent=True)
    for event in assemble.split_answer(answer):
        encoder.encode(event)
    return msgspec.Raw(encoder.response)
