"""Anthropic Messages: reads requests, and encodes replies."""

from collections.abc import Iterator

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
from router.demo.refusals import ThreadsUnsupported
from router.demo.script import Ask, Event, Reply, Tool, choose, sse, wanted_format


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
            tool=choose(_read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(output.get("format") or body.get("output_format")),
        )
        self._key = key

    def whole(self, reply: Reply) -> object:
        """The message as a whole."""
        block = self._open_block(reply)
        if reply.call is None:
            block["text"] = reply.text
        else:
            block["input"] = msgspec.Raw(reply.input.encode())
        return self._make_message([block], _get_stop_reason(reply), reply.tokens)

    def events(self, reply: Reply) -> Iterator[Event]:
        """message_start to message_stop, one content block."""
        yield _make_event("message_start", message=self._make_message([], None, 1))
        yield _make_event("content_block_start", index=0, content_block=self._open_block(reply))
        yield _make_event("ping")
        for piece in reply.pieces():
            delta = (
                {"type": "text_delta", "text": piece}
                if reply.call is None
                else {"type": "input_json_delta", "partial_json": piece}
            )
            yield Event(_make_event("content_block_delta", index=0, delta=delta).data, piece=True)
        yield _make_event("content_block_stop", index=0)
        delta = {"stop_reason": _get_stop_reason(reply), "stop_sequence": None}
        yield _make_event("message_delta", delta=delta, usage=self._make_usage(reply.tokens))
        yield _make_event("message_stop")

    def _open_block(self, reply: Reply) -> dict[str, object]:
        """The content block before its first delta."""
        if reply.call is None:
            return {"type": "text", "text": ""}
        return {"type": "tool_use", "id": f"toolu_{self._key}", "name": reply.call.name, "input": {}}

    def _make_message(self, content: list[dict[str, object]], stop_reason: str | None, output: int) -> object:
        return {
            "id": f"msg_{self._key}",
            "type": "message",
            "role": "assistant",
            "model": self.ask.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": self._make_usage(output),
        }

    def _make_usage(self, output: int) -> object:
        return {
            "input_tokens": tokens(self.ask.size),
            "output_tokens": output,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        }


def count(body: Object) -> object:
    """The answer of POST /v1/messages/count_tokens: the number that the same request reports as input_tokens."""
    conversation(body, "messages")
    return {"input_tokens": tokens(_measure_prompt(body))}


def _measure_prompt(body: Object) -> int:
    return weigh(body.get("system"), body.get("messages"), body.get("tools"))


def _make_event(kind: str, **fields: object) -> Event:
    return Event(sse({"type": kind, **fields}, kind))


def _get_stop_reason(reply: Reply) -> str:
    return "end_turn" if reply.call is None else "tool_use"


def _read_tools(value: Json) -> list[Tool]:
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
