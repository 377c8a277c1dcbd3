"""A JSON body with some of its top-level members replaced, added or taken out; all other bytes stay as they are."""

from collections.abc import Iterator, Sequence

import msgspec

from router.errors import BadRequest
from router.wire.raw.top_level import Top, decode_value

Bytes = bytes | memoryview

_encode = msgspec.json.encode


class Draft:
    """The body as it will be sent. Reading gives what was put before, else what the caller sent."""

    __slots__ = ("_body", "_new", "_top")

    def __init__(self, body: bytes, top: Top):
        self._body = body
        self._top = top
        self._new: dict[str, bytes | None] = {}

    def __contains__(self, name: str) -> bool:
        return self.raw(name) is not None

    def certain(self, name: str) -> bool:
        """True unless the key stands there twice."""
        return name not in self._top.duplicates

    def raw(self, name: str) -> bytes | None:
        """The undecoded value, None when the key is absent."""
        return self._new[name] if name in self._new else self._top.raw(name)

    def value(self, name: str) -> object:
        """The decoded value, None when the key is absent."""
        raw = self.raw(name)
        return None if raw is None else decode_value(raw)

    def put(self, name: str, raw: bytes) -> None:
        """Let the JSON text `raw` be the value: in its place, or as a member in front of all others.

        Raises BadRequest for a key that stands there twice: which of the two an upstream reads cannot be known.
        """
        if name in self._top.duplicates:
            raise _doubled(name)
        self._new[name] = raw

    def drop(self, name: str) -> None:
        """Take the member out. Raises BadRequest when a key stands there twice: places between members are unknown."""
        if self._top.duplicates:
            raise _doubled(min(self._top.duplicates))
        self._new[name] = None

    def parts(self) -> Sequence[Bytes]:
        """The body as pieces to be sent one after the other."""
        if not self._new:
            return (self._body,)
        view = memoryview(self._body)
        pieces: list[Bytes] = []
        at = 0
        for start, end, value in sorted(self._splices()):
            pieces += (view[at:start], value)
            at = end
        pieces.append(view[at:])
        return pieces

    def _splices(self) -> Iterator[tuple[int, int, bytes]]:
        """Places in the body, in any order, and what stands there instead."""
        added: list[bytes] = []
        for name, value in self._new.items():
            if value is None:
                continue
            if name in self._top:
                yield (*self._top.span(name), value)
            else:
                added.append(_encode(name) + b":" + value)
        start = self._start()
        if added:
            stays = any(self._new.get(name, b"") is not None for name in self._top)
            yield start, start, b",".join(added) + (b"," if stays else b"")
        if None in self._new.values():
            yield from self._cuts(start)

    def _start(self) -> int:
        """Behind the object's opening brace."""
        return self._body.find(b"{") + 1

    def _cuts(self, start: int) -> Iterator[tuple[int, int, bytes]]:
        """The dropped members, each with the comma in front of it; in front of the first that stays none is left."""
        bare = True
        for name in sorted(self._top, key=self._top.span):
            end = self._top.span(name)[1]
            if self._new.get(name, b"") is None:
                yield start, end, b""
            elif bare:
                bare = False
                if start != self._start():
                    yield start, self._body.index(b",", start) + 1, b""
            start = end


def _doubled(name: str) -> BadRequest:
    return BadRequest(f'The body has the key "{name}" twice, which leaves open what a configured edit is to change.')
