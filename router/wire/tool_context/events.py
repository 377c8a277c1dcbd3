"""Fills the calls of an answer in its protocol: of a stream in each event, of a whole answer in its body.

Only the texts that hold arguments change, and only where a field is filled. Events wait only while null may have begun
at the end of a piece of arguments: all that follows waits with it, so that the order stays.
"""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import NamedTuple

from router.wire.raw import scan, sse
from router.wire.raw.json.places import (
    Malformed,
    Place,
    Splice,
    apply_splices,
    escape,
    move_into_string,
    read_text,
)
from router.wire.tool_context.calls import Call, Change, ToolContext

# Bytes of events that wait at most, and calls that are under way at once.
_HELD_LIMIT = 1 << 20
_CALLS_LIMIT = 1024


#: What tells the calls of an answer apart: a number, an id, or a choice with one of both.
Key = int | str | tuple[int, int | str] | None


class _Held(NamedTuple):
    """An event that was read."""

    raw: bytes
    data: bytes
    text: str
    change: Change


class AnswerFiller(ABC):
    """Fills the calls of one answer."""

    #: Bytes of which one stands in each event that begins a call.
    needles: tuple[bytes, ...] = ()

    def __init__(self, context: ToolContext):
        self.context = context
        self.calls: dict[Key, Call] = {}
        self._held: list[_Held] = []
        self._size = 0
        self._waiting: set[Call] = set()

    def fill_events(self, batch: bytes) -> bytes:
        """The next whole events, filled."""
        if not self.calls and not self._held and not any(scan.contains(batch, one) for one in self.needles):
            return batch
        out: list[bytes] = []
        at = 0
        for end, event in sse.parse_events(batch):
            raw, at = batch[at:end], end
            concerned = self.calls or any(scan.contains(raw, one) for one in self.needles)
            held = self._read_event(raw, event.data if concerned else b"")
            if held is None and not self._held:
                out.append(raw)
                continue
            self._held.append(held or _Held(raw, b"", "", Change()))
            self._size += len(raw)
            if self._size > _HELD_LIMIT:
                self._give_up()
            if not self._waiting:
                out.append(self.release())
        return b"".join((*out, batch[at:]))

    def fill_body(self, body: bytes) -> bytes:
        """A whole answer, filled."""
        if not any(scan.contains(body, one) for one in self.needles):
            return body
        text = body.decode("utf-8", "surrogateescape")
        change = Change()
        with suppress(Malformed):
            self.read(text, change)
        self.end()
        if not change.splices:
            return body
        return apply_splices(text, change.splices).encode("utf-8", "surrogateescape")

    def release(self) -> bytes:
        """The events that wait; what was cut in them stays as it came."""
        held, self._held, self._size = self._held, [], 0
        return b"".join(_write(one) for one in held)

    def end(self) -> None:
        """No more comes: note what was filled."""
        for key in [*self.calls]:
            self.end_call(key)

    @abstractmethod
    def read(self, text: str, change: Change) -> None:
        """Find out what becomes of one text. Raises Malformed."""

    def begin_call(self, key: Key, call: Call) -> None:
        """Follow a call under this key."""
        self.end_call(key)
        if len(self.calls) < _CALLS_LIMIT:
            self.calls[key] = call

    def end_call(self, key: Key) -> None:
        """Note what was filled in a call, if it is one that is followed."""
        call = self.calls.pop(key, None)
        if call is not None:
            self._settle(call, was_null=False)
            self.context.note(call.tool, call.arguments.filled)

    def fill_piece(self, call: Call, text: str, place: Place, change: Change) -> None:
        """Fill the next piece of a call's arguments: what the string holds that stands there."""
        filled = call.arguments.feed(read_text(text, place) or "")
        if call.arguments.was_null is not None:
            self._settle(call, was_null=call.arguments.was_null)
        change.splices += move_into_string(text, place, filled.splices)
        if filled.waiting is not None:
            call.waiting += [(change, one) for one in move_into_string(text, place, [filled.waiting])]
            change.waits = True
            self._waiting.add(call)
        call.last = change, place.end - 1, "", ""

    def fill_blank(self, call: Call, change: Change) -> str | None:
        """Fill a call that ended without arguments: in the text where its arguments stand, or its name, else its
        arguments are returned."""
        if not call.arguments.blank:
            return None
        arguments = call.arguments.fill_blank()
        if call.last is None or call.last[0] is not change:
            return arguments
        _, at, front, end = call.last
        change.splices.append(Splice(at, at, f"{front}{escape(arguments)}{end}"))
        return None

    def _read_event(self, raw: bytes, data: bytes) -> _Held | None:
        """What becomes of an event, None for one that stays as it is."""
        if not data:
            return None
        text = data.decode("utf-8", "surrogateescape")
        change = Change()
        with suppress(Malformed):  # what was found before is filled: it is counted
            self.read(text, change)
        changed = change.splices or change.waits or change.before
        return _Held(raw, data, text, change) if changed else None

    def _settle(self, call: Call, *, was_null: bool) -> None:
        """What waited was null, and goes, or it was not, and stays."""
        for change, splice in call.waiting:
            if was_null:
                change.splices.append(splice)
        call.waiting.clear()
        self._waiting.discard(call)

    def _give_up(self) -> None:
        """Wait no more."""
        for call in [*self._waiting]:
            call.arguments.give_up()
            self._settle(call, was_null=False)


def _write(held: _Held) -> bytes:
    """An event as it is sent."""
    raw, data, text, change = held
    if not change.splices:
        return b"".join((*change.before, raw))
    new = apply_splices(text, change.splices).encode("utf-8", "surrogateescape")
    at = raw.rfind(data)
    if at >= 0:
        return b"".join((*change.before, raw[:at], new, raw[at + len(data) :]))
    # Its data came in several lines, whose ends are white space in it.
    others = [line for line in raw.splitlines() if line and not line.startswith(b"data")]
    lines = [*others, *(b"data: " + line for line in new.split(b"\n"))]
    return b"".join((*change.before, b"\n".join(lines), b"\n\n"))
