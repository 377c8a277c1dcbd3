"""Random JSON schemas, and the forms of them that providers take."""

from anthropic.lib._parse._transform import transform_schema

#: Keywords that OpenAI's strict mode refuses.
_NOT_STRICT = {
    "allOf",
    "not",
    "oneOf",
    "if",
    "then",
    "else",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
}


def draw_schema(book, path, depth=2, *, strict=False):
    """The schema of an object; its descriptions and patterns have marks. strict: as OpenAI's strict mode takes it."""
    made = {"type": "object", "properties": {}}
    if strict or book.likes(0.6):
        made["additionalProperties"] = False
    for at in range(book.pick(1, 2, 3)):
        made["properties"][f"p{at}"] = _property(book, path, depth, strict)
    names = [*made["properties"]]
    if strict or book.likes(0.8):
        made["required"] = names if strict or book.likes(0.6) else names[:1]
    return made


def _property(book, path, depth, strict):
    kinds = ["string", "string", "integer", "number", "boolean", "enum", "const", "nullable"]
    kind = book.pick(*kinds, *(("object", "array", "union") if depth else ()))
    made = _of_kind(book, path, depth, kind, strict)
    if book.likes(0.5):
        made["description"] = book.put("field", path)
    return made


def _of_kind(book, path, depth, kind, strict):
    if kind == "object":
        return draw_schema(book, path, depth - 1, strict=strict)
    if kind == "array":
        limits = book.pick({}, {"minItems": 1}, {"minItems": 2, "maxItems": 5}, {"uniqueItems": True})
        return {"type": "array", "items": _property(book, path, depth - 1, strict), **limits}
    if kind == "union":
        word = "anyOf" if strict else book.pick("anyOf", "anyOf", "oneOf")
        return {word: [_property(book, path, depth - 1, strict), {"type": "null"}]}
    if kind == "string":
        pattern = {"pattern": f"^{book.put('field', path)}$"} if book.likes(0.3) else {}
        return {"type": "string", **pattern, **book.pick({}, {"minLength": 2, "maxLength": 9}, {"format": "date"})}
    if kind in ("integer", "number"):
        return {"type": kind, **book.pick({}, {"minimum": 1, "maximum": 9}, {"multipleOf": 2}, {"exclusiveMinimum": 0})}
    return {
        "boolean": {"type": "boolean"},
        "enum": {"type": "string", "enum": ["a", "b"]},
        "const": {"const": "a"},
        "nullable": {"type": ["string", "null"]},
    }[kind]


def of_anthropic(schema):
    """Fail unless Anthropic enforces all of a schema: its SDK would change nothing."""
    assert transform_schema(_one_type(schema)) == _one_type(schema), schema


def _one_type(schema):
    """The schema with lists of types as unions, and without patterns, which the SDK does not read and the API takes."""
    if isinstance(schema, list):
        return [_one_type(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _one_type(value) if key != "enum" else value for key, value in schema.items() if key != "pattern"}
    if isinstance(made.get("type"), list):
        kinds = made.pop("type")
        made = {"anyOf": [{"type": kind} for kind in kinds], **made}
    if "const" in made or "enum" in made:
        made.pop("type", None)
    return made


def of_openai(schema):
    """Fail unless OpenAI's strict mode takes a schema: closed objects, all of whose properties are required."""
    if isinstance(schema, list):
        for one in schema:
            of_openai(one)
    if not isinstance(schema, dict):
        return
    assert not _NOT_STRICT & set(schema), schema
    if schema.get("type") == "object" or "properties" in schema:
        assert schema.get("additionalProperties") is False, schema
        assert sorted(schema.get("required", ())) == sorted(schema.get("properties", ())), schema
    for key, value in schema.items():
        if key == "properties" or key == "$defs":
            for one in value.values():
                of_openai(one)
        elif key != "enum":
            of_openai(value)
