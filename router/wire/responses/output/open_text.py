"""Which text of an answer is being read: neutral events have one text or reasoning at a time."""

from router.ir import BlockEnded, Event
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.item_table import OutputItem


class OpenText:
    """The message or reasoning whose text came last."""

    __slots__ = ("item",)

    def __init__(self) -> None:
        #: None once something else has begun.
        self.item: OutputItem | None = None

    def turn_to(self, item: OutputItem, part: object) -> list[Event]:
        """Go on with a part of a message or of reasoning; another one of the same kind ends there."""
        opened, self.item = self.item, item
        same_kind = opened is not None and opened.kind == item.kind
        ends = same_kind and (opened is not item or (item.kind == "message" and item.part != part))
        item.turn_to(part)
        return [BlockEnded()] if ends else []


def read_index(data: Json, *names: str) -> int:
    """The index of a part, 0 where the server sends none."""
    return next((at for name in names if type(at := data.get(name)) is int), 0)
