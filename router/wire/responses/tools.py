"""Decodes and encodes the tools of a Responses request."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router.errors import BadRequest
from router.ir import Choice, HostedTool, Request, Tool, WebSearch
from router.wire.conversation.identifiers import CALL_ID_LIMIT as NAME_LIMIT
from router.wire.neutral.context import CallForm, Context
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.openai import is_strict_schema
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses.calls import BUILT_IN, CUSTOM, FUNCTION, to_neutral_name
from router.wire.responses.input import hosted_tools

# The fields that are read, or whose loss means nothing.
_FIELDS = frozenset(
    ("type", "name", "description", "parameters", "strict", "defer_loading", "allowed_callers", "format")
)
_SPACE_FIELDS = frozenset(("type", "name", "tools"))
_BUILT_IN_FIELDS = frozenset(("type", "environment", "parameters", "description", "execution"))


def decode_tools(entries: list[Json], path: str, ctx: Context) -> list[Tool | HostedTool]:
    """The tools of a list. Raises BadRequest for those that only OpenAI can run."""
    tools: list[Tool | HostedTool] = []
    for at, entry in enumerate(entries):
        tools += _decode_tool(entry, f"{path}[{at}]", ctx)
    return tools


def _decode_tool(entry: Json, path: str, ctx: Context) -> Sequence[Tool | HostedTool]:
    kind = json_values.read_text(entry.get("type"), f"{path}.type") or "function"
    if kind in ("function", "custom"):
        return [_decode_callable(entry, kind, path, ctx, "")]
    if kind == "namespace":
        space = json_values.require_text(entry, "name", path)
        inner = json_values.read_objects(entry.get("tools"), f"{path}.tools")
        ctx.note_unread(entry, _SPACE_FIELDS, f"{path}.")
        return [
            _decode_callable(one, str(one.get("type") or "function"), f"{path}.tools[{at}]", ctx, space)
            for at, one in enumerate(inner)
        ]
    if kind == "tool_search" and entry.get("execution") != "client":
        # The tools that it would find are sent at once.
        ctx.note_dropped(path)
        return []
    if kind in BUILT_IN:
        return [_decode_built_in(kind, entry, path, ctx)]
    if hosted_tools.is_search(kind):
        return [hosted_tools.decode_search(entry, path, ctx)]
    if kind == "mcp":
        return [hosted_tools.decode_server(entry, path, ctx)]
    raise ctx.refuse(path, f"the tool {kind} runs at OpenAI only")


def _decode_callable(entry: Json, kind: str, path: str, ctx: Context, space: str) -> Tool:
    name = json_values.require_text(entry, "name", path)
    if not name.strip():
        raise BadRequest(f"{path}.name: it is blank.")
    if kind not in ("function", "custom"):
        raise ctx.refuse(f"{path}.type", f"a tool of type {kind} has no counterpart")
    ctx.note_unread(entry, _FIELDS, f"{path}.")
    if entry.get("defer_loading") is True:
        ctx.note_weakened(f"{path}.defer_loading")
    callers = json_values.read_list(entry.get("allowed_callers"), f"{path}.allowed_callers")
    if callers and "direct" not in callers:
        raise ctx.refuse(f"{path}.allowed_callers", "programs that call tools run at OpenAI only")
    neutral = to_neutral_name(name, space)
    description = json_values.read_text(entry.get("description"), f"{path}.description")
    if kind == "custom":
        ctx.call_forms[neutral] = CallForm(CUSTOM, name, space)
        form = json_values.read_object(entry.get("format"), f"{path}.format") or {"type": "text"}
        return Tool(neutral, freeform_tools.SCHEMA, description, format=form)
    if space:
        ctx.call_forms[neutral] = CallForm(FUNCTION, name, space)
    schema = json_values.read_object(entry.get("parameters"), f"{path}.parameters")
    return Tool(
        neutral,
        schema if "type" in schema else {"type": "object", "properties": {}, **schema},
        description,
        _decode_strict(entry, schema, path, ctx),
    )


def _decode_strict(entry: Json, schema: Json, path: str, ctx: Context) -> bool:
    """Whether a tool is strict. Only Responses takes an absent field as true, and then adapts the schema."""
    said = json_values.read_bool(entry.get("strict"), f"{path}.strict")
    if said is not None or "strict" in entry:
        return said is True
    fitting = is_strict_schema(schema)
    if not fitting and schema.get("properties"):
        ctx.note_weakened(f"{path}.strict")
    return fitting and bool(schema)


def _decode_built_in(kind: str, entry: Json, path: str, ctx: Context) -> Tool:
    found = BUILT_IN[kind]
    ctx.note_unread(entry, _BUILT_IN_FIELDS, f"{path}.")
    environment = json_values.read_object(entry.get("environment"), f"{path}.environment")
    if environment.get("type", "local") != "local":
        raise ctx.refuse(f"{path}.environment", "containers run at OpenAI only")
    ctx.call_forms[found.tool.name] = CallForm(found.item, found.tool.name)
    if kind != "tool_search":
        return found.tool
    schema = json_values.read_object(entry.get("parameters"), f"{path}.parameters")
    said = json_values.read_text(entry.get("description"), f"{path}.description")
    return msgspec.structs.replace(
        found.tool, schema=schema or found.tool.schema, description=said or found.tool.description
    )


class Chosen(NamedTuple):
    """A tool choice, and the tools that it leaves."""

    choice: Choice | None
    tools: tuple[Tool, ...]
    hosted: tuple[HostedTool, ...]


def decode_choice(data: Json, tools: tuple[Tool, ...], hosted: tuple[HostedTool, ...], ctx: Context) -> Chosen:
    """Read the tool choice. It may force a web search, or allow some of the tools only."""
    found = data.get("tool_choice")
    if found is None:
        return Chosen(None, tools, hosted)
    if isinstance(found, str):
        mode = {"none": "none", "auto": "auto", "required": "any"}.get(found)
        if mode is None:
            raise BadRequest("tool_choice: expected none, auto, required or a tool.")
        left = hosted if mode != "none" else ()
        return Chosen(Choice(mode), tools, _force(left) if mode == "any" and not tools else left)  # pyright: ignore[reportArgumentType]
    form = json_values.require_object(found, "tool_choice")
    kind = json_values.read_text(form.get("type"), "tool_choice.type") or "function"
    if hosted_tools.is_search(kind) and any(type(tool) is WebSearch for tool in hosted):
        return Chosen(None, tools, _force(hosted))
    if kind != "allowed_tools":
        return Chosen(Choice("tool", _read_tool_name(form, "tool_choice", ctx)), tools, hosted)
    allowed = _read_allowed(form)
    searches = [one for one in allowed if hosted_tools.is_search(str(one.get("type")))]
    names = {
        _read_tool_name(one, f"tool_choice.tools[{at}]", ctx) for at, one in enumerate(allowed) if one not in searches
    }
    ctx.note_weakened("tool_choice")
    mode = "any" if form.get("mode") == "required" else "auto"
    left = tuple(tool for tool in tools if tool.name in names)
    kept = tuple(tool for tool in hosted if type(tool) is WebSearch) if searches else ()
    return Chosen(Choice(mode), left, _force(kept) if mode == "any" and not left else kept)


def _force(hosted: tuple[HostedTool, ...]) -> tuple[HostedTool, ...]:
    return tuple(msgspec.structs.replace(tool, forced=True) if type(tool) is WebSearch else tool for tool in hosted)


def _read_allowed(form: Json) -> list[Json]:
    return json_values.read_objects(form.get("tools"), "tool_choice.tools")


def _read_tool_name(form: Json, path: str, ctx: Context) -> str:
    kind = json_values.read_text(form.get("type"), f"{path}.type") or "function"
    if kind in ("function", "custom"):
        space = json_values.read_text(form.get("namespace"), f"{path}.namespace")
        return to_neutral_name(json_values.require_text(form, "name", path), space)
    if kind in BUILT_IN:
        return BUILT_IN[kind].tool.name
    raise ctx.refuse(path, f"a choice of type {kind} has no counterpart")


def encode_tools(request: Request, ctx: Context) -> list[Json]:
    """The functions in the form of Responses; strict is always written, since an absent field means true."""
    tools: list[Json] = []
    for at, tool in enumerate(request.tools):
        entry: Json = {"type": "custom" if tool.format else "function", "name": ctx.names.encode(tool.name, NAME_LIMIT)}
        if tool.description:
            entry["description"] = tool.description
        if tool.format:
            entry["format"] = tool.format
        else:
            entry["parameters"] = tool.schema
            entry["strict"] = tool.strict is True and is_strict_schema(tool.schema)
            if tool.strict and not entry["strict"]:
                ctx.note_weakened(f"{ctx.tool_path(at)}.strict")
        tools.append(entry)
    return tools


def encode_choice(request: Request, ctx: Context) -> object:
    """The tool choice in the form of Responses; None to leave it out."""
    choice = request.choice
    if choice is None or not request.tools:
        return None
    if choice.mode != "tool":
        return {"any": "required"}.get(choice.mode, choice.mode)
    tool = next((tool for tool in request.tools if tool.name == choice.name), None)
    if tool is None:
        raise BadRequest(f"tool_choice.name: no tool is named '{choice.name}'.")
    return {"type": "custom" if tool.format else "function", "name": ctx.names.encode(tool.name, NAME_LIMIT)}
