"""The calls of a Responses answer as neutral events."""

from collections.abc import Iterable

import msgspec

from router.ir import CallBegan, CallDelta, Event
from router.wire.conversation.identifiers import CALL_ID_LIMIT, AnswerCallIds
from router.wire.neutral.answer_bounds import CALLS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.neutral.tool_forms.wrapped_calls import WRAPPERS, unwrap_calls
from router.wire.raw.json.json_values import Json
from router.wire.responses.calls import CUSTOM, to_neutral_name
from router.wire.responses.output.item_table import OutputItem


class CallReader:
    """The calls of one answer."""

    def __init__(self, ctx: Context, counts: AnswerCounts):
        self._ctx = ctx
        self._counts = counts
        #: The number of calls that have begun.
        self.count = 0
        self._ids = AnswerCallIds(ctx.call_ids, ctx.new_id)

    def begin(self, item: OutputItem, found: Json) -> list[Event]:
        """Begin a call that an event announces, with the fragments that came before. One without a name waits."""
        name = str(found.get("name") or "")
        item.custom = item.kind == CUSTOM
        item.name = name
        item.turn_to(0)
        if not name:
            return []
        if name in WRAPPERS and name not in self._ctx.declared_tools:
            item.wrapper = True
            return []
        self._counts.add(CALLS)
        item.call = self.count
        self.count += 1
        given = to_neutral_name(self._ctx.names.decode(name), str(found.get("namespace") or ""))
        began: list[Event] = [CallBegan(item.call, self._ids.give(str(found.get("call_id") or "")), given)]
        if item.custom:
            began.append(CallDelta(item.call, freeform_tools.OPENING))
        return [*began, *(self._delta(item, piece) for piece in item.pieces)]

    def _delta(self, item: OutputItem, text: str) -> Event:
        return CallDelta(item.call, freeform_tools.escape(text) if item.custom else text)

    def add(self, item: OutputItem, delta: str) -> list[Event]:
        """A fragment of a call's arguments; one of a call that has not begun is kept."""
        if not item.parts:
            item.turn_to(0)
        item.pieces.append(delta)
        return [self._delta(item, delta)] if item.call >= 0 else []

    def top_up(self, item: OutputItem, found: Json) -> list[Event]:
        """The arguments that no fragment brought. found: an event or item with the whole of them."""
        whole = found.get("input" if item.custom else "arguments")
        if isinstance(whole, dict):
            whole = msgspec.json.encode(whole).decode()
        rest = item.top_up(0, whole) if isinstance(whole, str) and whole else ""
        item.turn_to(0)
        return [self._delta(item, rest)] if rest and item.call >= 0 else []

    def end(self, item: OutputItem, found: Json) -> list[Event]:
        """End a call, given its whole item. A call that still says nothing waits for the last event."""
        out = self.top_up(item, found)
        if not item.pieces or not item.name:
            return out
        item.done = True
        return out + self._end(item, str(found.get("call_id") or item.call_id))

    def _end(self, item: OutputItem, call_id: str) -> list[Event]:
        if item.wrapper:
            return self._unwrap(item, call_id)
        return [CallDelta(item.call, freeform_tools.CLOSING)] if item.custom else []

    def close(self, items: Iterable[OutputItem]) -> list[Event]:
        """End the calls that no event has ended."""
        out: list[Event] = []
        for item in items:
            if not item.done and (item.call >= 0 or item.wrapper):
                out += self._end(item, item.call_id)
            elif not item.done and item.pieces and item.kind not in ("message", "reasoning"):
                self._ctx.note_dropped(f"output item {item.kind[:40]}")
        return out

    def _unwrap(self, item: OutputItem, call_id: str) -> list[Event]:
        """The calls inside a wrapper; the wrapper itself unless all of them are calls of declared tools."""
        call_id = call_id or f"call_{self._ctx.new_id()}"
        names, arguments = self._ctx.names, "".join(item.pieces)
        inner = unwrap_calls(arguments, {names.encode(name, CALL_ID_LIMIT) for name in self._ctx.declared_tools})
        pairs = [(f"{call_id}_{at}", names.decode(name), said) for at, (name, said) in enumerate(inner)]
        pairs = pairs or [(call_id, item.name, arguments)]
        out: list[Event] = []
        self._counts.add(CALLS, len(pairs))
        for one in pairs:
            out += (CallBegan(self.count, self._ids.give(one[0]), one[1]), CallDelta(self.count, one[2]))
            self.count += 1
        return out
