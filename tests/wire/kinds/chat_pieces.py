"""What Chat answers of cases are made of: chunks, streams, whole answers, calls and citations."""

import json

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
DONE = b"data: [DONE]\n\n"
WEATHER = ("look", {"city": "Rome"})
TIME = ("look", {"city": "Oslo"})
SO = "It is so."


def event(data):
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(*choices, **beside):
    return event(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | beside
    )


def part(delta, finish=None, index=0, **beside):
    """One choice of a chunk."""
    return {"index": index, "delta": delta, "finish_reason": finish, **beside}


def stream(*deltas, finish="stop", **beside):
    """A stream of these deltas of one choice, with its finish reason and usage."""
    parts = [
        chunk(part({"role": "assistant", "content": ""}), **beside),
        *(chunk(part(one), **beside) for one in deltas),
    ]
    parts += [chunk(part({}, finish), **beside), chunk(usage=USAGE, **beside), DONE]
    return b"".join(parts)


def whole(message, *others, finish="stop", choice=(), **beside):
    """A whole answer. others: the messages of further choices. choice: fields of the first choice."""
    choices = [
        {"index": at, "message": {"role": "assistant", "content": None, **one}, "finish_reason": finish}
        for at, one in enumerate((message, *others))
    ]
    choices[0] |= dict(choice)
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": USAGE}
    return json.dumps(answer | beside).encode()


def entry(call, call_id=None, index=None, arguments=None, **function):
    """One entry of tool_calls; what is None is left out. call: name and arguments, or None for arguments only."""
    if call is not None:
        function = {"name": call[0], "arguments": json.dumps(call[1]) if arguments is None else arguments, **function}
    else:
        function = {"arguments": arguments, **function}
    made = {"index": index, "id": call_id, "type": "function" if call else None, "function": function}
    return {name: value for name, value in made.items() if value is not None}


def calls(*entries, **fields):
    return {"tool_calls": list(entries), **fields}


def cite(url, **fields):
    return {"type": "url_citation", "url_citation": {"url": url, "title": "T", "content": "Words.", **fields}}
