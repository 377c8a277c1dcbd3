"""Decodes and encodes whole answers of Chat."""

from typing import cast

from router.ir import Answer, Event, Fault, Searched, Text, Thinking, ToolCall
from router.wire import openai
from router.wire.chat import usage
from router.wire.chat.annotations import encode_annotation
from router.wire.chat.decode_stream import ChatDecoder
from router.wire.chat.encode_stream import FINISH, FORMAT, encode_custom
from router.wire.neutral import assemble
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_answer(data: Json, ctx: Context) -> Answer | Fault | None:
    """The neutral answer; None for JSON that is no answer of this protocol.

    A whole message has the fields of a chunk's delta, so it is decoded as a stream of one chunk.
    """
    found = data.get("choices")
    choices = (
        [cast("Json", one) for one in cast("list[object]", found) if isinstance(one, dict)]
        if isinstance(found, list)
        else []
    )
    if not choices:
        return None
    chunk: Json = {**data, "choices": [_as_delta(choice) for choice in choices]}
    decoder = ChatDecoder(ctx, whole=True)
    events: list[Event] = decoder.feed("", chunk)
    events += decoder.done()
    return assemble.assemble_answer(events, ctx)


def _as_delta(choice: Json) -> Json:
    """A whole choice as one of a chunk. Old servers leave the finish reason out."""
    rest = {name: value for name, value in choice.items() if name != "message"}
    message = json_values.get_object(choice, "message")
    return {**rest, "delta": message, "finish_reason": choice.get("finish_reason") or "stop"}


def encode_answer(answer: Answer, ctx: Context) -> Json:
    """The answer in Chat's form."""
    said = "".join(block.text for block in answer.blocks if type(block) is Text)
    calls = [block for block in answer.blocks if type(block) is ToolCall]
    thoughts = [block for block in answer.blocks if type(block) is Thinking]
    if any(type(block) is Searched for block in answer.blocks):
        ctx.note_dropped("web_search_call")
    message: Json = {"role": "assistant", "content": said if said or not (calls or answer.refusal) else None}
    message["refusal"] = answer.refusal or (openai.DECLINED if answer.stop == "refusal" else None)
    if thoughts:
        _put_reasoning(message, thoughts, ctx)
    if calls:
        message["tool_calls"] = [_encode_call(call, ctx) for call in calls]
    if annotations := _encode_annotations(answer):
        message["annotations"] = annotations
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[answer.stop]}
    given = [one for block in answer.blocks if type(block) is Text for one in block.logprobs]
    if given and ctx.logprobs:
        choice["logprobs"] = {"content": given, "refusal": None}
    elif given:
        ctx.note_dropped("logprobs")
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


def _encode_annotations(answer: Answer) -> list[Json]:
    """The citations of all texts, at their places in the joined text."""
    found: list[Json] = []
    length = 0
    for block in answer.blocks:
        if type(block) is Text:
            begin, length = length, length + len(block.text)
            found += [encode_annotation(one, begin, length) for one in block.citations]
    return found


def _put_reasoning(message: Json, thoughts: list[Thinking], ctx: Context) -> None:
    """Reasoning as OpenRouter writes it: the whole text in one field, and each block with its signature in the other.
    Clients read one of the two."""
    text = "".join(block.text for block in thoughts)
    if text:
        message["reasoning_content"] = text
    details: list[Json] = []
    for block in thoughts:
        if block.redacted:
            data = ctx.sealer.seal("redacted", block.redacted, "")
            details.append({"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": len(details)})
            continue
        entry: Json = {"type": "reasoning.text", "text": block.text, "format": FORMAT, "index": len(details)}
        if block.signature:
            entry["signature"] = ctx.sealer.seal("signature", block.signature, block.text)
        if block.text or block.signature:
            details.append(entry)
    if details:
        message["reasoning_details"] = details


def _encode_call(call: ToolCall, ctx: Context) -> Json:
    if call.name in ctx.custom_tools:
        return {"id": call.id, "type": "custom", "custom": encode_custom(call.name, call.arguments)}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
