"""How much a JSON body holds: counted before it is decoded, as decoded values take many times the room of their text.

Rules of this file: each call into C is for a piece of bounded size, as one for a whole body would keep the
interpreter's lock for as long as the body takes.
"""

import re
from collections.abc import Iterator

import msgspec

from router.errors import BadRequest

#: Members at the top level of a request; the APIs know about fifty.
TOP_MEMBERS_LIMIT = 1000
#: Values of a body: what has commas between it.
VALUES_LIMIT = 1_000_000
#: Objects, lists and the members of objects: a decoder takes 50 ms to make so many, in which no other request runs.
NESTED_LIMIT = 250_000
#: The same, and values, in a body that only the slower decoder reads.
WALKED_LIMIT = 250_000
# Bytes of a body that is decoded in about ten milliseconds, however many members it has.
_SMALL = 512 << 10
_PIECE = 64 << 10
_LARGE_PIECE = 1 << 20
_SHORTEST_MEMBER = len('"":1,')
_NOT_MARKS = bytes(set(range(256)) - set(b"[]{}:,"))
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BRACKETS = re.compile(rb"([\[\]{}])")
# The fields of requests that are long: what stands in them is not at the top level.
_LONG = ("messages", "input", "contents", "tools", "system", "instructions", "prompt", "functions")
_long_fields = msgspec.json.Decoder(
    msgspec.defstruct("_LongFields", [(name, msgspec.Raw, msgspec.field(default=msgspec.Raw())) for name in _LONG])
)


def find_marks(body: bytes) -> bytes:
    """The brackets, colons and commas of a body, those in its strings too (50 µs for 122 KB); the brackets alone of one
    that is too short to hold too many values."""
    if len(body) <= NESTED_LIMIT:
        return body.translate(None, _NOT_BRACKETS)
    if len(body) <= _LARGE_PIECE:
        return body.translate(None, _NOT_MARKS)
    pieces = range(0, len(body), _LARGE_PIECE)
    return b"".join([body[at : at + _LARGE_PIECE].translate(None, _NOT_MARKS) for at in pieces])


def check_size(body: bytes, marks: bytes) -> None:
    """Refuse a JSON body with more values than can be worked on. Raises BadRequest. marks: of the body (find_marks);
    where they are too many, those in strings are left out and the rest is counted."""
    if len(marks) <= NESTED_LIMIT:
        return
    values, nested = _count(marks)
    if values > VALUES_LIMIT or nested > NESTED_LIMIT:
        values = nested = 0
        for piece in outside_strings(body):
            more = _count(piece)
            values, nested = values + more[0], nested + more[1]
            if values > VALUES_LIMIT:
                raise BadRequest(f"The JSON body has over {VALUES_LIMIT:,} values.")
            if nested > NESTED_LIMIT:
                raise BadRequest(f"The JSON body has over {NESTED_LIMIT:,} objects, lists and members.")


def check_walked(body: bytes) -> None:
    """Refuse a JSON body that the slower decoder would work on for too long. Raises BadRequest."""
    if len(body) <= WALKED_LIMIT:
        return
    values = 0
    for piece in outside_strings(body):
        values += sum(_count(piece))
        if values > WALKED_LIMIT:
            raise BadRequest(
                f"The JSON body has over {WALKED_LIMIT:,} values, and it is not plain JSON: a key stands twice at its "
                "top level, or something in it is no JSON."
            )


def has_many_members(body: bytes, marks: bytes) -> bool:
    """True when the top level of a JSON object has over TOP_MEMBERS_LIMIT members. marks: of the body."""
    if len(body) <= _SMALL or marks.count(b":") <= TOP_MEMBERS_LIMIT:
        return False
    try:
        long = _long_fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # the slower decoder counts as it goes
    rest = len(body) - sum(len(getattr(long, name)) for name in _LONG)
    return rest > TOP_MEMBERS_LIMIT * _SHORTEST_MEMBER and _count_members(body) > TOP_MEMBERS_LIMIT


def _count(text: bytes) -> tuple[int, int]:
    """How many values, and how many objects, lists and members begin in a text without strings."""
    return text.count(b","), text.count(b":") + text.count(b"[") + text.count(b"{")


def _count_members(body: bytes) -> int:
    """The members at the top level, up to one more than TOP_MEMBERS_LIMIT."""
    depth = members = 0
    for piece in outside_strings(body):
        # A text, a bracket, a text, ...
        parts = _BRACKETS.split(piece)
        for at, part in enumerate(parts):
            if at % 2:
                depth += 1 if part in b"[{" else -1
            elif depth == 1:
                members += part.count(b":")
                if members > TOP_MEMBERS_LIMIT:
                    return members
    return members


def outside_strings(body: bytes) -> Iterator[bytes]:
    """The text without its strings and their quotes, in pieces. A text that is no JSON gives something, too."""
    at = inside = 0
    while at < len(body):
        piece = body[at : at + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            # An escape is not cut in two.
            piece = body[at : at + _PIECE + 1]
        at += len(piece)
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        yield b"".join(parts[inside::2])
        inside ^= 1 - len(parts) % 2
