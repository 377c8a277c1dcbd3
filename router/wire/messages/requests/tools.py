"""Decodes and encodes the tools of a Messages request."""

from collections.abc import Iterator
from typing import cast

from router.errors import BadRequest
from router.ir import Choice, HostedTool, Request, Tool, WebSearch
from router.wire.messages.requests import hosted_tools
from router.wire.messages.requests.hosted_tools import SEARCH, is_search_forced
from router.wire.neutral.cache_marks import build_mark, read_lifetime
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import Claude
from router.wire.neutral.schemas import ANTHROPIC, INTEGER, STRING, build_object_schema, fit_schema
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.neutral.tool_forms.root_unions import find_union, wrap_schema
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

NAME_LIMIT = 128
#: How many strict tools a request may have.
STRICT_LIMIT = 20
TOOL_CHANGES = ("tool_addition", "tool_removal")
EMPTY: Json = {"type": "object", "properties": {}}
_READ = frozenset(
    (
        *("type", "name", "description", "input_schema", "strict", "cache_control"),
        *("eager_input_streaming", "input_examples", "defer_loading", "allowed_callers"),
    )
)
_BUILT_IN_FIELDS = frozenset(
    ("type", "name", "cache_control", "strict", "defer_loading", "allowed_callers", "eager_input_streaming")
)
# Claude Code declares it while tools are deferred; it cannot be called.
_PLACEHOLDER = "DeferredToolPlaceholder"
_MODES = {"auto": "auto", "any": "any", "none": "none", "tool": "tool"}


_BASH: Json = build_object_schema((), command=STRING, restart={"type": "boolean"})
_EDITOR: Json = build_object_schema(
    ("command", "path"),
    command={"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
    path=STRING,
    file_text=STRING,
    old_str=STRING,
    new_str=STRING,
    insert_line=INTEGER,
    view_range={"type": "array", "items": INTEGER},
)
_MEMORY: Json = build_object_schema(
    ("command",),
    command={"type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"]},
    path=STRING,
    file_text=STRING,
    old_str=STRING,
    new_str=STRING,
    insert_line=INTEGER,
    insert_text=STRING,
    old_path=STRING,
    new_path=STRING,
    view_range={"type": "array", "items": INTEGER},
)
# Tools that the caller runs, whose schemas the model was trained on: prefix of the type, description, schema.
BUILT_IN: tuple[tuple[str, str, Json], ...] = (
    ("bash_", "Run a command in a persistent bash session; restart starts a new one.", _BASH),
    ("text_editor_", "View, create and edit files.", _EDITOR),
    ("memory_", "Read and write files under /memories that outlive the conversation.", _MEMORY),
)


def decode_tools(data: Json, ctx: Context) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """The caller's tools, and those that the provider runs. Raises BadRequest for tools that only Anthropic can run,
    where the request cannot do without them."""
    found: dict[str, Tool | WebSearch] = {}
    entries = json_values.read_objects(data.get("tools"), "tools")
    for at, entry in enumerate(entries):
        forced = _is_forced(entry, data, alone=len(entries) == 1)
        tool = None if hosted_tools.is_toolset(entry) else _decode_tool(entry, f"tools[{at}]", ctx, forced=forced)
        name = tool.name if isinstance(tool, Tool) else str(entry.get("name"))
        if tool is not None and found.setdefault(name, tool) is not tool:
            raise BadRequest(f"tools[{at}].name: another tool is named '{name}'.")
    for change, path in _find_changes(data):
        _apply_change(change, found, path, ctx)
    searches = (tool for tool in found.values() if type(tool) is WebSearch)
    tools = tuple(tool for tool in found.values() if isinstance(tool, Tool))
    return tools, (*searches, *hosted_tools.decode_servers(data, ctx))


def _is_forced(entry: Json, data: Json, *, alone: bool) -> bool:
    """True when the request demands a call of the tool. alone: it is the only one."""
    choice = json_values.get_object(data, "tool_choice")
    return (alone and choice.get("type") == "any") or (
        choice.get("type") == "tool" and choice.get("name") == entry.get("name")
    )


def _find_changes(data: Json) -> Iterator[tuple[Json, str]]:
    """The blocks in system messages that add or remove tools, each with its path."""
    for at, message in enumerate(json_values.read_objects(data.get("messages"), "messages")):
        content = message.get("content")
        if message.get("role") != "system" or not isinstance(content, list):
            continue
        path = f"messages[{at}].content"
        for place, block in enumerate(json_values.read_objects(cast("list[object]", content), path)):
            if block.get("type") in TOOL_CHANGES:
                yield block, f"{path}[{place}]"


def _apply_change(change: Json, tools: dict[str, Tool | WebSearch], path: str, ctx: Context) -> None:
    """Apply one change. Other protocols have one list of tools per request: that at the end of the conversation."""
    named = json_values.require_object(change.get("tool"), f"{path}.tool")
    kind = named.get("type")
    if kind == "tool_definition" and change["type"] == "tool_addition":
        tool = _decode_tool(
            json_values.require_object(named.get("definition"), f"{path}.tool.definition"),
            f"{path}.tool.definition",
            ctx,
        )
        if tool is not None:
            tools[tool.name if isinstance(tool, Tool) else SEARCH] = tool
    elif kind == "tool_reference":
        name = json_values.require_text(named, "name", f"{path}.tool")
        if change["type"] == "tool_removal":
            tools.pop(name, None)
    else:
        raise ctx.refuse(f"{path}.tool", f"a change of type {kind!s} has no counterpart")
    ctx.note_weakened(path)


