"""Tools that Anthropic runs itself: web search, and MCP servers. Others it runs have no counterpart anywhere."""

from collections.abc import Collection

from router.backends.profile import Profile
from router.errors import BadRequest
from router.ir import HostedTool, McpServer, WebSearch
from router.wire.neutral.context import Context
from router.wire.neutral.tool_forms.hosted_tools import is_wanted, leave_out
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: The beta that mcp_servers and mcp_toolset belong to.
MCP_BETA = "mcp-client-2025-11-20"
#: The name of the search.
SEARCH = "web_search"
_SEARCH_TYPE = "web_search_20250305"
_TOOLSET = "mcp_toolset"
_PLACE = ("city", "region", "country", "timezone")
# Tools that a program of the caller's runs, but whose form only Anthropic's models know.
_CALLERS_OWN = ("computer_", "browser_")
_SEARCH_FIELDS = frozenset(
    (
        *("type", "name", "allowed_domains", "blocked_domains", "user_location", "max_uses", "cache_control"),
        *("allowed_callers", "defer_loading", "strict"),
    )
)
_SERVER_FIELDS = frozenset(("type", "name", "url", "authorization_token", "tool_configuration"))
_TOOLSET_FIELDS = frozenset(("type", "mcp_server_name", "default_config", "configs", "cache_control"))


def is_toolset(entry: Json) -> bool:
    """True for the entry of tools that offers those of an MCP server."""
    return entry.get("type") == _TOOLSET


def decode_hosted(kind: str, entry: Json, path: str, ctx: Context, *, forced: bool) -> WebSearch | None:
    """A tool of a type that Anthropic runs. One that has no counterpart is noted as dropped: it is an offer, which the
    model may do without. Raises BadRequest where it must be called, and for tools that an agent consists of."""
    if kind.startswith(_CALLERS_OWN):
        raise ctx.refuse(path, f"the tool {kind} is known to Anthropic's models only")
    if kind.startswith(f"{SEARCH}_"):
        return _decode_search(entry, path, ctx, forced=forced)
    if forced:
        raise ctx.refuse(path, f"the tool {kind} runs at Anthropic only")
    ctx.note_dropped(path)
    return None


def _decode_search(entry: Json, path: str, ctx: Context, *, forced: bool) -> WebSearch:
    ctx.note_unread(entry, _SEARCH_FIELDS, f"{path}.")
    return read_search(entry, path, forced=forced)


def read_search(entry: Json, path: str, *, forced: bool) -> WebSearch:
    """The web search of an entry of tools. Raises BadRequest."""
    where = f"{path}.user_location"
    user = json_values.read_object(entry.get("user_location"), where)
    location = {name: json_values.read_text(user.get(name), f"{where}.{name}") for name in _PLACE}
    return WebSearch(
        path,
        allowed=json_values.read_texts(entry.get("allowed_domains"), f"{path}.allowed_domains"),
        blocked=json_values.read_texts(entry.get("blocked_domains"), f"{path}.blocked_domains"),
        location={name: said for name, said in location.items() if said},
        max_uses=json_values.read_integer(entry.get("max_uses"), f"{path}.max_uses") or 0,
        forced=forced,
    )


def decode_servers(data: Json, ctx: Context) -> tuple[McpServer, ...]:
    """The MCP servers of a request, with the tools that their toolsets offer. Raises BadRequest."""
    sets: dict[str, tuple[Json, str]] = {}
    for at, entry in enumerate(json_values.read_objects(data.get("tools"), "tools")):
        if is_toolset(entry):
            path = f"tools[{at}]"
            ctx.note_unread(entry, _TOOLSET_FIELDS, f"{path}.")
            sets[json_values.require_text(entry, "mcp_server_name", path)] = (entry, path)
    servers: list[McpServer] = []
    for at, entry in enumerate(json_values.read_objects(data.get("mcp_servers"), "mcp_servers")):
        path = f"mcp_servers[{at}]"
        ctx.note_unread(entry, _SERVER_FIELDS, f"{path}.")
        name = json_values.require_text(entry, "name", path)
        offered, where = sets.pop(name, (None, path))
        allowed = _read_toolset(offered, where, ctx) if offered is not None else _read_configuration(entry, path)
        if allowed == ():
            # All of its tools are switched off.
            continue
        token = json_values.read_text(entry.get("authorization_token"), f"{path}.authorization_token")
        servers.append(McpServer(path, name, json_values.require_text(entry, "url", path), token, allowed))
    for name, (_, path) in sets.items():
        raise BadRequest(f"{path}.mcp_server_name: no MCP server is named '{name}'.")
    return tuple(servers)


