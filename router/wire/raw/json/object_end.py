"""Finds the end of a JSON object that comes in pieces, each of which is read once."""

import re

# Up to what matters outside of a string, and inside of one; possessive, so that nothing is tried twice.
_OUTSIDE = re.compile(r'[^"{}\[\]]*+')
_INSIDE = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class ObjectEnd:
    """How far an object has come."""

    __slots__ = ("_depth", "_escaped", "_quoted", "closed")

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False
        #: True once everything that was opened is closed again: no JSON text goes on from there.
        self.closed = False

    def feed(self, text: str) -> None:
        """Read the next piece."""
        at = 0
        if self._escaped and text:
            at, self._escaped = 1, False
        while at < len(text) and not self.closed:
            if self._quoted:
                at = self._pass_string(text, at)
                continue
            at = _OUTSIDE.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
            found = text[at : at + 1]
            at += 1
            if found == '"':
                self._quoted = True
            elif found in ("{", "["):
                self._depth += 1
            elif found:
                self._depth -= 1
            self.closed = bool(found) and self._depth <= 0 and not self._quoted

    def _pass_string(self, text: str, at: int) -> int:
        """The place behind a string that was opened, or the end of the text."""
        at = _INSIDE.match(text, at).end()  # type: ignore[union-attr]  # as above
        if at == len(text):
            return at
        if text[at] == '"':
            self._quoted = False
            self.closed = self._depth <= 0
            return at + 1
        self._escaped = True  # a backslash at the end of the piece
        return len(text)
