"""Decodes and encodes the tools of a Chat request.

Its web search has the form of the backend. `web_search_options` is for models that search at every request
(https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat). OpenRouter
(https://openrouter.ai/docs/guides/features/server-tools/web-search) and Groq
(https://console.groq.com/docs/browser-search) have a tool among the others, which the model calls and they run.
"""

from collections.abc import Callable
from typing import cast

import msgspec

from router.backends.profile import Profile
from router.errors import BadRequest
from router.ir import Choice, Request, Tool, WebSearch
from router.wire.chat.schema_forms import fit_to_upstream, is_enforced
from router.wire.neutral.cache_marks import BREAKPOINT, build_mark, read_part_lifetime
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.neutral.tool_forms.hosted_tools import is_wanted, leave_out
from router.wire.neutral.tool_forms.root_unions import find_union, wrap_schema
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_MARKS = ("cache_control", BREAKPOINT)
_READ = frozenset(("type", *_MARKS))
_READ_OF_ENTRY = {kind: _READ | {kind} for kind in ("function", "custom")}
_READ_OF_FUNCTION = frozenset(("name", "description", "parameters", "strict"))
_READ_OF_CUSTOM = frozenset(("name", "description", "format"))


def decode_tools(data: Json, ctx: Context) -> tuple[Tool, ...]:
    """The tools of a Chat request. Raises BadRequest for types that other protocols do not have."""
    tools: list[Tool] = []
    for at, entry in enumerate(json_values.read_objects(data.get("tools"), "tools")):
        kind = entry.get("type", "function")
        if kind not in ("function", "custom"):
            raise ctx.refuse(f"tools[{at}].type", f"a tool of type {kind!s} has no counterpart")
        tools.append(_decode_tool(entry, str(kind), f"tools[{at}]", ctx))
    for at, entry in enumerate(json_values.read_objects(data.get("functions"), "functions")):
        ctx.note_unread(entry, _READ_OF_FUNCTION, f"functions[{at}].")
        tools.append(_decode_function(entry, f"functions[{at}]"))
    return tuple(tools)


def _decode_tool(entry: Json, kind: str, path: str, ctx: Context) -> Tool:
    """A tool with its fields in an object named after its type; or beside the type as in Responses, since Cursor sends
    them so."""
    flat = entry.get(kind) is None and "name" in entry
    form = entry if flat else json_values.require_object(entry.get(kind), f"{path}.{kind}")
    here = path if flat else f"{path}.{kind}"
    read = _READ_OF_FUNCTION if kind == "function" else _READ_OF_CUSTOM
    ctx.note_unread(form, read | _READ if flat else read, f"{here}.")
    if not flat:
        ctx.note_unread(entry, _READ_OF_ENTRY[kind], f"{path}.")
    tool = _decode_function(form, here) if kind == "function" else _decode_custom(form, here, ctx)
    lifetime = read_part_lifetime(entry)
    return msgspec.structs.replace(tool, cache=lifetime) if lifetime else tool


def _decode_function(form: Json, path: str) -> Tool:
    name = json_values.require_text(form, "name", path)
    if not name.strip():
        raise BadRequest(f"{path}.name: it is blank.")
    schema = json_values.read_object(form.get("parameters"), f"{path}.parameters")
    return Tool(
        name,
        schema if "type" in schema else {"type": "object", "properties": {}, **schema},
        json_values.read_text(form.get("description"), f"{path}.description"),
        json_values.read_bool(form.get("strict"), f"{path}.strict"),
    )


def _decode_custom(form: Json, path: str, ctx: Context) -> Tool:
    """A tool that takes free text, which is put into one field of its arguments and taken out again in the answer."""
    name = json_values.require_text(form, "name", path)
    said = json_values.read_object(form.get("format"), f"{path}.format") or {"type": "text"}
    if said.get("type") == "grammar" and "grammar" in said:
        # Chat has the grammar in an object of its own; the flat form has not.
        said = {"type": "grammar", **json_values.require_object(said.get("grammar"), f"{path}.format.grammar")}
    ctx.custom_tools.add(name)
    return Tool(
        name, freeform_tools.SCHEMA, json_values.read_text(form.get("description"), f"{path}.description"), format=said
    )


