"""Encodes the tools of a generateContent request, and the choice among them."""

from router.errors import BadRequest
from router.ir import Request, Tool
from router.wire.gemini.requests.schemas_out import fit_to_gemini
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms import freeform_tools
from router.wire.neutral.tool_forms.root_unions import find_union, wrap_schema
from router.wire.raw.json.json_values import Json

_MODES = {"auto": "AUTO", "any": "ANY", "tool": "ANY", "none": "NONE"}


def find_unfit_tools(request: Request) -> frozenset[str]:
    """The names of the tools whose arguments are not said to be an object. They are wrapped into one: a function of
    Gemini takes nothing else, and unions it takes inside."""
    return frozenset(tool.name for tool in request.tools if tool.schema.get("type") != "object")


def encode_name(name: str, ctx: Context) -> str:
    """A tool's name as Gemini takes it: it begins with a letter or an underscore."""
    return ctx.names.encode(name, ctx.profile.name_limit, word=True)


def encode_tools(request: Request, ctx: Context) -> list[Json]:
    """All functions in one entry; [] for none, where the field must be left out."""
    if not request.tools:
        return []
    return [{"functionDeclarations": [_encode_tool(tool, at, ctx) for at, tool in enumerate(request.tools)]}]


def _encode_tool(tool: Tool, at: int, ctx: Context) -> Json:
    entry: Json = {"name": encode_name(tool.name, ctx)}
    if freeform_tools.has_grammar(tool):
        ctx.note_weakened(f"tools[{at}].format")
    if description := freeform_tools.describe(tool):
        entry["description"] = description
    path = f"tools[{at}].{ctx.caller_path('parameters')}"
    schema = tool.schema
    if tool.name in ctx.union_tools:
        ctx.note_weakened(f"{path}.{find_union(schema) or 'type'}")
        schema = wrap_schema(schema)
    entry["parametersJsonSchema"] = fit_to_gemini(schema, lambda where: ctx.note_weakened(f"{path}.{where}"))
    return entry


def encode_choice(request: Request, ctx: Context) -> Json:
    """The value of `functionCallingConfig`; {} to leave it out. Raises BadRequest for a tool that is not there, and
    where a call cannot be forced."""
    choice, profile = request.choice, ctx.profile
    mode = "auto" if choice is None else choice.mode
    strict = [f"tools[{at}].strict" for at, tool in enumerate(request.tools) if tool.strict]
    if strict and mode == "auto" and profile.strict_tools:
        # Calls then follow their schemas, those of the other tools as well.
        return {"mode": "VALIDATED"}
    for path in strict:
        ctx.note_weakened(path)
    if choice is None:
        return {}
    if mode in ("any", "tool") and not profile.forced_choice:
        raise ctx.refuse("tool_choice", "a call of a tool cannot be forced there")
    found: Json = {"mode": _MODES[mode]}
    if mode == "tool":
        if not any(tool.name == choice.name for tool in request.tools):
            raise BadRequest(f"tool_choice.name: no tool is named '{choice.name}'.")
        if profile.named_choice:
            found["allowedFunctionNames"] = [encode_name(choice.name, ctx)]
        elif len(request.tools) > 1:
            raise ctx.refuse("tool_choice", "a certain tool cannot be forced there")
    return found
