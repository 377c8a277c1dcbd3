"""Encodes neutral events as a Chat stream.

Rules of this file: the role stands in the first chunk and nowhere else; a call's id and name stand in its first chunk
and nowhere else; arguments are never empty in the end; one finish reason, then usage, then [DONE].
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
    Signed,
    Stop,
    TextDelta,
    ThinkingDelta,
)
from router.wire import openai
from router.wire.chat import usage as chat_usage
from router.wire.chat.dialect import Chat
from router.wire.neutral.context import Context
from router.wire.raw import sse
from router.wire.raw.json_values import Json

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
_PING = Chat().ping(begun=True)


class ChatEncoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._head = b""
        self._refused = False
        self._thought: list[str] = []
        self._entries = 0
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
        return self._chunk(b'{"content":%b}' % _encode(event.text))

    def _write_cited(self, event: Cited) -> bytes:
        self._ctx.note_dropped("citations")
        return b""

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._refused = True
        return self._chunk(_encode({"refusal": event.text}))

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        self._thought.append(event.text)
        return self._chunk(b'{"reasoning_content":%b}' % _encode(event.text))

    def _write_signed(self, event: Signed) -> bytes:
        text = "".join(self._thought)
        self._thought.clear()
        sealed = self._ctx.sealer.seal("signature", event.signature, text)
        entry: Json = {"type": "reasoning.text", "text": text, "signature": sealed, "format": FORMAT}
        return self._write_detail(entry)

    def _write_redacted(self, event: Redacted) -> bytes:
        sealed = self._ctx.sealer.seal("redacted", event.data, "")
        return self._write_detail({"type": "reasoning.encrypted", "data": sealed, "format": FORMAT})

    def _write_detail(self, entry: Json) -> bytes:
        entry["index"] = self._entries
        self._entries += 1
        return self._chunk(_encode({"reasoning_details": [entry]}))

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        self._thought.clear()
        return b""

    def _write_call_began(self, event: CallBegan) -> bytes:
        if event.name in self._ctx.custom_tools:
            self._custom[event.index] = (event, [])
            return b""
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
            return b""
        self._empty[event.index] = False
        return self._write_arguments(event.index, event.fragment)

    def _write_arguments(self, index: int, fragment: str) -> bytes:
        return self._chunk(b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (index, _encode(fragment)))

    def _write_pinged(self, event: Pinged) -> bytes:
        return _PING

    def _write_ended(self, event: Ended) -> bytes:
        out = [self._write_arguments(index, "{}") for index, empty in self._empty.items() if empty]
        for began, fragments in self._custom.values():
            out.append(
                self._chunk(_encode({"tool_calls": [encode_custom_call(began, "".join(fragments), began.index)]}))
            )
        if event.stop == "refusal" and not self._refused:
            out.append(self._chunk(_encode({"refusal": openai.DECLINED})))
        beside = b',"stop_reason":' + _encode(event.stopped_by) if event.stopped_by else b""
        out.append(self._chunk(b"{}", _encode(FINISH[event.stop]), beside))
        usage = _encode(chat_usage.encode_usage(event.usage))
        out.append(self._head.partition(b'"choices":')[0] + b'"choices":[],"usage":' + usage + b"}\n\n")
        out.append(b"data: [DONE]\n\n")
        return b"".join(out)

    def _write_fault(self, event: Fault) -> bytes:
        return sse.frame(openai.encode_error(event, streamed=True)[1])


def encode_custom_call(began: CallBegan, arguments: str, index: int | None = None) -> Json:
    """A call of a tool that takes free text, with the text taken out of the arguments."""
    try:
        found: object = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        found = None
    text = found.get("input") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    call: Json = {"id": began.id, "type": "custom"}
    call["custom"] = {"name": began.name, "input": text if isinstance(text, str) else arguments}
    return call if index is None else {"index": index, **call}


_WRITERS: dict[type, Callable[[ChatEncoder, Any], bytes]] = {
    Began: ChatEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: ChatEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: ChatEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
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
