"""Usage objects of each protocol, and whole and streamed answers that hold them."""

import json

from ..answers import GOOD

ANSWERS = {
    protocol: {name: value for name, value in answer.items() if name != "usage"} for protocol, answer in GOOD.items()
}


def chat(prompt=None, completion=None, total=None, *, read=None, write=None, reasoning=None, **beside):
    """A Chat usage object; None: the field is absent."""
    details = {"cached_tokens": read, "cache_write_tokens": write}
    found = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        **beside,
        "prompt_tokens_details": {name: value for name, value in details.items() if value is not None} or None,
        "completion_tokens_details": None if reasoning is None else {"reasoning_tokens": reasoning},
    }
    return {name: value for name, value in found.items() if value is not None}


def messages(read=None, written=None, *, hit=None, made=None, thinking=None, **beside):
    """A Messages usage object; None: the field is absent."""
    found = {"input_tokens": read, "output_tokens": written, "cache_read_input_tokens": hit}
    found |= {"cache_creation_input_tokens": made, **beside}
    found["output_tokens_details"] = None if thinking is None else {"thinking_tokens": thinking}
    return {name: value for name, value in found.items() if value is not None}


def responses(read=None, written=None, *, hit=None, made=None, reasoning=None, **beside):
    """A Responses usage object; None: the field is absent."""
    details = {"cached_tokens": hit, "cache_write_tokens": made}
    found = {
        "input_tokens": read,
        "output_tokens": written,
        **beside,
        "input_tokens_details": {name: value for name, value in details.items() if value is not None} or None,
        "output_tokens_details": None if reasoning is None else {"reasoning_tokens": reasoning},
    }
    return {name: value for name, value in found.items() if value is not None}


def whole(protocol, found):
    """A whole answer with a usage object."""
    return json.dumps(ANSWERS[protocol] | {"usage": found}, separators=(",", ":")).encode()


def events(protocol, *found):
    """The events of a streamed answer: each of the usage objects in the place that its protocol has for it, in turn.

    Messages: message_start, and message_delta as often as needed. Chat: chunks behind the finish reason. Responses: the
    events response.in_progress, and response.completed for the last.
    """
    last = found[-1]
    if protocol == "messages":
        answer = ANSWERS[protocol] | {"content": [], "stop_reason": None}
        first = [{"usage": found[0]}] if len(found) > 1 else [{}]
        later = found[1:] or found
        return [
            encode_event("message_start", message=answer | first[0]),
            encode_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            encode_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"}),
            encode_event("content_block_stop", index=0),
            *(encode_event("message_delta", delta={"stop_reason": "end_turn"}, usage=one) for one in later),
            encode_event("message_stop"),
        ]
    if protocol == "chat":
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        deltas = [({"role": "assistant", "content": ""}, None), ({"content": "hi"}, None), ({}, "stop")]
        chunks = [base | {"choices": [{"index": 0, "delta": one, "finish_reason": end}]} for one, end in deltas]
        # All but the last stand beside content, as servers have it that count while they write.
        for at, one in enumerate(found[:-1]):
            chunks.insert(1 + at, chunks[1 + at] | {"usage": one})
        return [*map(encode_data, [*chunks, base | {"choices": [], "usage": last}]), b"data: [DONE]\n\n"]
    answer = ANSWERS[protocol] | {"status": "in_progress", "output": []}
    return [
        encode_event("response.created", response=answer | {"usage": None}),
        *(encode_event("response.in_progress", response=answer | {"usage": one}) for one in found[:-1]),
        encode_event("response.output_text.delta", output_index=0, content_index=0, delta="hi"),
        encode_event("response.completed", response=ANSWERS[protocol] | {"usage": last}),
    ]


def encode_event(kind, **fields):
    """A named event, as Messages and Responses have it."""
    return f"event: {kind}\n".encode() + encode_data({"type": kind, **fields})


def encode_data(value):
    """An event without a name, as Chat has it."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"
