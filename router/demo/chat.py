"""OpenAI Chat Completions: reads requests, and encodes replies."""

from collections.abc import Iterator

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
            tool=choose(read_tools(body.get("tools")), body.get("tool_choice")),
            result=_read_result(turns),
            format=wanted_format(body.get("response_format")),
        )
        self._key = key
        self._wants_usage = wants_usage(body)

    def whole(self, reply: Reply) -> object:
        """The completion, with as many choices as the reply has copies."""
        message: dict[str, object] = {"role": "assistant", "content": reply.text, "refusal": None}
        message["annotations"] = _list_citations(reply)
        if reply.thought:
            message["reasoning_content"] = reply.thought
        if reply.calls:
            message["content"] = reply.text or None
            message["tool_calls"] = [
                {**self._make_call_head(part, at), **_make_input(part, part.text)}
                for at, part in enumerate(reply.calls)
            ]
        choices = [
            {
                "index": index,
                "message": message,
                "logprobs": _make_logprobs(reply, reply.pieces()),
                "finish_reason": _get_finish_reason(reply),
            }
            for index in range(reply.copies)
        ]
        return {**self._make_frame("chat.completion"), "choices": choices, "usage": usage(self.ask.size, reply)}

    def events(self, reply: Reply) -> Iterator[Event]:
        """Chunks, choice after choice, a usage chunk if it is asked for, and [DONE]."""
        for index in range(reply.copies):
            yield from self._emit_choice(reply, index)
        if self._wants_usage:
            closing: dict[str, object] = {"choices": [], "usage": usage(self.ask.size, reply)}
            yield Event(sse({**self._make_frame("chat.completion.chunk"), **closing}))
        yield Event(DONE)

    def _emit_choice(self, reply: Reply, index: int) -> Iterator[Event]:
        first, count = True, 0
        for part in reply.parts:
            if part.kind == "call":
                yield self._make_chunk(index, self._make_call_delta(part, count, first=first))
            elif first:
                yield self._make_chunk(index, {"role": "assistant", "content": "", "refusal": None})
            for piece in part.pieces() if part.kind != "search" else ():
                delta = self._make_delta(part, piece, count)
                chunk = self._make_chunk(index, delta, logprobs=_make_logprobs(reply, [piece]))
                yield Event(chunk.data, piece=True)
            count += part.kind == "call"
            first = False
        if citations := _list_citations(reply):
            yield self._make_chunk(index, {"annotations": citations})
        yield self._make_chunk(index, {}, _get_finish_reason(reply))

    def _make_delta(self, part: Part, piece: str, count: int) -> object:
        if part.kind == "call":
            return {"tool_calls": [{"index": count, **_make_input(part, piece, named=False)}]}
        return {"reasoning_content" if part.kind == "thought" else "content": piece}

    def _make_call_delta(self, part: Part, count: int, *, first: bool) -> object:
        """The delta that begins a call, with its id, type and name; the first of a choice has the role as well."""
        call = {"index": count, **self._make_call_head(part, count), **_make_input(part, "")}
        return {**({"role": "assistant", "content": None} if first else {}), "tool_calls": [call]}

    def _make_call_head(self, part: Part, count: int) -> dict[str, object]:
        custom = part.tool is not None and part.tool.custom
        return {"id": number_id("call", self._key, count), "type": "custom" if custom else "function"}

    def _make_chunk(
        self, index: int, delta: object, finish_reason: str | None = None, *, logprobs: object = None
    ) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
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


def usage(size: int, reply: Reply) -> object:
    """The usage of a prompt of `size` bytes and its reply."""
    read, cached, stored = reply.count_input(size)
    return {
        "prompt_tokens": read,
        "completion_tokens": reply.tokens,
        "total_tokens": read + reply.tokens,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": stored, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens(len(reply.thought.encode())),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _make_input(part: Part, text: str, *, named: bool = True) -> dict[str, object]:
    """A call's input under the key of its kind; without the name in later deltas, since clients join names."""
    tool = part.tool
    custom = tool is not None and tool.custom
    detail: dict[str, object] = {"input" if custom else "arguments": text}
    name = {"name": tool.name} if named and tool is not None else {}
    return {"custom" if custom else "function": name | detail}


def _make_logprobs(reply: Reply, pieces: list[str]) -> object:
    """The probabilities of words: each was certain, since no other could come."""
    if reply.logprobs is None or not reply.text:
        return None
    certain = [{"token": piece, "logprob": 0.0, "bytes": list(piece.encode())} for piece in pieces]
    return {"content": [{**one, "top_logprobs": [one][: reply.logprobs]} for one in certain], "refusal": None}


def _list_citations(reply: Reply) -> list[object]:
    """The page that a search found, which the whole text rests on."""
    where = {"start_index": 0, "end_index": len(reply.text)}
    found = {"type": "url_citation", "url_citation": {"url": PAGE.url, "title": PAGE.title, **where}}
    return [found for part in reply.parts if part.kind == "search"]


def _get_finish_reason(reply: Reply) -> str:
    return "stop" if reply.finish == "stop_sequence" else reply.finish


def read_tools(value: Json) -> list[Tool]:
    """The tools that the client runs itself."""
    found: list[Tool] = []
    for tool in objects(value):
        custom = tool.get("type") == "custom"
        detail = as_object(tool.get("custom" if custom else "function"))
        if name := as_text(detail.get("name")):
            found.append(
                Tool(
                    name=name,
                    schema=as_object(detail.get("parameters")),
                    custom=custom,
                    grammar=read_grammar(detail.get("format")),
                )
            )
    return found


def _read_result(turns: list[Object]) -> str | None:
    results: list[str] = []
    for turn in reversed(without_notes(turns)):
        if turn.get("role") not in ("tool", "function"):
            break
        results.append(text_of(turn.get("content")))
    return "\n".join(reversed(results)) if results else None
