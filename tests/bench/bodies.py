"""What the benchmark sends and what its upstream answers: bytes built once, the same in every run.

The upstream picks its behaviour by a marker in the first user message (`behave/NAME/NUMBER.`), so that nothing but
an ordinary request passes the relay.
"""

import json
from typing import Any

MODEL = "bench-model"
MARKER = b"behave/"
TURNS = 40
TOOLS = 25

_PROSE = "The relay reads each request, decides which backend owns the model and forwards it unchanged. "

Json = dict[str, Any]


def behave(name: str, number: int = 0) -> str:
    """The marker that makes the upstream answer in this way."""
    return f"{MARKER.decode()}{name}/{number}."


def behaviour(body: bytes | bytearray) -> tuple[str, int]:
    """Name and number of the marker in a request body; a plain answer without one."""
    start = body.find(MARKER)
    if start < 0:
        return "plain", 0
    name, number = bytes(body[start + len(MARKER) : body.index(b".", start)]).split(b"/")
    return name.decode(), int(number)


def small(marker: str, *, model: str = MODEL, stream: bool = False) -> bytes:
    """A Messages request of about 200 bytes."""
    text = f"{marker} Say in one sentence what a fairlead does on a boat, and why."
    return _dump({"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": text}], "stream": stream})


def agent(marker: str, *, model: str = MODEL, stream: bool = False) -> bytes:
    """The 120 KB a coding agent sends in mid-session: system blocks, 40 turns, 25 tools."""
    return _dump(
        {
            "model": model,
            "messages": [{"role": "user", "content": marker}, *(_turn(n) for n in range(1, TURNS))],
            "system": [
                {"type": "text", "text": _PROSE * 2},
                {"type": "text", "text": _PROSE * 120, "cache_control": {"type": "ephemeral"}},
            ],
            "tools": [_tool(n) for n in range(TOOLS)],
            "metadata": {"user_id": "bench"},
            "max_tokens": 32000,
            "stream": stream,
        }
    )


def _dump(value: Json) -> bytes:
    # The form of the SDKs and of JSON.stringify: compact, UTF-8.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _turn(number: int) -> Json:
    """Tool call and tool result by turns, as an agent's history has them."""
    code = "".join(f"{line:5d}\tif value[{line}] != 'a\\tb': total += {line * number}\n" for line in range(31))
    if number % 2:
        block = {"type": "tool_use", "id": f"toolu_{number:020d}", "name": "tool_3", "input": {"text": code}}
        return {"role": "assistant", "content": [{"type": "text", "text": _PROSE * 4}, block]}
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number - 1:020d}", "content": code}
    return {"role": "user", "content": [result, {"type": "text", "text": _PROSE * 4}]}


def _tool(number: int) -> Json:
    fields = {
        f"field_{n}": {"type": "string", "description": _PROSE, "enum": ["first", "second", "third"]} for n in range(5)
    }
    schema = {"type": "object", "properties": fields, "required": ["field_0"], "additionalProperties": False}
    return {"name": f"tool_{number}", "description": _PROSE * 6, "input_schema": schema}


# Answers

ANSWER = _dump(
    {
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": _PROSE * 7}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 42,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 30000,
            "output_tokens": 160,
            "service_tier": "standard",
        },
    }
)
CHAT_ANSWER = _dump(
    {
        "id": "chatcmpl-BenchBenchBench",
        "object": "chat.completion",
        "created": 1767225600,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": _PROSE * 7}, "finish_reason": "stop"},
        ],
        "usage": {
            "prompt_tokens": 30042,
            "completion_tokens": 160,
            "total_tokens": 30202,
            "prompt_tokens_details": {"cached_tokens": 30000},
        },
    }
)
CATALOG = b'{"data":[],"has_more":false,"first_id":null,"last_id":null}'


def preamble() -> list[bytes]:
    """The events before the first delta."""
    usage = {"input_tokens": 42, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 30000, "output_tokens": 1}
    message = {
        "id": "msg_01BenchBenchBenchBenchBe",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"type": "text", "text": ""}
    return [
        _event("message_start", message=message),
        _event("content_block_start", index=0, content_block=block),
    ]


def delta(number: int) -> bytes:
    """One text delta; about 110 bytes, as providers send."""
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": f" word{number}"})


def ending(tokens: int) -> list[bytes]:
    """The events after the last delta."""
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        _event("content_block_stop", index=0),
        _event("message_delta", delta=stop, usage={"output_tokens": tokens}),
        _event("message_stop"),
    ]


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _dump({"type": kind, **fields}))
