"""Which fields of a caller's own tools are filled, and with what: those at the top level of a tool's arguments that it
declares under one of the names below, as texts, where the caller's header of that meaning holds a value.

A field that its schema limits to some texts (enum, const, pattern, a format), or for which it names a default, is left
alone: what it takes is not known here.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from router.wire.raw.json.json_values import UNREADABLE, Json, decode_value, get_object
from router.wire.raw.json.top_level import Top

#: The source of a time.
CLOCK = "the clock"
#: Field -> the header that it is filled from.
SOURCES: Mapping[str, str] = {
    **dict.fromkeys(("sessionId", "session_id"), "x-session-id"),
    **dict.fromkeys(("requestId", "request_id"), "x-request-id"),
    **dict.fromkeys(("channelId", "channel_id"), "x-channel-id"),
    **dict.fromkeys(("userId", "user_id"), "x-user-id"),
    **dict.fromkeys(("timestamp", "created_at", "createdAt"), CLOCK),
}
#: Bytes of the longest header that is used; a part of an id would be another id.
VALUE_LIMIT = 256
_NAMES = tuple(f'"{name}"'.encode() for name in SOURCES)
_LIMITING = ("enum", "const", "pattern", "not", "$ref", "allOf", "oneOf", "contentEncoding", "contentMediaType")
_NULL: Json = {"type": "null"}

#: A tool: its namespace, which only Responses has, and its name.
ToolName = tuple[str, str]


class Field(NamedTuple):
    """A field that may be filled."""

    name: str
    #: The name of a header, or CLOCK.
    source: str
    #: Characters of its shortest and longest text; None for no such limit.
    shortest: float | None = None
    longest: float | None = None

    def takes(self, value: str) -> bool:
        """True for a value that its schema allows."""
        return (self.shortest or 0) <= len(value) and (self.longest is None or len(value) <= self.longest)


def find_fields(top: Top, protocol: str) -> dict[ToolName, tuple[Field, ...]]:
    """The fields of each function tool that a request declares; {} where none declares any. A name that stands for
    two tools is left out."""
    found: dict[ToolName, tuple[Field, ...]] = {}
    twice: set[ToolName] = set()
    for listed in ("tools", "functions") if protocol == "chat" else ("tools",):
        raw = top.raw(listed)
        if raw is None or not any(name in raw for name in _NAMES):
            continue
        try:
            entries = decode_value(raw)
        except UNREADABLE:
            continue
        for name, schema in _iter_tools(entries, protocol, listed):
            if name in found:
                twice.add(name)
            found[name] = tuple(_iter_fields(schema))
    return {name: fields for name, fields in found.items() if fields and name not in twice}


def read_values(headers: Mapping[bytes, bytes], now: str) -> dict[str, str]:
    """Source -> what it says. headers: those of the request, by name in lower case. now: the time, as RFC 3339 has
    it."""
    found = {CLOCK: now}
    for source in dict.fromkeys(SOURCES.values()):
        value = _read_header(headers.get(source.encode("ascii"), b""))
        if value:
            found[source] = value
    return found


def choose_values(fields: tuple[Field, ...], values: Mapping[str, str]) -> dict[str, str]:
    """Field -> its value, for those that have one."""
    found = {one.name: (one, values.get(one.source)) for one in fields}
    return {name: value for name, (one, value) in found.items() if value and one.takes(value)}


def _read_header(value: bytes) -> str:
    """The value of a header, "" where it cannot be used."""
    if len(value) > VALUE_LIMIT:
        return ""
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _iter_tools(entries: object, protocol: str, listed: str) -> Iterator[tuple[ToolName, Json]]:
    """The function tools of a list, each with the schema of its arguments."""
    for entry in _objects(entries):
        kind = entry.get("type")
        if protocol == "messages":
            if kind in (None, "custom"):
                yield from _name_tool("", entry, "input_schema")
        elif listed == "functions":
            yield from _name_tool("", entry, "parameters")
        elif protocol == "chat":
            if kind in (None, "function"):
                yield from _name_tool("", get_object(entry, "function"), "parameters")
        elif kind == "namespace":
            space = entry.get("name")
            for one in _objects(entry.get("tools")):
                if isinstance(space, str) and one.get("type") in (None, "function"):
                    yield from _name_tool(space, one, "parameters")
        elif kind in (None, "function"):
            yield from _name_tool("", entry, "parameters")


def _name_tool(space: str, tool: Json, schema: str) -> Iterator[tuple[ToolName, Json]]:
    name = tool.get("name")
    if isinstance(name, str) and name:
        yield (space, name), get_object(tool, schema)


def _iter_fields(schema: Json) -> Iterator[Field]:
    """The fields of a schema that may be filled."""
    for name, declared in get_object(schema, "properties").items():
        source = SOURCES.get(name)
        if source is None or not isinstance(declared, dict):
            continue
        found = _find_text(cast("Json", declared))
        formats = (None, "date-time") if source == CLOCK else (None,)
        if found is not None and found.get("format") in formats:
            yield Field(name, source, _read_limit(found, "minLength"), _read_limit(found, "maxLength"))


def _find_text(declared: Json) -> Json | None:
    """The schema of the texts that a field takes, None where it takes none, or not any text."""
    if any(name in declared for name in _LIMITING) or declared.get("default") not in (None, ""):
        return None
    branches = declared.get("anyOf")
    if branches is not None:
        # As it is written for a field that may be null.
        others = [one for one in _objects(branches) if one != _NULL]
        plain = len(others) == 1 and "anyOf" not in others[0] and "type" not in declared
        return _find_text(others[0]) if plain else None
    kind = declared.get("type")
    texts = kind == "string" or (isinstance(kind, list) and sorted(map(str, cast("list[object]", kind))) in _KINDS)
    return declared if texts else None


_KINDS = (["string"], ["null", "string"])


def _read_limit(schema: Json, name: str) -> float | None:
    found = schema.get(name)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _objects(value: object) -> Iterator[Json]:
    if isinstance(value, list):
        for one in cast("list[object]", value):
            if isinstance(one, dict):
                yield cast("Json", one)
