"""How one setting is declared: key, environment variable, flag, default, kind and help come from one line."""

from collections.abc import Callable
from dataclasses import field
from typing import Any

import msgspec

from router.settings.kinds import Kind


class Declaration(msgspec.Struct, frozen=True):
    """How one setting is named and read."""

    #: Its name in config.toml; a dot separates a table from its key.
    key: str
    kind: Kind
    #: Stands for the value in help.
    metavar: str
    help: str
    secret: bool = False
    #: A change needs a restart of the proxy.
    restart: bool = False

    @property
    def env(self) -> str:
        """The environment variable of this setting."""
        return "FAIRLEAD_" + self.key.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """The command-line flag; secrets have none, since arguments are readable by other processes."""
        return "" if self.secret else "--" + self.key.replace(".", "-").replace("_", "-")

    @property
    def attribute(self) -> str:
        """The field of Settings that holds the value."""
        return self.key.replace(".", "_")

    @property
    def parse(self) -> Callable[[str], Any]:
        """The function that reads a text. It raises ValueError with what was expected."""
        return self.kind.parse_text


def declare(
    key: str, kind: Kind, default: Any, metavar: str, about: str, *, secret: bool = False, restart: bool = False
) -> Any:
    """A field of Settings with its declaration. secret, restart: as of Declaration."""
    declaration = Declaration(key, kind, metavar, about, secret, restart)
    return field(default=default, metadata={"declaration": declaration})
