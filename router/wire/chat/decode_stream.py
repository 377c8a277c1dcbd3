"""Decodes a Chat stream to neutral events.

Rules of this file: an error wins over everything beside it; the first finish reason counts; the end is [DONE], the
usage event behind the finish reason, or the end of the body when a finish reason was seen; of several choices the first
is the answer, and another one that has no text of its own brings calls of it.
"""

from typing import cast

from router.ir import (
    Began,
    Citation,
    Cited,
    Ended,
    Event,
    Fault,
    RefusalDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire import openai
from router.wire.chat import usage
from router.wire.chat.answer import citations, fields
from router.wire.chat.answer.call_reader import CallReader
from router.wire.chat.answer.choices import FurtherChoices, read_index
from router.wire.chat.answer.executed_tools import FIELD as EXECUTED
from router.wire.chat.answer.executed_tools import read_searches
from router.wire.chat.answer.reasoning_details import FIELD, DetailsReader
from router.wire.neutral.answer_bounds import CITATIONS, PARTS, AnswerCounts, check_length
from router.wire.neutral.context import Context
from router.wire.neutral.logprobs import MEMBER, Logprob, list_logprobs
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_STOPS: dict[str, Stop] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "context",
    "content_filter": "refusal",
    "safety": "refusal",
}
_CALLED = ("tool_calls", "function_call")
_FAULTS = ("error", "insufficient_system_resource", "abort")
NO_FINISH = "The upstream's stream ended without a finish_reason."


