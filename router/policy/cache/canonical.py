"""Hashes of the parts of a prompt that stay the same while only the marks for caches move.

Agents move their marks with each turn, and some send a marked message as a list of one text block and the same message
unmarked as a plain string. Providers read both forms alike, so both get the same hash.

A hash is the interpreter's own (SipHash-1-3): it is keyed at random for each process, and takes a quarter of the time
of BLAKE2b. No hash leaves the memory of the process.
"""

import re
from collections.abc import Sequence

import msgspec

from router.wire.raw.json.json_values import UNREADABLE

#: What a mark is called by Anthropic and by OpenAI.
NEEDLES = (b'"cache_control"', b'"prompt_cache_breakpoint"')
#: How far apart the bytes are that a signature covers, behind those that it covers all. Each is read from memory, since
#: no cache of the processor holds a large body at that time.
STRIDE = 1024
# Bytes that the signature of a conversation covers all: at its beginning, where agents tell the date, and at its end,
# where they tell what is so at the moment.
_FIRST, _LAST = 4096, 512
#: A part with more marks is hashed as it is: providers take four.
MARKS_LIMIT = 64
# The mark that nearly all agents write, behind another member.
_USUAL = b',"cache_control":{"type":"ephemeral"}'
_TEXTS = (b'"text"', b'"input_text"', b'"output_text"')
# A mark's value, and the comma behind a mark that is the first member of its object.
_VALUE = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+(?:\{[^{}]{0,256}+\}|null)")
_COMMA = re.compile(rb"(?:[ \t\r\n]*+,)?+")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


class _Content(msgspec.Struct):
    #: The blocks of a content that is a list.
    content: list[msgspec.Raw] | str | None = None


_content = msgspec.json.Decoder(_Content)
_contents = msgspec.json.Decoder(list[_Content])


#: One item of a conversation: its hash, its content blocks, of which a plain text is one, and the marks in it.
Item = tuple[int, int, int]


def count_marks(raw: bytes) -> int:
    """How many marks a JSON text has."""
    return raw.count(NEEDLES[0]) + raw.count(NEEDLES[1])


def _find_mark(raw: bytes) -> int:
    """Where the first mark of a JSON text may be; -1 when it has none. Agents mark what is
    near the end, so that most items need not be searched."""
    one, other = raw.find(NEEDLES[0]), raw.find(NEEDLES[1])
    return max(one, other) if one < 0 or other < 0 else min(one, other)


def cut_marks(raw: bytes) -> bytes:
    """A JSON text without its marks; the text itself when it has too many."""
    marks = count_marks(raw)
    return _cut_all(raw, marks) if 0 < marks <= MARKS_LIMIT else raw


def _cut_all(raw: bytes, marks: int) -> bytes:
    """The text without its marks. marks: how often there may be one, at most MARKS_LIMIT."""
    usual = raw.count(_USUAL)
    if usual:
        raw = raw.replace(_USUAL, b"")
        if usual == marks:
            return raw
    for needle in NEEDLES:
        if needle in raw:
            raw = _cut(raw, needle)
    return raw


def _cut(raw: bytes, needle: bytes) -> bytes:
    """The text without the members of that name. Inside a JSON string the quotes would be escaped."""
    pieces: list[bytes] = []
    at, start = 0, raw.find(needle)
    for _ in range(MARKS_LIMIT):
        if start < 0:
            pieces.append(raw[at:])
            return b"".join(pieces)
        value = _VALUE.match(raw, start + len(needle))
        if value is not None:
            before, end = raw[at:start].rstrip(), value.end()
            if before.endswith(b","):
                before = before[:-1]
            else:
                end = _COMMA.match(raw, end).end()  # type: ignore[union-attr]  # it matches the empty text too
            pieces.append(before)
            at = end
        start = raw.find(needle, max(at, start + 1))
    return raw


class Extent(msgspec.Struct, gc=False):
    """A part of a body. It is not copied, since bodies are large."""

    body: bytes
    start: int
    stop: int
    # The hash of its first _FIRST bytes, once it was asked for.
    _first: int | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stop - self.start

    def read(self, start: int, stop: int) -> bytes:
        """The bytes between two offsets."""
        return self.body[self.start + start : self.start + stop]

    def sign(self, stop: int) -> int:
        """A hash by which its first bytes are recognized: of their number, of those at their beginning and at their
        end, and of one of each STRIDE. So it takes a tenth of the time, and misses only a few bytes that were replaced
        by as many others."""
        body, start = self.body, self.start
        end = start + stop
        if stop <= _FIRST:
            return hash(body[start:end])
        first = self._first
        if first is None:
            first = self._first = hash(body[start : start + _FIRST])
        return hash((stop, first, body[start:end:STRIDE], body[end - _LAST : end]))


