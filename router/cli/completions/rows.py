"""The rows of the tables, and what completion passes around.

A kind is the name of a function of kinds.py that lists values, or the values themselves; '' is a value that nothing is
known of, None for an option is that it takes no value. The files of this folder but command.py do without `typing` and
`collections`, which would take half of the time that a TAB may cost: hence plain classes.
"""

from __future__ import annotations

Kind = str | tuple[str, ...]


class Option:
    """One option of a command. again: it may be given more than once."""

    __slots__ = ("about", "again", "kind", "names")

    def __init__(self, names: tuple[str, ...], kind: Kind | None, about: str, *, again: bool = False):
        self.names = names
        self.kind = kind
        self.about = about
        self.again = again


class Command:
    """One command. arguments: the kinds of those without a name. options: without --help, which all have."""

    __slots__ = ("about", "arguments", "options")

    def __init__(self, about: str, arguments: tuple[Kind, ...], options: tuple[Option, ...]):
        self.about = about
        self.arguments = arguments
        self.options = options


class Setting:
    """One key of config.toml. kind: None for a secret. default: as it is typed; '' for none."""

    __slots__ = ("about", "default", "kind")

    def __init__(self, kind: Kind | None, default: str, about: str):
        self.kind = kind
        self.default = default
        self.about = about


class Table:
    """One table of config.toml whose keys are names. names, values: the kinds of both."""

    __slots__ = ("about", "names", "values")

    def __init__(self, names: Kind, values: Kind, about: str):
        self.names = names
        self.values = values
        self.about = about


class Candidate:
    """One word that may stand at the cursor. One that ends in `.`, `:` or `=` goes on."""

    __slots__ = ("about", "value")

    def __init__(self, value: str, about: str = ""):
        self.value = value
        self.about = about
