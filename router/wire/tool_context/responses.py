"""The calls of a Responses answer, which repeats their arguments up to three times: all of them are filled alike."""

from router.wire.raw.json.places import (
    Place,
    Splice,
    escape,
    find_members,
    find_root,
    iter_elements,
    move_into_string,
    read_index,
    read_text,
)
from router.wire.tool_context.arguments import fill_arguments
from router.wire.tool_context.calls import Call, Change, ToolContext
from router.wire.tool_context.events import AnswerFiller
from router.wire.tool_context.fields import ToolName

_TOP = ("type", "output_index", "item_id", "item", "delta", "arguments", "response", "output", "object")


class ResponsesFiller(AnswerFiller):
    """Fills the items of type function_call.

    A call that ends without arguments has them in its last events only: a delta for them would take a number in the
    sequence of events that another one has.
    """

    needles = (b"function_call",)

    def __init__(self, context: ToolContext):
        super().__init__(context)
        # Calls were noted when their items ended; the whole response repeats them.
        self._noted = False

    def read(self, text: str, change: Change) -> None:
        """Read an event, or a whole answer. Raises Malformed."""
        top = find_members(text, find_root(text), _TOP)
        kind = read_text(text, top.get("type")) or ""
        key = read_index(text, top.get("output_index"))
        key = read_text(text, top.get("item_id")) if key is None else key
        if kind == "response.output_item.added":
            self._begin_item(text, key, top, change)
        elif kind == "response.output_item.done":
            self._fill_item(text, top.get("item"), change, noted=True)
            if key in self.calls:
                self.calls[key].arguments.filled.clear()
                self.end_call(key)
        elif kind == "response.function_call_arguments.delta":
            call = self.calls.get(key)
            if call is not None and read_text(text, top.get("delta")) is not None:
                self.fill_piece(call, text, top["delta"], change)
        elif kind == "response.function_call_arguments.done":
            call = self.calls.get(key)
            if call is not None:
                self._fill_text(text, call.tool, top.get("arguments"), change)
        elif "response" in top or "output" in top:
            response = find_members(text, top.get("response"), ("output",)) if "response" in top else top
            noted = not self._noted
            for place in iter_elements(text, response.get("output")):
                self._fill_item(text, place, change, noted=noted)

    def _begin_item(self, text: str, key: int | str | None, top: dict[str, Place], change: Change) -> None:
        item = find_members(text, top.get("item"), ("type", "name", "namespace", "arguments"))
        tool = _read_tool(text, item)
        values = self.context.find_values(tool)
        if key is None or not values:
            return
        call = Call(tool, values)
        self.begin_call(key, call)
        if read_text(text, item.get("arguments")):
            self.fill_piece(call, text, item["arguments"], change)

    def _fill_item(self, text: str, place: Place | None, change: Change, *, noted: bool) -> None:
        """Fill an item that is whole. noted: what was filled is counted."""
        item = find_members(text, place, ("type", "name", "namespace", "arguments", "status"))
        tool = _read_tool(text, item)
        if not self.context.find_values(tool):
            return
        whole = read_text(text, item.get("status")) in (None, "completed")
        filled = self._fill_text(text, tool, item.get("arguments"), change, whole=whole)
        if item.get("arguments") is None and whole:
            splices, filled = fill_arguments("", self.context.find_values(tool))
            end = item["name"].end
            change.splices.append(Splice(end, end, f',"arguments":"{escape(splices[0].text)}"'))
        if noted:
            self.context.note(tool, filled)
            self._noted = True

    def _fill_text(
        self, text: str, tool: ToolName, place: Place | None, change: Change, *, whole: bool = True
    ) -> list[str]:
        """Fill arguments that are there at once; returns the fields that were filled."""
        given = read_text(text, place)
        if given is None or place is None:
            return []
        splices, filled = fill_arguments(given, self.context.find_values(tool), whole=whole)
        change.splices += move_into_string(text, place, splices)
        return filled


def _read_tool(text: str, item: dict[str, Place]) -> ToolName:
    """The tool that an item calls, ("", "") for an item of another type."""
    if read_text(text, item.get("type")) != "function_call":
        return "", ""
    return read_text(text, item.get("namespace")) or "", read_text(text, item.get("name")) or ""
