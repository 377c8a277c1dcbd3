"""JSON schemas in the forms that providers take."""

import copy
import json
import time

import pytest

from router.wire.neutral.schemas import ANTHROPIC, GEMINI, MISTRAL_STRICT, OPENAI_STRICT, fit_schema, fits


def shape(*required, **properties):
    """A closed object."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or properties),
        "additionalProperties": False,
    }


def fitted(schema, rules=ANTHROPIC):
    """The fitted schema and the places that were noted; the input must stay as it is."""
    before, places = copy.deepcopy(schema), []
    found = fit_schema(schema, rules, places.append)
    assert schema == before
    return found, places


NUMBER = {"type": "integer", "minimum": 0, "maximum": 10}


@pytest.mark.parametrize(
    ("given", "made", "place"),
    [
        (
            NUMBER,
            {"type": "integer", "description": "{minimum: 0, maximum: 10}"},
            ["properties.a.minimum", "properties.a.maximum"],
        ),
        (
            {"type": "string", "minLength": 2, "description": "A name"},
            {"type": "string", "description": "A name\n\n{minLength: 2}"},
            ["properties.a.minLength"],
        ),
        (
            {"type": "array", "items": NUMBER, "minItems": 2},
            {
                "type": "array",
                "items": {"type": "integer", "description": "{minimum: 0, maximum: 10}"},
                "description": "{minItems: 2}",
            },
            ["properties.a.items.minimum", "properties.a.items.maximum", "properties.a.minItems"],
        ),
        (
            {"type": "string", "format": "phone"},
            {"type": "string", "description": "{format: phone}"},
            ["properties.a.format"],
        ),
        (
            {"type": "string", "pattern": "^(?=x)"},
            {"type": "string", "description": "{pattern: ^(?=x)}"},
            ["properties.a.pattern"],
        ),
        ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}, ["properties.a.oneOf"]),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": True},
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False},
            ["properties.a.additionalProperties"],
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}},
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False},
            [],
        ),
        ({"type": "string", "examples": ["x"]}, {"type": "string", "description": '{examples: ["x"]}'}, []),
        ({"allOf": [{"type": "string"}], "title": "A"}, {"type": "string", "title": "A"}, []),
        ({"properties": {}}, {"type": "object", "properties": {}, "additionalProperties": False}, []),
    ],
)
def test_restrictions_become_words(given, made, place):
    """What Anthropic does not enforce is said in the description and reported with its place; objects are closed."""
    assert fitted(shape(a=given)) == (shape(a=made), place)


@pytest.mark.parametrize(
    "given",
    [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"enum": ["a", 1, None]},
        {"const": 3, "default": 3},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": ["string", "null"]},
        shape(properties={"type": "string"}, minimum={"type": "integer"}),
    ],
)
def test_what_anthropic_takes_stays(given):
    """A schema within the rules stays as it is, also where a property is named like a keyword."""
    assert fits(shape(a=given), ANTHROPIC)
    assert fitted(shape(a=given)) == (shape(a=given), [])


@pytest.mark.parametrize(
    "given",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "patternProperties": {"^x": {"type": "string"}}},
        {"description": "anything"},
        True,
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
    ],
)
def test_what_would_mean_another_thing_is_not_fitted(given):
    """A free object, closed, could only be empty: such a schema has no form, and nothing is reported of its parts."""
    assert fitted(shape(a=given, b=NUMBER)) == (None, [])


def test_references_keep_their_definitions():
    """Definitions are fitted too; what stands beside a reference is told where it is taken."""
    schema = {
        **shape(a={"$ref": "#/$defs/A", "description": "The first"}),
        "$defs": {"A": {"type": "object", "properties": {"n": NUMBER}}},
    }
    found, places = fitted(schema)
    assert found["properties"] == {"a": {"$ref": "#/$defs/A"}}
    assert found["description"] == "{a: The first}"
    assert found["$defs"]["A"]["additionalProperties"] is False
    assert places == ["$defs.A.properties.n.minimum", "$defs.A.properties.n.maximum"]


def test_recursion_only_where_it_is_taken():
    """Anthropic refuses definitions that come back to themselves; OpenAI takes them."""
    tree = shape(next={"anyOf": [{"$ref": "#/$defs/B"}, {"type": "null"}]})
    schema = {**shape(a={"$ref": "#/$defs/A"}), "$defs": {"A": tree, "B": shape(a={"$ref": "#/$defs/A"})}}
    assert fit_schema(schema, ANTHROPIC) is None
    assert fits(schema, OPENAI_STRICT)
    assert fit_schema(schema, GEMINI) is None


@pytest.mark.parametrize(
    "given",
    [
        {"allOf": [{"type": "integer"}, {"type": "number"}]},
        {"not": {"type": "string"}, "type": "integer"},
        {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False},
        {"oneOf": [{"type": "string"}]},
        {"type": "string", "default": "x"},
        {"type": "string", "if": {}, "then": {}},
    ],
)
def test_what_strict_openai_refuses(given):
    """Optional properties and most of JSON Schema's logic are refused in strict mode."""
    assert not fits(shape(a=given), OPENAI_STRICT)


