"""Encodes neutral events as a Gemini stream.

Rules of this file: nothing but `data: ` lines and blank lines, since clients fail on anything else; a call is one part
with all of its arguments, so it is held until it is whole; the last chunk has the finish reason and the usage, and
the calls that the answer ends with, else a part with an empty text, which also carries the reasoning that no call
carried: google-genai before 2.0 carries out the calls of the last chunk alone.

A call is written once its arguments are a whole object and text comes, or at the end; calls keep their order, and text
overtakes a call whose arguments still come.
"""

from collections import deque
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
    TextDelta,
    ThinkingDelta,
)
from router.wire.gemini import errors
from router.wire.gemini import usage as gemini_usage
from router.wire.gemini.answers.grounding import Grounding
from router.wire.gemini.answers.held_thoughts import HeldThoughts
from router.wire.gemini.dialect import Gemini
from router.wire.gemini.stop_reasons import encode_stop
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values, large_json
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.object_end import ObjectEnd

_encode = msgspec.json.encode
_BEGINNING = b'data: {"candidates":[{"content":{"role":"model","parts":['
_PING = Gemini().ping(begun=True)


_BAD_ARGUMENTS = Fault(500, "api_error", "The upstream produced invalid tool arguments.")


class _Call:
    __slots__ = ("_end", "began", "fragments", "sent", "signature")

    def __init__(self, began: CallBegan, signature: str):
        self.began = began
        self.fragments: list[str] = []
        self.signature = signature
        self.sent = False
        self._end = ObjectEnd()

    def add(self, fragment: str) -> None:
        self.fragments.append(fragment)
        self._end.feed(fragment)

    @property
    def is_closed(self) -> bool:
        """True once all that was opened in the arguments is closed."""
        return self._end.closed


class GeminiEncoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._thoughts = HeldThoughts(ctx)
        # What stands behind the parts of each chunk; b"" before the first.
        self._tail = b""
        self._named: Json = {}
        self._grounding = Grounding(ctx)
        self._refusal: list[str] = []
        self._calls: dict[int, _Call] = {}
        # Those that were not written yet.
        self._waiting: deque[_Call] = deque()
        self._failed = False

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        return b"" if self._failed else _WRITERS[type(event)](self, event)

    def _begin(self, answer_id: str, model: str) -> None:
        if not self._named:
            self._named = name_answer(answer_id, model, self._ctx)
            self._tail = b']},"index":0}],' + _encode(self._named)[1:] + b"\r\n\r\n"

    def _chunk(self, part: bytes) -> bytes:
        self._begin("", "")
        return b"%b%b%b" % (_BEGINNING, part, self._tail)

    def _write_began(self, event: Began) -> bytes:
        self._begin(event.id, event.model)
        return b""

    def _write_text(self, event: TextDelta) -> bytes:
        before = self._write_whole_calls() if self._waiting else b""
        self._thoughts.say(event.text)
        self._grounding.say(event.text)
        if event.logprobs:
            self._ctx.note_dropped("logprobs")
        return before + self._text_chunk(event.text, b"}")

    def _text_chunk(self, text: str, behind: bytes) -> bytes:
        if not text:
            return b""
        self._begin("", "")
        if len(text) > large_json.LONG_TEXT:
            return large_json.frame(_BEGINNING + b'{"text":', text, behind + self._tail)
        return b'%b{"text":%b%b%b' % (_BEGINNING, _encode(text), behind, self._tail)

    def _write_cited(self, event: Cited) -> bytes:
        self._grounding.cite(event.citation)
        return b""

    def _write_searched(self, event: Searched) -> bytes:
        self._grounding.search(event)
        return b""

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._refusal.append(event.text)
        return b""

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        before = self._write_whole_calls() if self._waiting else b""
        self._thoughts.think(event.text)
        if not self._ctx.shows_reasoning:
            return before
        return before + self._text_chunk(event.text, b',"thought":true}')

    def _write_signed(self, event: Signed) -> bytes:
        self._thoughts.sign(event.signature)
        return b""

    def _write_redacted(self, event: Redacted) -> bytes:
        self._thoughts.redact(event.data)
        return b""

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        self._thoughts.end_block()
        self._grounding.end_block()
        return b""

    def _write_call_began(self, event: CallBegan) -> bytes:
        self._grounding.end_block()
        call = self._calls[event.index] = _Call(event, self._thoughts.sign_call(event.id))
        self._waiting.append(call)
        return b""

    def _write_call_delta(self, event: CallDelta) -> bytes:
        call = self._calls[event.index]
        if not call.sent:
            call.add(event.fragment)
        elif event.fragment.strip():
            return self._write_fault(_BAD_ARGUMENTS)
        return b""

    def _write_whole_calls(self) -> bytes:
        """The calls whose arguments are complete, up to the first whose are not."""
        out: list[bytes] = []
        while self._waiting and self._waiting[0].is_closed:
            out.append(self._write_call(self._waiting.popleft()))
        return b"".join(out)

    def _write_call(self, call: _Call) -> bytes:
        self._begin("", "")
        return large_json.frame(_BEGINNING, self._make_part(call), self._tail)

    def _make_part(self, call: _Call) -> Json:
        self._thoughts.begin_text()
        call.sent = True
        part = encode_call(call.began, "".join(call.fragments), call.signature, self._ctx)
        call.fragments.clear()
        return part

    def _write_pinged(self, event: Pinged) -> bytes:
        return _PING

    def _write_ended(self, event: Ended) -> bytes:
        self._begin("", "")
        refusal = "".join(self._refusal)
        out: list[bytes] = []
        if refusal and event.stop != "refusal":
            # A model that refuses in its own words just says them there.
            out.append(self._write_whole_calls())
            self._thoughts.say(refusal)
            out.append(self._text_chunk(refusal, b"}"))
        last = [self._make_part(call) for call in self._waiting]
        signature = self._thoughts.sign_text()
        if signature or not last:
            last.append({"text": "", "thoughtSignature": signature} if signature else {"text": ""})
        ending = encode_ending(last, event, refusal, self._grounding.collect(), self._ctx)
        out.append(large_json.frame(b"data: ", ending | self._named, b"\r\n\r\n"))
        return b"".join(out)

    def _write_fault(self, event: Fault) -> bytes:
        self._failed = True
        return errors.break_off(errors.encode_error(event)[1])


