"""OpenAI Responses: reads requests, and encodes replies. Nothing is stored: previous_response_id is only echoed."""

import itertools
from collections.abc import Callable, Iterator

import msgspec

from router.demo.body import (
    Json,
    Object,
    as_object,
    as_text,
    conversation,
    last_text,
    objects,
    text_of,
    tokens,
    weigh,
    without_notes,
)
from router.demo.script import CREATED, Ask, Event, Reply, Tool, choose, sse, wanted_format

# Request parameters that a response repeats, with their default values.
_REPEATED: Object = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}

_Emit = Callable[..., Event]


class Responses:
    """One POST /v1/responses. Raises BadRequest without input."""

    def __init__(self, body: Object, model: str, key: str):
        turns = _read_turns(body)
        self.ask = Ask(
            model=model,
            stream=body.get("stream") is True,
            text=last_text(turns),
            size=_measure_prompt(body),
            tool=choose(_read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(as_object(body.get("text")).get("format")),
        )
        self._key = key
        # Encoded here, so that a value that cannot be encoded is refused before a stream begins.
        self._repeated = {
            name: msgspec.Raw(msgspec.json.encode(default if (value := body.get(name)) is None else value))
            for name, default in _REPEATED.items()
        }

    def whole(self, reply: Reply) -> object:
        """The response, one output item."""
        return self._make_response("completed", [self._make_item(reply, done=True)], reply.tokens)

    def events(self, reply: Reply) -> Iterator[Event]:
        """response.created to response.completed, numbered from 0."""
        numbers = itertools.count()

        def emit(kind: str, *, piece: bool = False, **fields: object) -> Event:
            return Event(sse({"type": kind, **fields, "sequence_number": next(numbers)}, kind), piece)

        done = self._make_item(reply, done=True)
        begun = self._make_response("in_progress", [], None)
        yield emit("response.created", response=begun)
        yield emit("response.in_progress", response=begun)
        yield emit("response.output_item.added", output_index=0, item=self._make_item(reply, done=False))
        yield from self._emit_message(reply, emit) if reply.call is None else self._emit_call(reply, emit)
        yield emit("response.output_item.done", output_index=0, item=done)
        yield emit("response.completed", response=self._make_response("completed", [done], reply.tokens))

    def _emit_message(self, reply: Reply, emit: _Emit) -> Iterator[Event]:
        where: dict[str, object] = {"item_id": self._make_item_id(reply), "output_index": 0, "content_index": 0}
        yield emit("response.content_part.added", **where, part=_make_part(""))
        for piece in reply.pieces():
            yield emit("response.output_text.delta", piece=True, **where, delta=piece, logprobs=[])
        yield emit("response.output_text.done", **where, text=reply.text, logprobs=[])
        yield emit("response.content_part.done", **where, part=_make_part(reply.text))

    def _emit_call(self, reply: Reply, emit: _Emit) -> Iterator[Event]:
        custom = reply.call is not None and reply.call.custom
        kind = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
        where: dict[str, object] = {"item_id": self._make_item_id(reply), "output_index": 0}
        for piece in reply.pieces():
            yield emit(f"{kind}.delta", piece=True, **where, delta=piece)
        yield emit(f"{kind}.done", **where, **{"input" if custom else "arguments": reply.input})

    def _make_item_id(self, reply: Reply) -> str:
        if reply.call is None:
            return f"msg_{self._key}"
        return f"ctc_{self._key}" if reply.call.custom else f"fc_{self._key}"

    def _make_item(self, reply: Reply, *, done: bool) -> dict[str, object]:
        """The output item: whole when done, else as it is before its first delta."""
        item: dict[str, object] = {
            "id": self._make_item_id(reply),
            "type": "message",
            "status": "completed" if done else "in_progress",
        }
        if reply.call is None:
            return item | {"role": "assistant", "content": [_make_part(reply.text)] if done else []}
        kind, field = ("custom_tool_call", "input") if reply.call.custom else ("function_call", "arguments")
        call = {"type": kind, "call_id": f"call_{self._key}", "name": reply.call.name}
        return item | call | {field: reply.input if done else ""}

    def _make_response(self, status: str, output: list[dict[str, object]], written: int | None) -> object:
        """The response object; `written` is its count of output tokens, None while it is in progress."""
        return {
            "id": f"resp_{self._key}",
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self.ask.model,
            "output": output,
            **self._repeated,
            "usage": None if written is None else _make_usage(tokens(self.ask.size), written),
        }


def count(body: Object) -> object:
    """The answer of POST /v1/responses/input_tokens: the number that the same request reports as input_tokens."""
    _read_turns(body)
    return {"object": "response.input_tokens", "input_tokens": tokens(_measure_prompt(body))}


def _make_usage(read: int, written: int) -> object:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


def _make_part(text: str) -> object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _measure_prompt(body: Object) -> int:
    return weigh(body.get("instructions"), body.get("input"), body.get("tools"))


def _read_turns(body: Object) -> list[Object]:
    text = body.get("input")
    return [{"role": "user", "content": text}] if isinstance(text, str) else conversation(body, "input")


def _read_tools(value: Json) -> list[Tool]:
    """Functions and custom tools; all others run at OpenAI or in one client only."""
    return [
        Tool(name=as_text(tool["name"]), schema=as_object(tool.get("parameters")), custom=tool["type"] == "custom")
        for tool in objects(value)
        if tool.get("type") in ("function", "custom") and as_text(tool.get("name"))
    ]


def _read_result(turns: list[Object]) -> str | None:
    results: list[str] = []
    for turn in reversed(without_notes(turns)):
        if not as_text(turn.get("type")).endswith("_output"):
            break
        results.append(text_of(turn.get("output")))
    return "\n".join(reversed(results)) if results else None
