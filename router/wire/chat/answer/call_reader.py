"""Tells the tool calls of a Chat answer apart, and decodes them to neutral events.

Rules of this file: an id wins over an index, since some gateways send wrong indices; but an entry with a name of its
own that cannot continue the call found is another call, whatever its id and its index are. A call begins when its name
is known. The ids it gives differ from each other and from those of the request's history.
"""

from collections.abc import Callable

import msgspec

from router.ir import CallBegan, CallDelta, Event, Redacted
from router.wire.chat.answer import fields
from router.wire.conversation.identifiers import AnswerCallIds
from router.wire.neutral.answer_bounds import CALLS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.wrapped_calls import WRAPPERS, unwrap_calls
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# Far more calls than an answer has.
_LAST_INDEX = 1_000_000
#: The field beside a call that is sent back with it.
BESIDE = "extra_content"


class _Call:
    """One call that is being read."""

    __slots__ = ("beside", "held", "id", "index", "last", "name", "place")

    def __init__(self, call_id: str, place: int | None):
        #: As the upstream wrote it, '' when it wrote none.
        self.id = call_id
        #: The upstream's index, None when it wrote none.
        self.place = place
        #: Its number among the calls that have begun, -1 before it has begun.
        self.index = -1
        self.name = ""
        #: The last fragment of its arguments, '' before the first.
        self.last = ""
        #: Fragments of its arguments that came before it could begin.
        self.held: list[str] = []
        #: Extra content beside the call, to be replayed with it.
        self.beside: Json = {}

    def may_continue(self, name: str, fragment: str) -> bool:
        """Whether an entry with a name can be more of this call.

        Behind the end of one object no JSON text goes on with the beginning of another.
        """
        if not self.last or not self.name:
            return self.index < 0 or name == self.name
        return name == self.name and not (begins_object(fragment) and self.last.rstrip().endswith("}"))


