"""Schemas of Gemini callers become JSON Schema: names of properties are never touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.gemini.requests.schemas_in import complete_arguments, convert_json_schema, convert_proto_schema

PROTO = [
    ({"type": "STRING"}, {"type": "string"}),
    ({"type": "TYPE_UNSPECIFIED", "description": "d"}, {"description": "d"}),
    ({"type": "STRING", "format": "enum", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
    ({"type": "STRING", "format": "date-time"}, {"type": "string", "format": "date-time"}),
    ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "STRING", "nullable": False}, {"type": "string"}),
    ({"type": "STRING", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
    ({"anyOf": [{"type": "STRING"}], "nullable": True}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ({"any_of": [{"type": "STRING"}]}, {"anyOf": [{"type": "string"}]}),
    ({"type": "ARRAY", "minItems": "1", "max_items": "3"}, {"type": "array", "minItems": 1, "maxItems": 3}),
    ({"type": "ARRAY", "items": {"type": "NUMBER"}}, {"type": "array", "items": {"type": "number"}}),
    ({"type": "STRING", "example": "a"}, {"type": "string", "examples": ["a"]}),
    ({"type": "STRING", "title": None}, {"type": "string"}),
    ({"ref": "#/defs/A"}, {"$ref": "#/$defs/A"}),
    ({"ref": "#/defs/A", "nullable": True}, {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}),
    (
        {"type": "OBJECT", "defs": {"defs": {"type": "INTEGER"}}, "properties": {"a": {"ref": "#/defs/defs"}}},
        {"type": "object", "$defs": {"defs": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/defs"}}},
    ),
    (
        {"type": "OBJECT", "additionalProperties": {"type": "STRING"}},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ),
    ({"type": "OBJECT", "additional_properties": False}, {"type": "object", "additionalProperties": False}),
    # Names of properties, and values, are the caller's own words.
    (
        {
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING"},
                "nullable": {"type": "BOOLEAN"},
                "min_items": {"type": "STRING"},
            },
        },
        {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "nullable": {"type": "boolean"},
                "min_items": {"type": "string"},
            },
        },
    ),
    (
        {"type": "STRING", "enum": ["STRING", "TYPE"], "default": {"type": "STRING"}},
        {"type": "string", "enum": ["STRING", "TYPE"], "default": {"type": "STRING"}},
    ),
    ({"exclusiveMinimum": 3, "minimum": 1}, {"exclusiveMinimum": 3, "minimum": 1}),
]


@pytest.mark.parametrize(("given_schema", "wanted"), PROTO)
def test_schema_objects_become_json_schema(given_schema, wanted):
    """Each keyword of the OpenAPI form has its counterpart; the order of keys stays."""
    found = convert_proto_schema(given_schema)
    assert found == wanted
    assert list(found) == list(wanted)


def test_properties_follow_the_order_that_is_asked_for():
    """The order of the keys is what models follow; names that are not listed come last, unknown ones are left out."""
    properties = {"a": {"type": "STRING"}, "b": {"type": "STRING"}, "c": {"type": "STRING"}}
    found = convert_proto_schema({"properties": properties, "propertyOrdering": ["c", "x", "a", 1, "c"]})
    assert list(found["properties"]) == ["c", "a", "b"]
    assert "propertyOrdering" not in found
    found = convert_proto_schema({"properties": properties, "property_ordering": ["b"]})
    assert list(found["properties"]) == ["b", "a", "c"]


JSON = [
    (
        {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}},
        {"type": "object", "properties": {"type": {"type": "string"}}},
    ),
    ({"type": ["STRING", "NULL"]}, {"type": ["string", "null"]}),
    (
        {"oneOf": [{"type": "STRING"}], "not": {"type": "NULL"}},
        {"oneOf": [{"type": "string"}], "not": {"type": "null"}},
    ),
    (
        {"$schema": "x", "$defs": {"A": {"type": "INTEGER"}}, "$ref": "#/$defs/A"},
        {"$schema": "x", "$defs": {"A": {"type": "integer"}}, "$ref": "#/$defs/A"},
    ),
    (
        {"enum": ["STRING"], "const": "A", "nullable": True, "ref": "r"},
        {"enum": ["STRING"], "const": "A", "nullable": True, "ref": "r"},
    ),
    ({"properties": {"a": True}, "items": False}, {"properties": {"a": True}, "items": False}),
]


@pytest.mark.parametrize(("given_schema", "wanted"), JSON)
def test_json_schemas_stay_but_for_the_case_of_types(given_schema, wanted):
    """Gemini CLI writes types in capitals inside of JSON Schema; nothing else is changed."""
    assert convert_json_schema(given_schema) == wanted


def test_arguments_are_an_object():
    """A schema without a type gets one."""
    assert complete_arguments({}) == {"type": "object", "properties": {}}
    assert complete_arguments({"required": ["a"]}) == {"type": "object", "properties": {}, "required": ["a"]}
    assert complete_arguments({"type": "object"}) == {"type": "object"}


WORDS = st.sampled_from(["type", "nullable", "ref", "defs", "format", "propertyOrdering", "any_of", "items", "a"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["STRING", "OBJECT", "#/defs/a", "5"])
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(WORDS | st.just("properties"), ANY, max_size=5))
def test_any_object_is_converted(schema):
    """Whatever stands where a schema should, no conversion fails, and none changes what it was given."""
    before = repr(schema)
    convert_proto_schema(schema)
    convert_json_schema(schema)
    assert repr(schema) == before


@given(st.dictionaries(st.text(max_size=8), st.just({"type": "STRING"}), max_size=5))
def test_names_of_properties_stay(properties):
    """In their order, whatever they are."""
    wanted = {name: {"type": "string"} for name in properties}
    for convert in (convert_proto_schema, convert_json_schema):
        found = convert({"type": "OBJECT", "properties": properties})["properties"]
        assert (found, list(found)) == (wanted, list(properties))
