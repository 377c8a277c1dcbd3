"""Decodes a Responses stream to neutral events.

Rules of this file: which item an event belongs to says output/item_table.py; deltas count first, and of the `done`
events and of the output of the last event counts what no delta brought; the opaque content of reasoning is that of the
finished item; a call of the wrapper `parallel` becomes the calls in it; the end is completed, incomplete, failed or
error, and never the end of the body.
"""

from typing import cast

from router.ir import (
    Began,
    Cited,
    Ended,
    Event,
    Fault,
    RefusalDelta,
    Stop,
    TextDelta,
    Usage,
)
from router.wire.neutral.answer_bounds import CITATIONS, PARTS, AnswerCounts, check_length
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses import errors, usage
from router.wire.responses.calls import CUSTOM, FUNCTION
from router.wire.responses.output.call_reader import CallReader
from router.wire.responses.output.item_table import ItemTable, OutputItem, list_objects
from router.wire.responses.output.open_text import OpenText, read_index
from router.wire.responses.output.parts import PART_FIELDS, Logprobs, decode_citation, read_logprobs
from router.wire.responses.output.reasoning_reader import ReasoningReader
from router.wire.responses.output.searches import FIELDS as SEARCH_FIELDS
from router.wire.responses.output.searches import SEARCH, decode_search
from router.wire.responses.response_object import REPEATED

_INCOMPLETE: dict[str, Stop] = {"max_output_tokens": "length", "content_filter": "refusal"}
_FAILED = ("failed", "cancelled")
_STARTS = ("response.created", "response.in_progress", "response.queued")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
# The fields of items, and of the answer, that are read, or say nothing that a client of another protocol would miss.
_ITEM_FIELDS = {
    "message": frozenset(("id", "type", "status", "role", "content")),
    "reasoning": frozenset(("id", "type", "status", "summary", "content", "encrypted_content")),
    FUNCTION: frozenset(("id", "type", "status", "call_id", "name", "arguments", "namespace", "parsed_arguments")),
    CUSTOM: frozenset(("id", "type", "status", "call_id", "name", "input", "namespace")),
    SEARCH: SEARCH_FIELDS,
}
_FIELDS = frozenset(
    (
        *("id", "object", "created_at", "completed_at", "model", "status", "output", "output_text", "usage", "error"),
        *("incomplete_details", "billing", "conversation", "prompt", "prompt_cache_options", "prompt_cache_retention"),
        *("store", "context_management", "stream_options", "frequency_penalty", "presence_penalty", "tool_usage"),
        *REPEATED,
    )
)


