"""Values made from a JSON schema: the arguments of a tool call, or an answer in a wanted format.

An agent may really run the call, so names that reach outside get harmless values, and flags are false.
"""

import math

from router.demo.body import Json, Object, as_object, as_text, objects

# A schema can refer to itself, and a few bytes can ask for millions of items.
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
    """Tool arguments that fit the schema; {} when it describes no object."""
    return as_object(example(schema))


def example(schema: Object) -> Json:
    """A value that fits the schema, always the same. Patterns, conditions and references elsewhere are not read."""
    return _Example(schema).value(schema, "", 0)


class _Example:
    def __init__(self, root: Object):
        self._root = root
        self._left = _NODES

    def value(self, schema: Json, name: str, depth: int) -> Json:
        self._left -= 1
        node = self._resolved(schema)
        for key in ("const", "default"):
            if key in node:
                return node[key]
        for key in ("enum", "examples"):
            choices = node.get(key)
            if isinstance(choices, list) and choices:
                return choices[0]
        kind = _kind(node)
        if kind == "object":
            return self._object(node, depth)
        if kind == "array":
            return self._array(node, name, depth)
        return _scalar(kind, node, name)

    def _resolved(self, schema: Json) -> Object:
        """The node itself, behind references and choices."""
        node = as_object(schema)
        for _ in range(_DEPTH):
            options = objects(node.get("anyOf")) or objects(node.get("oneOf"))
            if "$ref" in node:
                node = self._referred(as_text(node["$ref"]))
            elif options:
                node = next((option for option in options if option.get("type") != "null"), options[0])
            elif "allOf" in node:
                node = _merged(node)
            else:
                break
        return node

    def _referred(self, pointer: str) -> Object:
        node = self._root
        for step in pointer.removeprefix("#").strip("/").split("/"):
            node = as_object(node.get(step.replace("~1", "/").replace("~0", "~"))) if step else node
        return node

    def _object(self, node: Object, depth: int) -> Object:
        properties = as_object(node.get("properties"))
        if depth >= _DEPTH:
            return {}
        required = node.get("required")
        # A schema that requires nothing says little; all of its properties make the better example.
        names = [as_text(name) for name in required] if isinstance(required, list) and required else list(properties)
        result: Object = {}
        for name in names:
            if self._left > 0:
                result[name] = self.value(properties.get(name), name, depth + 1)
        return result

    def _array(self, node: Object, name: str, depth: int) -> list[Json]:
        least = max(_whole(node.get("minItems"), 1), 1)
        most = _whole(node.get("maxItems"), least)
        result: list[Json] = []
        if depth < _DEPTH and "items" in node:
            while len(result) < min(least, most) and self._left > 0:
                result.append(self.value(node["items"], name, depth + 1))
        return result


def _merged(node: Object) -> Object:
    """A node with its allOf parts folded in, their properties side by side."""
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


def _kind(node: Object) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in node or "required" in node:
        return "object"
    return "array" if "items" in node else "string"


def _scalar(kind: str, node: Object, name: str) -> Json:
    if kind in ("integer", "number"):
        return _number(node, whole=kind == "integer")
    if kind == "boolean":
        return False
    return None if kind == "null" else _string(node, name)


def _number(node: Object, *, whole: bool) -> int | float:
    low = _bound(node.get("minimum"), 1)
    high = min(_bound(node.get("maximum"), _EXACT), _bound(node.get("exclusiveMaximum"), _EXACT + 1) - 1)
    value = min(max(low, _bound(node.get("exclusiveMinimum"), low - 1) + 1), high)
    if not whole:
        return value
    return math.ceil(value) if math.ceil(value) <= high else math.floor(value)


def _bound(value: Json, otherwise: float) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return otherwise
    return max(-_EXACT, min(_EXACT, value))


def _whole(value: Json, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise


def _string(node: Object, name: str) -> str:
    text = _BY_FORMAT.get(as_text(node.get("format"))) or _BY_NAME.get(name.lower(), "demo")
    least = min(_whole(node.get("minLength"), 0), _LENGTH)
    return text.ljust(least, ".")[: _whole(node.get("maxLength"), _LENGTH)]
