"""The output items of one answer as far as they have been read, told apart by their id and their index together.

Both can be wrong: some servers change the ids of an item from event to event, some give several items the index 0, some
send no index. An id that names one item of the right kind counts most, then the index, then the order. Deltas that may
belong to several calls belong to none; the whole call of a later event makes up for them.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import cast

from router.wire.neutral.answer_bounds import ITEMS, AnswerCounts
from router.wire.raw.json.json_values import Json
from router.wire.responses.calls import CUSTOM, FUNCTION

_CALL = "call"
# Messages are alike when the first characters of one are among the first of the other.
_BEGINNING, _COMPARED = 64, 4096
_Place = tuple[str, int | None]


class OutputItem:
    """One output item."""

    __slots__ = (
        *("announced", "call", "call_id", "cited", "custom", "done", "id", "index", "kind", "name", "part", "parts"),
        *("pieces", "scored", "settled", "sizes", "source", "wrapper"),
    )

    def __init__(self, kind: str, item_id: object, index: int | None):
        self.kind = kind
        self.custom = kind == CUSTOM
        self.id = item_id
        #: Its output index, None where the server sends none.
        self.index = index
        #: An event with the item itself has come; else only deltas.
        self.announced = False
        self.done = False
        #: It was found again in the last event.
        self.settled = False
        #: The number of a call, -1 for one that has not begun and for any other item.
        self.call = -1
        self.call_id = ""
        self.name = ""
        #: The text that has been read, in pieces, by the index of its part. A call has one part, 0.
        self.parts: dict[object, list[str]] = {}
        #: The lengths of parts: how many of the pieces were added up, and to what.
        self.sizes: dict[object, tuple[int, int]] = {}
        #: The part that was read last, and its text.
        self.part: object = None
        self.pieces: list[str] = []
        #: The citations that have been read.
        self.cited: set[tuple[object, ...]] = set()
        #: The parts whose log probabilities have been read.
        self.scored: set[object] = set()
        #: The type of the events that brought its reasoning, which some servers send in two forms.
        self.source = ""
        #: The call wraps several.
        self.wrapper = False

    def turn_to(self, part: object) -> None:
        """Make a part the one that further text belongs to."""
        self.part = part
        self.pieces = self.parts.setdefault(part, [])

    def list_texts(self) -> set[str]:
        """The texts of its parts that have been read."""
        return {"".join(pieces) for pieces in self.parts.values()}

    def top_up(self, part: object, whole: str) -> str:
        """The rest of a part's text, given the whole: '' where it has been read, or what was read is no part of it."""
        pieces = self.parts.get(part)
        if not pieces:
            self.parts[part] = [whole]
            return whole
        rest = self.find_rest(part, whole)
        if rest:
            pieces.append(rest)
        return rest

    def find_rest(self, part: object, whole: str) -> str:
        """As `top_up`, with nothing added. A text may end many times, and go on: it is put together only for a whole
        one that is longer."""
        pieces = self.parts.get(part, [])
        count, size = self.sizes.get(part, (0, 0))
        size += sum(map(len, pieces[count:]))
        self.sizes[part] = len(pieces), size
        return whole[size:] if len(whole) > size and whole.startswith("".join(pieces)) else ""


