"""Which fields of a request's tools are filled, and from what."""

import json

import pytest

from router.wire.raw.json.top_level import peek
from router.wire.tool_context.calls import choose_all, foretell, format_fields
from router.wire.tool_context.fields import CLOCK, SOURCES, Field, choose_values, find_fields, read_values

TEXT = {"type": "string"}
NOW = "2026-11-30T21:30:46Z"


def schema_of(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


def find(tools, protocol="messages", name="tools"):
    return find_fields(peek(json.dumps({"model": "m", name: tools}).encode()), protocol)


def names_of(found):
    return {tool: [one.name for one in fields] for tool, fields in found.items()}


def test_the_names():
    """Each spelling, from the header of its meaning, and no other name."""
    properties = dict.fromkeys((*SOURCES, "session", "SessionId", "user", "city"), TEXT)
    [fields] = find([{"name": "look", "input_schema": schema_of(**properties)}]).values()
    assert {one.name: one.source for one in fields} == {
        **dict.fromkeys(("sessionId", "session_id"), "x-session-id"),
        **dict.fromkeys(("requestId", "request_id"), "x-request-id"),
        **dict.fromkeys(("channelId", "channel_id"), "x-channel-id"),
        **dict.fromkeys(("userId", "user_id"), "x-user-id"),
        **dict.fromkeys(("timestamp", "created_at", "createdAt"), CLOCK),
    }


@pytest.mark.parametrize(
    ("declared", "taken"),
    [
        (TEXT, True),
        ({"type": ["string", "null"], "description": "x"}, True),
        ({"type": ["string"]}, True),
        ({"anyOf": [TEXT, {"type": "null"}], "default": None, "title": "X"}, True),
        ({**TEXT, "default": ""}, True),
        ({**TEXT, "default": "x"}, False),
        ({**TEXT, "enum": ["a"]}, False),
        ({**TEXT, "const": "a"}, False),
        ({**TEXT, "pattern": "a"}, False),
        ({**TEXT, "format": "uuid"}, False),
        ({**TEXT, "format": "date-time"}, False),
        ({"type": "integer"}, False),
        ({"type": ["string", "integer"]}, False),
        ({"anyOf": [TEXT, {"type": "integer"}]}, False),
        ({"anyOf": [{**TEXT, "format": "uuid"}, {"type": "null"}]}, False),
        ({"anyOf": [{"anyOf": [TEXT]}]}, False),
        ({"anyOf": []}, False),
        ({"oneOf": [TEXT]}, False),
        ({"$ref": "#/x"}, False),
        ({}, False),
        (True, False),
        ("string", False),
    ],
)
def test_the_types(declared, taken):
    """Texts of any content, also those that may be null; nothing whose schema asks for more."""
    assert bool(find([{"name": "look", "input_schema": schema_of(user_id=declared)}])) is taken


def test_times():
    """A time may be asked for as date-time, and in no other form."""
    properties = {"timestamp": {**TEXT, "format": "date-time"}, "created_at": {**TEXT, "format": "date"}}
    assert names_of(find([{"name": "look", "input_schema": schema_of(**properties)}])) == {("", "look"): ["timestamp"]}


SCHEMA = schema_of(user_id=TEXT)


@pytest.mark.parametrize(
    ("protocol", "name", "tools", "found"),
    [
        (
            "messages",
            "tools",
            [{"name": "a", "input_schema": SCHEMA}, {"type": "custom", "name": "b", "input_schema": SCHEMA}],
            ["a", "b"],
        ),
        ("messages", "tools", [{"type": "web_search_20250305", "name": "a", "input_schema": SCHEMA}], []),
        (
            "messages",
            "tools",
            [{"name": "a", "input_schema": SCHEMA}, {"name": "a", "input_schema": schema_of(x=TEXT)}],
            [],
        ),
        ("messages", "tools", [{"name": "a", "input_schema": {"properties": {"deep": SCHEMA}}}], []),
        (
            "messages",
            "tools",
            [{"name": 7, "input_schema": SCHEMA}, {"input_schema": SCHEMA}, 7, {"name": "a", "input_schema": 7}],
            [],
        ),
        ("messages", "tools", {"name": "a", "input_schema": SCHEMA}, []),
        ("messages", "functions", [{"name": "a", "parameters": SCHEMA}], []),
        ("chat", "tools", [{"type": "function", "function": {"name": "a", "parameters": SCHEMA}}], ["a"]),
        ("chat", "tools", [{"type": "custom", "custom": {"name": "a", "parameters": SCHEMA}}], []),
        ("chat", "functions", [{"name": "a", "parameters": SCHEMA}], ["a"]),
        ("responses", "tools", [{"type": "function", "name": "a", "parameters": SCHEMA}], ["a"]),
        (
            "responses",
            "tools",
            [{"type": "custom", "name": "a", "parameters": SCHEMA}, {"type": "mcp", "server_label": "a"}],
            [],
        ),
        (
            "responses",
            "tools",
            [{"type": "namespace", "name": "s", "tools": [{"type": "function", "name": "a", "parameters": SCHEMA}]}],
            ["s.a"],
        ),
    ],
)
def test_the_tools(protocol, name, tools, found):
    """The functions of each protocol; none that the upstream runs, and none whose name stands for two."""
    assert [".".join(filter(None, tool)) for tool in find(tools, protocol, name)] == found


def test_requests_without_such_fields_are_not_decoded(monkeypatch):
    """A request whose tools declare none of them pays for one search of its tools."""
    monkeypatch.setattr("router.wire.tool_context.fields.decode_value", None)
    assert find([{"name": "a", "input_schema": schema_of(city=TEXT)}]) == {}
    assert find_fields(peek(b'{"model":"m"}'), "chat") == {}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"s-1", "s-1"),
        (b' "quoted" \\ ', '"quoted" \\'),
        ("é😀".encode(), "é😀"),
        (b"", None),
        (b"a\tb", None),
        (b"a\x00", None),
        ("a\u202eb".encode(), None),
        (b"\xff", None),
        (b"x" * 256, "x" * 256),
        (b"x" * 257, None),
    ],
)
def test_what_headers_say(value, read):
    """A header is a text from outside: printable and short, or it is not used at all."""
    found = read_values({b"x-user-id": value, b"x-other": b"o"}, NOW)
    assert found == {CLOCK: NOW, **({"x-user-id": read} if read is not None else {})}


