"""Calls of Responses that are no function calls, and the results of all calls.

Responses has its own item types for free-text tools, shells, patches and tool search. In other protocols each is a
function with the schema below, and the fields of a call are its arguments.
"""

from collections.abc import Collection
from typing import cast

import msgspec

from router.ir import Tool, ToolCall
from router.wire.neutral.context import CallForm
from router.wire.neutral.schemas import INTEGER, STRING, build_object_schema
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

FUNCTION, CUSTOM = "function_call", "custom_tool_call"
_TEXTS: Json = {"type": "array", "items": STRING}


class BuiltIn(msgspec.Struct, frozen=True):
    """A tool whose calls have an item type of their own."""

    tool: Tool
    #: The type of the items.
    item: str
    #: The field of an item that holds the call's arguments.
    holder: str


_SHELL = build_object_schema(("commands",), commands=_TEXTS, timeout_ms=INTEGER, max_output_length=INTEGER)
_LOCAL_SHELL = build_object_schema(
    ("command",), command=_TEXTS, env={"type": "object"}, timeout_ms=INTEGER, working_directory=STRING, user=STRING
)
_PATCH = build_object_schema(
    ("type", "path"),
    type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
    path=STRING,
    diff={"type": "string", "description": "A V4A diff; none to delete a file."},
)
_SEARCH = build_object_schema(("query",), query=STRING)
#: By the type of the tool.
BUILT_IN: dict[str, BuiltIn] = {
    "shell": BuiltIn(Tool("shell", _SHELL, "Run shell commands, one after the other."), "shell_call", "action"),
    "local_shell": BuiltIn(
        Tool("local_shell", _LOCAL_SHELL, "Run a command: the program and its arguments."), "local_shell_call", "action"
    ),
    "apply_patch": BuiltIn(
        Tool("apply_patch", _PATCH, "Create, update or delete a file."), "apply_patch_call", "operation"
    ),
    "tool_search": BuiltIn(
        Tool("tool_search", _SEARCH, "Search for tools that are not listed."), "tool_search_call", "arguments"
    ),
}
_BY_ITEM = {one.item: one for one in BUILT_IN.values()}
#: Types of items that are calls, and of those that are results.
CALLS = frozenset((FUNCTION, CUSTOM, *_BY_ITEM))
RESULTS = frozenset(f"{name}_output" for name in CALLS if name != "tool_search_call") | {"tool_search_output"}


def to_neutral_name(name: str, namespace: str) -> str:
    """The name of a tool in the neutral form; a tool in a namespace has the namespace's name in front."""
    return f"{namespace}__{name}" if namespace else name


def resolve_name(name: str, namespace: str, declared: Collection[str]) -> str:
    """The neutral name of a tool that a call names. A tool that a search found is called with a namespace, even one
    that was declared without; servers put its own name there.

    declared: the neutral names of the request's tools.
    """
    spaced = to_neutral_name(name, namespace)
    if not namespace or spaced in declared:
        return spaced
    if name in declared or name == namespace or name.startswith((f"{namespace}__", f"{namespace}.")):
        return name
    return spaced


def decode_call(item: Json, path: str, declared: Collection[str] = ()) -> ToolCall:
    """A call in the history. Raises BadRequest with the path of what is wrong. declared: see resolve_name."""
    kind = item.get("type")
    call_id = json_values.read_text(item.get("call_id"), f"{path}.call_id") or json_values.read_text(
        item.get("id"), f"{path}.id"
    )
    if not call_id:
        call_id = json_values.require_text(item, "call_id", path)
    if kind in (FUNCTION, CUSTOM):
        namespace = json_values.read_text(item.get("namespace"), f"{path}.namespace")
        name = resolve_name(json_values.require_text(item, "name", path), namespace, declared)
        if kind == CUSTOM:
            return ToolCall(
                call_id, name, freeform_tools.wrap(json_values.read_text(item.get("input"), f"{path}.input"))
            )
        return ToolCall(call_id, name, _read_arguments(item.get("arguments"), f"{path}.arguments"))
    found = _BY_ITEM[str(kind)]
    said = {name: value for name, value in _read_fields(item.get(found.holder), path).items() if value is not None}
    if kind == "local_shell_call":
        # Fields that the item requires and models seldom fill.
        said = {name: value for name, value in said.items() if name != "type" and value != {}}
    return ToolCall(call_id, found.tool.name, json_values.encode_json(said))


def _read_fields(value: object, path: str) -> Json:
    """The arguments of a call, given as an object or as its JSON text."""
    return _parse_object(value) if isinstance(value, str) else json_values.read_object(value, path)


def _read_arguments(value: object, path: str) -> str:
    return (
        json_values.encode_json(cast("Json", value)) if isinstance(value, dict) else json_values.read_text(value, path)
    )


def encode_call(form: CallForm, item_id: str, call_id: str, arguments: str, *, status: str) -> Json:
    """A whole call as an output item."""
    item: Json = {"id": item_id, "type": form.item, "status": status, "call_id": call_id}
    if form.item in (FUNCTION, CUSTOM):
        item["name"] = form.name
        if form.item == CUSTOM:
            item["input"] = freeform_tools.unwrap(arguments)
        else:
            item["arguments"] = arguments
        return {**item, "namespace": form.namespace} if form.namespace else item
    said: Json = _parse_object(arguments)
    if form.item == "local_shell_call":
        said = {"type": "exec", "env": {}, **said}
    if form.item == "tool_search_call":
        item["execution"] = "client"
    return {**item, _BY_ITEM[form.item].holder: said}


def _parse_object(arguments: str) -> Json:
    try:
        value: object = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"input": arguments}  # pyright: ignore[reportUnknownVariableType]


def id_prefix(form: CallForm) -> str:
    """The prefix of the id of a call's item."""
    return {FUNCTION: "fc", CUSTOM: "ctc"}.get(form.item, form.item.removesuffix("_call"))
