"""Decodes a Responses stream to neutral events.

Rules of this file: items are identified by their output index, since some servers change their ids; the content of a
`done` event is used only where no delta brought it; the opaque content of reasoning is that of the finished item; a
call of the wrapper `parallel` becomes the calls in it; the end is completed, incomplete, failed or error, and never the
end of the body.
"""

from typing import cast

import msgspec

from router.ir import (
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Fault,
    RefusalDelta,
    Signed,
    Stop,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire.neutral import freeform_tools
from router.wire.neutral.context import Context
from router.wire.neutral.identifiers import CALL_ID_LIMIT
from router.wire.neutral.wrapped_calls import WRAPPERS, unwrap_calls
from router.wire.raw import json_values
from router.wire.raw.json_values import Json
from router.wire.responses import errors, usage
from router.wire.responses.calls import CUSTOM, FUNCTION, to_neutral_name

_INCOMPLETE: dict[str, Stop] = {"max_output_tokens": "length", "content_filter": "refusal"}
_FAILED = ("failed", "cancelled")
_STARTS = ("response.created", "response.in_progress", "response.queued")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class _Item:
    """One output item that is being streamed."""

    __slots__ = ("call", "custom", "done", "kind", "part", "said", "source", "wrapper")

    def __init__(self, kind: object):
        self.kind = kind
        self.custom = kind == CUSTOM
        #: The number of a call, -1 for any other item.
        self.call = -1
        #: A delta of it has come.
        self.said = False
        self.done = False
        #: The index of its last part.
        self.part: object = None
        #: The type of the events that brought its reasoning, which some servers send in two forms.
        self.source: object = None
        #: Fragments of a call that wraps several.
        self.wrapper: list[str] | None = None


class ResponsesDecoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._begun = False
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self.usage = Usage()
        self.ended = False

    @property
    def finished(self) -> bool:
        """A stream that lacks its terminal event is not whole."""
        return False

    def feed(self, name: str, data: Json) -> list[Event]:
        """The events that one event brings."""
        if self.ended:
            return []
        kind = data.get("type") or name
        if kind == "response.output_text.delta":
            return self._read_text(data)
        reader = _READERS.get(str(kind))
        if reader is not None:
            return reader(self, data)
        if kind in _STARTS:
            return self._read_start(json_values.get_object(data, "response"))
        if kind in _ENDS:
            return self._read_end(str(kind)[9:], json_values.get_object(data, "response"))
        if kind == "error" or data.get("error"):
            self.ended = True
            return [errors.decode_error(data, 0) or Fault(500, "api_error", "The upstream reported an error.")]
        return []

    def done(self) -> list[Event]:
        """[DONE], which has no meaning in this protocol."""
        return []

    def _read_start(self, response: Json) -> list[Event]:
        self.usage = usage.decode_usage(json_values.get_object(response, "usage"), self.usage, self._ctx.profile)
        if self._begun:
            return []
        self._begun = True
        return [Began(str(response.get("id") or ""), str(response.get("model") or ""), self.usage)]

    def _find_item(self, data: Json, kind: str) -> _Item:
        """The item of an event; an item that was never announced gets the kind of the event."""
        index = data.get("output_index")
        place = index if isinstance(index, int) else max(self._items, default=0)
        item = self._items.get(place)
        if item is None:
            item = self._items[place] = _Item(kind)
        return item

    def _read_text(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not delta or not isinstance(delta, str):
            return []
        item = self._find_item(data, "message")
        part = data.get("content_index")
        if item.said and part != item.part:
            item.part = part
            return [BlockEnded(), TextDelta(delta)]
        item.said, item.part = True, part
        return [TextDelta(delta)]

    def _read_refusal(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        self._find_item(data, "message").said = True
        return [RefusalDelta(delta)]

    def _read_reasoning(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item = self._find_item(data, "reasoning")
        source = item.source = item.source or data.get("type")
        if source != data.get("type"):
            return []
        part = data.get("summary_index")
        before = [ThinkingDelta("\n\n")] if item.said and part != item.part else []
        item.said, item.part = True, part
        return [*before, ThinkingDelta(delta)]

    def _read_item_added(self, data: Json) -> list[Event]:
        found = json_values.get_object(data, "item")
        kind = found.get("type")
        index = data.get("output_index")
        place = index if isinstance(index, int) else len(self._items)
        if place in self._items:
            return []
        item = self._items[place] = _Item(kind)
        return self._begin_call(item, found) if kind in (FUNCTION, CUSTOM) else []

    def _begin_call(self, item: _Item, found: Json) -> list[Event]:
        name = str(found.get("name") or "")
        if name in WRAPPERS and name not in self._ctx.declared_tools:
            item.wrapper = []
            return []
        item.call = self._calls
        self._calls += 1
        call_id = str(found.get("call_id") or "") or f"call_{self._ctx.new_id()}"
        given = to_neutral_name(self._ctx.names.decode(name), str(found.get("namespace") or ""))
        began: list[Event] = [CallBegan(item.call, call_id, given)]
        return [*began, CallDelta(item.call, freeform_tools.OPENING)] if item.custom else began

    def _read_fragment(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item = self._find_item(data, FUNCTION)
        if item.wrapper is not None:
            item.wrapper.append(delta)
            return []
        if item.call < 0:
            return []
        item.said = True
        return [CallDelta(item.call, freeform_tools.escape(delta) if item.custom else delta)]

    def _read_item_done(self, data: Json) -> list[Event]:
        found = json_values.get_object(data, "item")
        kind = found.get("type")
        index = data.get("output_index")
        before: list[Event] = [] if isinstance(index, int) and index in self._items else self._read_item_added(data)
        item = self._find_item(data, str(kind))
        if item.done:
            return []
        item.done = True
        if kind in (FUNCTION, CUSTOM):
            if item.call < 0 and item.wrapper is None:
                # Its deltas came without an announcement: the whole call is written here.
                item.custom, item.said = kind == CUSTOM, False
                before = self._begin_call(item, found)
            return before + self._end_call(item, found)
        if kind == "reasoning":
            return self._end_reasoning(item, found)
        if kind == "message":
            return self._end_message(item, found)
        if item.kind != kind or kind is not None:
            self._ctx.note_dropped(f"output item {str(kind)[:40]}")
        return []

    def _end_call(self, item: _Item, found: Json) -> list[Event]:
        whole = found.get("input" if item.custom else "arguments")
        if isinstance(whole, dict):
            whole = msgspec.json.encode(whole).decode()
        text = whole if isinstance(whole, str) else ""
        if item.wrapper is not None:
            return self._unwrap(item, found, text or "".join(item.wrapper))
        out: list[Event] = []
        if text and not item.said:
            out.append(CallDelta(item.call, freeform_tools.escape(text) if item.custom else text))
        return [*out, CallDelta(item.call, freeform_tools.CLOSING)] if item.custom else out

    def _unwrap(self, item: _Item, found: Json, arguments: str) -> list[Event]:
        """The calls inside a wrapper; the wrapper itself unless all of them are calls of declared tools."""
        call_id = str(found.get("call_id") or "") or f"call_{self._ctx.new_id()}"
        names = self._ctx.names
        inner = unwrap_calls(arguments, {names.encode(name, CALL_ID_LIMIT) for name in self._ctx.declared_tools})
        pairs = [(f"{call_id}_{at}", names.decode(name), said) for at, (name, said) in enumerate(inner)]
        pairs = pairs or [(call_id, str(found.get("name")), arguments)]
        out: list[Event] = []
        for one in pairs:
            out += (CallBegan(self._calls, one[0], one[1]), CallDelta(self._calls, one[2]))
            self._calls += 1
        return out

    def _end_reasoning(self, item: _Item, found: Json) -> list[Event]:
        """End reasoning: its text where no delta brought it, and the state that restores it in a later request."""
        texts = _read_texts(found.get("summary"))
        said = "\n\n".join(texts) or "".join(_read_texts(found.get("content")))
        out: list[Event] = [ThinkingDelta(said)] if said and not item.said else []
        proof = found.get("encrypted_content")
        if isinstance(proof, str) and proof:
            out.append(Signed(_encode_proof(str(found.get("id") or ""), proof, texts)))
        return [*out, BlockEnded()] if out or item.said else []

    def _end_message(self, item: _Item, found: Json) -> list[Event]:
        if item.said:
            return [BlockEnded()]
        out: list[Event] = []
        content = found.get("content")
        for part in cast("list[object]", content) if isinstance(content, list) else []:
            said = cast("Json", part) if isinstance(part, dict) else {}
            refusal, text = said.get("refusal"), said.get("text")
            if isinstance(refusal, str) and refusal:
                out.append(RefusalDelta(refusal))
            elif isinstance(text, str) and text:
                out += (TextDelta(text), BlockEnded())
        return out

    def _read_annotation(self, data: Json) -> list[Event]:
        self._ctx.note_dropped("annotations")
        return []

    def _read_end(self, kind: str, response: Json) -> list[Event]:
        out = self._read_start(response)
        status = str(response.get("status") or kind)
        if status in _FAILED or kind in _FAILED:
            self.ended = True
            fault = errors.decode_error(response, 0)
            return [fault or Fault(500, "api_error", f"The upstream ended the answer as {status}.")]
        output = response.get("output")
        if not self._items and isinstance(output, list):
            # Some servers send only the last event.
            for at, item in enumerate(cast("list[object]", output)):
                out += self._read_item_done({"output_index": at, "item": item})
        self.ended = True
        if self.usage.input is None and self.usage.output is None:
            self._ctx.note_weakened("usage")
        return [*out, Ended(self._resolve_stop(status, response), self.usage)]

    def _resolve_stop(self, status: str, response: Json) -> Stop:
        if status == "incomplete":
            reason = json_values.get_object(response, "incomplete_details").get("reason")
            stop = _INCOMPLETE.get(str(reason))
            if stop is None:
                self._ctx.note_weakened(f"incomplete_details.reason {str(reason)[:40]}")
            return stop or "end"
        return "tool" if self._calls else "end"


def _read_texts(parts: object) -> list[str]:
    found = cast("list[object]", parts) if isinstance(parts, list) else []
    texts = [cast("Json", part).get("text") for part in found if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _encode_proof(item_id: str, encrypted: str, texts: list[str]) -> str:
    """The state that restores a reasoning item: its id, its opaque content, and the lengths of its summary's parts."""
    return msgspec.json.encode([item_id, encrypted, [len(text) for text in texts]]).decode()


_READERS = {
    "response.output_item.added": ResponsesDecoder._read_item_added,  # pyright: ignore[reportPrivateUsage]
    "response.output_item.done": ResponsesDecoder._read_item_done,  # pyright: ignore[reportPrivateUsage]
    "response.refusal.delta": ResponsesDecoder._read_refusal,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_summary_text.delta": ResponsesDecoder._read_reasoning,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_text.delta": ResponsesDecoder._read_reasoning,  # pyright: ignore[reportPrivateUsage]
    "response.function_call_arguments.delta": ResponsesDecoder._read_fragment,  # pyright: ignore[reportPrivateUsage]
    "response.custom_tool_call_input.delta": ResponsesDecoder._read_fragment,  # pyright: ignore[reportPrivateUsage]
    "response.output_text.annotation.added": ResponsesDecoder._read_annotation,  # pyright: ignore[reportPrivateUsage]
}
