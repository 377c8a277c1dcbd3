"""The calls of one answer whose fields are filled, and what is told of them afterwards."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from router.wire.tool_context.arguments import Arguments
from router.wire.tool_context.fields import CLOCK, Field, ToolName, choose_values

if TYPE_CHECKING:
    from router.wire.raw.json.places import Splice

#: Tools that are named by themselves in the notes of one answer.
_NAMED = 8


class Change:
    """What becomes of one text: an event's data, or a body."""

    __slots__ = ("before", "splices", "waits")

    def __init__(self) -> None:
        self.splices: list[Splice] = []
        #: Calls may have begun null at the end of it, so that it waits for what comes next of them.
        self.waits = False
        #: Events to be sent in front of it.
        self.before: list[bytes] = []


class Call:
    """A call under way."""

    __slots__ = ("arguments", "id", "index", "last", "tool", "waiting", "whole")

    def __init__(self, tool: ToolName, values: Mapping[str, str], name: str = "", index: str = ""):
        self.tool = tool
        self.arguments = Arguments(values)
        #: Its id, '' where it has none.
        self.id = name
        #: How its events name it, as JSON.
        self.index = index
        #: What was read of it last: the event, and where more arguments can be put there.
        self.last: tuple[Change, int, str, str] | None = None
        #: The texts at whose end null may have begun, and what goes of them if it has.
        self.waiting: list[tuple[Change, Splice]] = []
        #: Its arguments came at once, with its beginning.
        self.whole = False


class ToolContext:
    """What the calls of one answer are filled with. values: of each tool, the value of each of its fields."""

    def __init__(self, values: Mapping[ToolName, Mapping[str, str]]):
        self._values = values
        self._filled: dict[ToolName, tuple[int, dict[str, int]]] = {}

    def find_values(self, tool: ToolName) -> Mapping[str, str]:
        """Field -> value, {} for a tool that has none to be filled."""
        return self._values.get(tool, {})

    def list_values(self) -> list[tuple[ToolName, list[str]]]:
        """The tools whose calls would be filled, with their fields."""
        return [(tool, [*values]) for tool, values in self._values.items()]

    def note(self, tool: ToolName, filled: Sequence[str]) -> None:
        """Count what was filled in one call."""
        if not filled:
            return
        calls, fields = self._filled.get(tool, (0, {}))
        for name in filled:
            fields[name] = fields.get(name, 0) + 1
        self._filled[tool] = calls + 1, fields

    def list_filled(self) -> list[tuple[ToolName, list[str]]]:
        """The tools whose calls were filled, with their fields."""
        return [(tool, [*fields]) for tool, (_, fields) in self._filled.items()]

    def list_notes(self) -> list[str]:
        """What was filled, for the record of the request: names, and no values."""
        notes: list[str] = []
        for tool, (calls, fields) in [*self._filled.items()][:_NAMED]:
            total = sum(fields.values())
            where = show_tool(tool) if calls == 1 else f"{calls} calls of {show_tool(tool)}"
            count = f"{total} field{'s' * (total != 1)}"
            notes.append(f"context: {count} filled in {where} ({', '.join(fields)})")
        more = len(self._filled) - _NAMED
        return notes if more <= 0 else [*notes, f"context: fields filled in {more} more tools"]


def choose_all(
    fields: Mapping[ToolName, tuple[Field, ...]], values: Mapping[str, str]
) -> dict[ToolName, dict[str, str]]:
    """The values of each tool that has any. values: by their source."""
    chosen = {tool: choose_values(found, values) for tool, found in fields.items()}
    return {tool: found for tool, found in chosen.items() if found}


def foretell(fields: Mapping[ToolName, tuple[Field, ...]], values: Mapping[str, str]) -> list[str]:
    """What would be filled in the calls of each tool, from where, and what has no value."""
    notes: list[str] = []
    for tool, found in [*fields.items()][:_NAMED]:
        chosen = choose_values(found, values)
        filled = ", ".join(f"{one.name} from {one.source}" for one in found if one.name in chosen)
        left = ", ".join(f"{one.name}: {_say_why(one, values)}" for one in found if one.name not in chosen)
        said = f"gets {filled} where empty" if filled else "gets nothing"
        notes.append(f"context: {show_tool(tool)} {said}{f' (not {left})' if left else ''}")
    more = len(fields) - _NAMED
    return notes if more <= 0 else [*notes, f"context: {more} more tools get such fields"]


def format_fields(tools: Sequence[tuple[ToolName, Sequence[str]]]) -> str:
    """`session_id timestamp in get_order, user_id in look`."""
    return ", ".join(f"{' '.join(fields)} in {show_tool(tool)}" for tool, fields in tools)


def show_tool(tool: ToolName) -> str:
    """A tool as it is named in texts."""
    name = ".".join(part for part in tool if part)[:80]
    return "".join(char if char.isprintable() else "?" for char in name)


def _say_why(field: Field, values: Mapping[str, str]) -> str:
    if field.source != CLOCK and field.source not in values:
        return f"no usable {field.source} header"
    return "its value is too short or too long for the schema"