def name_answer(answer_id: str, model: str, ctx: Context) -> Json:
    """The fields that name an answer: the model as the caller named it, and an id."""
    return {"modelVersion": ctx.name_model(model), "responseId": answer_id or ctx.new_id()}


def encode_call(began: CallBegan, arguments: str, signature: str, ctx: Context) -> Json:
    """The part of a call. Its arguments are always there: Gemini CLI checks them against the tool's schema."""
    args: object = json_values.as_raw_object(arguments)
    if args is None:
        ctx.note_weakened(f"tool call {began.name}")
        args = {"_raw_arguments": arguments}
    part: Json = {"functionCall": {"id": began.id, "name": began.name, "args": args}}
    if signature:
        part["thoughtSignature"] = signature
    return part


def encode_ending(parts: list[Json], end: Ended, refusal: str, grounding: Json, ctx: Context) -> Json:
    """The candidate with its finish reason and its sources, and the usage where it is known."""
    reason, message = encode_stop(end.stop, refusal, ctx)
    candidate: Json = {"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}
    if message:
        candidate["finishMessage"] = message
    if grounding:
        candidate["groundingMetadata"] = grounding
    counts = gemini_usage.encode_usage(end.usage)
    return {"candidates": [candidate], **({"usageMetadata": counts} if counts else {})}


_WRITERS: dict[type, Callable[[GeminiEncoder, Any], bytes]] = {
    Began: GeminiEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: GeminiEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: GeminiEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
    Searched: GeminiEncoder._write_searched,  # pyright: ignore[reportPrivateUsage]
    RefusalDelta: GeminiEncoder._write_refusal,  # pyright: ignore[reportPrivateUsage]
    ThinkingDelta: GeminiEncoder._write_thinking,  # pyright: ignore[reportPrivateUsage]
    Signed: GeminiEncoder._write_signed,  # pyright: ignore[reportPrivateUsage]
    Redacted: GeminiEncoder._write_redacted,  # pyright: ignore[reportPrivateUsage]
    BlockEnded: GeminiEncoder._write_block_ended,  # pyright: ignore[reportPrivateUsage]
    CallBegan: GeminiEncoder._write_call_began,  # pyright: ignore[reportPrivateUsage]
    CallDelta: GeminiEncoder._write_call_delta,  # pyright: ignore[reportPrivateUsage]
    Pinged: GeminiEncoder._write_pinged,  # pyright: ignore[reportPrivateUsage]
    Ended: GeminiEncoder._write_ended,  # pyright: ignore[reportPrivateUsage]
    Fault: GeminiEncoder._write_fault,  # pyright: ignore[reportPrivateUsage]
}
