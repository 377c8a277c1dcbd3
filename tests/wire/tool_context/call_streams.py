"""Answers with calls, as pieces of arguments are sent in each protocol, and what a client puts together from them."""

import json
import math

from router.wire.raw import sse
from router.wire.tool_context.calls import ToolContext
from router.wire.tool_context.tap import make_filler

SESSION, NOW = 's"1\\é', "2026-11-30T21:30:46Z"
VALUES = {("", "get_order"): {"session_id": SESSION, "timestamp": NOW}}
PROTOCOLS = ("chat", "messages", "responses")
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def dump(value):
    """JSON with escapes and spaces that no encoder of ours would choose."""
    return json.dumps(value, separators=(" ,", ": ")).encode()


def event(payload, name=""):
    return sse.frame(dump(payload), name)


def named(payload):
    return event(payload, payload["type"])


def cut(text, places):
    """The text in pieces that end at these places."""
    ends = sorted({min(at, len(text)) for at in places} | {len(text)})
    return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def chat_stream(calls, reason="tool_calls"):
    """calls: name and pieces of each; their pieces come in turns."""
    events = [_chunk({"tool_calls": [_chat_call(index, name, "", name=name)]}) for index, (name, _) in enumerate(calls)]
    events += [_chunk({"tool_calls": [_chat_call(index, "", piece)]}) for index, piece in in_turns(calls)]
    return [*events, _chunk({}, reason), b"data: [DONE]\n\n"]


def _chunk(delta, reason=None):
    return event({**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _chat_call(index, called, piece, **function):
    identity = {"id": f"call_{index}", "type": "function"} if called else {}
    return {"index": index, **identity, "function": {**function, "arguments": piece}}


def messages_stream(calls):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    usage = {"input_tokens": 3, "output_tokens": 1}
    events = [named({"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}})]
    for index, (name, _) in enumerate(calls):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
        events.append(named({"type": "content_block_start", "index": index, "content_block": block}))
    for index, piece in in_turns(calls):
        delta = {"type": "input_json_delta", "partial_json": piece}
        events.append(named({"type": "content_block_delta", "index": index, "delta": delta}))
    events += [named({"type": "content_block_stop", "index": index}) for index, _ in enumerate(calls)]
    ended = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}
    return [*events, named(ended), named({"type": "message_stop"})]


def responses_stream(calls):
    events, number = [], 0

    def add(kind, **fields):
        nonlocal number
        events.append(named({"type": f"response.{kind}", **fields, "sequence_number": number}))
        number += 1

    items = [
        {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": name}
        for index, (name, _) in enumerate(calls)
    ]
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": []}
    add("created", response={**response, "status": "in_progress"})
    for index, item in enumerate(items):
        add("output_item.added", output_index=index, item={**item, "arguments": "", "status": "in_progress"})
    for index, piece in in_turns(calls):
        add("function_call_arguments.delta", item_id=f"fc_{index}", output_index=index, delta=piece)
    done = []
    for index, (_, pieces) in enumerate(calls):
        whole = "".join(pieces)
        done.append({**items[index], "arguments": whole, "status": "completed"})
        add("function_call_arguments.done", item_id=f"fc_{index}", output_index=index, arguments=whole)
        add("output_item.done", output_index=index, item=done[-1])
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    add("completed", response={**response, "status": "completed", "output": done, "usage": usage})
    return events


def in_turns(calls):
    """Index and piece, one of each call after the other."""
    for turn in range(max((len(pieces) for _, pieces in calls), default=0)):
        for index, (_, pieces) in enumerate(calls):
            if turn < len(pieces):
                yield index, pieces[turn]


STREAMS = {"chat": chat_stream, "messages": messages_stream, "responses": responses_stream}


def whole_answer(protocol, calls):
    """The same calls in an answer that comes whole. calls: name and arguments of each, as text."""
    if protocol == "chat":
        said = [_chat_call(index, name, text, name=name) for index, (name, text) in enumerate(calls)]
        return dump({"choices": [{"message": {"tool_calls": said}, "finish_reason": "tool_calls"}], "usage": {}})
    if protocol == "responses":
        items = [{"type": "function_call", "name": name, "arguments": text} for name, text in calls]
        return dump({"object": "response", "output": items})
    blocks = [
        b'{"type": "tool_use" ,"name": "%b" ,"input": %b}' % (name.encode(), text.encode() or b"{}")
        for name, text in calls
    ]
    return b'{"type": "message" ,"content": [%b]}' % b" ,".join(blocks)


def read_stream(protocol, data):
    """The arguments of each call as a client has them in the end, each time that they are said: in pieces, or whole."""
    pieces, wholes = {}, {}

    def join(key, piece):
        pieces[key] = pieces.get(key, "") + piece

    for _, found in sse.parse_events(data):
        if found.is_done or not found.data:
            continue
        one = json.loads(found.data)
        if protocol == "chat":
            for choice in one["choices"]:
                for call in choice["delta"].get("tool_calls", ()):
                    join(call["index"], call["function"]["arguments"])
        elif one["type"] == "content_block_delta":
            join(one["index"], one["delta"]["partial_json"])
        elif one["type"] == "response.function_call_arguments.delta":
            join(one["output_index"], one["delta"])
        elif one["type"] == "response.function_call_arguments.done":
            wholes[one["output_index"], "done"] = one["arguments"]
        elif one["type"] == "response.output_item.done":
            wholes[one["output_index"], "item"] = one["item"]["arguments"]
        elif one["type"] == "response.completed":
            wholes |= {(at, "response"): item["arguments"] for at, item in enumerate(one["response"]["output"])}
    return pieces, wholes


def read_whole(protocol, body, *, kind=None):
    """The arguments of each call of a whole answer, as text. kind: of the blocks of Messages that are read."""
    found = json.loads(body)
    if protocol == "chat":
        return [call["function"]["arguments"] for call in found["choices"][0]["message"]["tool_calls"]]
    if protocol == "responses":
        return [item["arguments"] for item in found["output"]]
    return [json.dumps(block["input"]) for block in found["content"] if kind in (None, block["type"])]


def fill_stream(protocol, events, values=VALUES, *, at_once=math.inf):
    """The events filled, so many at once; with the notes."""
    context = ToolContext(values)
    filler = make_filler(protocol, context)
    out, step = [], min(at_once, len(events) or 1)
    for at in range(0, len(events), step):
        out.append(filler.fill_events(b"".join(events[at : at + step])))
    out.append(filler.release())
    filler.end()
    return b"".join(out), context.list_notes()


def fill_whole(protocol, body, values=VALUES):
    """A body filled, with the notes."""
    context = ToolContext(values)
    return make_filler(protocol, context).fill_body(body), context.list_notes()
