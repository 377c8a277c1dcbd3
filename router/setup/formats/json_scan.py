"""Reads JSON with comments and trailing commas, and knows where each part of it stands.

Rules of this file: what is read is a tree of nodes with places in the text, from which an edit takes what it needs;
time grows with the text alone; names that stand twice are refused, since tools disagree on which of them counts.
"""

import json
import re
from typing import Any, NamedTuple

from router.setup.formats.document import InvalidDocument, find_place

#: How deep values may stand in each other.
DEPTH_LIMIT = 100

_SPACE = re.compile(r"[ \t\r\n]++")
_LINE_COMMENT = re.compile(r"//[^\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\.)*+"')
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")


class Member(NamedTuple):
    """A member of an object, or an item of an array."""

    #: None in an array.
    key: str | None
    #: Where it begins: its key, or the value of an item.
    start: int
    node: "Node"
    #: Where the comma behind it stands, None without one.
    comma: int | None


class Node(NamedTuple):
    """A value and where it stands."""

    start: int
    end: int
    value: Any
    #: Of an object or an array.
    members: tuple[Member, ...] = ()


class Scanner:
    """Reads one text. strict: comments and trailing commas are errors."""

    def __init__(self, text: str, *, strict: bool):
        self._text = text
        self._strict = strict

    def read(self) -> Node | None:
        """The root, None where there is no value. Raises InvalidDocument."""
        at = self._skip(0)
        if at == len(self._text):
            return None
        node = self._read_value(at, 0)
        at = self._skip(node.end)
        if at != len(self._text):
            raise self._fail(at, "there is more behind the end of the value")
        return node

    def _read_value(self, at: int, depth: int) -> Node:
        if depth > DEPTH_LIMIT:
            raise self._fail(at, f"values stand more than {DEPTH_LIMIT} deep in each other")
        mark = self._text[at : at + 1]
        if mark in ("{", "["):
            return self._read_members(at, depth, "}" if mark == "{" else "]")
        if mark == '"':
            value, end = self._read_string(at)
            return Node(at, end, value)
        found = _SCALAR.match(self._text, at)
        if found is None:
            raise self._fail(at, f"unexpected {mark!r}" if mark else "the text ends in the middle of a value")
        try:
            return Node(at, found.end(), json.loads(found[0]))
        except ValueError:
            # Python refuses integers of thousands of digits.
            raise self._fail(at, "a number is too long") from None

    def _read_members(self, start: int, depth: int, close: str) -> Node:
        members: list[Member] = []
        names: dict[str, Any] = {}
        at = self._skip(start + 1)
        while self._text[at : at + 1] != close:
            if members and members[-1].comma is None:
                raise self._fail(at, f"expected a comma or {close}" if at < len(self._text) else f"{close} lacks")
            begin, key = at, None
            if close == "}":
                key, at = self._read_key(at)
                if key in names:
                    raise self._fail(begin, f"the name {json.dumps(key)} stands twice")
            node = self._read_value(at, depth + 1)
            if key is not None:
                names[key] = node.value
            at = self._skip(node.end)
            comma = at if self._text[at : at + 1] == "," else None
            if comma is not None:
                at = self._skip(comma + 1)
                if self._strict and self._text[at : at + 1] == close:
                    raise self._fail(comma, "a comma stands behind the last member")
            members.append(Member(key, begin, node, comma))
        value = names if close == "}" else [member.node.value for member in members]
        return Node(start, at + 1, value, tuple(members))

    def _read_key(self, at: int) -> tuple[str, int]:
        if self._text[at : at + 1] != '"':
            raise self._fail(at, "expected a name in double quotes")
        key, at = self._read_string(at)
        at = self._skip(at)
        if self._text[at : at + 1] != ":":
            raise self._fail(at, f"expected a colon behind the name {json.dumps(key)}")
        return key, self._skip(at + 1)

    def _read_string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if found is None:
            raise self._fail(at, "a text in quotes does not end on its line")
        try:
            return json.loads(found[0]), found.end()
        except ValueError:
            raise self._fail(at, "a text in quotes has an escape that is not valid") from None

    def _skip(self, at: int) -> int:
        """Behind spaces and comments."""
        text = self._text
        while at < len(text):
            if space := _SPACE.match(text, at):
                at = space.end()
            elif text.startswith(("//", "/*"), at):
                if self._strict:
                    raise self._fail(at, "a comment, which this tool does not read")
                at = self._skip_comment(at)
            else:
                break
        return at

    def _skip_comment(self, at: int) -> int:
        if line := _LINE_COMMENT.match(self._text, at):
            return line.end()
        end = self._text.find("*/", at + 2)
        if end < 0:
            raise self._fail(at, "a comment does not end")
        return end + 2

    def _fail(self, at: int, reason: str) -> InvalidDocument:
        return InvalidDocument(reason, *find_place(self._text, at))
