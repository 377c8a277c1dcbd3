"""Anthropic Messages: reads requests, and encodes replies."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

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
    text_of,
    tokens,
    weigh,
    without_notes,
)
from router.demo.refusals import ThreadsUnsupported
from router.demo.reply import PAGE, Event, Part, Reply, Tool
from router.demo.script import Ask, choose, compact, sse, wanted_format


class Messages:
    """One POST /v1/messages. Raises BadRequest without messages."""

    def __init__(self, body: Object, model: str, key: str):
        if body.get("thread") is not None:
            raise ThreadsUnsupported("thread: the demo backend keeps no conversations; send the whole one.")
        turns = conversation(body, "messages")
        output = as_object(body.get("output_config"))
        self.ask = Ask(
            model=model,
            stream=body.get("stream") is True,
            text=last_text(turns),
            size=_measure_prompt(body),
            tool=choose(read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(output.get("format") or body.get("output_format")),
        )
        self._key = key

    def whole(self, reply: Reply) -> object:
        """The message as a whole."""
        content = [block for at, part in enumerate(reply.parts) for block in self._make_blocks(part, at)]
        return self._make_message(content, reply, done=True)

    def events(self, reply: Reply) -> Iterator[Event]:
        """message_start to message_stop, block after block."""
        yield _make_event("message_start", message=self._make_message([], reply, done=False))
        index = 0
        for at, part in enumerate(reply.parts):
            for block in self._make_blocks(part, at):
                yield from _emit_block(index, block, part)
                index += 1
        delta = {"stop_reason": _STOP_REASONS[reply.finish], "stop_sequence": reply.stop}
        yield _make_event("message_delta", delta=delta, usage=self._make_usage(reply, reply.tokens))
        yield _make_event("message_stop")

    def _make_blocks(self, part: Part, at: int) -> list[dict[str, object]]:
        """The content blocks of a part. at: its place in the reply."""
        if part.kind == "thought":
            return [{"type": "thinking", "thinking": part.text, "signature": part.proof}]
        if part.kind == "search":
            return _make_search(part, number_id("srvtoolu", self._key, at))
        if part.tool is None:
            return [{"type": "text", "text": part.text}]
        name, given = part.tool.name, msgspec.Raw(part.text.encode())
        return [{"type": "tool_use", "id": number_id("toolu", self._key, at), "name": name, "input": given}]

    def _make_message(self, content: list[dict[str, object]], reply: Reply, *, done: bool) -> object:
        return {
            "id": f"msg_{self._key}",
            "type": "message",
            "role": "assistant",
            "model": self.ask.model,
            "content": content,
            "stop_reason": _STOP_REASONS[reply.finish] if done else None,
            "stop_sequence": reply.stop if done else None,
            "usage": self._make_usage(reply, reply.tokens if done else 1),
        }

    def _make_usage(self, reply: Reply, output: int) -> object:
        read, cached, stored = reply.count_input(self.ask.size)
        return {
            "input_tokens": read - cached - stored,
            "output_tokens": output,
            "cache_creation_input_tokens": stored,
            "cache_read_input_tokens": cached,
            "cache_creation": {"ephemeral_5m_input_tokens": stored, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        }


# Field of a content block -> the type and field of the delta that brings it. Other blocks begin whole.
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "input": ("input_json_delta", "partial_json"),
    "signature": ("signature_delta", "signature"),
}
_EMPTY: Mapping[str, object] = MappingProxyType({"text": "", "thinking": "", "input": {}, "signature": ""})
_STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "stop_sequence": "stop_sequence"}


def _emit_block(index: int, block: dict[str, object], part: Part) -> Iterator[Event]:
    """The events of a content block; after the start of the first there is a ping, as Anthropic sends it."""
    begun = {name: _EMPTY.get(name, value) for name, value in block.items()}
    whole = block["type"] == "web_search_tool_result"
    yield _make_event("content_block_start", index=index, content_block=block if whole else begun)
    if index == 0:
        yield _make_event("ping")
    for name in () if whole else [name for name in block if name in _DELTAS]:
        kind, field = _DELTAS[name]
        for piece in [part.proof] if name == "signature" else _cut_pieces(block, part):
            delta = {"type": kind, field: piece}
            yield Event(_make_event("content_block_delta", index=index, delta=delta).data, piece=True)
    yield _make_event("content_block_stop", index=index)


def _cut_pieces(block: dict[str, object], part: Part) -> list[str]:
    return [compact(block["input"])] if part.kind == "search" else part.pieces()


def _make_search(part: Part, name: str) -> list[dict[str, object]]:
    """A search, which found the one page that the demo knows."""
    found = {"type": "web_search_result", "title": PAGE.title, "url": PAGE.url, "page_age": None}
    return [
        {"type": "server_tool_use", "id": name, "name": "web_search", "input": {"query": part.text}},
        {"type": "web_search_tool_result", "tool_use_id": name, "content": [{**found, "encrypted_content": "demo"}]},
    ]


def count(body: Object) -> object:
    """The answer of POST /v1/messages/count_tokens: the number that the same request reports as input_tokens."""
    conversation(body, "messages")
    return {"input_tokens": tokens(_measure_prompt(body))}


def _measure_prompt(body: Object) -> int:
    return weigh(body.get("system"), body.get("messages"), body.get("tools"))


def _make_event(kind: str, **fields: object) -> Event:
    return Event(sse({"type": kind, **fields}, kind))


def read_tools(value: Json) -> list[Tool]:
    """The tools that the client runs itself and has loaded; server tools have types of their own."""
    return [
        Tool(name=as_text(tool["name"]), schema=as_object(tool.get("input_schema")))
        for tool in objects(value)
        if as_text(tool.get("name")) and tool.get("type") in (None, "custom") and tool.get("defer_loading") is not True
    ]


def _read_result(turns: list[Object]) -> str | None:
    last = (without_notes(turns) or [{}])[-1]
    blocks = [block for block in objects(last.get("content")) if block.get("type") == "tool_result"]
    return "\n".join(text_of(block.get("content")) for block in blocks) if blocks else None
