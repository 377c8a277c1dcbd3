"""A command line as far as it is typed: which command it names, and what would stand at the cursor."""

from __future__ import annotations

from router.cli.completions.tables.commands import COMMANDS, GROUPS

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.cli.completions.rows import Command, Kind, Option


class Place:
    """What may stand at the cursor."""

    def __init__(
        self,
        *,
        group: str | None = None,
        name: str = "",
        kind: Kind = "",
        prefix: str = "",
        options: Sequence[Option] = (),
        arguments: Sequence[str] = (),
    ):
        #: The part of a command's name that is typed: '' for the first word, a group for the second.
        self.group = group
        #: The command, '' while its name is typed.
        self.name = name
        #: The kind of the value.
        self.kind = kind
        #: What stands before the value in the same word: `--port=`.
        self.prefix = prefix
        #: The options that may be given now.
        self.options = options
        #: The arguments without a name that stand before.
        self.arguments = arguments


def find_place(before: Sequence[str], current: str) -> Place:
    """before: the words after the program's name and before the cursor's. current: the beginning of that word."""
    words = list(before)
    helping = words[:1] == ["help"]
    if helping:
        words.pop(0)
    if not words:
        return Place(group="")
    name = words.pop(0)
    if name in GROUPS:
        own = COMMANDS.get(name)
        if not words and own is not None and not helping:
            # A command by itself too: what it takes stands beside the names of those below it.
            inside = _find_inside(name, own, words, current)
            inside.group = None if current.startswith("-") else name
            return inside
        if not words or (len(words) == 1 and words[0] == "help"):
            return Place(group=name)
        if own is None or f"{name} {words[0]}" in COMMANDS:
            name = f"{name} {words.pop(0)}"
    command = COMMANDS.get(name)
    if command is None or helping:
        return Place()
    return _find_inside(name, command, words, current)


def _find_inside(name: str, command: Command, words: Sequence[str], current: str) -> Place:
    known = {spelling: option for option in command.options for spelling in option.names}
    used: set[Option] = set()
    arguments: list[str] = []
    waiting: Option | None = None
    ended = False
    for word in words:
        option = None if ended else known.get(word.partition("=")[0])
        if waiting is not None and option is None:
            waiting = None
        elif word == "--" and not ended:
            ended, waiting = True, None
        elif option is not None:
            used.add(option)
            waiting = option if option.kind is not None and "=" not in word else None
        elif ended or not word.startswith("-"):
            arguments.append(word)
    left = [option for option in command.options if option.again or option not in used]
    if not ended and current.startswith("--") and "=" in current:
        spelling = current.partition("=")[0]
        found = known.get(spelling)
        kind = found.kind if found is not None else None
        return Place(name=name, kind=kind or "", prefix=f"{spelling}=", arguments=arguments)
    if not ended and current.startswith("-"):
        return Place(name=name, options=left)
    if waiting is not None:
        return Place(name=name, kind=waiting.kind or "", arguments=arguments)
    if len(arguments) < len(command.arguments):
        return Place(name=name, kind=command.arguments[len(arguments)], arguments=arguments)
    return Place(name=name, options=() if ended else left)
