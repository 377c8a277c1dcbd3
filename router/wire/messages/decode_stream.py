"""Decodes a Messages stream to neutral events.

Rules of this file: blocks are identified by their index; those of server tools and of unknown types are skipped and
noted as a loss; usage in message_delta overwrites earlier counts; a second message_start with another id is a fault.
"""

import msgspec

from router.ir import (
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Citation,
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
    Usage,
)
from router.wire.conversation.identifiers import AnswerCallIds
from router.wire.messages import errors, usage
from router.wire.messages.citations import decode_citation, decode_citations
from router.wire.messages.search_reader import RESULT, SearchReader, is_call
from router.wire.messages.unread import note_answer, note_block, note_details
from router.wire.neutral.answer_bounds import CALLS, CITATIONS, ITEMS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "context",
    "tool_use": "tool",
    "pause_turn": "pause",
    "refusal": "refusal",
}


def decode_stop(reason: object, ctx: Context) -> Stop:
    """The neutral form of a stop reason; an unknown one means the end of the answer."""
    found = _STOPS.get(reason) if isinstance(reason, str) else None
    if found == "length" and ctx.assumed_limit:
        # Other protocols need no limit, and would have let the answer go on.
        ctx.note_weakened(ctx.caller_path("max_tokens"))
    if found is None or found == "pause":
        ctx.note_weakened(f"stop_reason {str(reason)[:40]}")
    return found or "end"


