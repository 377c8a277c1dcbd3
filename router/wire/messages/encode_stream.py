"""Encodes neutral events as a Messages stream.

Rules of this file: blocks are numbered 0, 1, 2 … as they start and only one is open at a time; a call that begins while
another is being written waits until the arguments of that one are a whole JSON object, or until the end; arguments that
are not an object are never sent as if they were.
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
    Usage,
)
from router.wire.conversation.identifiers import to_messages_id
from router.wire.messages import usage
from router.wire.messages.dialect import Messages
from router.wire.messages.errors import encode_error
from router.wire.messages.searches import SearchWriter
from router.wire.neutral.context import Context
from router.wire.raw import sse
from router.wire.raw.json import json_values, large_json
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.object_end import ObjectEnd

STOP_REASONS: dict[Stop, str] = {
    "end": "end_turn",
    "sequence": "stop_sequence",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "tool": "tool_use",
    "pause": "end_turn",
    "refusal": "refusal",
}
_BAD_ARGUMENTS = "The upstream produced invalid tool arguments."
_encode = msgspec.json.encode
# A piece of a block: its index, kind, and the name of its text, which follows.
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END = b"}}\n\n"
_PING = Messages().ping(begun=True)


class _Call:
    __slots__ = ("_end", "_read", "_whole", "began", "fragments", "sent")

    def __init__(self, began: CallBegan):
        self.began = began
        self.fragments: list[str] = []
        self.sent = False
        # How far the arguments have come, how many fragments that was read from, and the verdict; None before it.
        self._end: ObjectEnd | None = None
        self._read = 0
        self._whole: bool | None = None

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)

    @property
    def is_whole(self) -> bool:
        """True once the arguments are a whole object. Each fragment is read once, however often this is asked: the
        arguments may be megabytes, and a thousand calls may begin behind them."""
        if self._whole is None:
            end = self._end = self._end or ObjectEnd()
            for fragment in self.fragments[self._read :]:
                end.feed(fragment)
            self._read = len(self.fragments)
            if not end.closed:
                return False
            # Behind what is closed nothing makes it an object.
            self._whole = json_values.as_raw_object(self.arguments) is not None
        return self._whole


class MessagesEncoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._begun = False
        self._failed = False
        self._index = -1
        # What is open: "", "text", "thinking", or a call.
        self._kind: str = ""
        # What stands before each piece of the open text.
        self._text_head = b""
        self._call: _Call | None = None
        self._calls: dict[int, _Call] = {}
        self._thought: list[str] = []
        self._proof = ""
        self._refusal: list[str] = []
        self._searches = SearchWriter(ctx)
        # Searches that were made while a call was being written.
        self._late: list[Json] = []

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        return b"" if self._failed else _WRITERS[type(event)](self, event)

    def _write_began(self, event: Began) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: Json = {
            "id": event.id if event.id.startswith("msg_") else f"msg_{self._ctx.new_id()}",
            "type": "message",
            "role": "assistant",
            "model": self._ctx.name_model(event.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage.encode_usage(event.usage),
        }
        return sse.frame(_encode({"type": "message_start", "message": message}), "message_start")

    def _write_text(self, event: TextDelta) -> bytes:
        opened = b"" if self._kind == "text" else self._open_text()
        if event.logprobs:
            self._ctx.note_dropped("logprobs")
        text = event.text
        if len(text) > large_json.LONG_TEXT:
            return large_json.frame(opened + self._text_head, text, _DELTA_END)
        return opened + self._text_head + _encode(text) + _DELTA_END

    def _write_cited(self, event: Cited) -> bytes:
        self._searches.cite(event.citation)
        return b""

    def _write_searched(self, event: Searched) -> bytes:
        blocks = self._searches.write(event)
        if self._call is not None and not self._call.is_whole:
            self._late += blocks
            return b""
        return self._write_blocks(blocks)

    def _write_blocks(self, blocks: list[Json]) -> bytes:
        """Whole blocks of searches; the input of a call is a piece of its own, as clients read it."""
        out: list[bytes] = []
        for block in blocks:
            given = block.get("input")
            out.append(self._open_block("search", block if given is None else {**block, "input": {}}))
            if given:
                out.append(self._delta(b"input_json_delta", b"partial_json", json_values.encode_json(given)))
            out.append(self._close_block())
        return b"".join(out)

    def _write_results(self) -> bytes:
        """What is still due of the searches."""
        late, self._late = self._late, []
        return self._write_blocks(late + self._searches.finish())

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        """Words of refusal are text here; what tells them apart is the stop reason."""
        self._refusal.append(event.text)
        return self._write_text(TextDelta(event.text))

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        opened = self._open_thinking()
        if not event.text:
            return opened
        self._thought.append(event.text)
        return opened + self._delta(b"thinking_delta", b"thinking", event.text)

    def _open_text(self) -> bytes:
        opened = self._open_block("text", {"type": "text", "text": ""})
        self._text_head = _DELTA % (self._index, b"text_delta", b"text")
        return opened

    def _open_thinking(self) -> bytes:
        if self._kind == "thinking":
            return b""
        return self._open_block("thinking", {"type": "thinking", "thinking": "", "signature": ""})

    def _write_signed(self, event: Signed) -> bytes:
        """Reasoning may have a signature and no text."""
        opened = self._open_thinking()
        self._proof = event.signature
        return opened

    def _write_redacted(self, event: Redacted) -> bytes:
        data = self._ctx.sealer.seal("redacted", event.data, "")
        return self._open_block("redacted", {"type": "redacted_thinking", "data": data}) + self._close_block()

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        return self._close_block() if self._kind in ("text", "thinking") else b""

    def _write_call_began(self, event: CallBegan) -> bytes:
        call = self._calls[event.index] = _Call(event)
        if self._call is not None and not self._call.is_whole:
            return b""
        return self._write_results() + self._open_call(call)

    def _write_call_delta(self, event: CallDelta) -> bytes:
        call = self._calls[event.index]
        if call.sent and call is not self._call:
            if not event.fragment.strip():
                return b""
            return self._write_fault(Fault(500, "api_error", _BAD_ARGUMENTS))
        call.fragments.append(event.fragment)
        return self._delta(b"input_json_delta", b"partial_json", event.fragment) if call.sent else b""

    def _write_pinged(self, event: Pinged) -> bytes:
        return _PING

    def _write_ended(self, event: Ended) -> bytes:
        out: list[bytes] = []
        if (
            self._call is not None
            and event.stop != "length"
            and json_values.as_raw_object(self._call.arguments) is None
        ):
            return self._write_fault(Fault(500, "api_error", _BAD_ARGUMENTS))
        out += (self._close_block(), self._write_results())
        for call in self._calls.values():
            if not call.sent:
                if json_values.as_raw_object(call.arguments) is None:
                    self._ctx.note_weakened(f"tool call {call.began.name}")
                    call.fragments = [json_values.encode_json({"_raw_arguments": call.arguments})]
                out += (self._open_call(call), self._close_block())
        refusal = "".join(self._refusal)
        stop = resolve_stop(event.stop, refusal)
        delta: Json = {"stop_reason": STOP_REASONS[stop], "stop_sequence": event.stopped_by or None}
        if stop == "refusal":
            delta["stop_details"] = encode_refusal(refusal)
        counts = usage.encode_usage(event.usage, self._searches.count)
        ending = {"type": "message_delta", "delta": delta, "usage": counts}
        begun = b"" if self._begun else self._write_began(Began("", "", Usage()))
        out.append(sse.frame(_encode(ending), "message_delta"))
        out.append(sse.frame(b'{"type":"message_stop"}', "message_stop"))
        return begun + b"".join(out)

    def _write_fault(self, event: Fault) -> bytes:
        self._failed = True
        return sse.frame(encode_error(event)[1], "error")

    def _open_call(self, call: _Call) -> bytes:
        began = call.began
        call.sent = True
        block: Json = {"type": "tool_use", "id": to_messages_id(began.id), "name": began.name, "input": {}}
        out = self._open_block("call", block)
        self._call = call
        return out + (self._delta(b"input_json_delta", b"partial_json", call.arguments) if call.fragments else b"")

    def _open_block(self, kind: str, block: Json) -> bytes:
        closed = self._close_block()
        begun = b"" if self._begun else self._write_began(Began("", "", Usage()))
        self._index += 1
        self._kind = kind
        data = _encode({"type": "content_block_start", "index": self._index, "content_block": block})
        return begun + closed + sse.frame(data, "content_block_start")

    def _close_block(self) -> bytes:
        """Close the open block; reasoning gets its signature, which is sealed state, first."""
        if not self._kind:
            return b""
        out = b""
        if self._kind == "thinking":
            text = "".join(self._thought)
            sealed = self._ctx.sealer.seal("signature" if self._proof else "text", self._proof, text)
            out = self._delta(b"signature_delta", b"signature", sealed)
            self._thought.clear()
            self._proof = ""
        self._kind = ""
        self._call = None
        return out + b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index

    def _delta(self, kind: bytes, name: bytes, text: str) -> bytes:
        """A piece of the block."""
        head = _DELTA % (self._index, kind, name)
        if len(text) > large_json.LONG_TEXT:
            return large_json.frame(head, text, _DELTA_END)
        return head + _encode(text) + _DELTA_END


def resolve_stop(stop: Stop, refusal: str) -> Stop:
    """Why an answer ended as Messages tells it: a refusal in the model's own words is a stop reason there."""
    return "refusal" if refusal and stop == "end" else stop


