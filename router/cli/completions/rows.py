"""The rows of the tables. A kind is the name of a function of kinds.py that lists values, or the values themselves; ''
is a value that nothing is known of, None for an option is that it takes no value."""

from typing import NamedTuple

Kind = str | tuple[str, ...]


class Option(NamedTuple):
    """One option of a command."""

    names: tuple[str, ...]
    kind: Kind | None
    about: str
    #: It may be given more than once.
    again: bool = False


class Command(NamedTuple):
    """One command."""

    about: str
    #: The kinds of its arguments without a name.
    arguments: tuple[Kind, ...]
    #: Without --help, which all have.
    options: tuple[Option, ...]


class Setting(NamedTuple):
    """One key of config.toml. The kind is None for a secret."""

    kind: Kind | None
    #: As it is typed; '' for none.
    default: str
    about: str


class Table(NamedTuple):
    """One table of config.toml whose keys are names."""

    #: The kinds of its names and of their values.
    names: Kind
    values: Kind
    about: str
