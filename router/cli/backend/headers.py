"""`--header` and `--remove-header` of `backend add` and `backend set`: what `[backends.NAME] set_headers` holds."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from router.backends import Backend
from router.backends.changes import list_moving
from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError
from router.settings import Settings
from router.settings.keys import find_key, match_spelling
from router.settings.kinds import display
from router.settings.secret_headers import looks_like_key
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home.home import Home
from router.store.home.permissions import shown


class Headers(NamedTuple):
    """Checked changes of a backend's headers."""

    changes: Sequence[Change]
    #: The settings of config.toml with these changes; None when there are no changes.
    settings: Settings | None = None

    def save(self, home: Home) -> None:
        """Write them to config.toml. Raises CommandError."""
        if self.changes:
            toml.change(home, self.changes)

    def report(self) -> None:
        """Print their names; values are not shown."""
        for one in self.changes:
            say(f"  the header {one.path[-1]} is {'no longer set' if one.value is None else 'set on its requests'}")


def note_moved(home: Home, before: Backend, backend: Backend) -> None:
    """Note which headers are sent to a backend's new URL, because one may hold a secret. Raises CommandError."""
    options = toml.load(home, {}).settings.backends.get(backend.name)
    moving = list_moving(before, backend.root, [*options.edits.set_headers]) if options is not None else ()
    if moving:
        note(f"note: the new URL gets the headers that config.toml sets: {', '.join(moving)}.")
        note(f"      Take one out:   fairlead backend set {backend.name} --remove-header {moving[0]}")


def add_options(parser: Parser, *, removing: bool) -> None:
    """Add --header, and with `removing` also --remove-header."""
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set this header on its requests; kept in config.toml (repeatable)",
    )
    if removing:
        parser.add_argument(
            "--remove-header",
            action="append",
            default=[],
            metavar="NAME",
            help="set this header no longer (repeatable)",
        )


def read_headers(home: Home, name: str, given: Sequence[str], removed: Sequence[str] = ()) -> Headers:
    """The changes that the options ask for, checked as config.toml is; writes nothing. Raises CommandError."""
    if not given and not removed:
        return Headers(())
    file = toml.read(home)
    tree: Mapping[str, Any] = file.tree if file else {}
    wanted = [_parse_removed(tree, name, header) for header in removed]
    wanted += [_parse_set(tree, name, text) for text in given]
    names = [one.path[-1].lower() for one in wanted]
    twice = next((header for header in names if names.count(header) > 1), None)
    if twice is not None:
        raise UsageError(f"the header {twice} is named twice.")
    loaded = toml.check(home, toml.changed(toml.before(home), wanted, shown(home.at(toml.NAME))))
    return Headers(wanted, loaded.settings)


def _parse_set(tree: Mapping[str, Any], name: str, text: str) -> Change:
    header, equals, value = text.partition("=")
    if not equals or not header.strip():
        # The text is not shown: it may be a secret value without its name.
        missing = "name" if equals else "="
        raise UsageError(f"--header has no {missing}; expected NAME=VALUE, such as X-Title=fairlead.")
    key = find_key(f"backends.{name}.set_headers.{header.strip()}")
    path = match_spelling(key.path, tree)
    value = cast("str", key.read(value))
    if looks_like_key(path[-1], value):
        note(
            f"warning: the header {path[-1]} looks like a key. config.toml holds it as it is, and other users can read"
        )
        note(f"         a command's arguments. A backend's own key:   fairlead backend set {name} --key-stdin")
    return Change(path, value)


def _parse_removed(tree: Mapping[str, Any], name: str, header: str) -> Change:
    path = match_spelling(("backends", name, "set_headers", header), tree)
    held: Any = tree
    for key in path[:-1]:
        held = held.get(key, {}) if isinstance(held, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    names = list(cast("dict[str, Any]", held)) if isinstance(held, dict) else []
    if path[-1] not in names:
        raise CommandError(
            f"config.toml sets no header {display(header)} for {name}.", f"It sets: {', '.join(names) or 'none'}."
        )
    return Change(path, None)


def has_options(options: argparse.Namespace) -> bool:
    """True when one of the options of `backend set` was used."""
    return bool(options.header or options.remove_header)
