"""Hashes of the parts of a prompt that stay the same while only the marks for caches move.

Agents move their marks with each turn, and some send a marked message as a list of one text block and the same message
unmarked as a plain string. Providers read both forms alike, so both get the same hash.

A hash is the interpreter's own (SipHash-1-3): it is keyed at random for each process, and takes a quarter of the time
of BLAKE2b. No hash leaves the memory of the process.
"""

import re
from typing import NamedTuple

import msgspec

from router.wire.raw.json.json_values import UNREADABLE

#: What a mark is called by Anthropic and by OpenAI.
NEEDLES = (b'"cache_control"', b'"prompt_cache_breakpoint"')
#: How far apart the bytes are that a signature covers, behind those that it covers all.
STRIDE = 64
#: A part with more marks is hashed as it is: providers take four.
MARKS_LIMIT = 64
_TEXTS = (b'"text"', b'"input_text"', b'"output_text"')
# A mark's value, and the comma behind a mark that is the first member of its object.
_VALUE = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+(?:\{[^{}]{0,256}+\}|null)")
_COMMA = re.compile(rb"(?:[ \t\r\n]*+,)?+")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


class Item(NamedTuple):
    """One item of a conversation."""

    hash: int
    #: Its content blocks; a plain text is one.
    blocks: int
    #: Marks for caches in it.
    marks: int


def count_marks(raw: bytes) -> int:
    """How many marks a JSON text has."""
    return sum(raw.count(needle) for needle in NEEDLES)


def cut_marks(raw: bytes) -> bytes:
    """A JSON text without its marks; the text itself when it has too many."""
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


class Extent(NamedTuple):
    """A part of a body. It is not copied, since bodies are large."""

    body: bytes
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stop - self.start

    def read(self, start: int, stop: int) -> bytes:
        """The bytes between two offsets."""
        return self.body[self.start + start : self.start + stop]

    def sign(self, start: int, stop: int, whole: int) -> int:
        """A hash by which the bytes between two offsets are recognized: of all of them, or, when they are more than
        `whole`, of their number, so many at the beginning, and every sixty-fourth. So it takes a tenth of the time, and
        misses only a few bytes that were replaced by as many others."""
        if stop - start <= whole:
            return hash(self.read(start, stop))
        begin, end = self.start + start, self.start + stop
        return hash((stop - start, self.body[begin : begin + whole], self.body[begin:end:STRIDE]))


def hash_part(raw: bytes) -> int:
    """The hash of a tool or a block of a system prompt."""
    return hash(cut_marks(raw))


def read_item(raw: bytes) -> Item:
    """The hash of a message or another item of a conversation."""
    marks = count_marks(raw)
    plain = cut_marks(raw) if marks else raw
    try:
        members = _members.decode(plain)
    except UNREADABLE:
        return Item(hash(plain), 1, marks)
    blocks = 1
    found: list[tuple[str, int]] = []
    for name, member in members.items():
        value = bytes(member)
        if name == "content" and value.startswith(b"["):
            value, blocks = _unwrap(value)
        found.append((name, hash(value)))
    return Item(hash(tuple(found)), blocks, marks)


def _unwrap(content: bytes) -> tuple[bytes, int]:
    """A content without marks, and the number of its blocks; of a single block of text its string."""
    if b"}," not in content and not any(kind in content for kind in _TEXTS):
        return content, 1  # a result of a tool, mostly: it need not be decoded
    try:
        blocks = _items.decode(content)
    except UNREADABLE:
        return content, 1
    return (unwrap_text(bytes(blocks[0])) or content, 1) if len(blocks) == 1 else (content, len(blocks))


def unwrap_text(block: bytes) -> bytes | None:
    """The string of a block that is text and nothing else; None for another block."""
    try:
        members = _members.decode(block)
    except UNREADABLE:
        return None
    if len(members) == 2 and "text" in members and bytes(members.get("type", b"")) in _TEXTS:
        return bytes(members["text"])
    return None
