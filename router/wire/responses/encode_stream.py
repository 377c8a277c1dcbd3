"""Encodes neutral events as a Responses stream.

Rules of this file: every event has the next sequence number; an item has one index and one id in all of its events;
neighbouring blocks of text are parts of one message; calls stay open until the end, since several may be written at
once; the last event holds the whole output, with the same ids in the same order.
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
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire import openai
from router.wire.neutral import freeform_tools
from router.wire.neutral.context import CallForm, Context
from router.wire.raw import sse
from router.wire.raw.json_values import Json
from router.wire.responses import calls as responses_calls
from router.wire.responses import errors
from router.wire.responses import usage as responses_usage
from router.wire.responses.calls import CUSTOM, FUNCTION
from router.wire.responses.dialect import Responses
from router.wire.responses.response_object import ResponseObject

_encode = msgspec.json.encode
_ping = Responses().ping
_INCOMPLETE = {"length": "max_output_tokens", "context": "max_output_tokens"}


class _Call:
    """One call that is being streamed."""

    __slots__ = ("began", "form", "fragments", "head", "id", "index", "text", "unwrapper")

    def __init__(self, began: CallBegan, form: CallForm, item_id: str):
        self.began = began
        self.form = form
        self.id = item_id
        #: The index of its item, -1 until it is announced.
        self.index = -1
        self.fragments: list[str] = []
        self.text: list[str] = []
        self.unwrapper = freeform_tools.Unwrapper()
        self.head = b""

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)


class ResponsesEncoder:
    """The state of one stream."""

    _response_object: ResponseObject

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._begun = False
        self._sequence = 0
        self._output: list[Json] = []
        # What is open besides calls: "", "text", "thinking"; its item, and the text of its part.
        self._kind = ""
        self._item: Json = {}
        self._index = 0
        self._parts: list[Json] = []
        self._said: list[str] = []
        self._part_open = False
        self._proof = ""
        self._refusal: list[str] = []
        self._head = b""
        self._calls: dict[int, _Call] = {}
        #: The JSON of the last response object.
        self.response = b""

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        return _WRITERS[type(event)](self, event)

    def _delta(self, head: bytes, text: str) -> bytes:
        """The beginning of an event that adds to an item; the caller closes it."""
        number = self._sequence
        self._sequence = number + 1
        return b'%b"sequence_number":%d,"delta":%b' % (head, number, _encode(text))

    def _event(self, kind: str, **said: object) -> bytes:
        number = self._sequence
        self._sequence = number + 1
        return sse.frame(_encode({"type": kind, "sequence_number": number, **said}), kind)

    def _write_began(self, event: Began) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        self._response_object = ResponseObject(self._ctx, event.model)
        begun = msgspec.Raw(self._response_object.encode("in_progress", [], None))
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def _write_text(self, event: TextDelta) -> bytes:
        out = b"" if self._kind == "text" else self._open_message()
        if not self._part_open:
            out += self._open_part({"type": "output_text", "text": "", "annotations": [], "logprobs": []})
            self._head = self._item_delta_head("response.output_text.delta", content_index=len(self._parts))
        self._said.append(event.text)
        return out + self._delta(self._head, event.text) + b',"logprobs":[]}\n\n'

    def _write_cited(self, event: Cited) -> bytes:
        self._ctx.note_dropped("citations")
        return b""

    def _write_refusal_delta(self, event: RefusalDelta) -> bytes:
        self._refusal.append(event.text)
        return b""

    def _open_message(self) -> bytes:
        item: Json = {"id": f"msg_{self._ctx.new_id()}", "type": "message", "status": "in_progress"}
        return self._open_item("text", {**item, "role": "assistant", "content": []})

    def _open_part(self, part: Json) -> bytes:
        self._part_open = True
        return self._item_event("response.content_part.added", content_index=len(self._parts), part=part)

    def _write_thinking(self, event: ThinkingDelta) -> bytes:
        out = b"" if self._kind == "thinking" else self._open_reasoning()
        if not self._part_open:
            self._part_open = True
            part = {"type": "summary_text", "text": ""}
            out += self._item_event("response.reasoning_summary_part.added", summary_index=0, part=part)
            self._head = self._item_delta_head("response.reasoning_summary_text.delta", summary_index=0)
        self._said.append(event.text)
        return out + self._delta(self._head, event.text) + b"}\n\n"

    def _open_reasoning(self) -> bytes:
        return self._open_item("thinking", {"id": f"rs_{self._ctx.new_id()}", "type": "reasoning", "summary": []})

    def _write_signed(self, event: Signed) -> bytes:
        out = b"" if self._kind == "thinking" else self._open_reasoning()
        self._proof = event.signature
        return out

    def _write_redacted(self, event: Redacted) -> bytes:
        opened = self._open_reasoning()
        self._item["encrypted_content"] = self._ctx.sealer.seal("redacted", event.data, "")
        return opened + self._close_item()

    def _write_block_ended(self, event: BlockEnded) -> bytes:
        return self._close_part() if self._kind == "text" else self._close_item()

    def _write_call_began(self, event: CallBegan) -> bytes:
        closed = self._close_item()
        form = self._ctx.call_forms.get(event.name) or CallForm(FUNCTION, event.name)
        call = _Call(event, form, f"{responses_calls.id_prefix(form)}_{self._ctx.new_id()}")
        self._calls[event.index] = call
        if form.item not in (FUNCTION, CUSTOM):
            return closed
        item = responses_calls.encode_call(form, call.id, event.id, "", status="in_progress")
        call.index = len(self._output)
        self._output.append(item)
        added = self._event("response.output_item.added", output_index=call.index, item=item)
        kind = "custom_tool_call_input" if form.item == CUSTOM else "function_call_arguments"
        call.head = _delta_head(f"response.{kind}.delta", item_id=call.id, output_index=call.index)
        return self._begin() + closed + added

    def _write_call_delta(self, event: CallDelta) -> bytes:
        call = self._calls[event.index]
        call.fragments.append(event.fragment)
        if call.index < 0:
            return b""
        text = event.fragment
        if call.form.item == CUSTOM:
            text = call.unwrapper.feed(text)
            call.text.append(text)
        return self._delta(call.head, text) + b"}\n\n" if text else b""

    def _end_call(self, call: _Call, *, status: str) -> bytes:
        """End a call; one with an item type of its own is announced here too."""
        form, out = call.form, b""
        if call.index < 0:
            item = responses_calls.encode_call(form, call.id, call.began.id, call.arguments, status=status)
            call.index = len(self._output)
            self._output.append(item)
            out = self._event("response.output_item.added", output_index=call.index, item=item)
            return out + self._event("response.output_item.done", output_index=call.index, item=item)
        item = {**self._output[call.index], "status": status}
        where = {"item_id": call.id, "output_index": call.index}
        if form.item == CUSTOM:
            rest = call.unwrapper.finish()
            out = self._delta(call.head, rest) + b"}\n\n" if rest else b""
            item["input"] = "".join(call.text) + rest
            out += self._event("response.custom_tool_call_input.done", **where, input=item["input"])
        else:
            item["arguments"] = call.arguments or "{}"
            said = {"name": form.name, "arguments": item["arguments"]}
            out = self._event("response.function_call_arguments.done", **where, **said)
        self._output[call.index] = item
        return out + self._event("response.output_item.done", output_index=call.index, item=item)

    def _write_pinged(self, event: Pinged) -> bytes:
        return self._event("keepalive") if self._begun else _ping(begun=False)

    def _write_ended(self, event: Ended) -> bytes:
        reason = _INCOMPLETE.get(event.stop, "")
        out = [self._begin()]
        refusal = "".join(self._refusal)
        if event.stop == "refusal" and not refusal and not self._said_anything:
            reason = "content_filter"
        elif event.stop == "refusal":
            # Codex repeats an answer that is incomplete, which would say the same again.
            refusal = refusal or openai.DECLINED
        out.append(self._write_refusal(refusal) if refusal else b"")
        cut = "incomplete" if reason else "completed"
        calls = list(self._calls.values())
        last = None if self._kind or not calls else calls[-1]
        out.append(self._close_item(cut))
        out += [self._end_call(call, status=cut if call is last else "completed") for call in calls]
        usage = responses_usage.encode_usage(event.usage)
        self.response = self._response_object.encode(cut, self._output, usage, reason=reason)
        if self._ctx.store is not None:
            before = str(self._ctx.request_fields.get("previous_response_id") or "")
            self._ctx.store(
                self._response_object.id, before, self._ctx.request_items + self._output, len(self.response)
            )
        out.append(self._event(f"response.{cut}", response=msgspec.Raw(self.response)))
        return b"".join(out)

    @property
    def _said_anything(self) -> bool:
        """True when the answer holds a text or a call."""
        return self._kind == "text" or any(item["type"] != "reasoning" for item in self._output)

    def _write_refusal(self, refusal: str) -> bytes:
        """The model's explanation of a refusal, as a part of its message."""
        out = self._close_part() if self._kind == "text" else self._open_message()
        out += self._open_part({"type": "refusal", "refusal": ""})
        where = {"content_index": len(self._parts)}
        out += self._item_event("response.refusal.delta", **where, delta=refusal)
        out += self._item_event("response.refusal.done", **where, refusal=refusal)
        part: Json = {"type": "refusal", "refusal": refusal}
        out += self._item_event("response.content_part.done", **where, part=part)
        self._parts.append(part)
        self._part_open = False
        return out

    def _write_fault(self, event: Fault) -> bytes:
        """`error`, flat and nested, then `response.failed`."""
        begun = self._begin()
        error = errors.encode_event_error(event)
        said = {name: error[name] for name in ("code", "message", "param")}
        failed = self._response_object.encode(
            "failed", self._collect_output(), None, error=errors.encode_failure(event)
        )
        out = begun + self._event("error", **said, error=error)
        return out + self._event("response.failed", response=msgspec.Raw(failed))

    def _collect_output(self) -> list[Json]:
        """The output, with the content so far of the items that are still open."""
        output = list(self._output)
        for call in self._calls.values():
            if call.index >= 0:
                said = "".join(call.text) if call.form.item == CUSTOM else call.arguments
                name = "input" if call.form.item == CUSTOM else "arguments"
                output[call.index] = {**output[call.index], "status": "incomplete", name: said}
        if self._kind:
            output[self._index] = self._build_item([*self._parts, *self._collect_part()], "incomplete")
        return output

    def _collect_part(self) -> list[Json]:
        """The open part with its text; [] when none is open."""
        if not self._part_open:
            return []
        text = "".join(self._said)
        if self._kind == "text":
            return [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        return [{"type": "summary_text", "text": text}]

    def _build_item(self, parts: list[Json], status: str) -> Json:
        """The open item with its parts; reasoning gets its sealed state."""
        if self._kind == "text":
            return {**self._item, "status": status, "content": parts}
        return {"encrypted_content": self._seal_reasoning(parts), **self._item, "summary": parts}

    def _begin(self) -> bytes:
        return b"" if self._begun else self._write_began(Began("", "", Usage()))

    def _open_item(self, kind: str, item: Json) -> bytes:
        begun, closed = self._begin(), self._close_item()
        self._kind, self._item, self._index = kind, item, len(self._output)
        self._output.append(item)
        self._parts = []
        return begun + closed + self._event("response.output_item.added", output_index=self._index, item=item)

    def _item_event(self, kind: str, **said: object) -> bytes:
        return self._event(kind, item_id=self._item["id"], output_index=self._index, **said)

    def _item_delta_head(self, kind: str, **said: object) -> bytes:
        return _delta_head(kind, item_id=self._item["id"], output_index=self._index, **said)

    def _close_part(self) -> bytes:
        """End the open part of a message, or of reasoning."""
        if not self._part_open:
            return b""
        [part] = self._collect_part()
        text = part["text"]
        self._part_open = False
        self._said = []
        if self._kind == "text":
            where = {"content_index": len(self._parts)}
            out = self._item_event("response.output_text.done", **where, text=text, logprobs=[])
            out += self._item_event("response.content_part.done", **where, part=part)
        else:
            out = self._item_event("response.reasoning_summary_text.done", summary_index=0, text=text)
            out += self._item_event("response.reasoning_summary_part.done", summary_index=0, part=part)
        self._parts.append(part)
        return out

    def _close_item(self, status: str = "completed") -> bytes:
        """Close the open message or reasoning; reasoning gets its sealed state."""
        if not self._kind:
            return b""
        out = self._close_part()
        item = self._build_item(self._parts, status)
        self._output[self._index] = item
        self._kind, self._proof = "", ""
        return out + self._event("response.output_item.done", output_index=self._index, item=item)

    def _seal_reasoning(self, parts: list[Json]) -> str:
        """Seal the state that restores the reasoning: its signature, or its text, which some callers leave out."""
        text = str(parts[0]["text"]) if parts else ""
        sealer = self._ctx.sealer
        return sealer.seal("signature", self._proof, text) if self._proof else sealer.seal("text", text, "")


def _delta_head(kind: str, **said: object) -> bytes:
    return b"event: %b\ndata: %b," % (kind.encode(), _encode({"type": kind, **said})[:-1])


_WRITERS: dict[type, Callable[[ResponsesEncoder, Any], bytes]] = {
    Began: ResponsesEncoder._write_began,  # pyright: ignore[reportPrivateUsage]
    TextDelta: ResponsesEncoder._write_text,  # pyright: ignore[reportPrivateUsage]
    Cited: ResponsesEncoder._write_cited,  # pyright: ignore[reportPrivateUsage]
    RefusalDelta: ResponsesEncoder._write_refusal_delta,  # pyright: ignore[reportPrivateUsage]
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
