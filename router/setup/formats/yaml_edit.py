"""Sets and removes parts of YAML by the places that PyYAML gives of them; everything else stays as it is.

Changed are mappings and lists in block form, and lists and mappings in flow form, at any depth. What stands behind an
alias is not changed: its text stands elsewhere, and counts there too.
"""

import json
from typing import Any, NamedTuple

import yaml

from router.setup.formats.document import (
    InvalidDocument,
    Item,
    Path,
    Step,
    UnsupportedChange,
    build,
    check_kind,
    find_item,
    get,
)

_INDENT = 2
# Its stubs leave parts of its types open.
_DUMP: Any = yaml.safe_dump  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class YamlFormat(NamedTuple):
    """YAML, of one document."""

    title: str = "YAML"

    def parse(self, text: str) -> Any:
        """The value, None for a text without one. Raises InvalidDocument."""
        return _read(text)[1]

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with a part set. Raises InvalidDocument, UnsupportedChange."""
        node, root = _read(text)
        if node is None or root is None:
            lead = text if not text or text.endswith("\n") else text + "\n"
            return lead + _write(build(path, value), 0) + "\n"
        found: Any = root
        for depth, step in enumerate(path):
            check_kind(found, list if isinstance(step, Item) else dict, step)
            place = _find(node, found, step)
            if place is None:
                return _insert(text, node, path[depth:], value)
            key, node = place
            found = get(found, (step,))
            if found is None and depth + 1 < len(path):
                return _fill(text, key or node, node, path[depth + 1 :], value)
        return _replace(text, node, value)

    def remove(self, text: str, path: Path) -> str:
        """The text without a part that is there. Raises InvalidDocument, UnsupportedChange."""
        node, found = _read(text)
        for step in path[:-1]:
            place = _find(node, found, step)
            assert place is not None
            node, found = place[1], found[find_item(found, step) if isinstance(step, Item) else step]
        place = _find(node, found, path[-1])
        assert place is not None
        key, gone = place
        if _is_flow(node):
            raise UnsupportedChange("it stands in a list or a mapping in brackets")
        start = _find_line_start(text, (key or gone).start_mark.index)
        return text[:start] + text[_find_next_line(text, _find_end(gone)) :]


YAML = YamlFormat()


class _Loader(yaml.SafeLoader):
    """Refuses names that stand twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    mark = key.start_mark
                    raise InvalidDocument(f"the name {key.value!r} stands twice", mark.line + 1, mark.column + 1)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _read(text: str) -> tuple[Any, Any]:
    """The root's node and its value, None for an empty text."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it cannot be read"
        raise InvalidDocument(
            reason, mark.line + 1 if mark is not None else 0, mark.column + 1 if mark is not None else 0
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidDocument(str(error).split("\n", 1)[0]) from None
    finally:
        loader.dispose()


def _find(node: Any, value: Any, step: Step) -> tuple[Any, Any] | None:
    """The nodes of a member's key (None for an item of a list) and of its value."""
    if isinstance(step, Item):
        place = find_item(value, step)
        return None if place is None else (None, node.value[place])
    return next(((key, one) for key, one in node.value if key.value == step), None)


def _is_flow(node: Any) -> bool:
    return bool(node.flow_style)


def _find_end(node: Any) -> int:
    """Where the text of a node ends. The end of a mapping in block form has the comments behind it in it too."""
    if isinstance(node, yaml.ScalarNode) or _is_flow(node):
        return node.end_mark.index
    last: Any = node.value[-1]
    return _find_end(last[1] if isinstance(last, tuple) else last)


def _find_line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _find_next_line(text: str, at: int) -> int:
    """Behind the end of the line on which a place stands. A text in block form ends there already."""
    if at and text[at - 1] in "\r\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _replace(text: str, node: Any, value: Any) -> str:
    if isinstance(value, dict | list) and not _is_flow(node):
        if isinstance(node, yaml.ScalarNode):
            raise UnsupportedChange("a single value would become a mapping")
        column = node.start_mark.column
        shown = _write(value, column).lstrip(" ")
    else:
        shown = _write_flow(value)
    return text[: node.start_mark.index] + shown + text[_find_end(node) :]


def _fill(text: str, key: Any, node: Any, path: Path, value: Any) -> str:
    """Give an empty value (`models:`) its first member."""
    if node.start_mark.index != node.end_mark.index:
        # `models: null` or `~`
        text = text[: node.start_mark.index].rstrip(" ") + text[node.end_mark.index :]
    column = key.start_mark.column
    indent = column if isinstance(path[0], Item) else column + _INDENT
    at = _find_next_line(text, key.end_mark.index)
    lead = "" if at and text[at - 1] == "\n" else "\n"
    return text[:at] + lead + _write(build(path, value), indent) + "\n" + text[at:]


def _insert(text: str, node: Any, path: Path, value: Any) -> str:
    """Put a member into a mapping, or an item into a list. path: its first step is the one that lacks."""
    made = build(path, value)
    if _is_flow(node):
        return _insert_flow(text, node, made, first=isinstance(path[0], Item) and path[0].first)
    step = path[0]
    if isinstance(step, Item) and step.first:
        dash = text.rindex("-", 0, node.value[0].start_mark.index + 1)
        at, column = _find_line_start(text, dash), dash - _find_line_start(text, dash)
        if text[at:dash].strip():
            raise UnsupportedChange("a list begins on the line of something else")
        return text[:at] + _write(made, column) + "\n" + text[at:]
    column = node.start_mark.column
    at = _find_next_line(text, _find_end(node))
    lead = "" if text[at - 1] == "\n" else "\n"
    tail = "" if lead else "\n"
    return text[:at] + lead + _write(made, column) + tail + text[at:]


def _insert_flow(text: str, node: Any, made: Any, *, first: bool) -> str:
    """Put a member into brackets. JSON is YAML in flow form."""
    at = _find_end(node) - 1
    shown = _write_flow(made)[1:-1]
    if not node.value:
        return text[:at] + shown + text[at:]
    if first:
        begin = node.start_mark.index + 1
        return text[:begin] + shown + ", " + text[begin:]
    end = _find_flow_end(node.value[-1])
    if "," in text[end:at]:
        raise UnsupportedChange("a list in brackets ends with a comma")
    return text[:end] + ", " + shown + text[end:]


def _find_flow_end(last: Any) -> int:
    """Where the last member of brackets ends: a node, or a pair of key and value."""
    return last[1].end_mark.index if isinstance(last, tuple) else last.end_mark.index  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _write(value: Any, column: int) -> str:
    """A value in block form, each line with its indentation, without the last line end."""
    shown = _DUMP(value, sort_keys=False, allow_unicode=True, width=1 << 16)
    return "\n".join(" " * column + line for line in shown.rstrip("\n").split("\n"))


def _write_flow(value: Any) -> str:
    if isinstance(value, str):
        shown = _DUMP(value, allow_unicode=True, width=1 << 16)
        return shown.removesuffix("\n...\n").rstrip("\n")
    return json.dumps(value, ensure_ascii=False)