def _read_configuration(server: Json, path: str) -> tuple[str, ...] | None:
    """The tools that a server offers without a toolset, as in the first form of the API; None for all."""
    where = f"{path}.tool_configuration"
    found = json_values.read_object(server.get("tool_configuration"), where)
    if found.get("enabled") is False:
        return ()
    allowed = found.get("allowed_tools")
    return None if allowed is None else json_values.read_texts(allowed, f"{where}.allowed_tools")


def _read_toolset(entry: Json, path: str, ctx: Context) -> tuple[str, ...] | None:
    """The tools that a toolset offers; None for all."""
    configs = json_values.read_object(entry.get("configs"), f"{path}.configs")
    default = json_values.read_object(entry.get("default_config"), f"{path}.default_config")
    states = {
        name: json_values.read_object(one, f"{path}.configs.{name}").get("enabled") for name, one in configs.items()
    }
    if default.get("enabled") is False:
        return tuple(name for name, enabled in states.items() if enabled is True)
    if False in states.values():
        raise ctx.refuse(f"{path}.configs", "single tools of an MCP server cannot be switched off, only chosen")
    return None


def can_search(profile: Profile) -> bool:
    """True where the backend is sent a web search."""
    return SEARCH in profile.hosted


def select_hosted(hosted: tuple[HostedTool, ...], taken: Collection[object], ctx: Context) -> tuple[HostedTool, ...]:
    """The tools that the backend runs; others are left out. Raises BadRequest for one that the request needs.

    taken: the names of the caller's own tools, which the search cannot share.
    """
    runs = ctx.profile.hosted
    kept: list[HostedTool] = []
    for tool in hosted:
        runnable = SEARCH in runs and SEARCH not in taken if type(tool) is WebSearch else "mcp" in runs
        if runnable and is_wanted(tool, ctx):
            kept.append(tool)
        else:
            leave_out((tool,), ctx)
    return tuple(kept)


def is_search_forced(hosted: tuple[HostedTool, ...]) -> bool:
    """True when a search must be made."""
    return any(type(tool) is WebSearch and tool.forced for tool in hosted)


def encode_hosted(hosted: tuple[HostedTool, ...], ctx: Context) -> tuple[list[Json], list[Json]]:
    """The entries of tools and of mcp_servers for a backend that runs them."""
    tools: list[Json] = []
    servers: list[Json] = []
    for tool in hosted:
        if type(tool) is WebSearch:
            tools.append(_encode_search(tool, ctx))
            continue
        server: Json = {"type": "url", "name": tool.name, "url": tool.url}
        if tool.token:
            server["authorization_token"] = tool.token
        servers.append(server)
        offered: Json = {"type": _TOOLSET, "mcp_server_name": tool.name}
        if tool.allowed is not None:
            offered |= {
                "default_config": {"enabled": False},
                "configs": {name: {"enabled": True} for name in tool.allowed},
            }
        tools.append(offered)
    return tools, servers


def _encode_search(tool: WebSearch, ctx: Context) -> Json:
    ctx.searching = True
    entry: Json = {"type": _SEARCH_TYPE, "name": SEARCH}
    if tool.context_size:
        ctx.note_dropped(f"{tool.path}.search_context_size")
    if tool.allowed:
        entry["allowed_domains"] = list(tool.allowed)
    if tool.blocked and tool.allowed:
        # Only one of both is taken; what is allowed excludes the rest.
        ctx.note_dropped(f"{tool.path}.blocked_domains")
    elif tool.blocked:
        entry["blocked_domains"] = list(tool.blocked)
    if tool.location:
        entry["user_location"] = {"type": "approximate", **tool.location}
    if tool.max_uses:
        entry["max_uses"] = tool.max_uses
    return entry
