"""Helpers for tests of Responses: a stream and its parts, a validator, and requests."""

import json

from router.wire import translate

PAIRS = [("messages", "responses"), ("chat", "responses"), ("responses", "messages"), ("responses", "chat")]


def frames(*found):
    """Events of a Responses stream, numbered."""
    made = [json.dumps({"sequence_number": at, **one}) for at, one in enumerate(found)]
    return b"".join(f"event: {json.loads(one)['type']}\ndata: {one}\n\n".encode() for one in made)


def shell(status, output=(), **fields):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "output": list(output),
        "error": None,
        "incomplete_details": None,
        **fields,
    }


USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 13,
}


def on(kind, index, **fields):
    """An event of the item with this index."""
    return {"type": f"response.{kind}", "item_id": f"it_{index}", "output_index": index, **fields}


def added(index, kind, **fields):
    item = {"id": f"it_{index}", "type": kind, "status": "in_progress", **fields}
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index, kind, **fields):
    item = {"id": f"it_{index}", "type": kind, "status": "completed", **fields}
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def began():
    return (
        {"type": "response.created", "response": shell("in_progress")},
        {"type": "response.in_progress", "response": shell("in_progress")},
    )


def ended(status="completed", output=(), **fields):
    return {"type": f"response.{status}", "response": shell(status, output, usage=USAGE, **fields)}


def text_item(index, *pieces, ends=True):
    """A message of one part."""
    whole = "".join(pieces)
    part = {"type": "output_text", "text": whole, "annotations": []}
    found = [added(index, "message", role="assistant", content=[])]
    found.append(on("content_part.added", index, content_index=0, part={**part, "text": ""}))
    found += [on("output_text.delta", index, content_index=0, delta=piece, logprobs=[]) for piece in pieces]
    if ends:
        found.append(on("output_text.done", index, content_index=0, text=whole, logprobs=[]))
        found.append(on("content_part.done", index, content_index=0, part=part))
        found.append(done(index, "message", role="assistant", content=[part]))
    return found


def call_item(index, call_id, name, *pieces):
    """A function call."""
    said = {"call_id": call_id, "name": name}
    return [
        added(index, "function_call", **said, arguments=""),
        *(on("function_call_arguments.delta", index, delta=piece) for piece in pieces),
        on("function_call_arguments.done", index, name=name, arguments="".join(pieces)),
        done(index, "function_call", **said, arguments="".join(pieces)),
    ]


def reasoning_item(index, *parts, proof="enc"):
    """Reasoning with a summary of some parts."""
    found = [added(index, "reasoning", summary=[], encrypted_content="half")]
    for at, text in enumerate(parts):
        found.append(on("reasoning_summary_part.added", index, summary_index=at, part={"type": "summary_text"}))
        found.append(on("reasoning_summary_text.delta", index, summary_index=at, delta=text))
        found.append(on("reasoning_summary_text.done", index, summary_index=at, text=text))
    summary = [{"type": "summary_text", "text": text} for text in parts]
    return [*found, done(index, "reasoning", summary=summary, encrypted_content=proof)]


RESPONSES = frames(
    *began(),
    *reasoning_item(0, "Let me ", "see."),
    *text_item(1, "It is \u00e9", "\u2028 so."),
    *call_item(2, "c1", "look", '{"a":', " 1.0}"),
    *call_item(3, "c2", "look", "{}"),
    ended(),
)

_OF_PART = ("output_text.delta", "output_text.done", "refusal.delta", "refusal.done", "content_part.done")


def legal(data):
    """Fail unless the events keep the order and the numbering that clients of Responses rely on; the last response
    object."""
    found = [(name, json.loads(payload)) for name, payload in translate.payloads(data)]
    assert [one["type"] for _, one in found[:2]] == ["response.created", "response.in_progress"]
    assert [one["sequence_number"] for _, one in found] == list(range(len(found)))
    assert {one["response"]["id"] for _, one in found if "response" in one} == {found[0][1]["response"]["id"]}
    items, parts, open_items = [], {}, set()
    for name, one in found:
        kind = one["type"]
        assert name == kind
        if kind == "keepalive":
            continue
        short, index = kind.removeprefix("response."), one.get("output_index")
        if short == "output_item.added":
            assert index == len(items)
            items.append(one["item"])
            open_items.add(index)
        elif index is not None:
            assert index in open_items, kind
            assert one.get("item_id", items[index]["id"]) == items[index]["id"]
        if short == "content_part.added":
            parts[index, one["content_index"]] = ""
        elif short in _OF_PART:
            assert (index, one["content_index"]) in parts
            assert "logprobs" in one or not short.startswith("output_text")
        elif short == "output_item.done":
            open_items.remove(index)
            assert one["item"]["id"] == items[index]["id"]
            items[index] = one["item"]
        if short == "output_text.delta":
            parts[index, one["content_index"]] += one["delta"]
        elif short == "output_text.done":
            assert parts[index, one["content_index"]] == one["text"]
    last = found[-1][1]
    assert last["type"] in ("response.completed", "response.incomplete")
    assert last["response"]["output"] == items
    assert not open_items
    assert set(last["response"]["usage"]) == set(USAGE)
    assert sum("response" in one and one["response"]["status"] != "in_progress" for _, one in found) == 1
    return last["response"]


def gpt5(*items, **fields):
    """A Responses request."""
    return {"model": "x", "input": list(items), **fields}


def say(role, content):
    return {"type": "message", "role": role, "content": content}


def called(call_id="t1", name="look", arguments="{}", **fields):
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **fields}


def output(call_id="t1", said="ok", kind="function_call_output", **fields):
    return {"type": kind, "call_id": call_id, "output": said, **fields}


LOOK = {
    "type": "function",
    "name": "look",
    "description": "d",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
    "strict": False,
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Change files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
