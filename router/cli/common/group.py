"""Run a command of a group of commands, such as `fairlead backend add`."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from router.cli.common.layout import find_width, format_listing
from router.cli.common.parser import find_nearest
from router.errors import UsageError

# Name -> "module:function" and the line of the overview.
Commands = Mapping[str, tuple[str, str]]


def run_group(group: str, commands: Commands, argv: Sequence[str], *, examples: Sequence[str]) -> int:
    """Run the command that the first argument names; without one print the overview. Raises UsageError."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_format_overview(group, commands, examples))
        return 0 if argv else 2
    name = argv[0]
    if name not in commands:
        near = find_nearest(name, commands)
        hint = f"Did you mean:   fairlead {group} {near}" if near else f"See:   fairlead {group} --help"
        raise UsageError(f"unknown command: {group} {name}", hint)
    module, _, function = commands[name][0].partition(":")
    return getattr(import_module(module), function)([*argv[1:]])


def _format_overview(group: str, commands: Commands, examples: Sequence[str]) -> str:
    lines = [f"usage: fairlead {group} COMMAND …", ""]
    size = max(8, *map(len, commands))
    lines += format_listing([(name, about) for name, (_, about) in commands.items()], find_width(), size)
    lines += ["", "examples:", *(f"  {example}" for example in examples)]
    return "\n".join(lines)
