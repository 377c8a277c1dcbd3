"""Writes a call of a Responses answer, as an item of the type that the caller's tool has."""

from router.ir import CallBegan
from router.wire.neutral.context import CallForm
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.raw.json.json_values import Json
from router.wire.responses import calls
from router.wire.responses.calls import CUSTOM, FUNCTION
from router.wire.responses.output.event_sequence import EventSequence, delta_head


class CallWriter:
    """One call that is being streamed. One with an item type of its own is announced when it is whole."""

    __slots__ = ("_began", "_events", "_form", "_fragments", "_head", "_id", "_item", "_text", "_unwrapper", "index")

    def __init__(self, events: EventSequence, began: CallBegan, form: CallForm, item_id: str):
        self._events = events
        self._began = began
        self._form = form
        self._id = item_id
        self._item: Json = {}
        #: The index of its item, -1 until it is announced.
        self.index = -1
        self._fragments: list[str] = []
        # The text of a tool that takes free text.
        self._text: list[str] = []
        self._unwrapper = freeform_tools.Unwrapper()
        self._head = b""

    @property
    def streams(self) -> bool:
        """True for a call that is announced when it begins."""
        return self._form.item in (FUNCTION, CUSTOM)

    def begin(self, index: int) -> tuple[bytes, Json]:
        """Announce a call that streams: the event, and the item so far."""
        self.index = index
        self._item = self._encode("", "in_progress")
        kind = "custom_tool_call_input" if self._form.item == CUSTOM else "function_call_arguments"
        self._head = delta_head(f"response.{kind}.delta", item_id=self._id, output_index=index)
        return self._events.event("response.output_item.added", output_index=index, item=self._item), self._item

    def _encode(self, arguments: str, status: str) -> Json:
        return calls.encode_call(self._form, self._id, self._began.id, arguments, status=status)

    def add(self, fragment: str) -> bytes:
        """More of the arguments."""
        self._fragments.append(fragment)
        if self.index < 0:
            return b""
        if self._form.item == CUSTOM:
            fragment = self._unwrapper.feed(fragment)
            self._text.append(fragment)
        return self._events.delta(self._head, fragment) + b"}\n\n" if fragment else b""

    def collect(self) -> Json:
        """The item so far, of a call that was announced."""
        if self._form.item == CUSTOM:
            return {**self._item, "status": "incomplete", "input": "".join(self._text)}
        return {**self._item, "status": "incomplete", "arguments": "".join(self._fragments)}

    def end(self, index: int, status: str) -> tuple[bytes, Json]:
        """End the call: the events of its end, and the whole item. index: that of a call not yet announced."""
        event = self._events.event
        if self.index < 0:
            self.index = index
            item = self._encode("".join(self._fragments), status)
            out = event("response.output_item.added", output_index=index, item=item)
            return out + event("response.output_item.done", output_index=index, item=item), item
        where = {"item_id": self._id, "output_index": self.index}
        item = {**self._item, "status": status}
        if self._form.item == CUSTOM:
            rest = self._unwrapper.finish()
            out = self._events.delta(self._head, rest) + b"}\n\n" if rest else b""
            item["input"] = "".join(self._text) + rest
            out += event("response.custom_tool_call_input.done", **where, input=item["input"])
        else:
            item["arguments"] = "".join(self._fragments) or "{}"
            said = {"name": self._form.name, "arguments": item["arguments"]}
            out = event("response.function_call_arguments.done", **where, **said)
        return out + event("response.output_item.done", output_index=self.index, item=item), item
