"""`fairlead history export` and `clear`: the whole history out, or gone; no proxy need run."""

import csv
import json
import os
import sys

import msgspec

from router.cli.common.flush import flush_history
from router.cli.common.group import run_group
from router.cli.common.layout import note, say
from router.cli.common.output import format_count
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError
from router.store.answer_cache.schema import clear_cache
from router.store.captures import folder as captures
from router.store.database.location import NAME, locate, locate_cache
from router.store.database.open import Busy, Corrupt, Unusable, open_history, translate_errors
from router.store.history import read_requests, reader
from router.store.history.read_requests import RECORDED, RecordedAttempt
from router.store.history.record import clear
from router.store.home.home import Home, open_home

_COMMANDS = {
    "export": ("router.cli.history:run_export", "print every recorded request, as JSON or CSV"),
    "clear": ("router.cli.history:run_clear", "erase every recorded request and all sums"),
}
_EXAMPLES = ("fairlead history export > history.json", "fairlead history clear")
_FORMULA = ("=", "+", "-", "@")


def run(argv: list[str]) -> int:
    """Run one of the history commands."""
    return run_group("history", _COMMANDS, argv, examples=_EXAMPLES)


def run_export(argv: list[str]) -> int:
    """Print the recorded requests."""
    parser = Parser(
        "history export",
        "Print every recorded request, oldest first.",
        examples=["fairlead history export > history.json", "fairlead history export --format csv"],
    )
    parser.add_argument(
        "--format", choices=("json", "csv"), default="json", help="json: a line a request; csv: with a head line"
    )
    options = parser.read(argv)
    home = open_home(os.environ)
    if elsewhere := locate(home).elsewhere:
        note(elsewhere)
    with reader.open_reader(home) as db:
        rows = read_requests.read_all(db) if db is not None else ()
        if options.format == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(RECORDED.__struct_fields__)
            for row in rows:
                writer.writerow([_cell(value) for value in msgspec.structs.astuple(row)])
        else:
            for row in rows:
                print(json.dumps(msgspec.to_builtins(row)))
    return 0


def _cell(value: object) -> object:
    """A value as spreadsheets take it: a text is never a formula."""
    if isinstance(value, list) and any(isinstance(one, RecordedAttempt) for one in value):  # pyright: ignore[reportUnknownVariableType]
        return msgspec.json.encode(value).decode()
    if isinstance(value, list):
        value = "; ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def run_clear(argv: list[str]) -> int:
    """Erase the history."""
    parser = Parser(
        "history clear",
        "Erase every recorded request, all sums, kept answers (those of the cache too) and captured bodies, also while "
        "a proxy runs, which then forgets what it has of them in memory. What it needs to route (which account issued "
        "an id) stays.",
        examples=["fairlead history clear"],
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.read(argv)
    home = open_home(os.environ)
    place = locate(home)
    if place.elsewhere:
        note(place.elsewhere)
    if not place.path.exists() and captures.folder(home) is None and not locate_cache(home).path.exists():
        say("There is no history.")
        return 0
    if not options.yes:
        _confirm()
    # What has just ended is written first, so that it is erased too; then memory follows at once.
    flush_history(home)
    erased = _cleared(home)
    flush_history(home)
    captures.sweep(home, keep=0)
    clear_cache(home)
    say(f"Erased {format_count(erased, 'request')}.")
    return 0


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise UsageError("Not erased: this cannot be undone.", "Confirm it:   fairlead history clear --yes")
    note("Erase the whole history? This cannot be undone. y or n:")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("not erased.")


def _cleared(home: Home) -> int:
    try:
        db, _ = open_history(home)
    except Unusable as error:
        raise CommandError(f"the history cannot be erased: {error}.") from None
    except Busy:
        raise CommandError(f"{NAME} is held by another process.", "Try again in a moment.") from None
    try:
        with translate_errors(locate(home).path):
            return clear(db)
    except (Busy, Corrupt, Unusable) as error:
        raise CommandError(f"the history was not erased: {str(error) or 'another process holds it'}.") from None
    finally:
        db.close()
