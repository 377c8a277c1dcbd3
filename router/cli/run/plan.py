"""How a program is started: its words, what changes in its environment, its private files, and what is said of it."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from router.cli.env.target import Target
from router.cli.env.variables import Changes
from router.setup.tool import Place


class PrivateFolder(NamedTuple):
    """A folder that stands in the place of one of the tool's own while the program runs."""

    #: The variable that names what it is in.
    variable: str
    name: str
    #: Name -> content of its files.
    files: Mapping[str, bytes]
    #: The tool's own folder, of which it has everything else by links.
    own: Path
    #: Names of that folder that are not linked.
    left_out: frozenset[str]

    @property
    def word(self) -> str:
        """What stands for the path of what it is in, in the variable."""
        return "{" + self.name + "}"


@dataclass
class Plan:
    """The start of one program. `prepare` functions of the table add to it."""

    #: The command line, and where further arguments go.
    words: list[str]
    at: int
    target: Target
    #: The environment that the user gave.
    environ: Mapping[str, str]
    #: The model that was asked for, or that a tool needs; "" for none.
    model: str = ""
    #: True where the model was asked for.
    model_given: bool = False
    #: What the proxy serves, at most as many as a tool's list should have.
    models: Sequence[str] = ()
    #: True where the user's own arguments lead the tool: nothing is put in front of them.
    leads_itself: bool = False
    #: True where its requests carry the key of its own file, and not the one of the run.
    keeps_key: bool = False
    changes: Changes = field(default_factory=dict[str, str | None])
    #: Name -> content of the files that exist while the program runs; {NAME} in an argument stands for the path.
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    #: The folder that the program gets, None for none.
    folder: PrivateFolder | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def arguments(self) -> list[str]:
        """The user's own arguments."""
        return self.words[self.at :]

    def insert(self, *arguments: str) -> None:
        """Put arguments in front of the user's own, behind those that were inserted before."""
        self.words[self.at : self.at] = arguments
        self.at += len(arguments)

    def file_word(self, name: str) -> str:
        """What stands for the path of a private file in an argument."""
        return "{" + name + "}"

    @property
    def place(self) -> Place:
        """Where the tool looks for its files."""
        home = self.environ.get("USERPROFILE" if os.name == "nt" else "HOME") or os.path.expanduser("~")
        return Place(self.environ, Path(home), sys.platform)


def has_flag(arguments: Sequence[str], flag: str) -> bool:
    """True where an argument is the flag, or begins with it and `=`. flag: one that ends with `=` begins an argument of
    its own, or the value of a short option that is written together with it."""
    for word in arguments:
        if word == "--":
            return False
        if flag.endswith("="):
            if word.startswith((flag, f"-c{flag}", f"--config={flag}")):
                return True
        elif word == flag or word.startswith(f"{flag}="):
            return True
    return False
