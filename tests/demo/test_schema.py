"""Arguments made from a JSON schema."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.demo.schema import arguments, example

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "required": ["name", "children"],
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "minItems": 9, "items": {"$ref": "#/$defs/node"}},
            },
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 3}, 3),
        ({"type": "integer", "default": 7}, 7),
        ({"enum": ["red", "blue"]}, "red"),
        ({"type": "string", "examples": ["x"]}, "x"),
        ({"type": ["null", "boolean"]}, False),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"type": "integer", "minimum": 2.5}, 3),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "integer", "maximum": -3.5}, -4),
        ({"type": "integer", "minimum": 1e300}, 2**53),
        ({"type": "null"}, None),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "minLength": 6}, "demo.."),
        ({"type": "string", "maxLength": 2}, "de"),
        ({"type": "array", "items": {"type": "string"}}, ["demo"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
    ],
)
def test_values(schema: dict, value: object) -> None:
    """A value fits its schema's type and bounds."""
    assert example({"type": "object", "properties": {"x": schema}}) == {"x": value}


def test_required_alone() -> None:
    """Required properties are filled and the others left out; with none required, all are filled."""
    properties = {"city": {"type": "string"}, "unit": {"enum": ["celsius"]}}
    assert arguments({"properties": properties, "required": ["city"]}) == {"city": "Turin"}
    assert arguments({"properties": properties}) == {"city": "Turin", "unit": "celsius"}


def test_all_of() -> None:
    """The parts of allOf are filled together."""
    parts = [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]
    assert arguments({"type": "object", "allOf": parts}) == {"a": None, "b": "demo"}


def test_no_object() -> None:
    """Arguments are an object even when the schema does not describe one."""
    assert arguments({}) == arguments({"type": "string"}) == arguments({"$ref": "#/nowhere"}) == {}


def test_harmless() -> None:
    """A shell tool that an agent really runs gets a harmless command."""
    assert arguments({"required": ["command", "force"], "properties": {"force": {"type": "boolean"}}}) == {
        "command": "echo fairlead",
        "force": False,
    }


def test_bounded() -> None:
    """A schema that refers to itself, or asks for millions of items, ends in a small value."""
    assert len(msgspec.json.encode(arguments(TREE))) < 20_000
    endless = {"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert arguments(endless) == {}
    huge = {"properties": {"x": {"type": "string", "minLength": 10**9}, "y": {"items": {}, "minItems": 10**9}}}
    assert len(msgspec.json.encode(arguments(huge))) < 20_000


KEYWORDS = ["type", "properties", "required", "items", "enum", "anyOf", "allOf", "$ref", "minimum", "maximum"]
KEYWORDS += ["exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems", "format", "default", "x"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
LEAVES |= st.sampled_from(["object", "array", "string", "integer", "number", "#", "#/properties/x", "x"])
SCHEMAS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYWORDS), inner), max_leaves=10
)


@settings(deadline=None, database=None, max_examples=100)
@given(st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS))
def test_any_schema(schema: dict) -> None:
    """Every schema yields arguments that are JSON and always the same."""
    assert msgspec.json.encode(arguments(schema)) == msgspec.json.encode(arguments(schema))
