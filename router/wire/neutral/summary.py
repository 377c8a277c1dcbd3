"""Turns the answer to the request for a summary into one text, whatever else the model wrote.

A client that has a conversation compacted takes the answer's one item in place of the conversation. So the text comes
in one piece, at the end, when it is known to be a summary: a refusal, a call or nothing at all is an error. Until then
the client may only be told that something is under way.
"""

from router.ir import Began, CallBegan, Ended, Event, Fault, Pinged, RefusalDelta, TextDelta, ThinkingDelta
from router.wire.neutral.context import Context

#: The most characters of a summary; models are asked for far fewer.
TEXT_LIMIT = 128 << 10
#: The last line of a summary that is not whole, for the model that goes on with it.
CUT = "[This note was cut off here.]"
#: The error code of a conversation that was not compacted.
CODE = "compaction_failed"
_QUOTED = 300
# Events of the upstream for each sign of life: more would be a stream of their own.
_EVENTS = 64


class SummaryFilter:
    """Passes the summary as one text in front of the end. Some of what comes before becomes reasoning without words, a
    sign that the model is at work."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._text: list[str] = []
        self._room = TEXT_LIMIT
        self._refusal = ""
        self._called = False
        self._events = 0

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if isinstance(event, Began | Pinged | Fault):
            return [event]
        if type(event) is Ended:
            return self._finish(event)
        if type(event) is TextDelta:
            if self._room > 0:
                self._text.append(event.text[: self._room])
            self._room -= len(event.text)
        elif type(event) is RefusalDelta:
            self._refusal = (self._refusal + event.text)[:_QUOTED]
        elif type(event) is CallBegan:
            self._called = True
        self._events += 1
        return [ThinkingDelta("")] if self._events % _EVENTS == 1 else []

    def _finish(self, end: Ended) -> list[Event]:
        text = "".join(self._text).strip()
        if self._refusal or end.stop == "refusal" or not text:
            # With this status no client repeats the request, which costs as much as the whole conversation.
            why = f"The conversation was not compacted: {self._explain(end, text)}"
            return [Fault(400, "invalid_request_error", why, CODE)]
        if end.stop in ("length", "context", "pause") or self._room < 0:
            self._ctx.note_weakened("output")
            text = f"{text}\n{CUT}"
        return [TextDelta(text), Ended("end", end.usage)]

    def _explain(self, end: Ended, text: str) -> str:
        """Why there is no summary, and what to do."""
        model = self._ctx.model or "the model"
        if self._refusal or end.stop == "refusal":
            words = (self._refusal or text[:_QUOTED]).strip()
            return f"{model} refused to write a summary{f' ({words})' if words else ''}. Try another model."
        if self._called:
            return f"{model} called a tool in place of writing a summary. Try again, or another model."
        if end.stop in ("length", "context"):
            return f"{model} reached its output limit before it wrote any summary. Try another model."
        return f"{model} wrote no summary. Try again, or another model."
