"""The conversation of a prompt as hashes of its items.

Each turn of an agent sends the whole conversation again, so what was read before is not read twice: the bytes up to the
first marked item are recognized by their signature, and only what comes behind them is decoded.
"""

import json
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router.policy.cache.canonical import Extent, Items, read_item, read_items
from router.wire.raw.json.json_values import UNREADABLE

#: Hashes that are kept one by one; those of older items are folded into one, FOLDED at least at a time.
ITEMS_LIMIT, FOLDED = 400, 100
#: Beginnings of a conversation that are kept, those of the last turns.
PREFIXES_LIMIT = 4
# Leading instructions that are looked at, and bytes of the beginning in which the first other item is looked for.
_LEADING, _BEGINNINGS = 8, (4096, 65_536)
# Bytes by which a beginning is looked up, and how many are remembered.
_START, BEGINNINGS_LIMIT = 256, 500
#: Kinds of items that are named; those of others are the caller's words.
KINDS = frozenset(
    (
        *("user", "assistant", "system", "developer", "tool", "model", "message", "reasoning", "compaction"),
        *("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"),
        *("local_shell_call", "local_shell_call_output", "web_search_call", "item_reference"),
    )
)
_INSTRUCTING = ("system", "developer")

_items = msgspec.json.Decoder(list[msgspec.Raw])
_scanner = json.JSONDecoder(strict=False, parse_int=float)


class _Kind(msgspec.Struct):
    role: str = ""
    type: str = ""


_kind = msgspec.json.Decoder(_Kind)


class Prefix(msgspec.Struct, frozen=True, gc=False):
    """The beginning of a conversation, up to an item without marks."""

    end: int
    signature: int
    #: Its items.
    items: int
    #: Their content blocks.
    blocks: int


class Conversation(msgspec.Struct, frozen=True, gc=False):
    """The items of one request."""

    #: Hashes of the items, without the first `folded`, whose hashes are folded into `fold`.
    hashes: "array[int]"
    folded: int
    fold: int
    #: The longest first.
    prefixes: tuple[Prefix, ...]
    #: Leading items that are instructions, and the hash of the item behind them.
    leading: int
    first: int
    #: Marks in its items; content blocks up to the last marked item, and in all items.
    marks: int
    marked: int
    blocks: int

    @property
    def count(self) -> int:
        """How many items there are."""
        return self.folded + len(self.hashes)


class Known(NamedTuple):
    """The part of a conversation that was read for an earlier request."""

    conversation: Conversation
    #: Its prefixes that are those of this one too; one at least.
    prefixes: tuple[Prefix, ...]

    @property
    def end(self) -> int:
        """Bytes that it takes."""
        return self.prefixes[0].end


def recognize(text: Extent, conversation: Conversation) -> Known | None:
    """The part of a conversation that is, by its signature, the beginning of an earlier one; None for no item."""
    prefixes = conversation.prefixes
    size = text.stop - text.start
    for index, prefix in enumerate(prefixes):
        end = prefix.end
        if end < size and prefix.items >= conversation.folded and text.sign(end) == prefix.signature:
            if text.read(end, end + 1) not in (b",", b"]"):
                break
            return Known(conversation, prefixes[index:] if index else prefixes)
    return None


class Reading(msgspec.Struct, gc=False):
    """A conversation that was read."""

    conversation: Conversation
    #: The items that were decoded, and their hashes; before them `known` items were recognized.
    raw: Sequence[msgspec.Raw]
    hashes: Sequence[int]
    known: int

    def find_change(self, before: Conversation) -> int | None:
        """The first item that is not as in an earlier request; None when that is a beginning of this one, -1 for an
        item among those that were folded."""
        now = self.conversation
        if (
            now.folded == before.folded
            and now.fold == before.fold
            and now.hashes[: len(before.hashes)] == before.hashes
        ):
            return None
        at = 0 if self.known else before.folded
        if at and (len(self.hashes) < at or _fold(0, self.hashes[:at]) != before.fold):
            return -1
        mine = self.hashes[at:] if at else self.hashes
        theirs = before.hashes[self.known - before.folded if self.known else 0 :]
        for index, (one, other) in enumerate(zip(mine, theirs, strict=False)):
            if one != other:
                return self.known + at + index
        return None if len(mine) >= len(theirs) else self.known + at + len(mine)

    def name_kind(self, index: int) -> str:
        """The role or type of an item, '' for one that has none, or was not decoded."""
        at = index - self.known
        return _name_kind(self.raw[at]) if 0 <= at < len(self.raw) else ""