def sign_part(body: bytes, start: int, stop: int, whole: int) -> int:
    """A hash by which a part of a body is recognized: of all its bytes, or, when they are more than `whole`, of their
    number, so many at the beginning, and one of each STRIDE."""
    if stop - start <= whole:
        return hash(body[start:stop])
    return hash((stop - start, body[start : start + whole], body[start:stop:STRIDE]))


def hash_part(raw: bytes) -> int:
    """The hash of a tool or a block of a system prompt."""
    return hash(cut_marks(raw))


class Items:
    """The items of a JSON list, added up while they are read: so there is one pass over them."""

    __slots__ = ("blocks", "hashes", "marked", "marks", "plain", "plain_blocks", "plain_size", "size")

    def __init__(self) -> None:
        #: The hash of each.
        self.hashes: list[int] = []
        #: Their bytes, without what is between them; and their content blocks.
        self.size = self.blocks = 0
        #: The marks in them, and the content blocks up to the last marked one.
        self.marks = self.marked = 0
        #: The items before the first marked one, their bytes and their content blocks.
        self.plain = self.plain_size = self.plain_blocks = 0

    def add(self, item: Item, size: int) -> None:
        """Add the next item."""
        found, blocks, marks = item
        self.hashes.append(found)
        self.size += size
        self.blocks += blocks
        if marks:
            self.marks += marks
            self.marked = self.blocks
        elif not self.marks:
            self.plain += 1
            self.plain_size, self.plain_blocks = self.size, self.blocks


def read_items(text: bytes, raws: Sequence[msgspec.Raw]) -> Items:
    """The items of a JSON list. raws: the list decoded to its items."""
    items = Items()
    marked = _find_mark(text)
    if marked > 0 and sum(map(len, raws)) + len(raws) + 1 != len(text):
        marked = 0  # there is space between them, so that their places are not known
    end = 0
    try:
        contents = _contents.decode(text)
    except UNREADABLE:
        for raw in raws:
            items.add(read_item(bytes(raw)), len(raw))
        return items
    for raw, one in zip(raws, contents, strict=True):
        item, content = bytes(raw), one.content
        end += 1 + len(item)
        items.add(_read_item(item, content, marked=0 <= marked < end), len(item))
    return items


def read_item(raw: bytes) -> Item:
    """The hash of a message or another item of a conversation."""
    try:
        content = _content.decode(raw).content
    except UNREADABLE:
        content = None
    return _read_item(raw, content, marked=True)


def _read_item(raw: bytes, content: list[msgspec.Raw] | str | None, *, marked: bool) -> Item:
    """The item of this content. One that is a single text in a list is hashed as if the text stood in place of the
    list. marked: it may have marks."""
    marks = count_marks(raw) if marked else 0
    blocks = 1
    if type(content) is list:
        blocks = len(content)
        if blocks == 1:
            plain = _unwrap_content(raw, bytes(content[0]), marks)
            if plain is not None:
                return hash(plain), 1, marks
    return hash(_cut_all(raw, marks) if 0 < marks <= MARKS_LIMIT else raw), blocks or 1, marks


def _unwrap_content(raw: bytes, block: bytes, marks: int) -> bytes | None:
    """An item whose content is this block alone, without marks and with the text in place of the list; None for a block
    that is no text, or has space around it. marks: in the item."""
    if not _may_be_text(block):
        return None
    inside = count_marks(block) if marks else 0
    text = unwrap_text(_cut_all(block, inside) if 0 < inside <= MARKS_LIMIT else block)
    if text is None:
        return None
    plain = raw.replace(b"[" + block + b"]", text, 1)
    if len(plain) == len(raw):
        return None
    return _cut_all(plain, marks - inside) if inside < marks <= MARKS_LIMIT else plain


def _may_be_text(plain: bytes) -> bool:
    return _TEXTS[0] in plain or _TEXTS[1] in plain or _TEXTS[2] in plain


def unwrap_text(block: bytes) -> bytes | None:
    """The string of a block that is text and nothing else; None for another block."""
    try:
        members = _members.decode(block)
    except UNREADABLE:
        return None
    if len(members) == 2 and "text" in members and bytes(members.get("type", b"")) in _TEXTS:
        return bytes(members["text"])
    return None
