"""Tools that OpenAI runs itself: web search, and MCP servers that are called without asking the caller."""

from router.backends.profile import Profile
from router.ir import HostedTool, McpServer, WebSearch
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

SEARCHES = ("web_search", "web_search_preview")
#: The forms of the search that a request of Responses can have (Profile.search_tool).
FORMS = ("responses", "xai")
_PLACE = ("city", "region", "country", "timezone")
_SEARCH_FIELDS = frozenset(("type", "search_context_size", "filters", "user_location"))
_MCP_FIELDS = frozenset(
    (
        *("type", "server_label", "server_url", "authorization", "headers", "allowed_tools", "require_approval"),
        *("connector_id", "tunnel_id"),
    )
)
_BEARER = "bearer "


def can_search(profile: Profile) -> bool:
    """True where the backend is sent a web search."""
    return profile.search_tool in FORMS


def is_search(kind: str) -> bool:
    """True for the type of a web search, which may have a date."""
    return kind.startswith(SEARCHES)


def decode_search(entry: Json, path: str, ctx: Context) -> WebSearch:
    """A web search."""
    ctx.note_unread(entry, _SEARCH_FIELDS, f"{path}.")
    filters = json_values.read_object(entry.get("filters"), f"{path}.filters")
    ctx.note_unread(filters, frozenset(("allowed_domains", "blocked_domains")), f"{path}.filters.")
    where = f"{path}.user_location"
    user = json_values.read_object(entry.get("user_location"), where)
    ctx.note_unread(user, frozenset(("type", *_PLACE)), f"{where}.")
    location = {name: json_values.read_text(user.get(name), f"{where}.{name}") for name in _PLACE}
    return WebSearch(
        path,
        context_size=json_values.read_text(entry.get("search_context_size"), f"{path}.search_context_size"),
        allowed=json_values.read_texts(filters.get("allowed_domains"), f"{path}.filters.allowed_domains"),
        blocked=json_values.read_texts(filters.get("blocked_domains"), f"{path}.filters.blocked_domains"),
        location={name: said for name, said in location.items() if said},
    )


def decode_server(entry: Json, path: str, ctx: Context) -> McpServer:
    """An MCP server. Raises BadRequest for one that only OpenAI reaches, and for one whose calls are to be approved."""
    ctx.note_unread(entry, _MCP_FIELDS, f"{path}.")
    for name in ("connector_id", "tunnel_id"):
        if entry.get(name):
            raise ctx.refuse(f"{path}.{name}", "connectors and tunnels are known at OpenAI only")
    if entry.get("require_approval") != "never":
        raise ctx.refuse(f"{path}.require_approval", "calls of MCP servers cannot be approved there (say never)")
    return McpServer(
        path,
        json_values.require_text(entry, "server_label", path),
        json_values.require_text(entry, "server_url", path),
        token=_read_token(entry, path, ctx),
        allowed=_read_allowed(entry.get("allowed_tools"), f"{path}.allowed_tools", ctx),
    )


def _read_token(entry: Json, path: str, ctx: Context) -> str:
    token = json_values.read_text(entry.get("authorization"), f"{path}.authorization")
    for name, value in json_values.read_object(entry.get("headers"), f"{path}.headers").items():
        said = json_values.read_text(value, f"{path}.headers.{name}")
        if name.lower() != "authorization" or not said.lower().startswith(_BEARER):
            raise ctx.refuse(f"{path}.headers", "only a bearer token can be sent to MCP servers")
        token = token or said[len(_BEARER) :].strip()
    return token


def _read_allowed(found: object, path: str, ctx: Context) -> tuple[str, ...] | None:
    if found is None:
        return None
    if isinstance(found, list):
        return json_values.read_texts(found, path)  # pyright: ignore[reportUnknownArgumentType]
    chosen = json_values.require_object(found, path)
    if chosen.get("read_only") is not None:
        raise ctx.refuse(f"{path}.read_only", "which tools only read is not known there")
    names = chosen.get("tool_names")
    return None if names is None else json_values.read_texts(names, f"{path}.tool_names")


def encode_hosted(tool: HostedTool, ctx: Context, *, alone: bool) -> tuple[Json, Json]:
    """A tool in the form of Responses, and the fields of the request that go with it. alone: it is the only one."""
    if type(tool) is McpServer:
        server: Json = {"type": "mcp", "server_label": tool.name, "server_url": tool.url, "require_approval": "never"}
        if tool.token:
            server["authorization"] = tool.token
        if tool.allowed is not None:
            server["allowed_tools"] = list(tool.allowed)
        return server, {}
    return _encode_search(tool, ctx, alone=alone)


def _encode_search(tool: WebSearch, ctx: Context, *, alone: bool) -> tuple[Json, Json]:
    """A search. xAI takes domains to leave out, and neither a place nor a size
    (https://docs.x.ai/docs/guides/tools/search-tools)."""
    ctx.searching = True
    xai = ctx.profile.search_tool == "xai"
    entry: Json = {"type": "web_search"}
    beside: Json = {"tool_choice": {"type": "web_search"}} if tool.forced else {}
    if tool.forced and xai:
        beside["tool_choice"] = "required"
    if tool.context_size and xai:
        ctx.note_dropped(f"{tool.path}.search_context_size")
    elif tool.context_size:
        entry["search_context_size"] = tool.context_size
    if tool.allowed:
        entry["filters"] = {"allowed_domains": list(tool.allowed)}
    if tool.blocked and xai and not tool.allowed:
        entry["filters"] = {"excluded_domains": list(tool.blocked)}
    elif tool.blocked:
        ctx.note_dropped(f"{tool.path}.blocked_domains")
    if tool.location and xai:
        ctx.note_dropped(f"{tool.path}.user_location")
    elif tool.location:
        entry["user_location"] = {"type": "approximate", **tool.location}
    if tool.max_uses and alone:
        beside["max_tool_calls"] = tool.max_uses
    elif tool.max_uses:
        ctx.note_dropped(f"{tool.path}.max_uses")
    return entry, beside
