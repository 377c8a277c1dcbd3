"""OpenAI Chat Completions: reads requests, and encodes replies."""

from collections.abc import Iterator

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

DONE = b"data: [DONE]\n\n"


class Chat:
    """One POST /v1/chat/completions. Raises BadRequest without messages."""

    def __init__(self, body: Object, model: str, key: str):
        turns = conversation(body, "messages")
        self.ask = Ask(
            model=model,
            stream=body.get("stream") is True,
            text=last_text(turns),
            size=weigh(body.get("messages"), body.get("tools")),
            tool=choose(_read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(body.get("response_format")),
        )
        self._key = key
        self._wants_usage = wants_usage(body)

    def whole(self, reply: Reply) -> object:
        """The completion, one choice."""
        message: dict[str, object] = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
        if reply.call is not None:
            message["content"] = None
            message["tool_calls"] = [{**self._make_call_head(reply.call), **_make_input(reply.call, reply.input)}]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _get_finish_reason(reply)}
        return {**self._make_frame("chat.completion"), "choices": [choice], "usage": usage(self.ask.size, reply.tokens)}

    def events(self, reply: Reply) -> Iterator[Event]:
        """Chunks, a usage chunk if it is asked for, and [DONE]."""
        yield self._make_chunk(self._make_first_delta(reply))
        for piece in reply.pieces():
            delta = {"content": piece}
            if reply.call is not None:
                delta = {"tool_calls": [{"index": 0, **_make_input(reply.call, piece, named=False)}]}
            yield Event(self._make_chunk(delta).data, piece=True)
        yield self._make_chunk({}, _get_finish_reason(reply))
        if self._wants_usage:
            closing: dict[str, object] = {"choices": [], "usage": usage(self.ask.size, reply.tokens)}
            yield Event(sse({**self._make_frame("chat.completion.chunk"), **closing}))
        yield Event(DONE)

    def _make_first_delta(self, reply: Reply) -> object:
        """The first delta: the only one that has the role, and a call's id, type and name."""
        if reply.call is None:
            return {"role": "assistant", "content": "", "refusal": None}
        call = {"index": 0, **self._make_call_head(reply.call), **_make_input(reply.call, "")}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    def _make_call_head(self, tool: Tool) -> dict[str, object]:
        return {"id": f"call_{self._key}", "type": "custom" if tool.custom else "function"}

    def _make_chunk(self, delta: object, finish_reason: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk: dict[str, object] = {**self._make_frame("chat.completion.chunk"), "choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return Event(sse(chunk))

    def _make_frame(self, kind: str) -> dict[str, object]:
        return {
            "id": f"chatcmpl-{self._key}",
            "object": kind,
            "created": CREATED,
            "model": self.ask.model,
            "service_tier": "default",
            "system_fingerprint": "fp_demo",
        }


def wants_usage(body: Object) -> bool:
    """True when the request asks for a usage chunk at the end of the stream."""
    return as_object(body.get("stream_options")).get("include_usage") is True


def usage(size: int, output: int) -> object:
    """The usage of a prompt of `size` bytes and `output` tokens."""
    return {
        "prompt_tokens": tokens(size),
        "completion_tokens": output,
        "total_tokens": tokens(size) + output,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _make_input(tool: Tool, text: str, *, named: bool = True) -> dict[str, object]:
    """A call's input under the key of its kind; without the name in later deltas, since clients join names."""
    detail = {"input" if tool.custom else "arguments": text}
    return {"custom" if tool.custom else "function": {"name": tool.name, **detail} if named else detail}


def _get_finish_reason(reply: Reply) -> str:
    return "stop" if reply.call is None else "tool_calls"


def _read_tools(value: Json) -> list[Tool]:
    found: list[Tool] = []
    for tool in objects(value):
        custom = tool.get("type") == "custom"
        detail = as_object(tool.get("custom" if custom else "function"))
        if name := as_text(detail.get("name")):
            found.append(Tool(name=name, schema=as_object(detail.get("parameters")), custom=custom))
    return found


def _read_result(turns: list[Object]) -> str | None:
    results: list[str] = []
    for turn in reversed(without_notes(turns)):
        if turn.get("role") not in ("tool", "function"):
            break
        results.append(text_of(turn.get("content")))
    return "\n".join(reversed(results)) if results else None
