"""Tools whose arguments are a union at the root of their schema, towards upstreams that take only an object there.

The union is put into one property, `{"value": …}`. Calls in the history are wrapped likewise, and calls in the answer
unwrapped: such a call is held until its arguments are whole.
"""

from typing import cast

import msgspec

from router.ir import CallBegan, CallDelta, Ended, Event, Request
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.object_end import ObjectEnd

UNIONS = ("anyOf", "oneOf", "allOf")
_UNIONS = frozenset(UNIONS)
_DEFINITIONS = ("$defs", "definitions")
_HOISTED = tuple(f"#/{name}/" for name in _DEFINITIONS)
_WRAPPER = "value"
# What changes the depth of a JSON text, or begins and ends its strings.


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    value: msgspec.Raw


_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode


def find_union(schema: Json) -> str:
    """The keyword that makes the root of a schema something else than one object, '' without one."""
    found = "" if _UNIONS.isdisjoint(schema) else next(name for name in UNIONS if name in schema)
    return found or ("type" if schema.get("type", "object") != "object" else "")


def union_tools(request: Request) -> frozenset[str]:
    """The names of the tools that have a union at the root."""
    return frozenset(tool.name for tool in request.tools if find_union(tool.schema))


def wrap_schema(schema: Json) -> Json:
    """An object with the schema as its one property. Definitions stay at the root, where references look for them."""
    inner = {key: value for key, value in schema.items() if key not in (*_DEFINITIONS, "$schema")}
    if inner.get("type") == "object" and inner.get("properties") == {}:
        # They are what a schema without a type was completed with, and say nothing.
        del inner["type"], inner["properties"]
    outer: Json = {
        "type": "object",
        "properties": {_WRAPPER: _move_references(inner)},
        "required": [_WRAPPER],
        "additionalProperties": False,
    }
    return outer | {key: _move_references(schema[key]) for key in _DEFINITIONS if key in schema}


def _move_references(value: object) -> object:
    """The schema with its references to places within the union, which has moved."""
    if isinstance(value, list):
        return [_move_references(one) for one in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    node = {key: _move_references(one) for key, one in cast("Json", value).items()}
    ref = node.get("$ref")
    if isinstance(ref, str) and (ref == "#" or ref.startswith("#/")) and not ref.startswith(_HOISTED):
        node["$ref"] = f"#/properties/{_WRAPPER}{ref[1:]}"
    return node


def wrap_arguments(arguments: object) -> Json:
    """The arguments of a call as the wrapped schema has them."""
    return {_WRAPPER: arguments}


def unwrap_arguments(arguments: str) -> str:
    """The arguments as the caller's schema has them; those of another form are left as they are."""
    try:
        inner = bytes(_decode_wrapped(arguments).value)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return arguments
    return inner.decode("utf-8", "replace") if inner[:1] == b"{" else arguments


class RootUnionFilter:
    """Unwraps the calls of tools with a union at the root."""

    def __init__(self, ctx: Context):
        self._names = ctx.union_tools
        # The fragments of each call so far, and how far its object has come.
        self._held: dict[int, tuple[list[str], ObjectEnd]] = {}

    def apply(self, event: Event) -> list[Event]:
        """What one event becomes."""
        if type(event) is CallBegan:
            if event.name in self._names:
                self._held[event.index] = [], ObjectEnd()
            return [event]
        if type(event) is CallDelta and event.index in self._held:
            fragments, end = self._held[event.index]
            fragments.append(event.fragment)
            end.feed(event.fragment)
            return self._release(event.index) if end.closed else []
        if type(event) is Ended:
            return [*(delta for index in tuple(self._held) for delta in self._release(index)), event]
        return [event]

    def _release(self, index: int) -> list[Event]:
        arguments = unwrap_arguments("".join(self._held.pop(index)[0]))
        return [CallDelta(index, arguments)] if arguments else []
