"""Finds where values stand in a JSON text, so that they can be changed in place: all other characters stay.

Nothing is decoded, and each call into C is bounded (ObjectEnd). What is no JSON is not noticed unless it is met.
"""

import json
import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from router.wire.raw.json.object_end import ObjectEnd

_SPACE = re.compile(r"[ \t\n\r]*+")
_LITERAL = re.compile(r'[^][{}",: \t\n\r]*+')
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
# Characters that one call looks through: no other thread runs meanwhile.
_STEP = 64 << 10
_SHORT = 256
_SPACES = (" ", "\t", "\n", "\r")
_OPENING = ('"', "{", "[")
# strict=False accepts control characters, as the readers of answers do.
_decoder = json.JSONDecoder(strict=False)


class Malformed(Exception):
    """The text is no JSON where it was looked at."""


class Place(NamedTuple):
    """Where a value begins and ends."""

    begin: int
    end: int


class Splice(NamedTuple):
    """What stands between two places from now on."""

    begin: int
    end: int
    text: str


def pass_space(text: str, at: int) -> int:
    """The place behind white space."""
    if text[at : at + 1] not in _SPACES:
        return at
    return _pass(_SPACE, text, at)


def pass_literal(text: str, at: int) -> int:
    """The place behind a number or a word, as far as it has come; `at` where none stands."""
    return _pass(_LITERAL, text, at)


def _pass(characters: re.Pattern[str], text: str, at: int) -> int:
    while True:
        end = characters.match(text, at, at + _STEP).end()  # type: ignore[union-attr]  # it matches the empty text too
        if end < at + _STEP:
            return end
        at = end


def find_root(text: str) -> Place:
    """The value that the text is, if it is one: its end is not looked for."""
    return Place(pass_space(text, 0), len(text))


def find_value(text: str, at: int = 0) -> Place:
    """The value that begins at `at`, or behind the white space there. Raises Malformed."""
    begin = pass_space(text, at)
    mark = text[begin : begin + 1]
    if mark == '"':
        # Nearly all strings are short, and have no escapes.
        end = text.find('"', begin + 1, begin + _SHORT)
        if end >= 0 and text.find("\\", begin, end) < 0:
            return Place(begin, end + 1)
    if mark in _OPENING:
        value = ObjectEnd()
        end = value.feed(text, begin)
        if not value.closed:
            raise Malformed
        return Place(begin, end)
    end = pass_literal(text, begin)
    if end == begin:
        raise Malformed
    return Place(begin, end)


def find_members(text: str, place: Place | None, names: Container[str]) -> dict[str, Place]:
    """The values of an object under these names, of one that stands there twice the last; {} for what is no object.
    Raises Malformed."""
    found: dict[str, Place] = {}
    if place is None or text[place.begin : place.begin + 1] != "{":
        return found
    at = pass_space(text, place.begin + 1)
    if text[at : at + 1] == "}":
        return found
    while True:
        if text[at : at + 1] != '"':
            raise Malformed
        key = find_value(text, at)
        at = pass_space(text, key.end)
        if text[at : at + 1] != ":":
            raise Malformed
        value = find_value(text, at + 1)
        if (name := read_text(text, key) or "") in names:
            found[name] = value
        at = pass_space(text, value.end)
        mark = text[at : at + 1]
        if mark == "}":
            return found
        if mark != ",":
            raise Malformed
        at = pass_space(text, at + 1)


def iter_elements(text: str, place: Place | None) -> Iterator[Place]:
    """The elements of a list; none for what is no list. Raises Malformed."""
    if place is None or text[place.begin : place.begin + 1] != "[":
        return
    at = pass_space(text, place.begin + 1)
    if text[at : at + 1] == "]":
        return
    while True:
        value = find_value(text, at)
        yield value
        at = pass_space(text, value.end)
        mark = text[at : at + 1]
        if mark == "]":
            return
        if mark != ",":
            raise Malformed
        at += 1


def read_text(text: str, place: Place | None) -> str | None:
    """The string that stands there, None for another value. Raises Malformed."""
    if place is None or text[place.begin : place.begin + 1] != '"':
        return None
    if text.find("\\", place.begin, place.end) < 0:
        return text[place.begin + 1 : place.end - 1]
    try:
        return _decoder.raw_decode(text, place.begin)[0]
    except ValueError:
        raise Malformed from None


def read_index(text: str, place: Place | None) -> int | None:
    """The whole number that stands there, None for another value."""
    digits = "" if place is None else text[place.begin : place.end]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None


def escape(text: str) -> str:
    """What a string holds, as it stands between its quotes in JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def move_into_string(text: str, place: Place, splices: Iterable[Splice]) -> Iterator[Splice]:
    """Changes of what the string holds that stands there, as changes of the text. splices: in order."""
    at, held = place.begin + 1, 0  # a place in the text, and the character that the string holds there
    escapes = _ESCAPE.finditer(text, at, place.end - 1) if text.find("\\", at, place.end) >= 0 else iter(())
    escaped = next(escapes, None)
    for splice in splices:
        ends: list[int] = []
        for wanted in (splice.begin, splice.end):
            while escaped is not None and held + escaped.start() - at < wanted:
                held += escaped.start() - at + 1
                at = escaped.end()
                escaped = next(escapes, None)
            ends.append(at + wanted - held)
        yield Splice(ends[0], ends[1], escape(splice.text))


def apply_splices(text: str, splices: Iterable[Splice]) -> str:
    """The text with the changes, which may come in any order."""
    parts: list[str] = []
    at = 0
    for splice in sorted(splices):
        parts += (text[at : splice.begin], splice.text)
        at = splice.end
    return "".join((*parts, text[at:]))
