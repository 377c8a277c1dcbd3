"""`fairlead __complete SHELL CWORD WORDS…`: what may stand at the cursor, for the scripts of `fairlead completions`.

WORDS is the command line up to the cursor, CWORD the number of the cursor's word, counted from 0. The first line of the
answer is `files` where the shell should complete the name of a file, else `words`; then one candidate a line, in the
shell's own form (forms.py). No network, nothing written; a process that waits for a file ends after two seconds.
"""

from __future__ import annotations

import os
import sys

from router.cli.completions import forms
from router.cli.completions.files import Files
from router.cli.completions.kinds import Question, list_values, takes_files
from router.cli.completions.line import find_place
from router.cli.completions.rows import Candidate
from router.cli.completions.tables.commands import COMMANDS, GROUPS

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.cli.completions.line import Place
    from router.cli.completions.rows import Option

#: Characters of a name; a longer one is not offered.
_LONGEST = 256
#: Of so many a list no longer helps.
_MOST = 1000


def run(argv: list[str]) -> int:
    """Print the candidates; exit code 1 without a message for anything that goes wrong."""
    try:
        shell, number, *words = argv
        raw = words[int(number)] if int(number) < len(words) else ""
        word = forms.read_word(shell, raw, os.environ)
        before = [forms.read_word(shell, text, {}).text for text in words[1 : int(number)]]
        found, files = find_candidates(before, word.text, Files(os.environ, _limit_time))
        lines = forms.format_candidates(shell, word, found)
        sys.stdout.write("\n".join(["files" if files else "words", *lines, ""]))
        sys.stdout.flush()
    except Exception:
        # What is wrong is reported by the commands themselves; a shell would print it into the line that is typed.
        return 1
    return 0


def _limit_time() -> None:
    """End this process in two seconds. A home on a server that does not answer must not hold the shell."""
    import signal

    if sys.platform != "win32":
        signal.alarm(2)


def find_candidates(before: Sequence[str], current: str, files: Files) -> tuple[list[Candidate], bool]:
    """The candidates, and whether names of files may stand there too. before: the words between the program's name and
    the cursor's. current: the cursor's word up to the cursor. For most shells the candidates need not begin with it."""
    place = find_place(before, current)
    question = Question(files, place.arguments, current.removeprefix(place.prefix))
    listed = _list(place, current, question)
    found: dict[str, Candidate] = {}
    for candidate in _clean(listed):
        found.setdefault(candidate.value, candidate)
    return list(found.values())[:_MOST], takes_files(place.kind, question)


def _list(place: Place, current: str, question: Question) -> Iterator[Candidate]:
    if place.group is not None:
        yield from _list_names(place.group)
        if place.group == "" and current.startswith("-"):
            yield Candidate("--plain", "a line per request, as they end")
            yield Candidate("--no-mouse", "the full-screen view, with the mouse left to the terminal")
            yield from (Candidate("--version", "print the version"), _HELP)
        if not place.name:
            return
    for found in list_values(place.kind, question):
        if _is_safe(found.value):
            yield Candidate(place.prefix + found.value, found.about)
    if place.options or (place.name and current.startswith("-") and not place.prefix):
        yield from _list_options(place.options)


def _list_names(group: str) -> Iterator[Candidate]:
    """The commands of a group, or all of the first word."""
    if group:
        for name, command in COMMANDS.items():
            if name.startswith(f"{group} "):
                yield Candidate(name.removeprefix(f"{group} "), command.about)
        return
    for name, command in COMMANDS.items():
        first, _, inner = name.partition(" ")
        yield Candidate(first, GROUPS[first] if inner else command.about)
    yield Candidate("help", "show what a command does")


_HELP = Candidate("--help", "show what it does")


def _list_options(options: Iterable[Option]) -> Iterator[Candidate]:
    for option in options:
        yield from (Candidate(name, option.about) for name in option.names)
    yield _HELP


def _is_safe(text: str) -> bool:
    """False for a name that the terminal or the command line would take for something else. Nothing of such a name is
    offered: what is left without its control characters would be another name."""
    return 0 < len(text) <= _LONGEST and text.isprintable() and (text == "-" or not text.startswith("-"))


def _clean(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    for one in candidates:
        if one.value.isprintable():
            yield Candidate(one.value, "".join(filter(str.isprintable, one.about[:120])))
