"""Answers of Messages, built from their blocks: whole, and as the stream that stands for the same."""

import json

from .translations import event


def whole(*content, **fields):
    """A whole answer."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2},
        **fields,
    }


def stream(*content, start=None, delta=None, **fields):
    """The same as a stream. start: further fields of message_start's message; delta: of message_delta's delta; fields:
    of message_delta."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    out = [event("message_start", message={**message, **(start or {})})]
    for at, block in enumerate(content):
        text, citations, thought = block.get("text"), block.get("citations"), block.get("thinking")
        # What comes in deltas is empty at first.
        came = {"text": "", "citations": [], "thinking": "", "signature": "", "input": {}}
        began = {name: came[name] if value and name in came else value for name, value in block.items()}
        out.append(event("content_block_start", index=at, content_block=began))
        # The API sends citations in front of the text.
        for one in citations or ():
            out.append(event("content_block_delta", index=at, delta={"type": "citations_delta", "citation": one}))
        if thought:
            out.append(event("content_block_delta", index=at, delta={"type": "thinking_delta", "thinking": thought}))
        if block.get("signature"):
            part = {"type": "signature_delta", "signature": block["signature"]}
            out.append(event("content_block_delta", index=at, delta=part))
        if block.get("input"):
            written = json.dumps(block["input"])
            for piece in (written[:3], written[3:]):
                part = {"type": "input_json_delta", "partial_json": piece}
                out.append(event("content_block_delta", index=at, delta=part))
        if text:
            out.append(event("content_block_delta", index=at, delta={"type": "text_delta", "text": text}))
        out.append(event("content_block_stop", index=at))
    ends = {"stop_reason": "end_turn", "stop_sequence": None, **(delta or {})}
    out.append(event("message_delta", delta=ends, usage={"output_tokens": 2}, **fields))
    out.append(event("message_stop"))
    return b"".join(out)
