"""The calls of a Messages answer."""

from router.wire.raw.json.places import (
    Place,
    Splice,
    escape,
    find_members,
    find_root,
    iter_elements,
    read_index,
    read_text,
)
from router.wire.raw.sse import frame
from router.wire.tool_context.arguments import Arguments, fill_arguments
from router.wire.tool_context.calls import Call, Change
from router.wire.tool_context.events import AnswerFiller


class MessagesFiller(AnswerFiller):
    """Fills the blocks of type tool_use, which are the calls of the client's own tools."""

    needles = (b'"tool_use"',)

    def read(self, text: str, change: Change) -> None:
        """Read an event, or a whole answer. Raises Malformed."""
        top = find_members(text, find_root(text), ("type", "index", "content_block", "delta", "content"))
        kind = read_text(text, top.get("type"))
        if kind == "content_block_start":
            self._begin_block(text, top, change)
        elif kind == "content_block_delta":
            call = self.calls.get(read_index(text, top.get("index")))
            delta = find_members(text, top.get("delta"), ("type", "partial_json")) if call is not None else {}
            if call is not None and read_text(text, delta.get("partial_json")) is not None:
                if call.whole:
                    # Readers take what comes in pieces in the place of what came before.
                    call.arguments, call.whole = Arguments(self.context.find_values(call.tool)), False
                self.fill_piece(call, text, delta["partial_json"], change)
        elif kind == "content_block_stop":
            self._end_block(read_index(text, top.get("index")), change)
        elif kind == "message":
            for place in iter_elements(text, top.get("content")):
                self._fill_block(text, place, change)

    def _begin_block(self, text: str, top: dict[str, Place], change: Change) -> None:
        found = find_members(text, top.get("content_block"), ("type", "name", "input"))
        key = read_index(text, top.get("index"))
        self.end_call(key)
        tool = "", read_text(text, found.get("name")) or ""
        values = self.context.find_values(tool)
        if read_text(text, found.get("type")) != "tool_use" or not values:
            return
        call = Call(tool, values, index=str(key))
        given = found.get("input")
        if given is not None and text[given.begin : given.end].strip("{} \t\r\n") not in ("", "null"):
            # Some send all of it here.
            call.whole = True
            splices = call.arguments.feed(text[given.begin : given.end]).splices
            change.splices += _move(splices, given.begin)
        self.begin_call(key, call)

    def _end_block(self, key: int | None, change: Change) -> None:
        call = self.calls.get(key)
        if call is None:
            return
        arguments = self.fill_blank(call, change)
        if arguments is not None:
            delta = f'{{"type":"input_json_delta","partial_json":"{escape(arguments)}"}}'
            event = f'{{"type":"content_block_delta","index":{call.index},"delta":{delta}}}'
            change.before.append(frame(event.encode(), "content_block_delta"))
        self.end_call(key)

    def _fill_block(self, text: str, place: Place, change: Change) -> None:
        """Fill a block of a whole answer."""
        found = find_members(text, place, ("type", "name", "input"))
        tool = "", read_text(text, found.get("name")) or ""
        values = self.context.find_values(tool)
        if read_text(text, found.get("type")) != "tool_use" or not values:
            return
        given = found.get("input")
        if given is None:
            splices, filled = fill_arguments("", values)
            end = found["name"].end
            change.splices.append(Splice(end, end, f',"input":{splices[0].text}'))
        else:
            splices, filled = fill_arguments(text[given.begin : given.end], values)
            change.splices += _move(splices, given.begin)
        self.context.note(tool, filled)


def _move(splices: list[Splice], by: int) -> list[Splice]:
    return [Splice(one.begin + by, one.end + by, one.text) for one in splices]
