"""Decodes a generateContent stream to neutral events.

Rules of this file: an error wins over everything beside it; the first candidate is the answer, others are dropped; the
first finish reason counts, and usage may follow it; a prompt that was blocked is a refusal; the end is the end of the
body, which is a good one once a finish reason was seen.
"""

from typing import cast

from router.ir import (
    Began,
    BlockEnded,
    Ended,
    Event,
    Fault,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire.gemini.answers import parts
from router.wire.gemini.answers.call_reader import CallReader
from router.wire.gemini.errors import decode_error
from router.wire.gemini.stop_reasons import REFUSALS, UNSPECIFIED, decode_stop, describe_refusal
from router.wire.gemini.usage import decode_usage
from router.wire.neutral.answer_bounds import CHOICES, PARTS, AnswerCounts, check_length
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

NO_FINISH = "The upstream's stream ended without a finishReason."


class GeminiDecoder:
    """The state of one stream."""

    pure_text = False

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self.usage = Usage()
        self._counts = counts = AnswerCounts()
        self._calls = CallReader(ctx, counts)
        self._begun = False
        # What was read last: text, thinking, call; "" before anything was.
        self._open = ""
        # True once there is text, or a call.
        self._said = False
        # The finish reason in capitals and its message; and the reason for which a prompt was blocked.
        self._finish = ""
        self._message = ""
        self._blocked = ""
        # The index of the candidate that is the answer, None before the first.
        self._main: int | None = None
        self.ended = False

    @property
    def finished(self) -> bool:
        """True when a finish reason was seen, or the prompt was blocked: then the end of the body is a good end."""
        return bool(self._finish or self._blocked)

    def feed(self, name: str, data: Json) -> list[Event]:
        """The events that one chunk brings. Raises TooMany."""
        usage = data.get("usageMetadata")
        if isinstance(usage, dict):
            # It counts behind the end too, and beside an error.
            self.usage = decode_usage(cast("Json", usage), self.usage)
        if self.ended:
            return []
        if data.get("error") or name == "error":
            self.ended = True
            fault = decode_error(data, 0) or decode_error({"error": data}, 0)
            return [fault] if fault else []
        out: list[Event] = []
        if not self._begun:
            self._begun = True
            out.append(Began(_read_text(data, "responseId"), _read_text(data, "modelVersion"), Usage()))
        if not data.keys() <= parts.ANSWER:
            self._ctx.note_unread(data, parts.ANSWER)
        candidate = self._choose(data.get("candidates"))
        if candidate is not None:
            self._read_candidate(candidate, out)
        feedback = json_values.get_object(data, "promptFeedback")
        if feedback.get("blockReason"):
            self._blocked = _read_text(feedback, "blockReason") or "OTHER"
            self._message = self._message or _read_text(feedback, "blockReasonMessage")
        return out

    def done(self) -> list[Event]:
        """The end of the body."""
        if self.ended:
            return []
        self.ended = True
        out: list[Event] = []
        self._calls.finish(out)
        if not self.finished and not (self._ctx.profile.finish_optional and self._said):
            return [*out, Fault(500, "api_error", NO_FINISH)]
        if not self._finish and self._blocked:
            return [*out, *self._refuse(self._blocked)]
        if self._finish in REFUSALS:
            return [*out, *self._refuse(self._finish)]
        stop = decode_stop(self._finish, self._message, self._ctx, called=self._calls.started > 0, said=self._said)
        if type(stop) is Fault:
            return [*out, stop]
        self._note_usage()
        return [*out, Ended(stop, self.usage)]

    def _refuse(self, reason: str) -> list[Event]:
        self._note_usage()
        return [RefusalDelta(describe_refusal(reason, self._message)), Ended("refusal", self.usage)]

    def _note_usage(self) -> None:
        if self.usage.input is None and self.usage.output is None:
            self._ctx.note_weakened("usage")

    def _choose(self, found: object) -> Json | None:
        """The candidate of a chunk that is the answer."""
        check_length(found, CHOICES)
        answer: Json | None = None
        entries = cast("list[object]", found) if isinstance(found, list) else []
        for entry in [cast("Json", one) for one in entries if isinstance(one, dict)]:
            # As all numbers that are 0 it may be left out.
            index = json_values.as_count(entry.get("index")) or 0
            if self._main is None:
                self._main = index
            if index == self._main and answer is None:
                answer = entry
            else:
                self._ctx.note_dropped("candidates")
        return answer

    def _read_candidate(self, candidate: Json, out: list[Event]) -> None:
        if not candidate.keys() <= parts.CANDIDATE:
            # Citations and sources among them.
            self._ctx.note_unread(candidate, parts.CANDIDATE, "candidates.")
        content = candidate.get("content")
        if isinstance(content, dict):
            holder = cast("Json", content)
            found = holder.get("parts")
            check_length(found, PARTS)
            for part in cast("list[object]", found) if isinstance(found, list) else []:
                if isinstance(part, dict):
                    self._read_part(cast("Json", part), out)
        reason = candidate.get("finishReason")
        if isinstance(reason, str) and not self._finish and reason.upper() not in UNSPECIFIED:
            self._finish = reason.upper()
            self._message = _read_text(candidate, "finishMessage") or self._message

    def _read_part(self, part: Json, out: list[Event]) -> None:
        call = part.get("functionCall")
        signature = _read_text(part, "thoughtSignature")
        if isinstance(call, dict):
            self._switch("call", out)
            self._said = True
            self._calls.read(cast("Json", call), signature, out)
            return
        if signature:
            # Of a text: the API does without it, and other protocols have no place for it behind a text.
            self._ctx.note_dropped("thoughtSignature")
        text = part.get("text")
        if isinstance(text, str) and text:
            if part.get("thought") is True:
                self._switch("thinking", out)
                out.append(ThinkingDelta(text))
            else:
                self._switch("text", out)
                self._said = True
                out.append(TextDelta(text))
        if not part.keys() <= parts.PART:
            self._ctx.note_unread(part, parts.PART, "parts.")

    def _switch(self, kind: str, out: list[Event]) -> None:
        """End what was open where something else follows."""
        if self._open == kind:
            return
        if self._open == "call":
            self._calls.finish(out)
        elif self._open:
            out.append(BlockEnded())
        self._open = kind


def _read_text(data: Json, name: str) -> str:
    found = data.get(name)
    return found if isinstance(found, str) else ""
