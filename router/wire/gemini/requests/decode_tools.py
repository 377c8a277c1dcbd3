"""Decodes the tools of a Gemini request, and which of them may or must be called."""

import msgspec

from router.errors import BadRequest
from router.ir import Choice, Tool, WebSearch
from router.wire.gemini import names
from router.wire.gemini.requests.schemas_in import (
    EMPTY,
    complete_arguments,
    convert_json_schema,
    convert_proto_schema,
)
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_DECLARATIONS = "functionDeclarations"
_READ_OF_ENTRY = names.both(_DECLARATIONS)
_SEARCHES = names.both("googleSearch", "googleSearchRetrieval")
_READ_OF_SEARCH = names.both("excludeDomains")
_READ_OF_FUNCTION = names.both("name", "description", "parameters", "parametersJsonSchema")
_READ_OF_CONFIG = names.both("functionCallingConfig")
_READ_OF_CALLING = names.both("mode", "allowedFunctionNames")
_MODES = ("AUTO", "ANY", "NONE", "VALIDATED")


def decode_tools(data: Json, ctx: Context) -> tuple[dict[str, Tool], tuple[WebSearch, ...]]:
    """The functions of all entries, each by its path, and the web search. Raises BadRequest for other tools that Google
    runs itself."""
    found: dict[str, Tool] = {}
    searches: list[WebSearch] = []
    taken: set[str] = set()
    for at, entry in enumerate(json_values.read_objects(data.get("tools"), "tools")):
        searches += _decode_searches(entry, f"tools[{at}]", ctx)
        path = f"tools[{at}].{names.spell(entry, _DECLARATIONS)}"
        for place, form in enumerate(json_values.read_objects(names.get(entry, _DECLARATIONS), path)):
            tool = _decode_function(form, f"{path}[{place}]", ctx)
            if tool.name in taken:
                raise BadRequest(f"{path}[{place}].name: another function is named '{tool.name}'.")
            taken.add(tool.name)
            found[f"{path}[{place}]"] = tool
    # Alone it is what the request is for: Gemini CLI asks so. Beside functions it is an offer.
    return found, tuple(msgspec.structs.replace(one, forced=not found) for one in searches[:1])


def _decode_searches(entry: Json, path: str, ctx: Context) -> list[WebSearch]:
    """The web search of an entry, in the newer or the older form."""
    found: list[WebSearch] = []
    for key, value in entry.items():
        if value is None or key in _READ_OF_ENTRY:
            continue
        where = f"{path}.{key[:40]}"
        if key not in _SEARCHES:
            raise ctx.refuse(where, "the tool runs at Google, in a Gemini backend only")
        form = json_values.require_object(value, where)
        ctx.note_unread(form, _READ_OF_SEARCH, f"{where}.")
        blocked = json_values.read_texts(names.get(form, "excludeDomains"), f"{where}.excludeDomains")
        found.append(WebSearch(where, blocked=blocked))
    return found


def _decode_function(form: Json, path: str, ctx: Context) -> Tool:
    ctx.note_unread(form, _READ_OF_FUNCTION, f"{path}.")
    name = json_values.require_text(form, "name", path)
    if not name.strip():
        raise BadRequest(f"{path}.name: it is blank.")
    description = json_values.read_text(form.get("description"), f"{path}.description")
    return Tool(name, _decode_schema(form, path), description)


def _decode_schema(form: Json, path: str) -> Json:
    given = names.get(form, "parametersJsonSchema")
    if given is not None:
        where = f"{path}.{names.spell(form, 'parametersJsonSchema')}"
        return complete_arguments(convert_json_schema(json_values.require_object(given, where)))
    if form.get("parameters") is None:
        return EMPTY
    return complete_arguments(
        convert_proto_schema(json_values.require_object(form["parameters"], f"{path}.parameters"))
    )


def decode_choice(data: Json, declared: dict[str, Tool], ctx: Context) -> tuple[Choice | None, tuple[Tool, ...]]:
    """The tool choice, and the tools that it leaves. declared: the tools by their paths."""
    tools = tuple(declared.values())
    top = names.spell(data, "toolConfig")
    config = json_values.read_object(data.get(top), top)
    ctx.note_unread(config, _READ_OF_CONFIG, f"{top}.")
    path = ctx.paths["tool_choice"] = f"{top}.{names.spell(config, 'functionCallingConfig')}"
    form = json_values.read_object(names.get(config, "functionCallingConfig"), path)
    ctx.note_unread(form, _READ_OF_CALLING, f"{path}.")
    mode = names.read_enum(form, "mode", f"{path}.").removeprefix("MODE_UNSPECIFIED")
    if mode and mode not in _MODES:
        raise BadRequest(f"{path}.mode: expected one of {', '.join(_MODES)}.")
    field = names.spell(form, "allowedFunctionNames")
    allowed = json_values.read_texts(form.get(field), f"{path}.{field}")
    if not tools:
        return None, tools
    if allowed and mode in ("ANY", "VALIDATED"):
        choice, tools = _choose_among(tools, allowed, mode, f"{path}.{field}", ctx)
    elif allowed:
        ctx.note_dropped(f"{path}.{field}")
        choice = Choice("none") if mode == "NONE" else None
    else:
        choice = {"ANY": Choice("any"), "NONE": Choice("none")}.get(mode)
    if mode == "VALIDATED":
        ctx.note_weakened(f"{path}.mode")
        tools = tuple(msgspec.structs.replace(tool, strict=True) for tool in tools)
    left = {tool.name for tool in tools}
    ctx.tool_paths = tuple(path for path, tool in declared.items() if tool.name in left)
    return choice, tools


def _choose_among(
    tools: tuple[Tool, ...], allowed: tuple[str, ...], mode: str, path: str, ctx: Context
) -> tuple[Choice | None, tuple[Tool, ...]]:
    """The choice among some functions by name. Several are chosen by sending no others."""
    wanted, known = set(allowed), {tool.name for tool in tools}
    for name in allowed:
        if name not in known:
            raise BadRequest(f"{path}: no function is named '{name}'.")
    if mode == "ANY" and len(wanted) == 1:
        return Choice("tool", allowed[0]), tools
    left = tuple(tool for tool in tools if tool.name in wanted)
    if len(left) < len(tools):
        ctx.note_weakened(path)
    return Choice("any") if mode == "ANY" else None, left
