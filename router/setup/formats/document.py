"""What all formats have in common: paths in a document, changes of its value, and the splice that makes a change.

A document is a text with a value: dicts, lists, strings, numbers, booleans and None. A path leads from the root to a
part of the value; its steps are keys, and items of lists, which are known by one of their fields or by their own value,
since their number changes when somebody adds another.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from router.errors import CommandError

#: Bytes of a configuration file. Those of people have a few KiB; the scanners are not made for more.
SIZE_LIMIT = 1 << 20


class Item(NamedTuple):
    """An item of a list."""

    #: The field that tells it from others; "" for an item that is compared as a whole.
    field: str
    value: str
    #: A new one is put in front of the others.
    first: bool = False


Step = str | Item
Path = tuple[Step, ...]


class Change(NamedTuple):
    """A part of a document that is set. An empty path is the whole document."""

    path: Path
    value: Any
    #: What is there already stays.
    only_missing: bool = False
    #: The tool itself gives it other values, such as a time.
    volatile: bool = False


class Splice(NamedTuple):
    """A change of a text at one place. start: in characters."""

    start: int
    before: str
    after: str

    def apply(self, text: str) -> str:
        """The text with the change."""
        return text[: self.start] + self.after + text[self.start + len(self.before) :]


class InvalidDocument(Exception):
    """The text is not valid. line, column: counted from 1, 0 where they are not known."""

    def __init__(self, reason: str, line: int = 0, column: int = 0):
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


class UnsupportedChange(Exception):
    """The text is valid, and written in a way that cannot be changed at one place; the message says which."""


class Format(Protocol):
    """One format. All functions take and give texts without a byte order mark."""

    @property
    def title(self) -> str:
        """For messages."""
        ...

    def parse(self, text: str) -> Any:
        """The value of a text, None for an empty one. Raises InvalidDocument."""
        ...

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with a part set; parents that lack are made. Raises InvalidDocument, UnsupportedChange."""
        ...

    def remove(self, text: str, path: Path) -> str:
        """The text without a part that is there. Raises InvalidDocument, UnsupportedChange."""
        ...


class Missing:
    """Stands for what is not there."""


MISSING = Missing()


def find_item(values: Sequence[Any], item: Item) -> int | None:
    """The number of an item in a list; None when it is not there."""
    for place, one in enumerate(values):
        if (one == item.value) if not item.field else (isinstance(one, dict) and one.get(item.field) == item.value):  # pyright: ignore[reportUnknownMemberType]
            return place
    return None


def get(value: Any, path: Path) -> Any:
    """The part at a path, MISSING where there is none."""
    for step in path:
        if isinstance(step, Item):
            place = find_item(cast("list[Any]", value), step) if isinstance(value, list) else None
            if place is None:
                return MISSING
            value = cast("list[Any]", value)[place]
        elif isinstance(value, dict) and step in value:
            value = cast("dict[str, Any]", value)[step]
        else:
            return MISSING
    return value


def with_change(value: Any, change: Change) -> Any:
    """A copy of a value with a part set. Raises UnsupportedChange where a parent is of another kind."""
    return _set(_copy(value), change.path, _copy(change.value))


def _copy(value: Any) -> Any:
    """A copy in which nothing is shared: aliases of YAML give one object at several places."""
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in cast("dict[str, Any]", value).items()}
    return [_copy(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value


def _set(value: Any, path: Path, part: Any) -> Any:
    if not path:
        return part
    step, rest = path[0], path[1:]
    if isinstance(step, Item):
        values = cast("list[Any]", check_kind(value, list, step))
        place = find_item(values, step)
        if place is not None:
            values[place] = _set(values[place], rest, part)
        else:
            made = _set(None, rest, part)
            values.insert(0 if step.first else len(values), made)
        return values
    table = cast("dict[str, Any]", check_kind(value, dict, step))
    table[step] = _set(table.get(step), rest, part)
    return table


def check_kind(value: Any, kind: type, step: Step) -> Any:
    """The value, or an empty one of the kind for None. Raises UnsupportedChange for one of another kind."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        name = step.value if isinstance(step, Item) else step
        expected = "a list" if kind is list else "a table"
        raise UnsupportedChange(f"what should hold {name} is not {expected}")
    return value


def without(value: Any, path: Path) -> Any:
    """A copy of a value without the part at a path, which is there."""
    found = _copy(value)
    parent, last = get(found, path[:-1]), path[-1]
    if isinstance(last, Item):
        del parent[find_item(parent, last)]
    else:
        del parent[last]
    return found


def build(path: Path, value: Any) -> Any:
    """The value with all of a path's parents around it."""
    for step in reversed(path):
        value = [value] if isinstance(step, Item) else {step: value}
    return value


def find_splice(before: str, after: str) -> Splice:
    """The one place at which two texts differ, as short as it can be."""
    least = min(len(before), len(after))
    start = _count_equal(lambda at: before[at] == after[at], least)
    end = _count_equal(lambda at: before[-1 - at] == after[-1 - at], least - start)
    return Splice(start, before[start : len(before) - end], after[start : len(after) - end])


def _count_equal(equal: Callable[[int], bool], most: int) -> int:
    return next((at for at in range(most) if not equal(at)), most)


def find_place(text: str, at: int) -> tuple[int, int]:
    """The line and the column of a place, from 1."""
    line = text.count("\n", 0, at) + 1
    return line, at - (text.rfind("\n", 0, at) + 1) + 1


def make_invalid_error(where: str, title: str, error: InvalidDocument) -> CommandError:
    """The error for a file that is not valid. where: the file, for messages."""
    at = f" line {error.line}, column {error.column}" if error.line else ""
    return CommandError(
        f"{where}{at}: {error.reason}; expected {title}.",
        "Nothing was changed. Mend the file, then run the command again.",
    )
