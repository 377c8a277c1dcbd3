"""Encodes neutral events as a Chat stream.

Rules of this file: the role stands in the first chunk and nowhere else; a call's id and name stand in its first chunk
and nowhere else; arguments are never empty in the end; one finish reason, then usage, then [DONE].

Reasoning is written as OpenRouter does: each piece as `reasoning_content` and as an entry of `reasoning_details`, and
the signature as an entry without text. Clients read one of the two fields, and either has the text once.

A call of a tool that takes free text has the type `function` in a stream, with the text in its arguments as
`{"input": …}`, and at its end also the field `custom` as OpenAI writes it. Python's accumulator raises at the type
`custom`, and so does the AI SDK. Whole answers have the type `custom`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from router.ir import (
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Cited,
    Ended,
    Event,
    Fault,
    Pinged,
    Redacted,
    RefusalDelta,
    Searched,
    Signed,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from router.wire import openai
from router.wire.chat import usage as chat_usage
from router.wire.chat.annotations import Annotations
from router.wire.chat.dialect import Chat
from router.wire.neutral.context import Context
from router.wire.neutral.logprobs import Logprob
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.raw import sse
from router.wire.raw.json.json_values import Json

FINISH: dict[Stop, str] = {
    "end": "stop",
    "sequence": "stop",
    "pause": "stop",
    "length": "length",
    "context": "length",
    "tool": "tool_calls",
    "refusal": "content_filter",
}
FORMAT = "anthropic-claude-v1"
_encode = msgspec.json.encode
_FORMAT_FIELD = f'"format":"{FORMAT}"'.encode()
_AFTER_TEXT = b'},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
_PING = Chat().ping(begun=True)


class ChatEncoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._head = b""
        self._refused = False
        self._thought: list[str] = []
        self._entries = 0
        # Characters of text so far, and those in front of the open block.
        self._length = 0
        self._block_start = 0
        self._annotations: Annotations | None = None
        self._empty: dict[int, bool] = {}
        self._custom: dict[int, tuple[CallBegan, list[str]]] = {}

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        return _WRITERS[type(event)](self, event)

    def _chunk(self, delta: bytes, finish: bytes = b"null", beside: bytes = b"") -> bytes:
        if not self._head:
            self._begin(f"chatcmpl-{self._ctx.new_id()}")
        return b'%b%b,"logprobs":null,"finish_reason":%b%b}],"usage":null}\n\n' % (
            self._head,
            delta,
            finish,
            beside,
        )

    def _begin(self, answer_id: str, model: str = "") -> None:
        announced = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": self._ctx.now,
            "model": self._ctx.name_model(model),
            "system_fingerprint": None,
        }
        self._head = b"data: " + _encode(announced)[:-1] + b',"choices":[{"index":0,"delta":'

    def _write_began(self, event: Began) -> bytes:
        if self._head:
            return b""
        self._begin(event.id or f"chatcmpl-{self._ctx.new_id()}", event.model)
        return self._chunk(b'{"role":"assistant","content":""}')

    def _write_text(self, event: TextDelta) -> bytes:
        text = event.text
        self._length += len(text)
        if not self._head:
            self._begin(f"chatcmpl-{self._ctx.new_id()}")
        made = self._head + b'{"content":' + _encode(text) + _AFTER_TEXT
        return self._add_logprobs(made, event.logprobs) if event.logprobs else made

    def _add_logprobs(self, made: bytes, given: tuple[Logprob, ...]) -> bytes:
        """A chunk with the log probabilities of its text."""
        if not self._ctx.logprobs:
            self._ctx.note_dropped("logprobs")
            return made
        head, _, tail = made.rpartition(b'"logprobs":null')
        return b'%b"logprobs":%b%b' % (head, _encode({"content": given, "refusal": None}), tail)

    def _write_cited(self, event: Cited) -> bytes:
        if self._annotations is None:
            self._annotations = Annotations()
        self._annotations.add(event.citation, self._block_start)
        return b""

    def _write_searched(self, event: Searched) -> bytes:
        """Chat tells of a search only by what the text cites."""
        self._ctx.note_dropped("web_search_call")
        return b""

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._refused = True
        return self._chunk(_encode({"refusal": event.text}))

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        self._thought.append(event.text)
        said = _encode(event.text)
        return self._chunk(
            b'{"reasoning_content":%b,"reasoning_details":[{"type":"reasoning.text","text":%b,%b,"index":%d}]}'
            % (said, said, _FORMAT_FIELD, self._entries)
        )

    def _write_signed(self, event: Signed) -> bytes:
        text = "".join(self._thought)
        self._thought.clear()
        sealed = self._ctx.sealer.seal("signature", event.signature, text)
        return self._write_detail({"type": "reasoning.text", "text": "", "signature": sealed, "format": FORMAT})

    def _write_redacted(self, event: Redacted) -> bytes:
        self._end_thought()
        sealed = self._ctx.sealer.seal("redacted", event.data, "")
        return self._write_detail({"type": "reasoning.encrypted", "data": sealed, "format": FORMAT})

    def _write_detail(self, entry: Json) -> bytes:
        entry["index"] = self._entries
        self._entries += 1
        return self._chunk(_encode({"reasoning_details": [entry]}))

    def _end_thought(self) -> None:
        """End reasoning that has no signature."""
        if self._thought:
            self._thought.clear()
            self._entries += 1

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        self._end_thought()
        if self._annotations is not None:
            self._annotations.end_block(self._length)
        self._block_start = self._length
        return b""

    def _write_call_began(self, event: CallBegan) -> bytes:
        if event.name in self._ctx.custom_tools:
            self._custom[event.index] = (event, [])
        self._empty[event.index] = True
        call = {
            "index": event.index,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        return self._chunk(b'{"tool_calls":[%b]}' % _encode(call))

    def _write_call_delta(self, event: CallDelta) -> bytes:
        if not event.fragment:
            return b""
        if event.index in self._custom:
            self._custom[event.index][1].append(event.fragment)
        self._empty[event.index] = False
        return self._write_arguments(event.index, event.fragment)

    def _write_arguments(self, index: int, fragment: str) -> bytes:
        return self._chunk(b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (index, _encode(fragment)))

    def _write_custom(self, began: CallBegan, arguments: str) -> bytes:
        # The empty arguments are for accumulators that require some in each piece of a function's call.
        entry: Json = {"index": began.index, "function": {"arguments": ""}}
        return self._chunk(_encode({"tool_calls": [{**entry, "custom": encode_custom(began.name, arguments)}]}))

    def _write_pinged(self, event: Pinged) -> bytes:
        return _PING

    def _write_ended(self, event: Ended) -> bytes:
        out = [self._write_arguments(index, "{}") for index, empty in self._empty.items() if empty]
        out += [self._write_custom(began, "".join(fragments)) for began, fragments in self._custom.values()]
        if event.stop == "refusal" and not self._refused:
            out.append(self._chunk(_encode({"refusal": openai.DECLINED})))
        if self._annotations is not None:
            out.append(self._chunk(_encode({"annotations": self._annotations.finish(self._length)})))
        beside = b',"stop_reason":' + _encode(event.stopped_by) if event.stopped_by else b""
        out.append(self._chunk(b"{}", _encode(FINISH[event.stop]), beside))
        usage = _encode(chat_usage.encode_usage(event.usage))
        out.append(self._head.partition(b'"choices":')[0] + b'"choices":[],"usage":' + usage + b"}\n\n")
        out.append(b"data: [DONE]\n\n")
        return b"".join(out)

    def _write_fault(self, event: Fault) -> bytes:
        return sse.frame(openai.encode_error(event, streamed=True)[1])


def encode_custom(name: str, arguments: str) -> Json:
    """The name and the text of a call of a tool that takes free text, with the text taken out of the arguments."""
    return {"name": name, "input": freeform_tools.unwrap(arguments)}


_WRITERS: dict[type, Callable[[ChatEncoder, Any], bytes]] = {
    Began: ChatEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: ChatEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: ChatEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
    Searched: ChatEncoder._write_searched,  # pyright: ignore[reportPrivateUsage]
    RefusalDelta: ChatEncoder._write_refusal,  # pyright: ignore[reportPrivateUsage]
    ThinkingDelta: ChatEncoder._write_thinking,  # pyright: ignore[reportPrivateUsage]
    Signed: ChatEncoder._write_signed,  # pyright: ignore[reportPrivateUsage]
    Redacted: ChatEncoder._write_redacted,  # pyright: ignore[reportPrivateUsage]
    BlockEnded: ChatEncoder._write_block_ended,  # pyright: ignore[reportPrivateUsage]
    CallBegan: ChatEncoder._write_call_began,  # pyright: ignore[reportPrivateUsage]
    CallDelta: ChatEncoder._write_call_delta,  # pyright: ignore[reportPrivateUsage]
    Pinged: ChatEncoder._write_pinged,  # pyright: ignore[reportPrivateUsage]
    Ended: ChatEncoder._write_ended,  # pyright: ignore[reportPrivateUsage]
    Fault: ChatEncoder._write_fault,  # pyright: ignore[reportPrivateUsage]
}
