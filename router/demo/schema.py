"""Builds values from a JSON schema: the arguments of a tool call, or an answer in a required format.

An agent may really run the call, so fields for commands, paths and URLs get harmless values, and flags are false.
"""

import math

from router.demo.body import Json, Object, as_object, as_text, objects

# Limits: a schema can refer to itself, and a few bytes can ask for millions of items.
_DEPTH = 8
_NODES = 500
_LENGTH = 1000
_EXACT = 2**53

_BY_NAME = {
    "city": "Turin",
    "location": "Turin",
    "country": "Italy",
    "language": "en",
    "timezone": "Europe/Rome",
    "command": "echo fairlead",
    "cmd": "echo fairlead",
    "path": "fairlead-demo.txt",
    "file": "fairlead-demo.txt",
    "file_path": "fairlead-demo.txt",
    "filename": "fairlead-demo.txt",
    "url": "http://127.0.0.1/",
}
_BY_FORMAT = {
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "date-time": "2026-01-01T12:00:00Z",
    "email": "demo@example.com",
    "hostname": "localhost",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "http://127.0.0.1/",
    "url": "http://127.0.0.1/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def arguments(schema: Object) -> Object:
    """Tool arguments that fit the schema; {} when it does not describe an object."""
    return as_object(example(schema))


def example(schema: Object) -> Json:
    """A value that fits the schema, always the same. Patterns, conditions and external references are ignored."""
    return _ExampleBuilder(schema).build(schema, "", 0)


class _ExampleBuilder:
    def __init__(self, root: Object):
        self._root = root
        self._left = _NODES

    def build(self, schema: Json, name: str, depth: int) -> Json:
        self._left -= 1
        node = self._resolve(schema)
        for key in ("const", "default"):
            if key in node:
                return node[key]
        for key in ("enum", "examples"):
            choices = node.get(key)
            if isinstance(choices, list) and choices:
                return choices[0]
        kind = _find_kind(node)
        if kind == "object":
            return self._build_object(node, depth)
        if kind == "array":
            return self._build_array(node, name, depth)
        return _build_scalar(kind, node, name)

    def _resolve(self, schema: Json) -> Object:
        """The node that references and choices lead to."""
        node = as_object(schema)
        for _ in range(_DEPTH):
            options = objects(node.get("anyOf")) or objects(node.get("oneOf"))
            if "$ref" in node:
                node = self._follow_reference(as_text(node["$ref"]))
            elif options:
                node = next((option for option in options if option.get("type") != "null"), options[0])
            elif "allOf" in node:
                node = _merge_all_of(node)
            else:
                break
        return node

    def _follow_reference(self, pointer: str) -> Object:
        node = self._root
        for step in pointer.removeprefix("#").strip("/").split("/"):
            node = as_object(node.get(step.replace("~1", "/").replace("~0", "~"))) if step else node
        return node

    def _build_object(self, node: Object, depth: int) -> Object:
        properties = as_object(node.get("properties"))
        if depth >= _DEPTH:
            return {}
        required = node.get("required")
        # Where nothing is required, all properties are filled, for a more useful example.
        names = [as_text(name) for name in required] if isinstance(required, list) and required else list(properties)
        result: Object = {}
        for name in names:
            if self._left > 0:
                result[name] = self.build(properties.get(name), name, depth + 1)
        return result

    def _build_array(self, node: Object, name: str, depth: int) -> list[Json]:
        least = max(_read_count(node.get("minItems"), 1), 1)
        most = _read_count(node.get("maxItems"), least)
        result: list[Json] = []
        if depth < _DEPTH and "items" in node:
            while len(result) < min(least, most) and self._left > 0:
                result.append(self.build(node["items"], name, depth + 1))
        return result


def _merge_all_of(node: Object) -> Object:
    """A node merged with its allOf parts and their properties."""
    parts = [{key: value for key, value in node.items() if key != "allOf"}, *objects(node.get("allOf"))]
    result: Object = {}
    properties: Object = {}
    required: list[Json] = []
    for part in parts:
        result |= part
        properties |= as_object(part.get("properties"))
        names = part.get("required")
        required += names if isinstance(names, list) else []
    return {**result, "properties": properties, "required": required}


def _find_kind(node: Object) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in node or "required" in node:
        return "object"
    return "array" if "items" in node else "string"


def _build_scalar(kind: str, node: Object, name: str) -> Json:
    if kind in ("integer", "number"):
        return _build_number(node, whole=kind == "integer")
    if kind == "boolean":
        return False
    return None if kind == "null" else _build_string(node, name)


def _build_number(node: Object, *, whole: bool) -> int | float:
    low = _read_bound(node.get("minimum"), 1)
    high = min(_read_bound(node.get("maximum"), _EXACT), _read_bound(node.get("exclusiveMaximum"), _EXACT + 1) - 1)
    value = min(max(low, _read_bound(node.get("exclusiveMinimum"), low - 1) + 1), high)
    if not whole:
        return value
    return math.ceil(value) if math.ceil(value) <= high else math.floor(value)


def _read_bound(value: Json, otherwise: float) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return otherwise
    return max(-_EXACT, min(_EXACT, value))


def _read_count(value: Json, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def _build_string(node: Object, name: str) -> str:
    text = _BY_FORMAT.get(as_text(node.get("format"))) or _BY_NAME.get(name.lower(), "demo")
    least = min(_read_count(node.get("minLength"), 0), _LENGTH)
    return text.ljust(least, ".")[: _read_count(node.get("maxLength"), _LENGTH)]
