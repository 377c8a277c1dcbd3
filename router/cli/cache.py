"""`fairlead cache show` and `clear`: the answers that are kept to be given again; no proxy need run."""

import os
import sqlite3
import time

import msgspec

from router.cli.common.group import run_group
from router.cli.common.layout import find_width, format_table, note, print_json, say
from router.cli.common.output import format_count, read_settings
from router.cli.common.parser import Parser
from router.errors import CommandError
from router.settings import Settings
from router.settings.kinds import clean
from router.store.answer_cache.answers import Part, list_parts
from router.store.answer_cache.schema import clear_cache, read_cache
from router.store.database.location import locate_cache
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown
from router.watch import amounts

CACHE_SCHEMA = 1
_COMMANDS = {
    "show": ("router.cli.cache:run_show", "show what the cache of answers holds, and what it saved"),
    "clear": ("router.cli.cache:run_clear", "delete every answer that is kept"),
}
_EXAMPLES = ("fairlead cache show", "fairlead cache clear")


def run(argv: list[str]) -> int:
    """Run one of the cache commands."""
    return run_group("cache", _COMMANDS, argv, examples=_EXAMPLES)


def run_show(argv: list[str]) -> int:
    """Print what is kept."""
    parser = Parser(
        "cache show",
        "Show how many answers are kept to be given again, for which rules and models, what they take on the disk, how "
        "often they were given again and what that saved. Requests that have none are counted by `fairlead usage --by "
        "answers`.",
        examples=["fairlead cache show", "fairlead cache show --json"],
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    settings = read_settings(home)
    place = locate_cache(home)
    parts = _read_parts(home)
    if options.json:
        print_json(
            {
                "schema": CACHE_SCHEMA,
                "on": bool(_list_switched(settings)),
                "path": str(place.path),
                "parts": msgspec.to_builtins(parts),
            }
        )
        return 0
    if place.elsewhere:
        note(place.elsewhere)
    _print(parts, _list_switched(settings), shown(place.path))
    return 0


def run_clear(argv: list[str]) -> int:
    """Delete what is kept."""
    parser = Parser(
        "cache clear",
        "Delete every answer that is kept to be given again, also while a proxy runs. A file that is damaged, or not "
        "fairlead's, is renamed. What the cache saved stays in the history.",
        examples=["fairlead cache clear"],
    )
    parser.add_argument("--json", action="store_true", help="print how many there were as JSON")
    options = parser.read(argv)
    count = clear_cache(open_home(os.environ))
    if options.json:
        print_json({"cleared": count})
    else:
        say(f"Deleted {format_count(count, 'answer')}." if count else "No answers are kept.")
    return 0


def _read_parts(home: Home) -> list[Part]:
    try:
        with read_cache(home) as db:
            return [] if db is None else list_parts(db, time.time())
    except sqlite3.Error as error:
        raise CommandError(
            f"{shown(locate_cache(home).path)} cannot be read: {error}.", "Begin a new one:   fairlead cache clear"
        ) from None


def _list_switched(settings: Settings) -> list[str]:
    """The rules and models whose answers are kept, as parts are named."""
    rules = [f'rule "{one.name}"' for one in settings.routes if one.caches]
    return rules + [f"model {name}" for name, one in settings.models.items() if one.caches]


def _print(parts: list[Part], switched: list[str], path: str) -> None:
    kept = {part.name for part in parts}
    rows = [_make_row(part, on=part.name in switched) for part in parts]
    rows += [[clean(name), "0", amounts.NONE, amounts.NONE, amounts.NONE, ""] for name in switched if name not in kept]
    if rows:
        header = ["answers of", "kept", "size", "given again", "saved", ""]
        print("\n".join(format_table(rows, header=header, right=range(1, 5), width=find_width())))
    else:
        say("No answers are kept.")
    if switched:
        say(f"Answers are kept in {path}, readable only by you.")
    else:
        say("No rule or model has its answers kept. Switch it on:   fairlead config set models.MODEL.cache.ttl 1h")


def _make_row(part: Part, *, on: bool) -> list[str]:
    return [
        clean(part.name),
        f"{part.answers:,}",
        format_size(part.bytes),
        f"{part.hits:,}",
        amounts.format_money(part.saved_usd) if part.saved_usd else amounts.NONE,
        "" if on else "switched off",
    ]


def format_size(size: int) -> str:
    """Bytes as `1.2 kB` or `3.4 MB`."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