def encode_refusal(refusal: str) -> Json:
    """The details of a refusal."""
    return {"type": "refusal", "category": None, "explanation": refusal or None}


_WRITERS: dict[type, Callable[[MessagesEncoder, Any], bytes]] = {
    Began: MessagesEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: MessagesEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: MessagesEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
    Searched: MessagesEncoder._write_searched,  # pyright: ignore[reportPrivateUsage]
    RefusalDelta: MessagesEncoder._write_refusal,  # pyright: ignore[reportPrivateUsage]
    ThinkingDelta: MessagesEncoder._write_thinking,  # pyright: ignore[reportPrivateUsage]
    Signed: MessagesEncoder._write_signed,  # pyright: ignore[reportPrivateUsage]
    Redacted: MessagesEncoder._write_redacted,  # pyright: ignore[reportPrivateUsage]
    BlockEnded: MessagesEncoder._write_block_ended,  # pyright: ignore[reportPrivateUsage]
    CallBegan: MessagesEncoder._write_call_began,  # pyright: ignore[reportPrivateUsage]
    CallDelta: MessagesEncoder._write_call_delta,  # pyright: ignore[reportPrivateUsage]
    Pinged: MessagesEncoder._write_pinged,  # pyright: ignore[reportPrivateUsage]
    Ended: MessagesEncoder._write_ended,  # pyright: ignore[reportPrivateUsage]
    Fault: MessagesEncoder._write_fault,  # pyright: ignore[reportPrivateUsage]
}
