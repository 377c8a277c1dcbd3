"""The tools that read no variable for their URL, by what `fairlead setup` knows of them: why, and what helps."""

from router.cli.env.tools import BY_NAME as WITH_LINES
from router.cli.env.tools import Tool
from router.setup.table import TOOLS as KNOWN
from router.setup.tool import Tool as Known


def _describe(known: Known) -> Tool:
    return Tool(
        known.program or known.name,
        known.title,
        known.source,
        obstacle=known.obstacle or f"{known.title} reads no variable for its base URL.",
        remedy=known.remedy or (f"Its own settings can point here:   fairlead setup {known.name}",),
        other_names=(known.name, *known.other_names),
    )


TOOLS = tuple(_describe(one) for one in KNOWN if not WITH_LINES.keys() & {one.name, one.program})
BY_NAME = {name: tool for tool in TOOLS for name in (tool.name, *tool.other_names)}
