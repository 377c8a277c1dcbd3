"""The tools and resources as hosts list them, made from the forms of questions and answers. `listing` holds the result
as data (`python packaging/mcp_tools.py` writes it), since each start of each agent waits for it."""

from typing import Any, NamedTuple, cast

import msgspec

from router.mcp import answers, inputs


class Tool(NamedTuple):
    """One tool."""

    #: What it answers, for the model that may call it.
    about: str
    asked: type[msgspec.Struct]
    answer: type[msgspec.Struct]


#: By name, in the order in which they are listed.
TOOLS = {
    "status": Tool(
        "Whether the router runs and can serve: backends, budget halts, requests per minute, cost today, problems.",
        inputs.Nothing,
        answers.Status,
    ),
    "models": Tool("Models that can be reached now, with backend and context window.", inputs.Models, answers.Models),
    "explain": Tool(
        "Dry run: where a request for a model would go, by which rule and account, and what would be changed or lost "
        "on the way. Nothing is sent.",
        inputs.Explain,
        answers.Explanation,
    ),
    "why": Tool(
        "What happened to one recorded request: attempts, waits, times beside the usual ones of the model, tokens, "
        "cost, error and what the user can do about it. The latest is most likely the turn that led to this call; "
        "`requests` lists those before it.",
        inputs.Why,
        answers.Request,
    ),
    "requests": Tool("The newest recorded requests, without their bodies.", inputs.Requests, answers.Requests),
    "usage": Tool(
        "Sums of a period: requests, errors, tokens, cost and latency by model, account, client, tag or backend.",
        inputs.Usage,
        answers.Usage,
    ),
    "limits": Tool(
        "Accounts with their state, what is left of each limit, and which one serves next.",
        inputs.Nothing,
        answers.Limits,
    ),
    "doctor": Tool(
        "Checks of the installation, the configuration, this machine's tools and the backends, with what the user can "
        "do; takes some seconds.",
        inputs.Doctor,
        answers.Checks,
    ),
    "config": Tool(
        "Effective settings with their sources; secrets are shown as set or unset.", inputs.Config, answers.Config
    ),
}
_HINTS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}

_JSON = "application/json"
#: URI -> the tool that answers it, and its arguments.
RESOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "fairlead://status": ("status", {}),
    "fairlead://usage/24h": ("usage", {"since": "24h"}),
    "fairlead://doctor": ("doctor", {}),
}
#: The beginning of the URI of a request.
REQUEST_URI = "fairlead://request/"
_ABOUT = {
    "fairlead://status": ("status", "What the router reports about itself"),
    "fairlead://usage/24h": ("usage", "Requests, tokens and cost of the last 24 hours"),
    "fairlead://doctor": ("doctor", "What checks of the installation found"),
}


def build_listing() -> dict[str, list[dict[str, Any]]]:
    """The tools, the resources and the templates of resources as hosts list them."""
    tools = [
        {
            "name": name,
            "description": tool.about,
            "inputSchema": build_schema(tool.asked),
            "outputSchema": build_schema(tool.answer, answer=True),
            "annotations": _HINTS,
        }
        for name, tool in TOOLS.items()
    ]
    resources = [
        {"uri": uri, "name": name, "description": about, "mimeType": _JSON} for uri, (name, about) in _ABOUT.items()
    ]
    template = {
        "uriTemplate": f"{REQUEST_URI}{{id}}",
        "name": "request",
        "description": "What happened to one recorded request",
        "mimeType": _JSON,
    }
    return {"TOOLS": tools, "RESOURCES": resources, "TEMPLATES": [template]}


def build_schema(form: type[msgspec.Struct], *, answer: bool = False) -> dict[str, Any]:
    """The JSON Schema of a form, in one piece: some hosts do not follow references. Nothing but what it names may be
    there; titles and the words of forms, which repeat the names, are left out. answer: all fields are there, so that
    defaults say nothing."""
    [schema], parts = msgspec.json.schema_components([form], ref_template="{name}")
    return cast("dict[str, Any]", _resolve(schema, parts, answer))


def _resolve(node: Any, parts: dict[str, Any], answer: bool) -> Any:
    if isinstance(node, list):
        return [_resolve(one, parts, answer) for one in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    fields = cast("dict[str, Any]", node)
    if "$ref" in fields:
        return _resolve(parts[fields["$ref"]], parts, answer)
    if fields.get("type") == "object":
        return _resolve_object(fields, parts, answer)
    found = {name: _resolve(one, parts, answer) for name, one in fields.items() if not (answer and name == "default")}
    kinds = found.get("anyOf")
    if kinds and all(list(one) == ["type"] for one in kinds):
        found = {"type": [one["type"] for one in kinds]}
    return found


def _resolve_object(fields: dict[str, Any], parts: dict[str, Any], answer: bool) -> dict[str, Any]:
    if "properties" not in fields:
        return {
            "type": "object",
            "additionalProperties": _resolve(fields.get("additionalProperties", False), parts, answer),
        }
    properties = {name: _resolve(one, parts, answer) for name, one in fields["properties"].items()}
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [*properties] if answer else fields.get("required", [])
    return {**found, "required": required} if required else found