class ResponsesDecoder:
    """The state of one stream."""

    pure_text = False

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._begun = False
        self._counts = AnswerCounts()
        self._table = ItemTable(self._counts)
        self._calls = CallReader(ctx, self._counts)
        self._text = OpenText()
        self._reasoning = ReasoningReader(self._table, self._text)
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

    def _read_text(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not delta or not isinstance(delta, str):
            return []
        item = self._text.item
        if (
            item is None
            or item.id != data.get("item_id")
            or item.index != data.get("output_index")
            or item.part != data.get("content_index")
            or item.kind != "message"
        ):
            item = self._find_text(data, "message")
            before = self._text.turn_to(item, read_index(data, "content_index"))
            return [*before, *self._say(item, delta, data.get("logprobs"))]
        item.pieces.append(delta)
        logprobs = data.get("logprobs")
        if not logprobs:
            return [TextDelta(delta)]
        item.scored.add(item.part)
        return [TextDelta(delta, self._read_logprobs(logprobs))]

    def _read_late_logprobs(self, item: OutputItem, at: int, part: Json, *, follows: bool) -> Logprobs:
        """Those of a whole part, where no delta brought any. They need a text that is open, or one that follows."""
        found = part.get("logprobs")
        if not found or at in item.scored:
            return ()
        item.scored.add(at)
        if follows or (item is self._text.item and item.part == at):
            return self._read_logprobs(found)
        self._ctx.note_dropped("logprobs")
        return ()

    def _find_text(self, data: Json, kind: str) -> OutputItem:
        found = self._table.find(kind, data.get("item_id"), data.get("output_index"))
        return cast("OutputItem", found)  # Only calls may be ambiguous.

    def _say(self, item: OutputItem, text: str, logprobs: object) -> list[Event]:
        item.pieces.append(text)
        if logprobs:
            item.scored.add(item.part)
        return [TextDelta(text, self._read_logprobs(logprobs))]

    def _read_logprobs(self, found: object) -> Logprobs:
        """Log probabilities, where the caller asked for some."""
        if found and not self._ctx.logprobs:
            self._ctx.note_dropped("logprobs")
            return ()
        return read_logprobs(found)

    def _read_refusal(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item = self._find_text(data, "message")
        item.parts.setdefault(_refusal_key(read_index(data, "content_index")), []).append(delta)
        return [RefusalDelta(delta)]

    def _read_reasoning(self, data: Json) -> list[Event]:
        return self._reasoning.read_delta(data)

    def _read_reasoning_done(self, data: Json) -> list[Event]:
        return self._reasoning.read_done(data)

    def _read_text_done(self, data: Json) -> list[Event]:
        """A part's text, or the part itself, at its end."""
        part = json_values.get_object(data, "part") or data
        if part.get("type") in ("reasoning_text", "summary_text"):
            return []
        item = self._find_text(data, "message")
        return [] if item.done else self._read_part(item, read_index(data, "content_index"), part)

    def _read_part(self, item: OutputItem, at: int, part: Json) -> list[Event]:
        """What a whole part of a message has and no earlier event brought."""
        text, refusal = part.get("text"), part.get("refusal")
        out: list[Event] = []
        if isinstance(refusal, str) and refusal:
            rest = item.top_up(_refusal_key(at), refusal)
            out += [RefusalDelta(rest)] if rest else []
        elif isinstance(text, str):
            rest = item.top_up(at, text)
            logprobs = self._read_late_logprobs(item, at, part, follows=bool(rest))
            if rest or logprobs:
                out += [*self._text.turn_to(item, at), TextDelta(rest, logprobs)]
            check_length(part.get("annotations"), CITATIONS)
            for annotation in list_objects(part.get("annotations")):
                out += self._cite(item, at, annotation)
        return out

    def _read_annotation(self, data: Json) -> list[Event]:
        item = self._find_text(data, "message")
        return self._cite(item, read_index(data, "content_index"), json_values.get_object(data, "annotation"))

    def _cite(self, item: OutputItem, at: int, annotation: Json) -> list[Event]:
        citation = decode_citation(annotation)
        if citation is None:
            self._ctx.note_dropped(f"annotations.{str(annotation.get('type'))[:40]}")
            return []
        key = (at, citation.url, citation.title, citation.start, citation.end)
        if key in item.cited:
            return []
        self._counts.add(CITATIONS)
        item.cited.add(key)
        if item is not self._text.item or item.part != at:
            # Its text has ended.
            self._ctx.note_dropped("annotations")
            return []
        return [Cited(citation)]

    def _read_item_added(self, data: Json) -> list[Event]:
        found = json_values.get_object(data, "item")
        kind = str(found.get("type"))
        item = self._table.announce(kind, found, data.get("output_index"))
        if item is None or kind not in (FUNCTION, CUSTOM):
            return []
        return self._begin_call(item, found)

    def _begin_call(self, item: OutputItem, found: Json) -> list[Event]:
        self._text.item = None
        return self._calls.begin(item, found)

    def _read_fragment(self, data: Json) -> list[Event]:
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item = self._table.find(FUNCTION, data.get("item_id"), data.get("output_index"))
        return self._calls.add(item, delta) if item is not None else []

    def _read_call_done(self, data: Json) -> list[Event]:
        """A call's whole arguments."""
        item = self._table.find(FUNCTION, data.get("item_id"), data.get("output_index"))
        return self._calls.top_up(item, data) if item is not None and not item.done else []

    def _read_item_done(self, data: Json) -> list[Event]:
        found = json_values.get_object(data, "item")
        kind = str(found.get("type"))
        item = self._table.find_whole(kind, found, data.get("output_index"))
        before: list[Event] = []
        if item is None:
            before = self._read_item_added(data)
            item = self._table.items[-1]
        return before if item.done else before + self._end_item(item, found, kind)

    def _end_item(self, item: OutputItem, found: Json, kind: str) -> list[Event]:
        """What a finished item has and no earlier event brought."""
        self._note_fields(found, kind)
        if kind in (FUNCTION, CUSTOM):
            before = self._begin_call(item, found) if item.call < 0 and not item.wrapper else []
            out = before + self._calls.end(item, found)
            if item.done:
                self._table.finish(item)
            return out
        self._table.finish(item)
        if kind == "message":
            return self._end_message(item, found)
        if kind == "reasoning":
            return self._reasoning.end(item, found)
        if kind == SEARCH:
            self._text.item = None
            searched = decode_search(found, self._ctx)
            return [searched] if searched is not None else []
        self._ctx.note_dropped(f"output item {kind[:40]}")
        return []

    def _note_fields(self, found: Json, kind: str) -> None:
        check_length(found.get("content"), PARTS)
        known = _ITEM_FIELDS.get(kind)
        if known is None:
            return
        self._ctx.note_unread(found, known)
        for part in list_objects(found.get("content")):
            self._ctx.note_unread(part, PART_FIELDS)

    def _end_message(self, item: OutputItem, found: Json) -> list[Event]:
        out: list[Event] = []
        said = item.list_texts()
        content = found.get("content")
        # Some servers write the text without a part.
        parts: list[Json] = [{"text": content}] if isinstance(content, str) else list_objects(content)
        for at, part in enumerate(parts):
            # Some servers count the parts of deltas otherwise than those of the item.
            if at in item.parts or part.get("text") not in said:
                out += self._read_part(item, at, part)
        return out

    def _read_end(self, kind: str, response: Json) -> list[Event]:
        out = self._read_start(response)
        status = str(response.get("status") or kind)
        if status in _FAILED or kind in _FAILED:
            self.ended = True
            fault = errors.decode_error(response, 0)
            return [fault or Fault(500, "api_error", f"The upstream ended the answer as {status}.")]
        out += self._settle(list_objects(response.get("output")))
        out += self._calls.close(self._table.items)
        self.ended = True
        self._ctx.note_unread(response, _FIELDS)
        if self.usage.input is None and self.usage.output is None:
            self._ctx.note_weakened("usage")
        return [*out, Ended(self._resolve_stop(status, response), self.usage)]

    def _settle(self, output: list[Json]) -> list[Event]:
        """What only the output of the last event has: some servers send nothing else, others leave out deltas."""
        out: list[Event] = []
        said = self._table.list_texts()
        for found, item in zip(output, self._table.settle(output), strict=True):
            kind = str(found.get("type"))
            if item is None:
                texts = {str(part.get("text")) for part in list_objects(found.get("content"))}
                if kind == "message" and texts and texts <= said:
                    continue
                item = self._table.add(kind, found.get("id"), None)
                out += self._end_item(item, found, kind)
            elif not item.done:
                out += self._end_item(item, found, kind)
            elif kind == "message":
                out += self._end_message(item, found)
            elif kind == "reasoning" and not item.parts:
                out += self._reasoning.end(item, {**found, "encrypted_content": None})
        return out

    def _resolve_stop(self, status: str, response: Json) -> Stop:
        if status == "incomplete":
            reason = json_values.get_object(response, "incomplete_details").get("reason")
            stop = _INCOMPLETE.get(str(reason))
            if stop is None:
                self._ctx.note_weakened(f"incomplete_details.reason {str(reason)[:40]}")
            return stop or "end"
        return "tool" if self._calls.count else "end"


def _refusal_key(at: int) -> str:
    return f"refusal {at}"


_READERS = {
    "response.output_item.added": ResponsesDecoder._read_item_added,  # pyright: ignore[reportPrivateUsage]
    "response.output_item.done": ResponsesDecoder._read_item_done,  # pyright: ignore[reportPrivateUsage]
    "response.output_text.done": ResponsesDecoder._read_text_done,  # pyright: ignore[reportPrivateUsage]
    "response.content_part.done": ResponsesDecoder._read_text_done,  # pyright: ignore[reportPrivateUsage]
    "response.refusal.delta": ResponsesDecoder._read_refusal,  # pyright: ignore[reportPrivateUsage]
    "response.refusal.done": ResponsesDecoder._read_text_done,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_summary_text.delta": ResponsesDecoder._read_reasoning,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_text.delta": ResponsesDecoder._read_reasoning,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_summary_text.done": ResponsesDecoder._read_reasoning_done,  # pyright: ignore[reportPrivateUsage]
    "response.reasoning_text.done": ResponsesDecoder._read_reasoning_done,  # pyright: ignore[reportPrivateUsage]
    "response.function_call_arguments.delta": ResponsesDecoder._read_fragment,  # pyright: ignore[reportPrivateUsage]
    "response.custom_tool_call_input.delta": ResponsesDecoder._read_fragment,  # pyright: ignore[reportPrivateUsage]
    "response.function_call_arguments.done": ResponsesDecoder._read_call_done,  # pyright: ignore[reportPrivateUsage]
    "response.custom_tool_call_input.done": ResponsesDecoder._read_call_done,  # pyright: ignore[reportPrivateUsage]
    "response.output_text.annotation.added": ResponsesDecoder._read_annotation,  # pyright: ignore[reportPrivateUsage]
}
