"""Replaces, adds or removes top-level members of a JSON body; all other bytes stay as they are."""

from collections.abc import Iterator, Sequence

import msgspec

from router.errors import BadRequest
from router.wire.raw.json.top_level import Top, decode_value, peek

Bytes = bytes | memoryview

_encode = msgspec.json.encode


class Splice:
    """A body with the changes to it. Reading a member gives its new value, else the value that the caller sent.

    top: of the body, None to find it once a member is read or changed."""

    __slots__ = ("_body", "_known", "_new")

    def __init__(self, body: bytes, top: Top | None):
        self._body = body
        self._known = top
        self._new: dict[str, bytes | None] = {}

    @property
    def _top(self) -> Top:
        if self._known is None:
            self._known = peek(self._body)
        return self._known

    def may_hold(self, name: str, text: bytes) -> bool:
        """False for a member without these bytes, or that is absent. Where the top level is not known, this is said of
        the whole body, since that takes less than to find the member."""
        if self._known is None:
            return text in self._body
        raw = self.raw(name)
        return raw is not None and text in raw

    def __contains__(self, name: str) -> bool:
        return self.raw(name) is not None

    def is_unique(self, name: str) -> bool:
        """True unless the key occurs twice."""
        return name not in self._top.duplicates

    def raw(self, name: str) -> bytes | None:
        """The undecoded value, None when the key is absent."""
        return self._new[name] if name in self._new else self._top.raw(name)

    def value(self, name: str) -> object:
        """The decoded value, None when the key is absent."""
        raw = self.raw(name)
        return None if raw is None else decode_value(raw)

    def put(self, name: str, raw: bytes) -> None:
        """Set the value to the JSON text `raw`: in its place, or as a new member in front of all others.

        Raises BadRequest for a key that occurs twice: it is not known which of the two an upstream reads.
        """
        if name in self._top.duplicates:
            raise _duplicate_key(name)
        self._new[name] = raw

    def drop(self, name: str) -> None:
        """Remove the member. Raises BadRequest when any key occurs twice: the places between members are unknown."""
        if self._top.duplicates:
            raise _duplicate_key(min(self._top.duplicates))
        self._new[name] = None

    def parts(self) -> Sequence[Bytes]:
        """The changed body as pieces, to be sent one after the other without joining them."""
        if not self._new:
            return (self._body,)
        view = memoryview(self._body)
        pieces: list[Bytes] = []
        at = 0
        for start, end, value in sorted(self._find_splices()):
            pieces += (view[at:start], value)
            at = end
        pieces.append(view[at:])
        return pieces

    def _find_splices(self) -> Iterator[tuple[int, int, bytes]]:
        """Start and end of each changed place in the body, and the bytes to put there; in any order."""
        added: list[bytes] = []
        for name, value in self._new.items():
            if value is None:
                continue
            if name in self._top:
                yield (*self._top.span(name), value)
            else:
                added.append(_encode(name) + b":" + value)
        start = self._content_start()
        if added:
            stays = any(self._new.get(name, b"") is not None for name in self._top)
            yield start, start, b",".join(added) + (b"," if stays else b"")
        if None in self._new.values():
            yield from self._cut_members(start)

    def _content_start(self) -> int:
        """The offset behind the object's opening brace."""
        return self._body.find(b"{") + 1

    def _cut_members(self, start: int) -> Iterator[tuple[int, int, bytes]]:
        """The dropped members, each with the comma in front of it; the first member that stays loses its comma too."""
        bare = True
        for name in sorted(self._top, key=self._top.span):
            end = self._top.span(name)[1]
            if self._new.get(name, b"") is None:
                yield start, end, b""
            elif bare:
                bare = False
                if start != self._content_start():
                    yield start, self._body.index(b",", start) + 1, b""
            start = end


def _duplicate_key(name: str) -> BadRequest:
    return BadRequest(f'The body has the key "{name}" twice, which leaves open what a configured edit is to change.')
