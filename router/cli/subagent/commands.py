"""`fairlead subagent`: the file of a sub-agent that answers questions about the router, or a skill."""

from router.cli.common.group import run_group

_COMMANDS = {
    "install": ("router.cli.subagent.install:run", "write the sub-agent's file, or the skill"),
    "remove": ("router.cli.subagent.remove:run", "take it back"),
    "status": ("router.cli.subagent.status:run", "show which hosts have it, and of which version"),
}
_EXAMPLES = ("fairlead subagent install", "fairlead subagent install --tool codex", "fairlead subagent status")


def run(argv: list[str]) -> int:
    """Run one of the commands."""
    return run_group("subagent", _COMMANDS, argv, examples=_EXAMPLES)
