"""Tools that a provider runs itself, towards a backend that lacks them."""

from collections.abc import Iterable

from router.ir import HostedTool, WebSearch
from router.wire.neutral.context import Context

#: Why a search that must be made is refused.
NO_WEB_SEARCH = "the backend does not search the web"


def is_wanted(tool: HostedTool, ctx: Context) -> bool:
    """False for a web search that the request only offers, where the user has not allowed those: each costs money."""
    return type(tool) is not WebSearch or tool.forced or ctx.profile.offered_search


def leave_out(hosted: Iterable[HostedTool], ctx: Context) -> None:
    """Note the tools as dropped. Raises BadRequest for a search that must be made, and for MCP servers, whose tools an
    agent cannot do without."""
    for tool in hosted:
        if type(tool) is not WebSearch:
            raise ctx.refuse(tool.path, "the backend does not call the tools of MCP servers")
        if tool.forced:
            raise ctx.refuse(tool.path, NO_WEB_SEARCH)
        ctx.note_dropped(tool.path)
