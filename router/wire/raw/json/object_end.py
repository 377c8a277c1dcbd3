"""Finds the end of a JSON object, list or string that comes in pieces, each of which is read once."""

import re

# Up to what matters outside of a string, and inside of one; possessive, so that nothing is tried twice. Within an
# object, whole strings are passed in the same call; that repetition is not possessive, since Python before 3.11.5 does
# not give back a string that is begun and not closed.
_OUTSIDE = re.compile(r'[^"{}\[\]]*+')
_WITHIN = re.compile(r'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*', re.DOTALL)
_INSIDE = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MARKS = '"{}[]'
# Characters that one call looks through: no other thread runs meanwhile.
_STEP = 64 << 10


class ObjectEnd:
    """How far a value has come."""

    __slots__ = ("_depth", "_escaped", "_quoted", "closed")

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False
        #: True once everything that was opened is closed again: no JSON text goes on from there.
        self.closed: bool = False

    def feed(self, text: str, at: int = 0) -> int:
        """Read the next piece, from `at` on; the place behind the value, or the end of the piece."""
        size = len(text)
        if self._escaped and at < size:
            at += 1
            self._escaped = False
        while at < size and not self.closed:
            if self._quoted:
                at = self._pass_string(text, at)
                continue
            end = at + _STEP
            passed = _WITHIN.match(text, at, end) if self._depth else _OUTSIDE.match(text, at, end)
            at = passed.end()  # type: ignore[union-attr]  # both match the empty text too
            found: str = text[at : at + 1]
            if not found or found not in _MARKS:
                continue  # the step ended, or the piece
            at += 1
            if found == '"':
                self._quoted = True
            elif found in ("{", "["):
                self._depth += 1
            else:
                self._depth -= 1
            self.closed = self._depth <= 0 and not self._quoted
        return at

    def _pass_string(self, text: str, at: int) -> int:
        """The place behind a string that was opened, behind a part of it, or the end of the text."""
        at = _INSIDE.match(text, at, at + _STEP).end()  # type: ignore[union-attr]  # as above
        found = text[at : at + 1]
        if found == '"':
            self._quoted = False
            self.closed = self._depth <= 0
            return at + 1
        if found == "\\":
            # The escape is cut by the end of the step, or of the piece.
            self._escaped = at + 1 == len(text)
            return min(at + 2, len(text))
        return at
