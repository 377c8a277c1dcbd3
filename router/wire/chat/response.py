"""Decodes and encodes whole answers of Chat."""

from typing import cast

from router.ir import Answer, CallBegan, Event, Fault, Text, Thinking, ToolCall
from router.wire import openai
from router.wire.chat import usage
from router.wire.chat.decode_stream import ChatDecoder
from router.wire.chat.encode_stream import FINISH, FORMAT, encode_custom_call
from router.wire.neutral import assemble
from router.wire.neutral.context import Context
from router.wire.raw import json_values
from router.wire.raw.json_values import Json


def decode_answer(data: Json, ctx: Context) -> Answer | Fault | None:
    """The neutral answer; None for JSON that is no answer of this protocol.

    A whole message has the fields of a chunk's delta, so it is decoded as a stream of one chunk.
    """
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(choice, dict):
        return None
    only: Json = choice  # pyright: ignore[reportUnknownVariableType]
    message = json_values.get_object(only, "message")
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        # Each entry is a call of its own in a whole answer, also with equal ids or indices.
        entries = [cast("Json", entry) for entry in cast("list[object]", calls) if isinstance(entry, dict)]
        message = {**message, "tool_calls": [{**entry, "index": at} for at, entry in enumerate(entries)]}
    # Old servers leave the finish reason of a whole answer out.
    finish = only.get("finish_reason") or "stop"
    chunk: Json = {**data, "choices": [{**only, "delta": message, "finish_reason": finish}]}
    decoder = ChatDecoder(ctx)
    events: list[Event] = decoder.feed("", chunk)
    events += decoder.done()
    return assemble.assemble_answer(events)


def encode_answer(answer: Answer, ctx: Context) -> Json:
    """The answer in Chat's form."""
    said = "".join(block.text for block in answer.blocks if isinstance(block, Text))
    calls = [block for block in answer.blocks if isinstance(block, ToolCall)]
    thoughts = [block for block in answer.blocks if isinstance(block, Thinking)]
    message: Json = {"role": "assistant", "content": said if said or not (calls or answer.refusal) else None}
    message["refusal"] = answer.refusal or (openai.DECLINED if answer.stop == "refusal" else None)
    if thoughts:
        _put_reasoning(message, thoughts, ctx)
    if calls:
        message["tool_calls"] = [_encode_call(call, ctx) for call in calls]
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[answer.stop]}
    if answer.stopped_by:
        choice["stop_reason"] = answer.stopped_by
    return {
        "id": answer.id or f"chatcmpl-{ctx.new_id()}",
        "object": "chat.completion",
        "created": ctx.now,
        "model": ctx.name_model(answer.model),
        "system_fingerprint": None,
        "choices": [choice],
        "usage": usage.encode_usage(answer.usage),
    }


def _put_reasoning(message: Json, thoughts: list[Thinking], ctx: Context) -> None:
    text = "".join(block.text for block in thoughts)
    if text:
        message["reasoning_content"] = text
    details: list[Json] = []
    for block in thoughts:
        if block.redacted:
            data = ctx.sealer.seal("redacted", block.redacted, "")
            details.append({"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": len(details)})
        elif block.signature:
            sealed = ctx.sealer.seal("signature", block.signature, block.text)
            entry: Json = {"type": "reasoning.text", "text": block.text, "signature": sealed, "format": FORMAT}
            details.append({**entry, "index": len(details)})
    if details:
        message["reasoning_details"] = details


def _encode_call(call: ToolCall, ctx: Context) -> Json:
    if call.name in ctx.custom_tools:
        return encode_custom_call(CallBegan(0, call.id, call.name), call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