class ChatDecoder:
    """The state of one stream."""

    pure_text = True

    def __init__(self, ctx: Context, *, whole: bool = False):
        """whole: the stream is one chunk, made of a whole answer."""
        self._ctx = ctx
        self._whole = whole
        self._begun = False
        self.usage = Usage()
        self._finish = ""
        self._stopped_by = ""
        # The index of the choice that is the answer, None before the first; and what the others have brought.
        self._main: int | None = None
        # That index as it is written, which may be left out.
        self._main_written: object = self
        self._counts = counts = AnswerCounts()
        self._others = FurtherChoices(counts)
        # What was read last: text, thinking, signed, refusal, call; "" before anything was.
        self._open = ""
        # The reasoning shown since it began, its length, and whether a plain field brought any of it.
        self._thought: list[str] = []
        self._shown = 0
        self._plain = False
        self._details = DetailsReader(counts, whole=whole)
        self._calls = CallReader(ctx, counts, whole=whole, prepare=self._prepare_call)
        # Pages that are cited by a text that has not begun, and those that were named before.
        self._cited: list[Citation] = []
        self._known: set[tuple[str, int | None]] = set()
        self._asks_logprobs = ctx.logprobs
        # Log probabilities that wait for their text.
        self._logprobs: list[Logprob] = []
        self._choice_fields = fields.CHOICE_WITH_LOGPROBS if ctx.logprobs else fields.CHOICE
        # The number of fields of the last chunk that was looked through for unknown ones, and of its choice. The first
        # chunk is, each with another number, and each that ends the answer.
        self._fields = 0
        self._fields_of_choice = 0
        self.ended = False

    @property
    def finished(self) -> bool:
        """True when a finish reason was seen: then the end of the body is a good end."""
        return bool(self._finish or self._others.finish)

    def feed(self, name: str, data: Json) -> list[Event]:
        """The events that one chunk brings."""
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None  # pyright: ignore[reportUnknownVariableType]
        only: Json = choice if isinstance(choice, dict) else {}  # pyright: ignore[reportUnknownVariableType]
        counted = False
        if data.get("usage") or only.get("usage") or "x_groq" in data:
            # Usage counts behind the end too, and beside an error. Nearly no chunk has any: those cost no call.
            counted = self._read_usage(data, only)
        if self.ended:
            self._ctx.note_unread(data, fields.ANSWER)
            return []
        if data.get("error") or name == "error":
            self.ended = True
            fault = openai.decode_error(data, 0) or openai.decode_error({"error": data}, 0)
            return [fault] if fault else []
        out: list[Event] = []
        if not self._begun and (choices or data.get("id")):
            self._begun = True
            out.append(Began(str(data.get("id") or ""), str(data.get("model") or ""), Usage()))
        if only:
            if len(choices) > 1 or only.get("index") != self._main_written:  # pyright: ignore[reportUnknownArgumentType, reportArgumentType]
                self._read_choices(cast("list[object]", choices), out)
            else:
                self._read_choice(only, out)
        if len(data) != self._fields or len(only) != self._fields_of_choice or self._finish:
            self._fields = len(data)
            self._fields_of_choice = len(only)
            self._read_rest(data, only, out)
        if counted and choice is None and self.finished:
            out += self.done()
        return out

    def _read_usage(self, data: Json, choice: Json) -> bool:
        """Read the usage of a chunk; False when it holds none."""
        found = usage.find_usage(data, choice)
        if found:
            self.usage = usage.decode_usage(found, self.usage, self._ctx.profile)
        return bool(found)

    def done(self) -> list[Event]:
        """[DONE], or the end of a body with a finish reason; of one without, where the profile takes it for an end."""
        if self.ended:
            return []
        self.ended = True
        said = bool(self._open or self._calls or self._others or self.usage.output is not None)
        if not self.finished and not (self._begun and (said or self._ctx.profile.finish_optional)):
            return [Fault(500, "api_error", NO_FINISH)]
        if not self.finished and not self._ctx.profile.finish_optional:
            self._ctx.note_weakened("finish_reason")
        self._finish = self._finish or self._others.finish or "stop"
        out: list[Event] = []
        self._calls.finish(out)
        self._others.release(self._calls, self._ctx, out)
        if self._cited:
            self._release_citations(out)
        if self._details.due:
            self._details.seal(None, out)
        if self._finish in _FAULTS:
            return [*out, Fault(500, "api_error", f"The upstream ended the answer with {self._finish}.")]
        if self._logprobs:
            self._ctx.note_dropped("logprobs")
        if self.usage.input is None and self.usage.output is None:
            self._ctx.note_weakened("usage")
        out.append(Ended(self._resolve_stop(), self.usage, self._stopped_by))
        return out

    def _resolve_stop(self) -> Stop:
        finish = self._finish
        if finish in _STOPS:
            return _STOPS[finish]
        if self._calls.started:
            return "tool"
        if self._stopped_by:
            return "sequence"
        if finish != "stop":
            self._ctx.note_weakened(f"finish_reason {finish[:40]}")
        return "end"

    def _read_choices(self, choices: list[object], out: list[Event]) -> None:
        """Read the choices of a chunk that has several, or another than the answer's."""
        entries = [cast("Json", one) for one in choices if isinstance(one, dict)]
        found = {read_index(one, at): one for at, one in enumerate(entries)}
        if self._main is None:
            self._main = min(found)
        for index, choice in sorted(found.items()):
            if index == self._main:
                self._main_written = choice.get("index")
                self._read_choice(choice, out)
            else:
                self._others.keep(index, choice)

    def _read_choice(self, choice: Json, out: list[Event]) -> None:
        if choice.get("logprobs"):
            self._take_logprobs(choice)
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta:
            self._read_delta(delta, out)  # pyright: ignore[reportUnknownArgumentType]
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish and (not self._finish or (self._finish == "stop" and finish in _CALLED)):
            self._finish = finish
            stopped_by = choice.get("stop_reason")
            self._stopped_by = stopped_by if isinstance(stopped_by, str) else ""

    def _take_logprobs(self, choice: Json) -> None:
        """Keep the log probabilities of the text that follows; those that nobody asked for are a loss."""
        found = _read_logprobs(choice)
        if self._asks_logprobs:
            self._logprobs += found
        elif found:
            self._ctx.note_dropped("logprobs")

    def _read_delta(self, delta: Json, out: list[Event]) -> None:
        content = delta.get("content")
        if content.__class__ is str and len(delta) <= 2:
            # The form of nearly all chunks: text, and at most a role beside it.
            if content and not self._logprobs:
                self._open = "text"
                out.append(TextDelta(content))  # pyright: ignore[reportArgumentType]
            elif content:
                self._add_text(content, out)  # pyright: ignore[reportArgumentType]
            if len(delta) == 1 or "role" in delta:
                return
            content = None
        calls = delta.get("tool_calls")
        if len(delta) > 1 or calls is None:
            self._read_fields(delta, content, out)
        for entry in calls if isinstance(calls, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(entry, dict):
                self._calls.read(entry, out)  # pyright: ignore[reportUnknownArgumentType]
        legacy = delta.get("function_call")
        if isinstance(legacy, dict) and any(legacy.values()):  # pyright: ignore[reportUnknownArgumentType]
            self._calls.read({"index": 0, "function": legacy}, out)

    def _read_fields(self, delta: Json, content: object, out: list[Event]) -> None:
        """Read what is no call. content: None where it was read."""
        self._read_reasoning(delta, out)
        if isinstance(content, str):
            if content:
                self._add_text(content, out)
        elif isinstance(content, list):
            self._read_parts(cast("list[object]", content), out)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._open = "refusal"
            out.append(RefusalDelta(refusal))
        if executed := delta.get(EXECUTED):
            out += read_searches(executed, self._counts, self._ctx)
        if annotations := delta.get("annotations"):
            self._cite(citations.read_annotations(annotations, self._ctx), out)
        if not delta.keys() <= fields.MESSAGE:
            self._ctx.note_unread(delta, fields.MESSAGE)

    def _add_text(self, text: str, out: list[Event]) -> None:
        self._open = "text"
        if self._logprobs:
            out.append(TextDelta(text, tuple(self._logprobs)))
            self._logprobs.clear()
        else:
            out.append(TextDelta(text))

    def _read_reasoning(self, delta: Json, out: list[Event]) -> None:
        """Read the reasoning of a delta: of the first field that has any, since some servers send it twice."""
        details = delta.get(FIELD)
        thought = self._details.read(cast("list[object]", details)) if isinstance(details, list) else ""
        found = delta.get("reasoning_content") or delta.get("reasoning")
        plain = found if isinstance(found, str) else ""
        if thought and not plain and self._was_said(thought):
            thought = ""
        elif thought or plain:
            self._add_thought(thought or plain, out)
            self._plain = self._plain or bool(plain)
        if self._details.due and not self._calls.started and self._open != "text":
            self._seal_details(out)

    def _was_said(self, thought: str) -> bool:
        """True for a whole thought beside its signature, if it was streamed as pieces of plain text before. Fairlead
        writes reasoning in this form, and so do other servers that sign at the end."""
        return (
            self._plain and self._open == "thinking" and self._shown == len(thought) and self._join_thought() == thought
        )

    def _join_thought(self) -> str:
        return "".join(self._thought)

    def _add_thought(self, thought: str, out: list[Event]) -> None:
        if self._open != "thinking":
            self._release_citations(out)
            self._open = "thinking"
            self._thought.clear()
            self._shown = 0
            self._plain = False
        self._thought.append(thought)
        self._shown += len(thought)
        out.append(ThinkingDelta(thought))

    def _seal_details(self, out: list[Event]) -> None:
        self._details.seal(self._join_thought() if self._open == "thinking" else None, out)
        self._open = "signed"

    def _prepare_call(self, out: list[Event]) -> None:
        self._release_citations(out)
        if self._details.due and self._calls.started == 1:
            self._seal_details(out)
        self._open = "call"

    def _read_parts(self, content: list[object], out: list[Event]) -> None:
        """Read content that is a list of parts (Mistral): text, and reasoning with parts of its own."""
        check_length(content, PARTS)
        for part in content:
            entry = cast("Json", part) if isinstance(part, dict) else {}
            inner = entry.get("thinking")
            text = entry.get("text")
            if entry.get("type") == "thinking" and isinstance(inner, list):
                parts = [cast("Json", one) for one in cast("list[object]", inner) if isinstance(one, dict)]
                if said := "".join(str(one.get("text") or "") for one in parts):
                    self._add_thought(said, out)
            elif isinstance(text, str):
                if text:
                    self._add_text(text, out)
            elif entry:
                self._ctx.note_dropped(f"content part {str(entry.get('type'))[:40]}")

    def _cite(self, found: list[Citation], out: list[Event]) -> None:
        """Cite pages, each once; those that come before the text, once there is one."""
        for one in found:
            key = (one.url, one.start)
            if key not in self._known:
                self._counts.add(CITATIONS)
                self._known.add(key)
                self._cited.append(one)
        if self._open == "text":
            self._release_citations(out)

    def _release_citations(self, out: list[Event]) -> None:
        """Cite the pages that wait before another block closes the text; at the end, name those that have none."""
        if self._open == "text":
            out += map(Cited, self._cited)
            self._cited.clear()
        elif self._cited and self.ended:
            self._ctx.note_dropped("citations")

    def _read_rest(self, data: Json, choice: Json, out: list[Event]) -> None:
        """Read the fields around the delta, and name the unknown ones."""
        if any(data.get(name) for name in citations.FIELDS):
            self._cite(citations.read_sources(data, self._ctx), out)
        self._ctx.note_unread(data, fields.ANSWER)
        self._ctx.note_unread(choice, self._choice_fields)


def _read_logprobs(choice: Json) -> list[Logprob]:
    """The log probabilities of a choice's tokens of text."""
    return list_logprobs(json_values.get_object(choice, MEMBER).get("content"))
