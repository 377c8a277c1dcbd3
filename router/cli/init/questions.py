"""Asks on the terminal, and asks again with the reason where an answer is wrong; collects what a command without a
terminal leaves open."""

import sys
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from router.cli.common.layout import note
from router.errors import CommandError, UsageError

_Value = TypeVar("_Value")


class InvalidAnswer(Exception):
    """An answer that cannot be taken; the text says why, and what would be one."""


class Question(NamedTuple):
    """A question, and how else it is answered."""

    prompt: str
    #: What Enter stands for, and `--yes`.
    default: str
    #: The flags that answer it, with what they are for.
    flags: str


class Asker:
    """Asks the questions of one run. yes: all defaults are taken. terminal: answers can be typed."""

    def __init__(self, *, yes: bool, terminal: bool):
        self._yes = yes
        self.terminal = terminal
        self._open: list[str] = []

    @property
    def asks(self) -> bool:
        """True where questions are asked."""
        return self.terminal and not self._yes

    def ask(self, question: Question, read: Callable[[str], _Value]) -> _Value:
        """The value of the answer. read: makes it of a text, or raises InvalidAnswer. Raises CommandError at the end of
        the input."""
        if not self.asks:
            if not self._yes:
                self._open.append(question.flags)
            return read(question.default)
        while True:
            shown = f" [{question.default}]" if question.default else ""
            text = read_line(f"{question.prompt}{shown}: ").strip() or question.default
            try:
                return read(text)
            except InvalidAnswer as wrong:
                note(str(wrong))

    def leave_open(self, flags: str) -> None:
        """Note a question that has no default and cannot be asked."""
        self._open.append(flags)

    def check_complete(self) -> None:
        """Raise UsageError where a question has no answer."""
        if self._open:
            raise UsageError(
                "init asks questions, and this is no terminal to answer on.",
                "\n".join(["Answer with:", *(f"  {flags}" for flags in self._open), "Or take the defaults:   --yes"]),
            )


def has_terminal() -> bool:
    """True when questions can be asked, and what is asked can be seen."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def read_line(prompt: str) -> str:
    """A line from the terminal. Raises CommandError at the end of the input."""
    try:
        return input(prompt)
    except EOFError:
        print()
        raise CommandError("the input ended before all was answered.") from None


def read_yes_or_no(text: str) -> bool:
    """True for yes. Raises InvalidAnswer."""
    word = text.strip().lower()
    if word in ("y", "yes"):
        return True
    if word in ("n", "no"):
        return False
    raise InvalidAnswer("Answer y or n.")


def read_number(digits: str, most: int, other: str) -> int:
    """A number of a list, from 1. other: what an answer may be beside a number. Raises InvalidAnswer."""
    # `int` refuses very long ones.
    number = int(digits[:9])
    if 1 <= number <= most:
        return number
    expected = f"1 to {most}, or {other}" if most else other
    raise InvalidAnswer(f"{digits[:9]} is none of the numbers; expected {expected}.")