class MessagesDecoder:
    """The state of one stream."""

    pure_text = True

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._id: str | None = None
        self.usage = Usage()
        self._stop: Stop | None = None
        self._stopped_by = ""
        self._refusal = ""
        # Index of a block -> "text", "thinking", or the number of its call.
        self._open: dict[int, str | int] = {}
        self._fragments: dict[int, bool] = {}
        self._inputs: dict[int, object] = {}
        self._calls = 0
        self._counts = AnswerCounts()
        self._ids = AnswerCallIds(ctx.call_ids, ctx.new_id)
        # The open blocks that are calls of searches: index -> id.
        self._searching: dict[int, str] = {}
        self._searches = SearchReader(ctx, self._counts)
        # What the open text cites.
        self._cited: list[Citation] = []
        self.ended = False

    @property
    def finished(self) -> bool:
        """A stream that lacks its message_stop is not whole."""
        return False

    def feed(self, name: str, data: Json) -> list[Event]:
        """The events that one event brings."""
        kind = data.get("type")
        if self.ended:
            return []
        if kind == "content_block_delta":
            return self._read_delta(data)
        if kind == "content_block_start":
            return self._read_block_start(data)
        if kind == "content_block_stop":
            return self._read_block_stop(data)
        if kind == "message_start":
            return self._read_start(json_values.get_object(data, "message"))
        if kind == "message_delta":
            self._read_message_delta(data)
        elif kind == "message_stop":
            return self.done()
        elif kind == "ping":
            return [Pinged()]
        elif kind == "error" or name == "error":
            self.ended = True
            fault = errors.decode_error(data if kind == "error" else {"type": "error", **data}, 0)
            return [fault] if fault else []
        return []

    def done(self) -> list[Event]:
        """End the answer."""
        self.ended = True
        stop = self._stop or decode_stop(None, self._ctx)
        ended = Ended(stop, self.usage, self._stopped_by)
        refused = [RefusalDelta(self._refusal)] if self._refusal else []
        return [*self._searches.finish(), *refused, ended]

    def _read_start(self, message: Json) -> list[Event]:
        answer_id = str(message.get("id") or "")
        self._read_usage(message)
        note_answer(message, self._ctx)
        if self._id is not None:
            if answer_id == self._id:
                return []
            self.ended = True
            return [Fault(500, "api_error", "The upstream put a second answer into the stream of the first.")]
        self._id = answer_id
        return [Began(answer_id, str(message.get("model") or ""), self.usage)]

    def _read_block_start(self, data: Json) -> list[Event]:
        block = json_values.get_object(data, "content_block")
        index, kind = _read_index(data), block.get("type")
        self._counts.add(ITEMS)
        note_block(block, self._ctx)
        if kind == "text":
            self._open[index] = "text"
            text = block.get("text")
            self._cited = list(decode_citations(block.get("citations"), self._counts, self._ctx))
            return [TextDelta(text)] if isinstance(text, str) and text else []
        if kind == "thinking":
            self._open[index] = "thinking"
            thought = block.get("thinking")
            return [ThinkingDelta(thought)] if isinstance(thought, str) and thought else []
        if kind == "redacted_thinking":
            return [Redacted(str(block.get("data") or ""))]
        if kind == "tool_use":
            self._counts.add(CALLS)
            number = self._calls
            self._calls += 1
            self._open[index] = number
            self._fragments[number] = False
            self._inputs[number] = block.get("input")
            call_id = self._ids.give(str(block.get("id") or "") or f"toolu_{self._ctx.new_id()}")
            return [CallBegan(number, call_id, self._ctx.names.decode(str(block.get("name") or "")))]
        if is_call(block):
            self._searching[index] = self._searches.begin(block)
        return [self._searches.read_result(block)] if kind == RESULT else []

    def _read_delta(self, data: Json) -> list[Event]:
        held = self._open.get(_read_index(data))
        delta = data.get("delta")
        if held is None or not isinstance(delta, dict):
            self._read_query(data)
            return []
        kind: object = delta.get("type")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if kind == "text_delta":
            text: object = delta.get("text")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return [TextDelta(text)] if text and isinstance(text, str) else []
        if kind == "input_json_delta" and isinstance(held, int):
            part: object = delta.get("partial_json")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if not part or not isinstance(part, str):
                return []
            self._fragments[held] = True
            return [CallDelta(held, part)]
        if kind == "thinking_delta":
            thought: object = delta.get("thinking")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return [ThinkingDelta(thought)] if thought and isinstance(thought, str) else []
        if kind == "signature_delta":
            proof: object = delta.get("signature")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return [Signed(proof)] if proof and isinstance(proof, str) else []
        if kind == "citations_delta":
            self._counts.add(CITATIONS)
            citation = decode_citation(delta.get("citation"), self._ctx)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            self._cited.extend([citation] if citation is not None else ())
        return []

    def _read_query(self, data: Json) -> None:
        """More of the input of a search."""
        name = self._searching.get(_read_index(data))
        part = json_values.get_object(data, "delta").get("partial_json")
        if name is not None and isinstance(part, str):
            self._searches.add(name, part)

    def _read_block_stop(self, data: Json) -> list[Event]:
        searching = self._searching.pop(_read_index(data), None)
        if searching is not None:
            self._searches.end(searching)
        held = self._open.pop(_read_index(data), None)
        if isinstance(held, int):
            given = self._inputs.get(held)
            if not self._fragments[held] and isinstance(given, dict) and given:
                return [CallDelta(held, msgspec.json.encode(given).decode())]
            return []
        if held is None:
            return []
        # Citations come in front of their text.
        cited, self._cited = self._cited, []
        return [*map(Cited, cited), BlockEnded()]

    def _read_message_delta(self, data: Json) -> None:
        delta = json_values.get_object(data, "delta")
        if delta.get("stop_reason") is not None:
            self._stop = decode_stop(delta["stop_reason"], self._ctx)
        found = delta.get("stop_sequence")
        self._stopped_by = found if isinstance(found, str) else ""
        self._refusal = decode_refusal(delta)
        self._read_usage(data)
        note_answer(data, self._ctx)
        note_answer(delta, self._ctx)
        note_details(delta, self._ctx)

    def _read_usage(self, holder: Json) -> None:
        self.usage = usage.decode_usage(json_values.get_object(holder, "usage"), self.usage, self._ctx.profile)


def _read_index(data: Json) -> int:
    found = data.get("index")
    return found if isinstance(found, int) else -1


def decode_refusal(holder: Json) -> str:
    """The model's explanation of a refusal, '' without one."""
    said = json_values.get_object(holder, "stop_details").get("explanation")
    return said if isinstance(said, str) else ""