class CallReader:
    """The calls of one answer."""

    def __init__(self, ctx: Context, counts: AnswerCounts, *, whole: bool, prepare: Callable[[list[Event]], None]):
        """whole: each entry is a call of its own. prepare: adds the events that must come before a call begins."""
        self._ctx = ctx
        self._counts = counts
        self._whole = whole
        self._prepare = prepare
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._ids = AnswerCallIds(ctx.call_ids, ctx.new_id)
        #: How many calls have begun.
        self.started = 0

    def __bool__(self) -> bool:
        return bool(self.started or self._calls)

    def read(self, entry: Json, out: list[Event]) -> None:
        """Read one entry of `tool_calls`."""
        function = entry.get("function")
        if not isinstance(function, dict) or entry.get("type") == "custom":
            function = json_values.get_object(entry, "custom")
        form: Json = function  # pyright: ignore[reportUnknownVariableType]
        name = form.get("name")
        arguments = form.get("arguments", form.get("input"))
        if isinstance(arguments, str):
            fragment = arguments
        else:
            fragment = msgspec.json.encode(arguments).decode() if isinstance(arguments, dict) else ""
        if not name:
            index = entry.get("index")
            # The form of nearly all entries: more arguments of a call that has begun.
            call = self._by_index.get(index) if index.__class__ is int and not entry.get("id") else None  # pyright: ignore[reportArgumentType]
            if call is not None and call.index >= 0:
                if fragment:
                    call.last = fragment
                    out.append(CallDelta(call.index, fragment))
                return
        self._ctx.note_unread(entry, fields.CALL, "tool_calls.")
        self._ctx.note_unread(form, fields.FUNCTION, "tool_calls.function.")
        self._read_part(entry, name if isinstance(name, str) else "", fragment, out)

    def _read_part(self, entry: Json, name: str, fragment: str, out: list[Event]) -> None:
        call = self._find(entry, name, fragment)
        if name and call.index < 0 and name != call.name:
            call.name += name
        if fragment:
            call.last = fragment
        if call.index >= 0:
            if fragment:
                out.append(CallDelta(call.index, fragment))
            return
        if fragment:
            call.held.append(fragment)
        call.beside = json_values.get_object(entry, BESIDE) or call.beside
        if call.name and (call.held or call.id) and not self._wraps(call):
            self._begin(call, out)

    def _find(self, entry: Json, name: str, fragment: str) -> _Call:
        """The call an entry continues, or a new one."""
        found_id, index = entry.get("id"), _read_index(entry.get("index"))
        call_id = found_id if isinstance(found_id, str) else ""
        call: _Call | None = None
        if self._whole:
            pass
        elif call_id:
            call = self._find_by_id(call_id, index, name, fragment)
        elif index is not None:
            call = self._by_index.get(index)
            if call is not None and name and not call.may_continue(name, fragment):
                call = None
        elif self._calls and (not name or _goes_on(self._calls[-1], name, fragment)):
            call = self._calls[-1]
        if call is None:
            self._counts.add(CALLS)
            call = _Call(call_id, index)
            self._calls.append(call)
        if call_id:
            call.id = call.id or call_id
            self._by_id[call_id] = call
        if index is not None:
            self._by_index[index] = call
        return call

    def _find_by_id(self, call_id: str, index: int | None, name: str, fragment: str) -> _Call | None:
        there = self._by_index.get(index) if index is not None else None
        if there is not None and there.id == call_id:
            return there if not name or there.may_continue(name, fragment) else None
        call = self._by_id.get(call_id)
        if call is not None:
            moved = index is not None and call.place is not None and index != call.place
            return call if not name or (not moved and call.may_continue(name, fragment)) else None
        if there is None:
            return None
        if not there.id:
            # The id comes behind the name.
            return there if not name or there.may_continue(name, fragment) else None
        # The ids of one call change from part to part.
        return there if not name or _goes_on(there, name, fragment) else None

    def _wraps(self, call: _Call) -> bool:
        """True for a call that may wrap several: it is unwrapped when it is whole."""
        return call.name in WRAPPERS and self._ctx.names.decode(call.name) not in self._ctx.declared_tools

    def separate(self) -> None:
        """What is read from here on continues none of the calls before."""
        self._calls.clear()
        self._by_index.clear()
        self._by_id.clear()

    def finish(self, out: list[Event]) -> None:
        """Begin the calls that have not begun when the answer ends."""
        before: _Call | None = None
        for call in list(self._calls):
            if call.index < 0:
                self._finish_call(call, before, out)
            before = call

    def _finish_call(self, call: _Call, before: _Call | None, out: list[Event]) -> None:
        if not call.name:
            if before is not None and before.index >= 0 and not before.last:
                # Arguments under a wrong index, behind a call that got none.
                before.last = "".join(call.held)
                out.extend([CallDelta(before.index, before.last)] if before.last else ())
            elif call.held or call.id:
                self._ctx.note_dropped("tool call without a name")
            return
        inner = self._unwrap(call) if self._wraps(call) else []
        if not inner:
            self._begin(call, out)
        self._counts.add(CALLS, len(inner))
        for at, (name, arguments) in enumerate(inner):
            part = _Call(f"{call.id}_{at}" if call.id else "", None)
            part.name, part.held = name, [arguments]
            self._begin(part, out)

    def _unwrap(self, call: _Call) -> list[tuple[str, str]]:
        """The names and arguments of the calls that a call wraps."""
        sent = {self._ctx.names.encode(name, self._ctx.profile.name_limit) for name in self._ctx.declared_tools}
        return unwrap_calls("".join(call.held), sent)

    def _begin(self, call: _Call, out: list[Event]) -> None:
        call.index = self.started
        self.started += 1
        self._prepare(out)
        if call.beside:
            # Gemini's signature of the call: it returns with the history, and is sent with the call again.
            out.append(Redacted(msgspec.json.encode({BESIDE: call.beside}).decode()))
        out.append(CallBegan(call.index, self._ids.give(call.id), self._ctx.names.decode(call.name)))
        if call.held:
            out.append(CallDelta(call.index, "".join(call.held)))
            call.held.clear()


def begins_object(fragment: str) -> bool:
    """Whether a fragment of arguments begins an object."""
    return fragment.lstrip().startswith("{")


def _goes_on(call: _Call, name: str, fragment: str) -> bool:
    """Whether an entry without a sign of its call is more of this one: its arguments go on and begin nothing."""
    return name == call.name and bool(call.last) and bool(fragment) and not begins_object(fragment)


def _read_index(value: object) -> int | None:
    if isinstance(value, str):
        return parse_whole(value, 0, _LAST_INDEX)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
