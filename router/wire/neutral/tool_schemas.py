"""JSON schemas of the arguments of built-in tools."""

from router.wire.raw.json_values import Json

STRING: Json = {"type": "string"}
INTEGER: Json = {"type": "integer"}


def build_object_schema(required: tuple[str, ...], **properties: Json) -> Json:
    """The schema of an object with these properties. required: the names of those that must be present."""
    return {"type": "object", "properties": properties, "required": list(required)}