def decode_choice(data: Json, tools: tuple[Tool, ...], ctx: Context) -> tuple[Choice | None, tuple[Tool, ...]]:
    """The tool choice, and the tools that it leaves."""
    path = "tool_choice" if data.get("tool_choice") is not None else "function_call"
    found = data.get(path)
    if found is None:
        return None, tools
    if isinstance(found, str):
        mode = {"none": "none", "auto": "auto", "required": "any", "any": "any"}.get(found)
        if mode is None:
            raise BadRequest(f"{path}: expected none, auto, required or a tool.")
        return Choice(mode), tools  # pyright: ignore[reportArgumentType]
    form = json_values.require_object(found, path)
    kind = form.get("type", "function")
    if kind == "allowed_tools":
        allowed = json_values.require_object(form.get("allowed_tools"), f"{path}.allowed_tools")
        return _decode_allowed(allowed, tools, ctx)
    if kind not in ("function", "custom"):
        raise ctx.refuse(path, f"a choice of type {kind!s} has no counterpart")
    named, here = _find_named(form, str(kind), path)
    return Choice("tool", json_values.require_text(named, "name", here)), tools


def _find_named(entry: Json, kind: str, path: str) -> tuple[Json, str]:
    """The object that names a tool, and its path: one named after the type, or the entry itself (`function_call`, and
    the flat form)."""
    if path == "function_call" or (entry.get(kind) is None and "name" in entry):
        return entry, path
    return json_values.require_object(entry.get(kind), f"{path}.{kind}"), f"{path}.{kind}"


def _decode_allowed(form: Json, tools: tuple[Tool, ...], ctx: Context) -> tuple[Choice, tuple[Tool, ...]]:
    """Only the tools that are allowed are sent."""
    path = "tool_choice.allowed_tools"
    ctx.note_weakened(path)
    names: set[object] = set()
    for at, entry in enumerate(json_values.read_objects(form.get("tools"), f"{path}.tools")):
        named, here = _find_named(entry, str(entry.get("type", "function")), f"{path}.tools[{at}]")
        names.add(json_values.require_text(named, "name", here))
    mode = "any" if form.get("mode") == "required" else "auto"
    return Choice(mode), tuple(tool for tool in tools if tool.name in names)


def encode_tools(request: Request, ctx: Context) -> list[Json]:
    """The tools in Chat's form."""
    return [_encode_tool(request, at, ctx) for at in range(len(request.tools))]


def _encode_tool(request: Request, at: int, ctx: Context) -> Json:
    tool = request.tools[at]
    function: Json = {"name": ctx.names.encode(tool.name, ctx.profile.name_limit)}
    if freeform_tools.has_grammar(tool):
        ctx.note_weakened(f"{ctx.tool_path(at)}.format")
    if description := freeform_tools.describe(tool):
        function["description"] = description
    path = f"{ctx.tool_path(at)}.{ctx.caller_path('parameters')}"
    schema = tool.schema
    if tool.name in ctx.union_tools:
        ctx.note_weakened(f"{path}.{find_union(schema)}")
        schema = wrap_schema(schema)
    function["parameters"] = fit_to_upstream(schema, path, ctx)
    if tool.strict and ctx.profile.strict_tools and is_enforced(schema, ctx):
        function["strict"] = True
    elif tool.strict:
        ctx.note_weakened(f"{ctx.tool_path(at)}.strict")
    entry: Json = {"type": "function", "function": function}
    if tool.cache and ctx.profile.cache == "cache_control":
        entry["cache_control"] = build_mark(tool.cache)
    elif tool.cache and ctx.profile.cache:
        ctx.note_dropped(f"{ctx.tool_path(at)}.cache_control")
    return entry