class ItemTable:
    """All items of an answer."""

    def __init__(self, counts: AnswerCounts) -> None:
        self._counts = counts
        self.items: list[OutputItem] = []
        # None: several items have the id.
        self._by_id: dict[str, OutputItem | None] = {}
        self._by_call: dict[tuple[str, int | None], OutputItem] = {}
        # The items that are not done, by their place; an index of None holds those of all indexes.
        self._open: dict[_Place, dict[int, OutputItem]] = {}
        self._last: dict[_Place, OutputItem] = {}

    def add(self, kind: str, item_id: object, index: int | None, call_id: str = "") -> OutputItem:
        """A new item. Raises TooMany."""
        self._counts.add(ITEMS)
        item = OutputItem(kind, item_id, index)
        self.items.append(item)
        self._register(item, item_id, call_id)
        for place in self._places(item):
            self._open.setdefault(place, {})[id(item)] = item
            self._last[place] = item
        return item

    def _register(self, item: OutputItem, item_id: object, call_id: str) -> None:
        item.id, item.call_id = item_id, call_id
        if isinstance(item_id, str) and item_id:
            known = self._by_id.get(item_id, item)
            self._by_id[item_id] = item if known is item else None
        if call_id:
            self._by_call[call_id, item.index] = self._by_call[call_id, None] = item

    def finish(self, item: OutputItem) -> None:
        """Mark an item as done."""
        item.done = True
        for place in self._places(item):
            self._open[place].pop(id(item), None)

    @staticmethod
    def _places(item: OutputItem) -> set[_Place]:
        return {(_group(item.kind), item.index), (_group(item.kind), None)}

    def find(self, kind: str, item_id: object, index: object) -> OutputItem | None:
        """The item that a delta belongs to: a new one if none is known; None if it may belong to several calls."""
        group = _group(kind)
        named = self._by_id.get(item_id) if isinstance(item_id, str) else None
        if named is not None and _group(named.kind) == group:
            return named
        at = index if type(index) is int else None
        found = self._open.get((group, at))
        if found:
            if len(found) > 1 and at is not None and group == _CALL:
                return None
            return next(reversed(found.values()))
        if (group, at) in self._last:
            return self._last[group, at]
        last = next(reversed(self._open.get((group, None), {}).values()), None)
        if last is not None and last.index is None:
            return last
        return self.add(kind, item_id, at)

    def announce(self, kind: str, found: Json, index: object) -> OutputItem | None:
        """The item that an event announces; None for one that is known already."""
        call_id = _read_call_id(kind, found)
        item = self.find_whole(kind, found, index)
        item_id = found.get("id")
        if item is not None and not item.announced:
            self._register(item, item_id, call_id)
        elif item is None or (item.id != item_id and item.id and item_id) or (item.done and not item_id):
            item = self.add(kind, item_id, index if type(index) is int else None, call_id)
        else:
            return None
        item.announced = True
        return item

    def find_whole(self, kind: str, found: Json, index: object) -> OutputItem | None:
        """The known item that an event holds; None for another one."""
        group, item_id, call_id = _group(kind), found.get("id"), _read_call_id(kind, found)
        item = self._by_id.get(item_id) if isinstance(item_id, str) else None
        if item is not None and _may_be(item, group, call_id):
            return item
        at = index if type(index) is int else None
        item = self._by_call.get((call_id, at)) if call_id else None
        if item is not None and (not item.done or item.id == item_id):
            return item
        waiting = self._open.get((group, at))
        if waiting:
            # Only the newest is looked at, so that many items at one place take no longer each.
            item = next(reversed(waiting.values()))
            return item if _may_be(item, group, call_id) and not _are_two(item, item_id, at) else None
        item = self._last.get((group, at)) if at is not None else None
        return item if item is not None and item.id == item_id and _may_be(item, group, call_id) else None

    def settle(self, output: Sequence[Json]) -> list[OutputItem | None]:
        """The known item of each item of the last event, None for those that no event has brought."""
        made: list[OutputItem | None] = [None] * len(output)
        order: dict[object, deque[OutputItem]] = {}
        for by_order in (False, True):
            if by_order:
                order = self._list_unsettled()
            for at, found in enumerate(output):
                if made[at] is None:
                    item = self._find_unsettled(found, at, order if by_order else None)
                    if item is not None:
                        item.settled = True
                        made[at] = item
        return made

    def _find_unsettled(self, found: Json, at: int, order: dict[object, deque[OutputItem]] | None) -> OutputItem | None:
        """order: the items that are left, to find one by its place, its content or the order; None for ids only."""
        kind = str(found.get("type"))
        group, call_id, item_id = _group(kind), _read_call_id(kind, found), found.get("id")
        if order is None:
            named = self._by_id.get(item_id) if isinstance(item_id, str) else None
            called = self._by_call.get((call_id, at)) if call_id else None
            return next(
                (one for one in (named, called) if one and not one.settled and _may_be(one, group, call_id)), None
            )
        placed = self._last.get((group, at))
        called = self._by_call.get((call_id, None)) if call_id else None
        for item in (placed, called):
            if item and not item.settled and _may_be(item, group, call_id) and _are_alike(item, found):
                return item
        for key in _order_keys(group, call_id, found):
            waiting = order.get(key)
            while waiting and waiting[0].settled:
                waiting.popleft()
            if waiting and _are_alike(waiting[0], found):
                return waiting.popleft()
        return None

    def _list_unsettled(self) -> dict[object, deque[OutputItem]]:
        found: dict[object, deque[OutputItem]] = {}
        for item in self.items:
            if not item.settled:
                group = _group(item.kind)
                keys: list[object] = [group] if group != _CALL else [(item.name, "".join(item.pieces)), item.call_id]
                for key in keys:
                    found.setdefault(key, deque()).append(item)
        return found

    def list_texts(self) -> set[str]:
        """All texts of messages that have been read."""
        return {text for item in self.items if item.kind == "message" for text in item.list_texts()}


def _group(kind: str) -> str:
    return _CALL if kind in (FUNCTION, CUSTOM) else kind


def _read_call_id(kind: str, found: Json) -> str:
    call_id = found.get("call_id")
    return call_id if isinstance(call_id, str) and kind in (FUNCTION, CUSTOM) else ""


def _may_be(item: OutputItem, group: str, call_id: str) -> bool:
    """False where the item is known to be another."""
    return _group(item.kind) == group and (not call_id or not item.call_id or item.call_id == call_id)


def _are_two(item: OutputItem, item_id: object, index: int | None) -> bool:
    """True for items without an index whose ids differ: the ids are all there is to tell them apart."""
    return index is None and bool(item.id) and bool(item_id) and item.id != item_id


def _are_alike(item: OutputItem, found: Json) -> bool:
    """False for messages of which neither begins within the other: they were told apart by their place only."""
    if item.kind != "message":
        return True
    said = _begin_text(text for key, pieces in item.parts.items() if isinstance(key, int) for text in pieces)
    whole = _begin_text(str(part.get("text") or "") for part in list_objects(found.get("content")))
    return not said or not whole or said[:_BEGINNING] in whole or whole[:_BEGINNING] in said


def _begin_text(pieces: Iterable[str]) -> str:
    """The beginning of a text, which is all that is compared however long it is."""
    text = ""
    for piece in pieces:
        text += piece[:_COMPARED]
        if len(text) >= _COMPARED:
            break
    return text[:_COMPARED].strip()


def _order_keys(group: str, call_id: str, found: Json) -> list[object]:
    if group != _CALL:
        return [group]
    said = found.get("arguments", found.get("input"))
    keys: list[object] = [call_id] if call_id else []
    return [*keys, (str(found.get("name") or ""), said)] if isinstance(said, str) else keys


def list_objects(value: object) -> list[Json]:
    """The objects of a list; [] for any other value."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Json", one) for one in found if isinstance(one, dict)]
