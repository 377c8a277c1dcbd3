"""Stop sequences that the upstream does not watch for (translation.md 10.7)."""

import msgspec

from router.ir import BlockEnded, CallBegan, Ended, Event, Fault, Pinged, TextDelta


class StopWatch:
    """Ends the text of a stream at the first stop sequence; reasoning and arguments are not looked at.

    What may be the beginning of a sequence is held back. After a match nothing but the end passes, with its usage.
    """

    def __init__(self, stops: tuple[str, ...]):
        self._stops = [stop for stop in stops if stop]
        self._held: str = ""
        self._matched: str = ""

    def pass_on(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if isinstance(event, Fault | Pinged):
            return [event]
        if isinstance(event, Ended):
            return [*self._rest(), self._end(event)]
        if self._matched:
            return []
        if isinstance(event, TextDelta):
            return self._text(event.text)
        return [*self._rest(), event] if isinstance(event, BlockEnded | CallBegan) else [event]

    def _text(self, text: str) -> list[Event]:
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            at, self._matched = min(found)
            self._held = ""
            return [TextDelta(text[:at])] if at else []
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        text = text[: len(text) - keep]
        return [TextDelta(text)] if text else []

    def _rest(self) -> list[Event]:
        held, self._held = self._held, ""
        return [TextDelta(held)] if held else []

    def _end(self, event: Ended) -> Ended:
        if not self._matched:
            return event
        return msgspec.structs.replace(event, stop="sequence", stopped_by=self._matched)


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
