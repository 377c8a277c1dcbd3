"""Encodes neutral events as a Responses stream.

Rules of this file: every event has the next sequence number; an item has one index and one id in all of its events;
neighbouring blocks of text are parts of one message, and words of refusal are a message of their own, since a client
that does not know their part (Codex) throws its message away; calls stay open until the end, since several may be
written at once; the last event holds the whole output, with the same ids in the same order.
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
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire import openai
from router.wire.neutral.context import CallForm, Context, FinishedAnswer
from router.wire.raw.json.json_values import Json
from router.wire.responses import calls as responses_calls
from router.wire.responses import errors
from router.wire.responses import usage as responses_usage
from router.wire.responses.calls import FUNCTION
from router.wire.responses.dialect import Responses
from router.wire.responses.output.call_writer import CallWriter
from router.wire.responses.output.event_sequence import EventSequence
from router.wire.responses.output.message_writer import MessageWriter, is_large
from router.wire.responses.output.reasoning_writer import ReasoningWriter
from router.wire.responses.output.searches import write_search
from router.wire.responses.response_object import ResponseObject

_ping = Responses().ping
_INCOMPLETE = {"length": "max_output_tokens", "context": "max_output_tokens"}


class ResponsesEncoder:
    """The state of one stream."""

    _response_object: ResponseObject

    def __init__(self, ctx: Context, *, silent: bool = False):
        """silent: the events are not asked for, only `response` is."""
        self._ctx = ctx
        self._begun = False
        self._events = EventSequence(silent=silent)
        self._output: list[Json] = []
        # What is open besides calls: at most one of them.
        self._message: MessageWriter | None = None
        self._refusal: MessageWriter | None = None
        self._reasoning: ReasoningWriter | None = None
        self._refused = False
        self._calls: dict[int, CallWriter] = {}
        #: The JSON of the last response object.
        self.response = b""

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        return _WRITERS[type(event)](self, event)

    def _write_began(self, event: Began) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        self._response_object = ResponseObject(self._ctx, event.model)
        begun = msgspec.Raw(self._response_object.encode("in_progress", [], None))
        created = self._events.event("response.created", response=begun)
        return created + self._events.event("response.in_progress", response=begun)

    def _begin(self) -> bytes:
        return b"" if self._begun else self._write_began(Began("", "", Usage()))

    def _write_text(self, event: TextDelta) -> bytes:
        message = self._message
        if message is not None:
            return message.add_text(event.text, event.logprobs)
        before, message = self._open_message()
        self._message = message
        return before + message.add_text(event.text, event.logprobs)

    def _write_cited(self, event: Cited) -> bytes:
        message = self._message
        if message is None or message.part != "output_text":
            self._ctx.note_dropped("citations")
            return b""
        if event.citation.quote:
            self._ctx.note_dropped("citations.quote")
        return message.add_citation(event.citation)

    def _write_searched(self, event: Searched) -> bytes:
        before = self._begin() + self._close_item()
        out, item = write_search(self._events, len(self._output), f"ws_{self._ctx.new_id()}", event)
        self._output.append(item)
        return before + out

    def _write_refusal(self, event: RefusalDelta) -> bytes:
        self._refused = True
        before = b""
        if self._refusal is None:
            before, self._refusal = self._open_message()
        return before + self._refusal.add_refusal(event.text)

    def _open_message(self) -> tuple[bytes, MessageWriter]:
        before = self._begin() + self._close_item()
        message = MessageWriter(self._events, len(self._output), f"msg_{self._ctx.new_id()}")
        self._output.append({})
        return before + message.begin(), message

    def _open_reasoning(self) -> tuple[bytes, ReasoningWriter]:
        if self._reasoning is not None:
            return b"", self._reasoning
        before = self._begin() + self._close_item()
        item_id = f"rs_{self._ctx.new_id()}"
        self._reasoning = reasoning = ReasoningWriter(self._events, len(self._output), item_id, self._ctx.sealer)
        self._output.append({})
        return before + reasoning.begin(), reasoning

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        reasoning = self._reasoning
        if reasoning is not None:
            return reasoning.add_text(event.text)
        before, reasoning = self._open_reasoning()
        return before + reasoning.add_text(event.text)

    def _write_signed(self, event: Signed) -> bytes:
        before, reasoning = self._open_reasoning()
        reasoning.signature = event.signature
        return before

    def _write_redacted(self, event: Redacted) -> bytes:
        closed = self._close_item()
        before, reasoning = self._open_reasoning()
        reasoning.redact(event.data)
        return closed + before + self._close_item()

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        message = self._message or self._refusal
        return message.end_part() if message is not None else self._close_item()

    @property
    def _opened(self) -> MessageWriter | ReasoningWriter | None:
        return self._message or self._refusal or self._reasoning

    def _close_item(self, status: str = "completed") -> bytes:
        """End the open message or reasoning."""
        opened = self._opened
        if opened is None:
            return b""
        out, self._output[opened.index] = opened.end(status)
        self._message = self._refusal = self._reasoning = None
        return out

    def _write_call_began(self, event: CallBegan) -> bytes:
        before = self._begin() + self._close_item()
        form = self._ctx.call_forms.get(event.name) or CallForm(FUNCTION, event.name)
        item_id = f"{responses_calls.id_prefix(form)}_{self._ctx.new_id()}"
        call = self._calls[event.index] = CallWriter(self._events, event, form, item_id)
        if not call.streams:
            return before
        added, item = call.begin(len(self._output))
        self._output.append(item)
        return before + added

    def _write_call_delta(self, event: CallDelta) -> bytes:
        return self._calls[event.index].add(event.fragment)

    def _end_call(self, call: CallWriter, *, status: str) -> bytes:
        if call.index < 0:
            self._output.append({})
        out, item = call.end(len(self._output) - 1, status)
        self._output[call.index] = item
        return out

    def _write_pinged(self, event: Pinged) -> bytes:
        return self._events.event("keepalive") if self._begun else _ping(begun=False)

    def _write_ended(self, event: Ended) -> bytes:
        reason = _INCOMPLETE.get(event.stop, "")
        out = [self._begin()]
        if event.stop == "refusal" and not self._refused:
            if self._said_anything:
                # Codex repeats an answer that is incomplete, which would say the same again.
                out.append(self._write_refusal(RefusalDelta(openai.DECLINED)))
            else:
                reason = "content_filter"
        cut = "incomplete" if reason else "completed"
        calls = list(self._calls.values())
        last = None if self._opened or not calls else calls[-1]
        out.append(self._close_item(cut))
        out += [self._end_call(call, status=cut if call is last else "completed") for call in calls]
        usage = responses_usage.encode_usage(event.usage)
        large = self._events.silent and any(is_large(item) for item in self._output)
        self.response = self._response_object.encode(cut, self._output, usage, reason=reason, large=large)
        if self._ctx.store is not None:
            before = str(self._ctx.request_fields.get("previous_response_id") or "")
            name, said = self._response_object.id, self._response_object.describe(cut, usage, reason=reason)
            self._ctx.store(
                FinishedAnswer(name, before, self._ctx.request_items, self._output, said, len(self.response))
            )
        out.append(self._events.event(f"response.{cut}", response=msgspec.Raw(self.response)))
        return b"".join(out)

    @property
    def _said_anything(self) -> bool:
        """True when the answer holds a text or a call."""
        return self._message is not None or any(item.get("type", "reasoning") != "reasoning" for item in self._output)

    def _write_fault(self, event: Fault) -> bytes:
        """`error`, flat and nested, then `response.failed`."""
        begun = self._begin()
        error = errors.encode_event_error(event)
        said = {name: error[name] for name in ("code", "message", "param")}
        failed = self._response_object.encode(
            "failed", self._collect_output(), None, error=errors.encode_failure(event)
        )
        out = begun + self._events.event("error", **said, error=error)
        return out + self._events.event("response.failed", response=msgspec.Raw(failed))

    def collect_response(self) -> Json:
        """The response object with the output so far, {} before it was announced."""
        if not self._begun:
            return {}
        return msgspec.json.decode(self._response_object.encode("in_progress", self._collect_output(), None))

    def _collect_output(self) -> list[Json]:
        """The output, with the content so far of the items that are still open."""
        output = list(self._output)
        for call in self._calls.values():
            if call.index >= 0:
                output[call.index] = call.collect()
        opened = self._opened
        if opened is not None:
            output[opened.index] = opened.collect("incomplete")
        return output


_WRITERS: dict[type, Callable[[ResponsesEncoder, Any], bytes]] = {
    Began: ResponsesEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: ResponsesEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: ResponsesEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
    Searched: ResponsesEncoder._write_searched,  # pyright: ignore[reportPrivateUsage]
    RefusalDelta: ResponsesEncoder._write_refusal,  # pyright: ignore[reportPrivateUsage]
    ThinkingDelta: ResponsesEncoder._write_thinking,  # pyright: ignore[reportPrivateUsage]
    Signed: ResponsesEncoder._write_signed,  # pyright: ignore[reportPrivateUsage]
    Redacted: ResponsesEncoder._write_redacted,  # pyright: ignore[reportPrivateUsage]
    BlockEnded: ResponsesEncoder._write_block_ended,  # pyright: ignore[reportPrivateUsage]
    CallBegan: ResponsesEncoder._write_call_began,  # pyright: ignore[reportPrivateUsage]
    CallDelta: ResponsesEncoder._write_call_delta,  # pyright: ignore[reportPrivateUsage]
    Pinged: ResponsesEncoder._write_pinged,  # pyright: ignore[reportPrivateUsage]
    Ended: ResponsesEncoder._write_ended,  # pyright: ignore[reportPrivateUsage]
    Fault: ResponsesEncoder._write_fault,  # pyright: ignore[reportPrivateUsage]
}
