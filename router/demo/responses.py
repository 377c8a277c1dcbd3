"""OpenAI Responses: reads requests, and encodes replies. Only demo-full goes on from a previous_response_id."""

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
    number_id,
    objects,
    read_grammar,
    text_of,
    tokens,
    weigh,
    without_notes,
)
from router.demo.reply import PAGE, Event, Part, Reply, Tool
from router.demo.script import CREATED, Ask, choose, sse, wanted_format

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
        turns = read_turns(body)
        self.ask = Ask(
            model=model,
            stream=body.get("stream") is True,
            text=last_text(turns),
            size=_measure_prompt(body),
            tool=choose(read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(as_object(body.get("text")).get("format")),
        )
        self._key = key
        #: Of the response.
        self.id = f"resp_{key}"
        self._summarizes = as_text(as_object(body.get("reasoning")).get("summary")) != ""
        included = body.get("include")
        self._seals = isinstance(included, list) and "reasoning.encrypted_content" in included
        # Encoded here, so that a value that cannot be encoded is refused before a stream begins.
        self._repeated = {
            name: msgspec.Raw(msgspec.json.encode(default if (value := body.get(name)) is None else value))
            for name, default in _REPEATED.items()
        }

    def whole(self, reply: Reply) -> object:
        """The response."""
        return self._make_response(reply, self.make_output(reply))

    def make_output(self, reply: Reply) -> list[dict[str, object]]:
        """The output items, an item for each part."""
        return [self._make_item(part, at, done=True) for at, part in enumerate(reply.parts)]

    def events(self, reply: Reply) -> Iterator[Event]:
        """response.created to response.completed, numbered from 0."""
        numbers = itertools.count()

        def emit(kind: str, *, piece: bool = False, **fields: object) -> Event:
            return Event(sse({"type": kind, **fields, "sequence_number": next(numbers)}, kind), piece)

        begun = self._make_response(reply, None)
        yield emit("response.created", response=begun)
        yield emit("response.in_progress", response=begun)
        for at, part in enumerate(reply.parts):
            item = self._make_item(part, at, done=False)
            yield emit("response.output_item.added", output_index=at, item=item)
            where: dict[str, object] = {"item_id": item["id"], "output_index": at}
            yield from self._emit_part(part, where, emit)
            yield emit("response.output_item.done", output_index=at, item=self._make_item(part, at, done=True))
        response = self._make_response(reply, self.make_output(reply))
        yield emit("response.incomplete" if reply.finish == "length" else "response.completed", response=response)

    def _emit_part(self, part: Part, where: dict[str, object], emit: _Emit) -> Iterator[Event]:
        if part.kind == "call":
            yield from _emit_call(part, where, emit)
        elif part.kind == "search":
            for step in ("in_progress", "searching", "completed"):
                yield emit(f"response.web_search_call.{step}", **where)
        elif part.kind == "text":
            yield from _emit_text(part, where, emit)
        elif part.kind == "thought" and self._summarizes:
            yield from _emit_summary(part, where, emit)

    def _make_item(self, part: Part, at: int, *, done: bool) -> dict[str, object]:
        """The output item of a part, the one at that place: whole when done, else as it is before its first delta."""
        item: dict[str, object] = {"id": number_id(_name_prefix(part), self._key, at)}
        status = {"status": "completed" if done else "in_progress"}
        if part.kind == "compaction":
            return item | {"type": "compaction", "encrypted_content": part.text}
        if part.kind == "thought":
            summary = [_make_summary(part.text)] if done and self._summarizes else []
            sealed = {"encrypted_content": part.proof} if self._seals else {}
            return item | {"type": "reasoning", "summary": summary, **sealed}
        if part.kind == "search":
            action = {"type": "search", "query": part.text, "sources": [{"type": "url", "url": PAGE.url}]}
            return item | {"type": "web_search_call", **status, "action": action}
        if part.tool is None:
            content = [_make_part(part.text)] if done else []
            return item | {"type": "message", **status, "role": "assistant", "content": content}
        kind, field = ("custom_tool_call", "input") if part.tool.custom else ("function_call", "arguments")
        space = {"namespace": part.tool.namespace} if part.tool.namespace else {}
        call = {"type": kind, **status, "call_id": number_id("call", self._key, at), "name": part.tool.name, **space}
        return item | call | {field: part.text if done else ""}

    def _make_response(self, reply: Reply, output: list[dict[str, object]] | None) -> object:
        """The response object; output: its items, None while it is in progress."""
        short = output is not None and reply.finish == "length"
        status = "incomplete" if short else "completed"
        return {
            "id": self.id,
            "object": "response",
            "created_at": CREATED,
            "status": "in_progress" if output is None else status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if short else None,
            "model": self.ask.model,
            "output": output or [],
            **self._repeated,
            "usage": None if output is None else _make_usage(reply, self.ask.size),
        }


def _emit_text(part: Part, where: dict[str, object], emit: _Emit) -> Iterator[Event]:
    where = {**where, "content_index": 0}
    yield emit("response.content_part.added", **where, part=_make_part(""))
    for piece in part.pieces():
        yield emit("response.output_text.delta", piece=True, **where, delta=piece, logprobs=[])
    yield emit("response.output_text.done", **where, text=part.text, logprobs=[])
    yield emit("response.content_part.done", **where, part=_make_part(part.text))


def _emit_summary(part: Part, where: dict[str, object], emit: _Emit) -> Iterator[Event]:
    where = {**where, "summary_index": 0}
    yield emit("response.reasoning_summary_part.added", **where, part=_make_summary(""))
    for piece in part.pieces():
        yield emit("response.reasoning_summary_text.delta", piece=True, **where, delta=piece)
    yield emit("response.reasoning_summary_text.done", **where, text=part.text)
    yield emit("response.reasoning_summary_part.done", **where, part=_make_summary(part.text))


def _emit_call(part: Part, where: dict[str, object], emit: _Emit) -> Iterator[Event]:
    custom = part.tool is not None and part.tool.custom
    kind = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
    for piece in part.pieces():
        yield emit(f"{kind}.delta", piece=True, **where, delta=piece)
    yield emit(f"{kind}.done", **where, **{"input" if custom else "arguments": part.text})


def _name_prefix(part: Part) -> str:
    if part.tool is not None:
        return "ctc" if part.tool.custom else "fc"
    return {"thought": "rs", "search": "ws", "compaction": "cmp"}.get(part.kind, "msg")


def count(body: Object) -> object:
    """The answer of POST /v1/responses/input_tokens: the number that the same request reports as input_tokens."""
    read_turns(body)
    return {"object": "response.input_tokens", "input_tokens": tokens(_measure_prompt(body))}


def _make_usage(reply: Reply, size: int) -> object:
    read, cached, stored = reply.count_input(size)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": stored},
        "output_tokens": reply.tokens,
        "output_tokens_details": {"reasoning_tokens": tokens(len(reply.thought.encode()))},
        "total_tokens": read + reply.tokens,
    }


def _make_summary(text: str) -> object:
    return {"type": "summary_text", "text": text}


def _make_part(text: str) -> object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _measure_prompt(body: Object) -> int:
    return weigh(body.get("instructions"), body.get("input"), body.get("tools"))


def read_turns(body: Object) -> list[Object]:
    """The input as items. Raises BadRequest without any."""
    text = body.get("input")
    return [{"role": "user", "content": text}] if isinstance(text, str) else conversation(body, "input")


def read_tools(value: Json, namespace: str = "") -> list[Tool]:
    """Functions and custom tools; all others run at OpenAI or in one client only."""
    return [
        Tool(
            name=as_text(tool["name"]),
            schema=as_object(tool.get("parameters")),
            custom=tool["type"] == "custom",
            namespace=namespace,
            grammar=read_grammar(tool.get("format")),
        )
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
