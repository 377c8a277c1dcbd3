"""Reads the arguments of a command: argparse, with errors that name the likely correct form."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from router.cli.common.layout import NARROW, USUAL_WIDTH, find_width, wrap
from router.errors import UsageError


def find_nearest(word: str, names: Iterable[str]) -> str:
    """The name that is most similar to the word, '' when no name is similar. Dashes in front do not count."""
    bare = {name.lstrip("-"): name for name in names}
    near = difflib.get_close_matches(word.lower().lstrip("-"), bare, n=1, cutoff=0.65)
    return bare[near[0]] if near else ""


def _format_name(name: str, number: object) -> str:
    """An argument in a usage line, with brackets where it can be left out. number: as argparse's nargs."""
    if number == "?":
        return f"[{name}]"
    # What follows `--` is told in the text.
    return f"[{name} …]" if number == "*" and not name.startswith("-") else name


class _Formatter(argparse.HelpFormatter):
    """Help for the terminal's width. argparse would break --key-stdin at its hyphen, and commands at any space."""

    def __init__(self, prog: str):
        width = find_width() or USUAL_WIDTH
        super().__init__(prog, width=width, max_help_position=8 if width < NARROW else 24)

    def _format_usage(
        self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str | None
    ) -> str:
        text = super()._format_usage(usage, actions, groups, prefix)
        if len(text.split("\n", 1)[0]) <= self._width and "\n" not in text.strip():
            return text
        # The options are listed below.
        names = [(str(one.metavar or one.dest), one.nargs) for one in actions if not one.option_strings]
        shown = "".join(f" {_format_name(name, number)}" for name, number in names)
        return "\n".join(wrap(f"usage: {self._prog}{shown} [OPTION …]\n\n", self._width))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(wrap(text, width, indent))


class Parser(argparse.ArgumentParser):
    """The parser of one command; `read` raises UsageError where argparse would print and exit."""

    def __init__(self, command: str, about: str, *, examples: Sequence[str]):
        self._flags: list[str] = []
        super().__init__(
            prog=f"fairlead {command}".rstrip(),
            description=about,
            epilog="\n".join(["example:" if len(examples) == 1 else "examples:", *(f"  {line}" for line in examples)]),
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
        )
        self.add_argument("-h", "--help", action="help", help="show this text")

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        self._flags += [name for name in names if name.startswith("--")]
        return super().add_argument(*names, **options)

    def read(self, argv: list[str]) -> argparse.Namespace:
        """The values of the arguments. Raises UsageError."""
        for argument in argv[: argv.index("--") if "--" in argv else None]:
            # Before argparse, which would report a missing argument first.
            if argument.startswith("--") and argument.partition("=")[0] not in self._flags:
                raise self._make_unknown_error(argument)
        values, unknown = self.parse_known_args(argv)
        if unknown:
            raise self._make_unknown_error(unknown[0])
        return values

    def print_help(self, file: Any = None) -> None:
        # argparse ignores an OSError of the output; the command would then exit with 0 though the text was not written.
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        named = re.sub(r"^argument (-[\w/-]++)[^:]*+: ", r"\1: ", message)
        raise UsageError(named, self._format_help_hint())

    def _make_unknown_error(self, argument: str) -> UsageError:
        if not argument.startswith("-"):
            return UsageError(f"unexpected argument: {argument}", self._format_help_hint())
        flag = argument.partition("=")[0]
        near = find_nearest(flag, self._flags)
        return UsageError(
            f"`{self.prog}` has no option {flag}",
            f"Did you mean {near}?" if near else self._format_help_hint(),
        )

    def _format_help_hint(self) -> str:
        return f"See:   {self.prog} --help"
