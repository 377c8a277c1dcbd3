"""`fairlead mcp`: serve the Model Context Protocol over standard input and output, for the agent that started it.

Each start of an agent waits for it, so that the parser of arguments and the tools are loaded only when they are needed.
"""

import os
from typing import TYPE_CHECKING

from router.mcp.serve import Tools, serve
from router.mcp.stdio import take_pipe

if TYPE_CHECKING:
    from router.cli.common.parser import Parser

_HOSTS = """\
`fairlead mcp` is started by an agent, not typed: it speaks a protocol over a pipe.
Register it once, then restart the agent:
  Claude Code    claude mcp add --scope user fairlead -- fairlead mcp
  Codex          fairlead setup codex --mcp
  opencode, Gemini CLI, Qwen Code, Copilot, VS Code    the same by their names
  others         command "fairlead", argument "mcp", transport stdio"""


def build_parser() -> "Parser":
    """The parser of its arguments: there are none."""
    from router.cli.common.parser import Parser

    return Parser(
        "mcp",
        "Serve the Model Context Protocol over standard input and output, so that an agent can ask about this router: "
        "status, models, routes, requests, usage, limits, checks, settings. Nothing can be changed through it, and it "
        "gives out no prompts, answers or keys. The agent starts it and ends it; it never starts a proxy.",
        examples=["claude mcp add --scope user fairlead -- fairlead mcp", "codex mcp add fairlead -- fairlead mcp"],
    )


def run(argv: list[str]) -> int:
    """Serve until the agent closes its end; exit code 2 on a terminal, with the commands that register it."""
    if argv:
        build_parser().read(argv)
    if os.isatty(0):
        from router.cli.common.layout import say

        say(_HOSTS)
        return 2
    serve(take_pipe(), _load)
    return 0


def _load() -> Tools:
    from router.cli.mcp.tools import HomeTools

    return HomeTools(os.environ)
