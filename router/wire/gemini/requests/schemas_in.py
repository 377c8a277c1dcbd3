"""Turns the schemas of a caller of the Gemini API into JSON Schema.

The API has two forms. One is JSON Schema already; Gemini CLI writes its types in capitals. The other is a subset of
OpenAPI's schemas as a proto message: types in capitals, `nullable`, counts as texts, names in either spelling. Names of
properties are a caller's words, and are never changed.
"""

from collections.abc import Callable
from typing import cast

from router.wire.gemini import names
from router.wire.neutral.schemas import LISTS, MAPS, SINGLES
from router.wire.raw.json.json_values import Json

EMPTY: Json = {"type": "object", "properties": {}}
_COUNTS = frozenset(("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"))
_RENAMED = {"ref": "$ref", "defs": "$defs"}
_FIELDS = (
    *("anyOf", "additionalProperties", "propertyOrdering", *_COUNTS),
    *("type", "format", "title", "description", "nullable", "enum", "items", "properties", "required"),
    *("minimum", "maximum", "pattern", "example", "default", "ref", "defs"),
)
_SPELLINGS = {names.to_snake(name): name for name in _FIELDS}
_UNSPECIFIED = "TYPE_UNSPECIFIED"
_NULL: Json = {"type": "null"}
_Converter = Callable[[Json], Json]


def complete_arguments(schema: Json) -> Json:
    """The schema of a tool's arguments, which are an object."""
    return schema if "type" in schema else {**EMPTY, **schema}


def convert_json_schema(schema: Json) -> Json:
    """A JSON Schema with its types as JSON Schema spells them; the order of keys stays."""
    out: Json = {}
    for key, value in schema.items():
        if key != "type":
            out[key] = _convert_inner(key, value, convert_json_schema)
        elif value != _UNSPECIFIED:
            out[key] = _lower(value)
    return out


def convert_proto_schema(schema: Json) -> Json:
    """A schema of the OpenAPI form as JSON Schema; the order of keys stays, that of properties follows
    `propertyOrdering`."""
    out: Json = {}
    found = {
        _SPELLINGS.get(key, key): names.get(schema, _SPELLINGS.get(key, key))
        for key, value in schema.items()
        if value is not None
    }
    for key, value in found.items():
        if key in ("nullable", "propertyOrdering"):
            continue
        if key == "type":
            if value != _UNSPECIFIED:
                out[key] = _lower(value)
        elif key == "format" and value == "enum":
            continue
        elif key in _COUNTS:
            out[key] = names.as_number(value)
        elif key == "example":
            out["examples"] = [value]
        elif key == "ref" and isinstance(value, str):
            out["$ref"] = value.replace("#/defs/", "#/$defs/", 1)
        else:
            key = _RENAMED.get(key, key)
            out[key] = _convert_inner(key, value, convert_proto_schema)
    _order_properties(out, found.get("propertyOrdering"))
    return _allow_null(out) if found.get("nullable") is True else out


def _lower(value: object) -> object:
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list):
        return [_lower(one) for one in cast("list[object]", value)]
    return value


def _convert_inner(key: str, value: object, convert: _Converter) -> object:
    """The value of a keyword, with the schemas in it converted."""
    if key in MAPS and isinstance(value, dict):
        return {name: _convert_at(one, convert) for name, one in cast("Json", value).items()}
    if key in LISTS and isinstance(value, list):
        return [_convert_at(one, convert) for one in cast("list[object]", value)]
    if key in SINGLES:
        return _convert_at(value, convert)
    return value


def _convert_at(value: object, convert: _Converter) -> object:
    return convert(cast("Json", value)) if isinstance(value, dict) else value


def _order_properties(schema: Json, order: object) -> None:
    """Put the properties in the order in which the model shall write them; it follows the order of the keys."""
    properties = schema.get("properties")
    if not isinstance(order, list) or not isinstance(properties, dict):
        return
    held = cast("Json", properties)
    first = [name for name in cast("list[object]", order) if isinstance(name, str) and name in held]
    schema["properties"] = {name: held[name] for name in dict.fromkeys((*first, *held))}


def _allow_null(schema: Json) -> Json:
    """The schema that also null satisfies."""
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
    enum, union = schema.get("enum"), schema.get("anyOf")
    if isinstance(enum, list):
        schema["enum"] = [*cast("list[object]", enum), None]
    if isinstance(union, list):
        schema["anyOf"] = [*cast("list[object]", union), _NULL]
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {"anyOf": [{"$ref": schema["$ref"]}, _NULL], **beside}
    return schema