def read_conversation(text: Extent, known: Known | None = None) -> Reading:
    """Read a conversation. known: the part of it that was recognized."""
    prefixes: tuple[Prefix, ...] = ()
    end = before = blocks = folded = fold = 0
    one: Conversation | None = None
    if known is not None:
        one, prefixes = known
        last = prefixes[0]
        end, before, blocks = last.end, last.items, last.blocks
        folded, fold = one.folded, one.fold
    raws, items = _read_items(text.read(end, text.size), known=end > 0)
    hashes = items.hashes
    if one is not None:
        leading, first = one.leading, one.first
        kept = one.hashes[: before - folded]
    else:
        leading = _count_leading(raws)
        first = hashes[leading] if leading < len(hashes) else 0
        kept = array("q")
    kept.extend(hashes)
    if len(kept) > ITEMS_LIMIT + FOLDED:
        more = len(kept) - ITEMS_LIMIT
        folded, fold, kept = folded + more, _fold(fold, kept[:more]), kept[more:]
    marked = blocks + items.marked if items.marks else 0
    longer = _extend(prefixes, text, items) if items.plain else prefixes
    conversation = Conversation(kept, folded, fold, longer, leading, first, items.marks, marked, blocks + items.blocks)
    return Reading(conversation, raws, hashes, before)


class Beginnings:
    """Where the first items of conversations end: a turn has the beginning of the turn before, which is then hashed and
    not decoded."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self) -> None:
        # By a hash of the first bytes, the end of the first item; by one of all bytes up to there, the item's hash.
        self._ends: dict[int, int] = {}
        self._firsts: dict[int, int] = {}

    def find_first(self, text: Extent) -> int:
        """The hash of the first item that is no instruction, 0 when it is not near the beginning."""
        start = hash(text.read(0, min(_START, text.size)))
        end = self._ends.get(start)
        if end is not None and end <= text.size:
            found = self._firsts.get(hash(text.read(0, end)))
            if found is not None:
                return found
        first, end = _find_near(text)
        if end:
            # Not one by one: a large body is read in another thread meanwhile.
            if len(self._firsts) >= BEGINNINGS_LIMIT or len(self._ends) >= BEGINNINGS_LIMIT:
                self._ends, self._firsts = {}, {}
            self._ends[start] = end
            self._firsts[hash(text.read(0, end))] = first
        return first


def _find_near(text: Extent) -> tuple[int, int]:
    """The hash of the first item that is no instruction, and its end; 0 and 0 when it is not near the beginning."""
    for size in _BEGINNINGS:
        raw = text.read(0, min(size, text.size))
        try:
            return _find_first(raw)
        except (ValueError, RecursionError):
            if len(raw) < size:
                break
    return 0, 0


def _find_first(raw: bytes) -> tuple[int, int]:
    # Each byte becomes one character, so that offsets are the same.
    text, at = raw.decode("latin-1"), 1
    for _ in range(_LEADING):
        _, end = _scanner.raw_decode(text, at)
        item = raw[at:end]
        if _name_kind(item) not in _INSTRUCTING:
            return read_item(item)[0], end
        at = end + 1
        while text[at : at + 1] in (" ", "\n"):
            at += 1
    return 0, 0


def _read_items(raw: bytes, *, known: bool) -> tuple[list[msgspec.Raw], Items]:
    """The items of a list, or of the rest of one whose beginning is known; the whole as one item where it is none."""
    if known:
        if not raw.startswith(b","):
            return [], Items()
        rest, raw = raw, b"[" + raw[1:]
    else:
        rest = raw
    try:
        raws = _items.decode(raw)
    except UNREADABLE:
        items = Items()
        items.add(read_item(rest), len(rest))
        return [msgspec.Raw(rest)], items
    return raws, read_items(raw, raws)


def _count_leading(raws: Sequence[msgspec.Raw]) -> int:
    for index, raw in enumerate(raws[:_LEADING]):
        if _name_kind(raw) not in _INSTRUCTING:
            return index
    return min(len(raws), _LEADING)


def _extend(prefixes: tuple[Prefix, ...], text: Extent, items: Items) -> tuple[Prefix, ...]:
    """The prefixes with one more, up to the first marked item, as far as the items lie side by side."""
    at, count, blocks = (prefixes[0].end, prefixes[0].items, prefixes[0].blocks) if prefixes else (0, 0, 0)
    # The first of all items stands behind a bracket, the others behind a comma and, in some encodings, a space.
    number = len(items.hashes)
    space = text.stop - text.start - at - items.size - number - 1
    if space == 0:
        end = at + items.plain_size + items.plain
    elif space == number - (0 if prefixes else 1):
        end = at + items.plain_size + 2 * items.plain - (0 if prefixes else 1)
    else:
        return prefixes
    longer = Prefix(end, text.sign(end), count + items.plain, blocks + items.plain_blocks)
    return (longer, *prefixes[: PREFIXES_LIMIT - 1])


def _fold(fold: int, hashes: Sequence[int]) -> int:
    for one in hashes:
        fold = hash((fold, one))
    return fold


def _name_kind(raw: msgspec.Raw | bytes) -> str:
    try:
        found = _kind.decode(raw)
    except UNREADABLE:
        return ""
    return next((name for name in (found.role, found.type) if name in KINDS), "")
