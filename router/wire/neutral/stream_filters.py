"""Filters on a stream of neutral events, for what an upstream does not do itself: stop at stop sequences, make one call
at a time, write arguments that are JSON, separate reasoning from text, write a summary and nothing else.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from router.ir import BlockEnded, CallBegan, CallDelta, Ended, Event, Fault, Pinged, Searched, TextDelta, ThinkingDelta
from router.wire.neutral.context import Context
from router.wire.neutral.summary import SummaryFilter
from router.wire.neutral.tool_forms.root_unions import RootUnionFilter
from router.wire.raw.json import json_values


class StreamFilter(Protocol):
    """Changes the events of one stream."""

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        ...


def stream_filters(ctx: Context) -> tuple[StreamFilter, ...]:
    """Build the filters that a translation needs, in the order to apply them."""
    found: list[StreamFilter] = []
    if ctx.profile.think_tags:
        found.append(ThinkTagFilter())
    if ctx.union_tools:
        found.append(RootUnionFilter(ctx))
    if ctx.profile.buffer_tool_args:
        found.append(WholeCallFilter(ctx))
    if ctx.single_call:
        found.append(OneCallFilter(ctx))
    if ctx.stop_sequences:
        found.append(StopSequenceFilter(ctx.stop_sequences))
    if ctx.compaction:
        found.append(SummaryFilter(ctx))
    return tuple(found)


class ThinkTagFilter:
    """Turns text between <think>, at the very beginning of a text, and </think> into reasoning."""

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held: str = ""
        # Space in front of the beginning, in pieces: it may be long, and is not looked through again.
        self._space: list[str] = []
        # Whether the next text belongs to the reasoning; None until the beginning was read.
        self._inside: bool | None = None

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if type(event) is not TextDelta:
            if not (self._held or self._space) or isinstance(event, Pinged | Fault):
                return [event]
            held = self._take()
            return [ThinkingDelta(held) if self._inside else TextDelta(held), event]
        if self._inside is False:
            return [event]
        if self._inside is None and not self._held and not event.text.strip():
            self._space.append(event.text)
            return []
        self._held += event.text
        if self._inside is None and not self._decide():
            return []
        if self._inside:
            return self._split_thought()
        held = self._take()
        return [TextDelta(held)] if held else []

    def _take(self) -> str:
        """All that is held."""
        held = "".join((*self._space, self._held))
        self._space, self._held = [], ""
        return held

    def _decide(self) -> bool:
        """True once it is known whether the text begins with reasoning."""
        head = self._held.lstrip()
        if len(head) < len(self._OPEN) and self._OPEN.startswith(head):
            return False
        self._inside = head.startswith(self._OPEN)
        if self._inside:
            self._space, self._held = [], head[len(self._OPEN) :]
        return True

    def _split_thought(self) -> list[Event]:
        """The reasoning so far, and the text behind its end."""
        thought, end, text = self._held.partition(self._CLOSE)
        keep = 0 if end else _overlap_length(thought, self._CLOSE)
        self._held = thought[len(thought) - keep :] if keep else ""
        thought = thought[: len(thought) - keep]
        found: list[Event] = [ThinkingDelta(thought)] if thought else []
        if end:
            self._inside = False
            found += [BlockEnded(), *([TextDelta(text)] if text else [])]
        return found


class WholeCallFilter:
    """Buffers calls until the answer ends, so that arguments that are not JSON are never streamed as if they were."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._calls: dict[int, tuple[CallBegan, list[str]]] = {}

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if type(event) is CallBegan:
            self._calls[event.index] = (event, [])
            return []
        if type(event) is CallDelta:
            self._calls[event.index][1].append(event.fragment)
            return []
        return [*self._release_calls(), event] if type(event) is Ended else [event]

    def _release_calls(self) -> Iterator[Event]:
        for index, (began, fragments) in self._calls.items():
            arguments = "".join(fragments)
            if json_values.as_raw_object(arguments) is None:
                self._ctx.note_weakened(f"tool call {began.name}")
                arguments = json_values.encode_json({"_raw_arguments": arguments})
            yield began
            if arguments:
                yield CallDelta(index, arguments)


class OneCallFilter:
    """Passes the first call and drops the others, where the caller asked for one at a time."""

    def __init__(self, ctx: Context):
        self._ctx = ctx

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if isinstance(event, CallBegan | CallDelta) and event.index > 0:
            self._ctx.note_dropped(f"tool call {event.index + 1}")
            return []
        return [event]


class StopSequenceFilter:
    """Ends the text of a stream at the first stop sequence; reasoning and arguments are not searched.

    Text that may be the beginning of a sequence is buffered. After a match only the end passes, with its usage.
    """

    def __init__(self, stops: tuple[str, ...]):
        self._stops = [stop for stop in stops if stop]
        self._held: str = ""
        self._matched: str = ""

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if isinstance(event, Fault | Pinged):
            return [event]
        if type(event) is Ended:
            return [*self._release_text(), self._mark_end(event)]
        if self._matched:
            return []
        if type(event) is TextDelta:
            return self._filter_text(event.text)
        return [*self._release_text(), event] if isinstance(event, BlockEnded | CallBegan | Searched) else [event]

    def _filter_text(self, text: str) -> list[Event]:
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            at, self._matched = min(found)
            self._held = ""
            return [TextDelta(text[:at])] if at else []
        keep = max((_overlap_length(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        text = text[: len(text) - keep]
        return [TextDelta(text)] if text else []

    def _release_text(self) -> list[Event]:
        held, self._held = self._held, ""
        return [TextDelta(held)] if held else []

    def _mark_end(self, event: Ended) -> Ended:
        if not self._matched:
            return event
        return msgspec.structs.replace(event, stop="sequence", stopped_by=self._matched)


def _overlap_length(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
