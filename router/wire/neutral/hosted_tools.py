"""Tools that a provider runs itself, towards a backend that lacks them."""

from collections.abc import Iterable

from router.ir import HostedTool, WebSearch
from router.wire.neutral.context import Context


def leave_out(hosted: Iterable[HostedTool], ctx: Context) -> None:
    """Note the tools as dropped. Raises BadRequest for a search that must be made, and for MCP servers, whose tools an
    agent cannot do without."""
    for tool in hosted:
        if not isinstance(tool, WebSearch):
            raise ctx.refuse(tool.path, "the backend does not call the tools of MCP servers")
        if tool.forced:
            raise ctx.refuse(tool.path, "the backend does not search the web")
        ctx.note_dropped(tool.path)