def test_what_strict_openai_takes():
    """Limits are taken there; a union at the root is not."""
    assert fits(shape(a=NUMBER, b={"type": "array", "items": {"type": "string"}, "maxItems": 3}), OPENAI_STRICT)
    assert fits({"$schema": "http://json-schema.org/draft-07/schema#", **shape(a=NUMBER)}, OPENAI_STRICT)
    assert not fits({"anyOf": [shape()]}, OPENAI_STRICT)
    assert not fits({"type": "array", "items": {"type": "string"}}, OPENAI_STRICT)


def test_geminis_schema_objects():
    """References are replaced, unions of types become nullable, unknown keywords become words."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A", "description": "first"},
            "b": {"type": ["string", "null"]},
            "c": {"const": "x"},
            "d": {"type": "integer", "exclusiveMinimum": 0},
        },
        "$defs": {"A": {"type": "string"}},
    }
    found, places = fitted(schema, GEMINI)
    assert found["properties"] == {
        "a": {"type": "string", "description": "first"},
        "b": {"type": "string", "nullable": True},
        "c": {"enum": ["x"]},
        "d": {"type": "integer", "description": "{exclusiveMinimum: 0}"},
    }
    assert found.keys() == {"type", "properties"}
    assert places == ["properties.d.exclusiveMinimum"]


def test_mistral_closes_objects():
    """And takes the rest."""
    assert fit_schema({"type": "object", "properties": {"a": NUMBER}}, MISTRAL_STRICT) == {
        "type": "object",
        "properties": {"a": NUMBER},
        "additionalProperties": False,
    }


def test_the_same_schema_becomes_the_same_bytes():
    """The order of keys is the caller's: prompt caches depend on the bytes."""
    schema = shape(b=NUMBER, a={"minLength": 1, "type": "string"})
    assert json.dumps(fit_schema(schema, ANTHROPIC)) == json.dumps(fit_schema(copy.deepcopy(schema), ANTHROPIC))
    assert list(fit_schema(schema, ANTHROPIC)["properties"]) == ["b", "a"]


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def doubling(levels):
    """Definitions, each of which holds the next one twice."""
    defs = {f"D{at}": shape(x={"$ref": f"#/$defs/D{at + 1}"}, y={"$ref": f"#/$defs/D{at + 1}"}) for at in range(levels)}
    return {**shape(a={"$ref": "#/$defs/D0"}), "$defs": {**defs, f"D{levels}": {"type": "string"}}}


@pytest.mark.parametrize("rules", [ANTHROPIC, OPENAI_STRICT, GEMINI])
def test_deep_and_multiplying_schemas_are_bounded(rules):
    """Depth and size are limited, also where replacing references would double a schema level by level."""
    assert fit_schema(shape(a=nested(500)), rules) is None
    began = time.thread_time()
    fit_schema(doubling(40), rules)
    assert time.thread_time() - began < 2
    assert (fit_schema(doubling(40), rules) is None) is (not rules.references)
