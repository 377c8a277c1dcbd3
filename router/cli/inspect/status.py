"""`fairlead status`: what the running proxy serves, how its backends are, and what runs now; `--watch` keeps it up."""

import itertools
import os
import sys
import time
from collections.abc import Sequence

import msgspec

from router.cli.common.layout import find_width, print_json, wrap, wrap_row
from router.cli.common.offers import Offer, offer_servers
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending
from router.cli.common.redraw import draw, redrawing
from router.cli.common.running_proxy import proven
from router.cli.inspect.status_lines import Screen, format_screen
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.net.control.local_servers import SECONDS
from router.net.control.request import ControlError
from router.operator_api.status import Status
from router.settings import Loaded
from router.store.config import backends, toml
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSums
from router.store.history.time_window import parse_since
from router.store.home import run_files
from router.store.home.home import Home, open_home

_REDRAW_SECONDS = 1.0
# Redraws between two looks at the files of the home.
_SLOWER = 5


def run(argv: list[str]) -> int:
    """Print the state of the running proxies of this home; exit code 1 when there is none."""
    parser = Parser(
        "status",
        "Show the running proxy: its URL, its backends and accounts, the requests that run now, what was spent "
        "today, and which model servers of this machine could be added.",
        examples=["fairlead status", "fairlead status --watch"],
    )
    parser.add_argument("--watch", action="store_true", help="redraw it every second until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print it as JSON, with the fields of GET /status")
    options = parser.read(argv)
    if options.watch and options.json:
        raise UsageError("--watch and --json cannot be used together.", "See:   fairlead status --help")
    if options.watch and not sys.stdout.isatty():
        raise UsageError(
            "--watch needs a terminal.", "For programs:   fairlead status --json   or GET /analytics/stream"
        )
    home = open_home(os.environ)
    if options.watch:
        return _watch(home)
    note_pending(home)
    found = run_async(ask_all, home)
    if options.json:
        print_json(msgspec.to_builtins(found[0]))
    else:
        # Once: a screen that is redrawn would ask other programs again and again.
        screen = read_screen(home)
        print("\n".join(format_status(found, screen._replace(offers=_find_offers(home, screen)), find_width())))
    return 0


async def ask_all(home: Home) -> list[Status]:
    """What each proxy of this home reports about itself, the newest first. Raises CommandError when none answers."""
    found: list[Status] = []
    for run, proxy in await proven(home):
        try:
            found.append(await proxy.fetch_status())
        except ControlError as error:
            raise CommandError(f"the proxy on :{run.port} could not be asked: {error}") from None
    if not found and run_files.live(home):
        raise CommandError("no proxy of this home could be asked.")
    if not found:
        raise CommandError("no fairlead proxy is running.", "Start it:   fairlead proxy")
    return found


def format_status(found: Sequence[Status], screen: Screen, width: int | None) -> list[str]:
    """The lines on the proxies, the newest last. found: the newest first."""
    *others, last = found
    several = screen._replace(several=bool(others))
    lines = [line for status in others for line in format_screen(status, several._replace(offers=()), width)]
    return [*lines, *format_screen(last, several, width)]


def read_screen(home: Home) -> Screen:
    """What the files of the home say; it is read less often than the proxy is asked."""
    return Screen(disabled=_list_disabled(home), today=read_today(home), loaded=_load(home), home=home, several=False)


def _list_disabled(home: Home) -> list[str]:
    try:
        stored, _ = backends.load(home)
    except CommandError:
        return []
    return [backend.name for backend in stored if not backend.enabled]


def _find_offers(home: Home, screen: Screen) -> Sequence[Offer]:
    try:
        return offer_servers(home, screen.loaded.settings if screen.loaded is not None else None, SECONDS)
    except CommandError:
        return ()


def read_today(home: Home) -> UsageSums | None:
    """The sums of today; None when the history cannot be read."""
    now = time.time()
    try:
        with reader.open_reader(home) as db:
            return None if db is None else read_usage.summarize(db, parse_since("today", now), now).total
    except CommandError:
        return None


def _load(home: Home) -> Loaded | None:
    """The settings; None when they cannot be read, which is said elsewhere."""
    try:
        return toml.load(home, os.environ)
    except CommandError:
        return None


def _watch(home: Home) -> int:
    """Redraw until Ctrl-C."""
    screen = read_screen(home)
    with redrawing():
        for drawn in itertools.count(1):
            if not drawn % _SLOWER:
                screen = read_screen(home)
            try:
                lines = [
                    *format_pending(home, find_width()),
                    *format_status(run_async(ask_all, home), screen, find_width()),
                ]
            except CommandError as error:
                lines = wrap(f"{error}\n{error.hint}", find_width())
            draw(lines)
            time.sleep(_REDRAW_SECONDS)
    return 0


def format_pending(home: Home, width: int | None) -> list[str]:
    """Why a proxy keeps its previous configuration."""
    kept = [f"{run.refused} {run.fix}".rstrip() for run in run_files.live(home) if run.refused]
    return [line for text in kept for line in wrap_row("problem  ", text, width)]
