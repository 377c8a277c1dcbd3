"""Sets and removes parts of JSON, with or without comments, in the style of the text around them."""

import json
from typing import Any, NamedTuple

from router.setup.formats.document import Item, Path, Step, build, check_kind
from router.setup.formats.json_scan import Member, Node, Scanner


class JsonFormat(NamedTuple):
    """JSON. strict: for tools that read neither comments nor trailing commas."""

    title: str
    strict: bool

    def parse(self, text: str) -> Any:
        """The value, None for a text without one. Raises InvalidDocument."""
        root = Scanner(text, strict=self.strict).read()
        return None if root is None else root.value

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with a part set. Raises InvalidDocument, UnsupportedChange."""
        root = Scanner(text, strict=self.strict).read()
        if root is None:
            lead = text if not text or text.endswith("\n") else text + "\n"
            return lead + json.dumps(build(path, value), indent=2, ensure_ascii=False) + "\n"
        node, depth = root, 0
        for depth, step in enumerate(path):
            check_kind(node.value, list if isinstance(step, Item) else dict, step)
            member = _find(node, step)
            if member is None:
                return _insert(text, root, node, path[depth:], value)
            node = member.node
        style = _Style.of(text, root)
        shown = _write(value, style, _indent_at(text, node.start))
        return text[: node.start] + shown + text[node.end :]

    def remove(self, text: str, path: Path) -> str:
        """The text without a part that is there. Raises InvalidDocument."""
        node = Scanner(text, strict=self.strict).read()
        assert node is not None
        for step in path[:-1]:
            member = _find(node, step)
            assert member is not None
            node = member.node
        gone = _find(node, path[-1])
        assert gone is not None
        return _cut(text, node, node.members.index(gone))


JSON = JsonFormat("JSON without comments", strict=True)
JSONC = JsonFormat("JSON", strict=False)


class _Style(NamedTuple):
    """How a text is laid out. indent: of one level; None where all stands on one line."""

    indent: str | None
    #: Between a name and its value, and between two members on one line.
    colon: str
    comma: str

    @staticmethod
    def of(text: str, root: Node) -> "_Style":
        first = root.members[0] if root.members else None
        if first is None:
            return _Style("  ", ": ", ", ")
        lead = text[root.start + 1 : first.start]
        colon = ": "
        if first.key is not None and text[first.node.start - 1] == ":":
            colon = ":"
        comma = ", " if colon == ": " else ","
        if "\n" not in lead and "\r" not in lead:
            return _Style(None, colon, comma)
        outer = _indent_at(text, root.start)
        inner = _indent_at(text, first.start)
        return _Style(inner[len(outer) :] or "", colon, comma)


def _find(node: Node, step: Step) -> Member | None:
    for member in node.members:
        if isinstance(step, str):
            if member.key == step:
                return member
        elif not step.field:
            if member.node.value == step.value:
                return member
        elif isinstance(member.node.value, dict) and member.node.value.get(step.field) == step.value:  # pyright: ignore[reportUnknownMemberType]
            return member
    return None


def _indent_at(text: str, at: int) -> str:
    """The spaces at the beginning of the line on which a place stands."""
    begin = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    end = begin
    while end < at and text[end] in " \t":
        end += 1
    return text[begin:end]


def _write(value: Any, style: _Style, indent: str) -> str:
    """A value as text. indent: of the line on which it begins."""
    if style.indent is None:
        return json.dumps(value, ensure_ascii=False, separators=(style.comma, style.colon))
    shown = json.dumps(value, ensure_ascii=False, indent=style.indent or " ", separators=(",", style.colon))
    if not style.indent:
        # A text whose members stand at the beginning of their lines.
        shown = "\n".join(line.lstrip() for line in shown.split("\n"))
    return shown.replace("\n", "\n" + indent)


def _insert(text: str, root: Node, node: Node, path: Path, value: Any) -> str:
    """Put a member into an object, or an item into an array. path: its first step is the one that lacks."""
    step, whole = path[0], build(path[1:], value)
    style = _Style.of(text, root)
    members = node.members
    if members:
        lines = "\n" in text[node.start : members[0].start] or "\r" in text[node.start : members[0].start]
        indent = _indent_at(text, members[0].start) if lines else ""
        style = style._replace(indent=(style.indent or "  ") if lines else None)
    else:
        lines = style.indent is not None
        indent = _indent_at(text, node.start) + (style.indent or "")
    shown = _write(whole, style, indent)
    if isinstance(step, str):
        shown = json.dumps(step, ensure_ascii=False) + style.colon + shown
    lead = "\n" + indent if lines else ""
    if not members:
        # An empty one may hold comments, which stay behind the member.
        inside = text[node.start + 1 : node.end - 1]
        tail = "\n" + _indent_at(text, node.start) if lines and not inside.strip() and "\n" not in inside else ""
        return text[: node.start + 1] + lead + shown + tail + text[node.start + 1 :]
    if isinstance(step, Item) and step.first:
        first = members[0]
        gap = lead or " " * style.comma.count(" ")
        return text[: first.start] + shown + "," + gap + text[first.start :]
    last = members[-1]
    if last.comma is not None:
        at = _find_line_end(text, last.comma + 1) if lines else last.comma + 1
        return text[:at] + (lead or " ") + shown + "," + text[at:]
    end = last.node.end
    at = _find_line_end(text, end) if lines else end
    return text[:end] + "," + text[end:at] + (lead or " " * style.comma.count(" ")) + shown + text[at:]


def _find_line_end(text: str, at: int) -> int:
    """Behind the comments that stand on the same line, which are about what is in front of them."""
    end = at
    while True:
        while at < len(text) and text[at] in " \t":
            at += 1
        if text.startswith("/*", at):
            at = text.index("*/", at + 2) + 2
            if "\n" in text[end:at]:
                return end
        elif text.startswith("//", at):
            return min((place for mark in "\r\n" if (place := text.find(mark, at)) >= 0), default=len(text))
        else:
            return end
        end = at


def _cut(text: str, node: Node, place: int) -> str:
    """Take out one member, with its comma and the line that it stood on."""
    members = node.members
    gone = members[place]
    if len(members) == 1:
        inside = text[node.start + 1 : gone.start] + text[(gone.comma or gone.node.end - 1) + 1 : node.end - 1]
        if not inside.strip():
            return text[: node.start + 1] + text[node.end - 1 :]
        end = gone.comma + 1 if gone.comma is not None else gone.node.end
        return _drop_line(text, gone.start, end)
    if gone.comma is not None:
        end = gone.comma + 1
        if place + 1 < len(members) and "\n" not in text[end : members[place + 1].start]:
            return text[: gone.start] + text[members[place + 1].start :]
        return _drop_line(text, gone.start, end)
    before = members[place - 1]
    assert before.comma is not None
    between = text[before.comma + 1 : gone.start]
    if between.strip():
        # A comment stands between; only the comma and the member go.
        shorter = _drop_line(text, gone.start, gone.node.end)
        return shorter[: before.comma] + shorter[before.comma + 1 :]
    return text[: before.comma] + text[gone.node.end :]


def _drop_line(text: str, start: int, end: int) -> str:
    """Cut a place out, with its whole line where nothing else stands on it."""
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    if text[begin:start].strip(" \t"):
        return text[:start].rstrip(" \t") + text[end:]
    rest = end
    while rest < len(text) and text[rest] in " \t":
        rest += 1
    if text.startswith("\r\n", rest):
        return text[:begin] + text[rest + 2 :]
    if rest < len(text) and text[rest] in "\r\n":
        return text[:begin] + text[rest + 1 :]
    return text[:start] + text[end:]
