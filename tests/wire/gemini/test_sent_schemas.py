"""Schemas of tools and answers towards Gemini: unchanged, except where the API would refuse them."""

import pytest

from router.ir import Shape, Tool
from router.wire.gemini.requests.schemas_out import fit_to_gemini

from .legality import check_schema
from .test_sent_request import config, encoded

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}


def fitted(schema):
    """The schema as it is sent, and the places of what is lost."""
    lost = []
    found = fit_to_gemini(schema, lost.append)
    check_schema(found)
    return found, lost


@pytest.mark.parametrize(
    "schema",
    [
        OBJECT,
        {"type": "object", "properties": {"n": {"type": ["string", "null"], "exclusiveMinimum": 1}}},
        {"type": "object", "properties": {"t": {"type": "array", "prefixItems": [{}, {"const": 1}]}}},
        {"type": "object", "properties": {"u": {"oneOf": [{"type": "string"}, {"type": "null"}]}}},
        {"type": "object", "additionalProperties": {"type": "string"}, "patternProperties": {"^x": {}}},
        {"type": "object", "properties": {"$schema": {"type": "string"}, "type": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": {"enum": [1, None, "x"], "default": {"$ref": 3}}}},
    ],
)
def test_schemas_go_as_they_are(schema):
    """The keywords are the caller's, with their order: nothing is cleaned."""
    found, lost = fitted(schema)
    assert (found, list(found), lost) == (schema, list(schema), [])


def test_root_names_no_dialect():
    """`$schema` at the root is left out, which changes nothing."""
    assert fitted({"$schema": "https://json-schema.org/draft/2020-12/schema", **OBJECT}) == (OBJECT, [])


def test_references_stand_alone():
    """A description beside a reference goes to the object around it; other keywords beside it are named as lost."""
    beside = {"$ref": "#/$defs/A", "description": "which one", "minLength": 2}
    found, lost = fitted({"type": "object", "properties": {"a": beside}, "$defs": {"A": {"type": "string"}}})
    assert found["properties"] == {"a": {"$ref": "#/$defs/A"}}
    assert found["description"] == "{a: which one}"
    assert lost == ["properties.a.minLength"]


def test_root_that_is_a_reference():
    """It is replaced by what it refers to, since the root must say that it is an object."""
    schema = {"type": "object", "properties": {}, "$ref": "#/$defs/A", "$defs": {"A": {**OBJECT, "required": ["a"]}}}
    found, lost = fitted(schema)
    assert found == {**OBJECT, "required": ["a"], "$defs": schema["$defs"]}
    assert lost == []


@pytest.mark.parametrize("ref", ["#/$defs/missing", "https://example.com/s.json", "#/properties/b"])
def test_references_to_elsewhere(ref):
    """A schema with references that are not understood here goes as it is: the API judges it."""
    schema = {"type": "object", "properties": {"a": {"$ref": ref}, "b": {}}}
    assert fitted(schema) == (schema, [])


@pytest.mark.parametrize(
    ("schema", "lost"),
    [
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, "anyOf"),
        ({"type": ["object", "null"], "properties": {}}, "type"),
        ({"type": "string"}, "type"),
        ({}, "type"),
    ],
)
def test_arguments_that_are_no_object(schema, lost):
    """They are put into an object with one property; calls of the history and the answer have that form too."""
    body, losses = encoded(tools=(Tool("u", schema),))
    found = body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
    assert found == {
        "type": "object",
        "properties": {"value": schema},
        "required": ["value"],
        "additionalProperties": False,
    }
    assert losses == [f"tools[0].parameters.{lost}=weakened"]


def test_union_beside_the_properties_of_an_object():
    """It stays where it is: the arguments are an object without it."""
    schema = {**OBJECT, "anyOf": [{"required": ["a"]}, {"maxProperties": 0}]}
    body, losses = encoded(tools=(Tool("u", schema),))
    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == schema
    assert losses == []


def test_schema_of_the_answer():
    """The answer may be anything, also a list; losses in it are named."""
    listed = {"$schema": "x", "type": "array", "items": {"$ref": "#/$defs/A", "minLength": 1}, "$defs": {"A": {}}}
    found, losses = config(shape=Shape(listed))
    assert found["responseJsonSchema"] == {"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {}}}
    assert losses == ["schema.items.minLength=weakened"]