def test_lengths():
    """A value that is too short or too long for the schema is not used."""
    fields = (Field("user_id", "x-user-id", 2, 4), Field("userId", "x-user-id"))
    for value, taken in (("a", ["userId"]), ("ab", ["user_id", "userId"]), ("abcde", ["userId"])):
        assert [*choose_values(fields, {"x-user-id": value})] == taken
    declared = {**TEXT, "minLength": 2, "maxLength": 4.0}
    [[field]] = find([{"name": "look", "input_schema": schema_of(user_id=declared)}]).values()
    assert field == Field("user_id", "x-user-id", 2, 4)


def test_what_is_told_beforehand():
    """Each tool with its fields, where they come from, and why others are left alone."""
    fields = {
        ("", "look"): (Field("user_id", "x-user-id"), Field("timestamp", CLOCK), Field("session_id", "x-session-id")),
        ("s", "b"): (Field("user_id", "x-user-id", 9),),
    }
    values = {"x-user-id": "u", CLOCK: NOW}
    assert foretell(fields, values) == [
        "context: look gets user_id from x-user-id, timestamp from the clock where empty "
        "(not session_id: no usable x-session-id header)",
        "context: s.b gets nothing (not user_id: its value is too short or too long for the schema)",
    ]
    many = {("", f"t{at}"): fields["", "look"] for at in range(9)}
    assert foretell(many, values)[-1] == "context: 1 more tools get such fields"
    chosen = choose_all(fields, values)
    assert chosen == {("", "look"): {"user_id": "u", "timestamp": NOW}}
    assert format_fields([(tool, [*found]) for tool, found in chosen.items()]) == "user_id timestamp in look"