def encode_choice(request: Request, ctx: Context) -> object:
    """The tool choice in Chat's form; None to leave it out. Raises BadRequest where a call cannot be forced."""
    choice, profile = request.choice, ctx.profile
    if choice is None:
        return None
    if choice.mode in ("any", "tool") and not profile.forced_choice:
        raise ctx.refuse(ctx.caller_path("tool_choice"), "a call of a tool cannot be forced there")
    if choice.mode == "tool" and not any(tool.name == choice.name for tool in request.tools):
        raise BadRequest(f"tool_choice.name: no tool is named '{choice.name}'.")
    if choice.mode == "tool" and profile.named_choice:
        name = ctx.names.encode(choice.name, profile.name_limit)
        return {"type": "function", "function": {"name": name}}
    if choice.mode == "tool" and len(request.tools) > 1:
        raise ctx.refuse(ctx.caller_path("tool_choice"), "a certain tool cannot be forced there")
    return {"any": "required", "tool": "required"}.get(choice.mode, choice.mode)


def can_search(profile: Profile) -> bool:
    """True where the provider is sent a web search."""
    return profile.web_search or profile.search_tool in _PUTTERS


def put_hosted(body: Json, request: Request, ctx: Context) -> None:
    """Put the tools that the provider runs. Raises BadRequest for those without which the answer would be another."""
    put = _put_options if ctx.profile.web_search else _PUTTERS.get(ctx.profile.search_tool)
    for tool in request.hosted:
        if put is None or type(tool) is not WebSearch or not (ctx.profile.web_search or is_wanted(tool, ctx)):
            leave_out((tool,), ctx)
            continue
        ctx.searching = True
        put(body, tool, ctx)


def _put_options(body: Json, tool: WebSearch, ctx: Context) -> None:
    options: Json = {"search_context_size": tool.context_size} if tool.context_size else {}
    if tool.location:
        options["user_location"] = {"type": "approximate", "approximate": tool.location}
    if tool.allowed or tool.blocked or tool.max_uses:
        ctx.note_weakened(tool.path)
    body["web_search_options"] = options


def _put_openrouter(body: Json, tool: WebSearch, ctx: Context) -> None:
    given: Json = {"search_context_size": tool.context_size} if tool.context_size else {}
    if tool.allowed:
        given["allowed_domains"] = list(tool.allowed)
    elif tool.blocked:
        given["excluded_domains"] = list(tool.blocked)
    if tool.allowed and tool.blocked:
        # Only one of both is taken; what is allowed excludes the rest.
        ctx.note_dropped(f"{tool.path}.blocked_domains")
    if tool.location:
        given["user_location"] = {"type": "approximate", **tool.location}
    if tool.max_uses:
        ctx.note_dropped(f"{tool.path}.max_uses")
    entry: Json = {"type": "openrouter:web_search"}
    _add_tool(body, {**entry, "parameters": given} if given else entry, tool, ctx)


def _put_browser_search(body: Json, tool: WebSearch, ctx: Context) -> None:
    if tool.allowed or tool.blocked or tool.location or tool.context_size or tool.max_uses:
        ctx.note_weakened(tool.path)
    _add_tool(body, {"type": "browser_search"}, tool, ctx)


def _add_tool(body: Json, entry: Json, tool: WebSearch, ctx: Context) -> None:
    tools = cast("list[Json]", body.setdefault("tools", []))
    tools.append(entry)
    if tool.forced and len(tools) == 1:
        body["tool_choice"] = "required"
    elif tool.forced:
        # A choice names a function, and this is none.
        ctx.note_weakened(tool.path)


_PUTTERS: dict[str, Callable[[Json, WebSearch, Context], None]] = {
    "openrouter": _put_openrouter,
    "browser_search": _put_browser_search,
}