def _decode_tool(entry: Json, path: str, ctx: Context, *, forced: bool = False) -> Tool | WebSearch | None:
    kind = json_values.read_text(entry.get("type"), f"{path}.type") or "custom"
    if kind != "custom":
        built_in = _decode_built_in(kind, entry, path, ctx)
        return built_in or hosted_tools.decode_hosted(kind, entry, path, ctx, forced=forced)
    name = json_values.require_text(entry, "name", path)
    if name == _PLACEHOLDER and entry.get("defer_loading") is True:
        ctx.note_dropped(path)
        return None
    if not name.strip():
        raise BadRequest(f"{path}.name: it is blank.")
    for key in entry:
        if key not in _READ:
            ctx.note_dropped(f"{path}.{key}")
    callers = json_values.read_list(entry.get("allowed_callers"), f"{path}.allowed_callers")
    if callers and "direct" not in callers:
        ctx.note_dropped(path)
        return None
    if entry.get("defer_loading") is True:
        ctx.note_weakened(f"{path}.defer_loading")
    schema = json_values.read_object(entry.get("input_schema"), f"{path}.input_schema")
    description = json_values.read_text(entry.get("description"), f"{path}.description")
    examples = json_values.read_list(entry.get("input_examples"), f"{path}.input_examples")
    if examples:
        ctx.note_weakened(f"{path}.input_examples")
        description = f"{description}\n\nExamples: {json_values.encode_json(examples)}".strip()
    return Tool(
        name,
        schema if "type" in schema else {**EMPTY, **schema},
        description,
        json_values.read_bool(entry.get("strict"), f"{path}.strict"),
        read_lifetime(entry),
    )


def _decode_built_in(kind: str, entry: Json, path: str, ctx: Context) -> Tool | None:
    """A tool that the caller runs, and whose schema the model knows."""
    for prefix, about, schema in BUILT_IN:
        if kind.startswith(prefix):
            ctx.note_unread(entry, _BUILT_IN_FIELDS, f"{path}.")
            name = json_values.require_text(entry, "name", path)
            return Tool(name, schema, about, cache=read_lifetime(entry))
    return None


def decode_choice(data: Json) -> tuple[Choice | None, bool | None]:
    """The tool choice, and False when calls must come one at a time."""
    found = json_values.read_object(data.get("tool_choice"), "tool_choice")
    if not found:
        return None, None
    mode = _MODES.get(json_values.read_text(found.get("type"), "tool_choice.type"))
    if mode is None:
        raise BadRequest("tool_choice.type: expected auto, any, tool or none.")
    name = json_values.require_text(found, "name", "tool_choice") if mode == "tool" else ""
    path = "tool_choice.disable_parallel_tool_use"
    single = json_values.read_bool(found.get("disable_parallel_tool_use"), path)
    return Choice(mode, name), (False if single else None)  # pyright: ignore[reportArgumentType]


def encode_tools(request: Request, claude: Claude, ctx: Context) -> list[Json]:
    """The tools in the form of Messages."""
    tools: list[Json] = []
    strict = 0
    for at, tool in enumerate(request.tools):
        entry: Json = {"name": ctx.names.encode(tool.name, NAME_LIMIT)}
        if freeform_tools.has_grammar(tool):
            ctx.note_weakened(f"{ctx.tool_path(at)}.format")
        if description := freeform_tools.describe(tool):
            entry["description"] = description
        schema = _encode_schema(tool, at, ctx)
        fitted = _fit_strict(schema, at, claude, ctx) if tool.strict and strict < STRICT_LIMIT else None
        entry["input_schema"] = fitted or schema
        if fitted is not None:
            strict += 1
            entry["strict"] = True
        elif tool.strict:
            ctx.note_weakened(f"{ctx.tool_path(at)}.strict")
        if tool.cache:
            entry["cache_control"] = build_mark(tool.cache)
        tools.append(entry)
    return tools


def _encode_schema(tool: Tool, at: int, ctx: Context) -> Json:
    """The schema of a tool, an object at its root."""
    union = find_union(tool.schema)
    if not union:
        return tool.schema
    ctx.note_weakened(f"{ctx.tool_path(at)}.{ctx.caller_path('parameters')}.{union}")
    return wrap_schema(tool.schema)


def _fit_strict(schema: Json, at: int, claude: Claude, ctx: Context) -> Json | None:
    """The schema in the form that the model enforces, None where there is none."""
    if not claude.schemas:
        return None
    path = f"{ctx.tool_path(at)}.{ctx.caller_path('parameters')}"
    return fit_schema(schema, ANTHROPIC, lambda where: ctx.note_weakened(f"{path}.{where}"))


def encode_choice(request: Request, claude: Claude, ctx: Context) -> Json | None:
    """The tool choice in the form of Messages; None to leave it out."""
    chosen = Choice("tool", SEARCH) if is_search_forced(request.hosted) else request.choice
    if chosen is None and request.parallel is not False:
        return None
    chosen = chosen or Choice("auto")
    if claude.forced == "never" and chosen.mode in ("any", "tool"):
        ctx.note_weakened(ctx.caller_path("tool_choice"))
        chosen = Choice("auto")
    found: Json = {"type": chosen.mode}
    if chosen.mode == "tool":
        found["name"] = ctx.names.encode(chosen.name, NAME_LIMIT)
    if request.parallel is False and chosen.mode != "none":
        found["disable_parallel_tool_use"] = True
    return found
