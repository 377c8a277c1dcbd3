"""The commands with their parsers, as `fairlead` itself builds them: for the pages and tables written from them."""

import argparse
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, NoReturn, cast

from router.cli import COMMANDS
from router.cli.common.group import Commands
from router.cli.common.parser import Parser


class Leaf(NamedTuple):
    """A command that does something."""

    #: With that of its group: `backend add`.
    name: str
    #: Its line in the overview.
    about: str
    parser: Parser

    @property
    def options(self) -> list[argparse.Action]:
        """The options in the order they are declared, `--help` last."""
        found = [action for action in list_actions(self.parser) if action.option_strings]
        return [*found[1:], found[0]]

    @property
    def positionals(self) -> list[argparse.Action]:
        """The arguments without a name."""
        return [action for action in list_actions(self.parser) if not action.option_strings]


class Group(NamedTuple):
    """A command that has commands of its own. One that is also a command by itself is the first of its leaves."""

    name: str
    about: str
    examples: Sequence[str]
    leaves: Sequence[Leaf]


class _Asked(BaseException):
    """Ends a command where it would read its arguments. No handler of a command takes it for an error of its own."""

    def __init__(self, parser: Parser):
        self.parser = parser


class _Grouped(BaseException):
    def __init__(self, commands: Commands, examples: Sequence[str]):
        self.commands = commands
        self.examples = examples


def read_tree() -> list[Leaf | Group]:
    """All commands in the order of the overview. Each is called without arguments, and stopped before it reads them."""
    return [_read(name, about, entry) for name, (entry, about) in COMMANDS.items()]


def list_actions(parser: Parser) -> list[argparse.Action]:
    """What a parser takes, in the order it was declared."""
    return cast("list[argparse.Action]", vars(parser)["_actions"])


def _read(name: str, about: str, entry: str) -> Leaf | Group:
    try:
        own = Leaf(name, about, _call(entry))
    except _Grouped as group:
        return Group(name, about, group.examples, _list_leaves(name, group.commands))
    # A table beside a command that reads arguments itself.
    beside = cast("Commands", getattr(import_module(entry.partition(":")[0]), "COMMANDS", {}))
    return Group(name, about, (), [own, *_list_leaves(name, beside)]) if beside else own


def _list_leaves(group: str, commands: Commands) -> list[Leaf]:
    return [Leaf(f"{group} {name}", about, _call(target)) for name, (target, about) in commands.items()]


def _call(entry: str) -> Parser:
    module_name, _, function = entry.partition(":")
    module = import_module(module_name)
    # One that serves without arguments reads none then.
    build: Callable[[], Parser] | None = getattr(module, "build_parser", None)
    if build is not None:
        return build()
    with _stopped(module), _empty_home():
        try:
            getattr(module, function)([])
        except _Asked as asked:
            return asked.parser
    raise AssertionError(f"{entry} ended without reading its arguments")


@contextmanager
def _stopped(module: Any) -> Generator[None]:
    def stop(self: Parser, argv: list[str]) -> NoReturn:
        raise _Asked(self)

    def stop_group(_: str, commands: Commands, __: Sequence[str], *, examples: Sequence[str]) -> NoReturn:
        raise _Grouped(commands, examples)

    read, grouped = Parser.read, getattr(module, "run_group", None)
    Parser.read = stop
    if grouped is not None:
        module.run_group = stop_group
    try:
        yield
    finally:
        Parser.read = read
        if grouped is not None:
            module.run_group = grouped


@contextmanager
def _empty_home() -> Generator[None]:
    """Some commands open the home before they read their arguments, and texts may depend on variables."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        for name in before:
            if name.startswith("FAIRLEAD_"):
                del os.environ[name]
        os.environ["FAIRLEAD_HOME"] = os.path.join(folder, "home")
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
