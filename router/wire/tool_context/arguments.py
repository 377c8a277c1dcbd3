"""Fills fields at the top level of one call's arguments, which come in pieces.

Nothing is held back: a value goes between the quotes of an empty text, and what is absent goes in front of the brace
that ends the object. Only null, which the value replaces, may be cut by the end of a piece: then the piece waits for
the next one. Arguments that are no JSON are left as they are from there on.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from router.wire.raw.json.object_end import ObjectEnd
from router.wire.raw.json.places import Splice, escape, pass_literal, pass_space

_START, _FIRST_KEY, _KEY, _IN_KEY, _COLON, _VALUE, _IN_TEXT, _IN_VALUE, _LITERAL, _NULL, _AFTER, _OVER = range(12)
_WORD = "null"
# Characters of the longest name of a field with each of its letters escaped.
_KEY_LIMIT = 64


class Filled(NamedTuple):
    """What becomes of one piece."""

    #: Its changes, in order.
    splices: list[Splice]
    #: Where null may begin at its end, which the next pieces decide; None for nowhere.
    waiting: Splice | None


class Arguments:
    """The arguments of one call. values: field -> its value. They are filled in the order of the values."""

    __slots__ = ("_at_key", "_literal", "_name", "_seen", "_state", "_value", "_values", "filled", "was_null")

    def __init__(self, values: Mapping[str, str]):
        self._values = values
        self._state = _START
        self._seen: set[str] = set()
        # The key that is read, as it stands there; None for one that is too long.
        self._at_key: str | None = ""
        self._value = ObjectEnd()
        # The field whose value comes.
        self._name = ""
        # Characters of null so far.
        self._literal = 0
        #: The fields that were filled, in order.
        self.filled: list[str] = []
        #: Whether what waited at the end of the pieces before was null; None while that is not known.
        self.was_null: bool | None = None

    @property
    def blank(self) -> bool:
        """True while nothing but white space has come."""
        return self._state == _START

    @property
    def over(self) -> bool:
        """True once nothing more is filled: they ended, or are no JSON."""
        return self._state == _OVER

    def fill_blank(self) -> str:
        """Arguments that hold all fields, for a call without any."""
        self._state = _OVER
        return "{" + self._write_missing() + "}"

    def feed(self, text: str) -> Filled:
        """Fill the next piece."""
        splices: list[Splice] = []
        at, size = 0, len(text)
        self.was_null = None
        while at < size and self._state != _OVER:
            at = self._read(text, at, splices)
        waits = self._state == _NULL
        begin = max(0, size - self._literal) if waits else 0
        return Filled(splices, Splice(begin, size, "") if waits and size else None)

    def give_up(self) -> None:
        """Read on, and fill nothing more."""
        self._state = _OVER

    def _read(self, text: str, at: int, splices: list[Splice]) -> int:
        """Read what one state takes; the place behind it."""
        state = self._state
        if state == _IN_KEY:
            return self._read_key(text, at)
        if state == _IN_VALUE:
            at = self._value.feed(text, at)
            self._state = _AFTER if self._value.closed else _IN_VALUE
            return at
        if state == _IN_TEXT:
            return self._read_text(text, at, splices)
        if state == _NULL:
            return self._read_null(text, at, splices)
        if state == _LITERAL:
            end = pass_literal(text, at)
            self._state = _LITERAL if end == len(text) else _AFTER
            return end
        at = pass_space(text, at)
        if at == len(text):
            return at
        return self._read_mark(text, at, splices)

    def _read_mark(self, text: str, at: int, splices: list[Splice]) -> int:
        """Read the one character that a state waits for."""
        state, mark = self._state, text[at]
        if state == _VALUE:
            return self._begin_value(text, at)
        if mark == "}" and state in (_FIRST_KEY, _AFTER):
            missing = self._write_missing()
            if missing:
                splices.append(Splice(at, at, f",{missing}" if state == _AFTER else missing))
            self._state = _OVER
        elif mark == '"' and state in (_FIRST_KEY, _KEY):
            self._state, self._at_key, self._value = _IN_KEY, "", ObjectEnd()
            self._value.feed(mark)
        else:
            steps = {(_START, "{"): _FIRST_KEY, (_COLON, ":"): _VALUE, (_AFTER, ","): _KEY}
            self._state = steps.get((state, mark), _OVER)
        return at + 1

    def _read_key(self, text: str, at: int) -> int:
        end = self._value.feed(text, at)
        if self._at_key is not None:
            short = len(self._at_key) + end - at <= _KEY_LIMIT
            self._at_key = self._at_key + text[at:end] if short else None
        if self._value.closed:
            self._state, self._name = _COLON, _decode_key(self._at_key)
        return end

    def _begin_value(self, text: str, at: int) -> int:
        mark = text[at]
        wanted = self._name in self._values and self._name not in self._seen
        if self._name in self._values:
            self._seen.add(self._name)
        if mark in ('"', "{", "["):
            self._value = ObjectEnd()
            self._value.feed(mark)
            self._state = _IN_TEXT if wanted and mark == '"' else _IN_VALUE
            return at + 1
        if mark == "n" and wanted:
            self._state, self._literal = _NULL, 0
            return at
        self._state = _LITERAL if mark not in "}],:" else _OVER
        return at

    def _read_text(self, text: str, at: int, splices: list[Splice]) -> int:
        """Fill a text that ends where it began."""
        if text[at] == '"':
            splices.append(Splice(at, at, escape(self._values[self._name])))
            self.filled.append(self._name)
        self._state = _IN_VALUE
        return at

    def _read_null(self, text: str, at: int, splices: list[Splice]) -> int:
        begin = at
        while at < len(text) and self._literal < len(_WORD) and text[at] == _WORD[self._literal]:
            at += 1
            self._literal += 1
        if self._literal == len(_WORD):
            splices.append(Splice(begin, at, f'"{escape(self._values[self._name])}"'))
            self.filled.append(self._name)
            self._state, self.was_null = _AFTER, True
        elif at < len(text):
            self._state, self.was_null = _OVER, False
        return at

    def _write_missing(self) -> str:
        """The members that did not come."""
        missing = [name for name in self._values if name not in self._seen]
        self.filled += missing
        return ",".join(f'"{name}":"{escape(self._values[name])}"' for name in missing)


def fill_arguments(text: str, values: Mapping[str, str], *, whole: bool = True) -> tuple[list[Splice], list[str]]:
    """The changes of arguments that are there at once, and the fields that were filled. whole: blank ones are what the
    model left empty; else the answer was cut."""
    arguments = Arguments(values)
    splices = arguments.feed(text).splices
    if whole and arguments.blank:
        splices = [Splice(len(text), len(text), arguments.fill_blank())]
    return splices, arguments.filled


def _decode_key(written: str | None) -> str:
    """The name that a key stands for, "" for one that is none of a field. written: it, with the quote at its end."""
    if written is None:
        return ""
    if "\\" not in written:
        return written[:-1]
    try:
        return str(json.loads(f'"{written}', strict=False))
    except ValueError:
        return ""
