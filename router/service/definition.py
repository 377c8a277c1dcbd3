"""What a manager is given: the wanted service, and the mark by which fairlead knows its own, unchanged definition.

The mark is one line of the definition: what it is, the number of its form, and the SHA-256 of all other lines.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from router.errors import CommandError
from router.setup.files import ConfigFile, NotWritable, remove_config, write_config
from router.store.home.permissions import shown

#: `current`: written by fairlead and unchanged. `older`: the same, in a form of an older fairlead. `edited`: changed
#: since. `foreign`: not written by fairlead.
Verdict = Literal["current", "older", "edited", "foreign"]

#: The form of what is written now.
FORM = 1
# As managers expect it of their files; systemd warns of one that only its owner can read.
_MODE = 0o644
_MARK = re.compile(r"fairlead (?:service unit|launch agent|task) (\d{1,4}), sha256 ([0-9a-f]{64})")


class Wanted(NamedTuple):
    """The service that is to be."""

    #: What starts the program.
    words: tuple[str, ...]
    #: The home, None for the usual one.
    home: Path | None = None
    #: The folders in which commands are looked for, as in PATH; '' for the manager's own.
    path: str = ""
    env_file: Path | None = None
    #: The file of its output, None where the manager keeps it.
    log: Path | None = None
    #: The program is a loader that starts another one: the form of one file.
    loader: bool = False
    #: False where a program that gives a key has rights of its own, which hardening would take away.
    hardened: bool = True


def make_mark(what: str, others: str) -> str:
    """The mark's words. what: `service unit`, `launch agent` or `task`. others: all other lines."""
    return f"fairlead {what} {FORM}, sha256 {hashlib.sha256(others.encode()).hexdigest()}"


def judge(text: str) -> Verdict:
    """What a definition of lines is."""
    lines = text.splitlines(keepends=True)
    marks = [(place, match) for place, line in enumerate(lines) if (match := _MARK.search(line[:200]))]
    if len(marks) != 1:
        return "edited" if marks else "foreign"
    place, match = marks[0]
    return judge_mark(match, "".join(lines[:place] + lines[place + 1 :]))


def judge_mark(match: "re.Match[str]", others: str) -> Verdict:
    """What a definition with this mark and these other lines is."""
    if hashlib.sha256(others.encode()).hexdigest() != match[2]:
        return "edited"
    return "current" if int(match[1]) == FORM else "older"


def find_mark(text: str) -> "re.Match[str] | None":
    """The mark in a text."""
    return _MARK.search(text)


def check_text(texts: Sequence[str]) -> None:
    """Raise CommandError for a path or value that no definition can hold as it is."""
    for text in texts:
        if not text.isprintable() or "\ufffd" in text or any("\ud800" <= char <= "\udfff" for char in text):
            shown = ascii(text)
            raise CommandError(f"{shown} has a character that no service definition can hold.", "Use another path.")


def write_file(file: ConfigFile, text: str) -> None:
    """Write a definition that is a file, in the place of what was read. Raises CommandError."""
    try:
        write_config(file, text.encode(), _MODE)
    except NotWritable as error:
        raise CommandError(f"{shown(file.path)} was not written: {error}.") from None


def remove_file(file: ConfigFile) -> None:
    """Remove a definition that is a file, as it was read; nothing where there was none. Raises CommandError."""
    if file.data is not None:
        try:
            remove_config(file, [])
        except NotWritable as error:
            raise CommandError(f"{shown(file.path)} was not removed: {error}.") from None
