"""`fairlead` without a command: the full-screen view, or with --plain a line per request."""

import gc
import os
import sys
from typing import TYPE_CHECKING

from router.cli.common.parser import Parser
from router.errors import UsageError
from router.store.home.home import open_home

if TYPE_CHECKING:
    from router.cli.tui.picture import Source


def run(argv: list[str]) -> int:
    """Show it until the user leaves."""
    parser = Parser(
        "",
        "Show all of it on the whole screen: what runs, the requests, sums, accounts, backends and settings. ? lists "
        "the keys, q leaves.",
        examples=["fairlead", "fairlead --plain"],
    )
    parser.add_argument("--plain", action="store_true", help="a line per request, as `fairlead log -f`")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    options = parser.read(argv)
    if options.plain:
        from router.cli.watch.log import run as run_log

        return run_log(["--follow"])
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "the full-screen view needs a terminal for input, output and errors.", "Lines:   fairlead --plain"
        )
    return _show(mouse=not options.no_mouse)


def _show(*, mouse: bool) -> int:
    home = open_home(os.environ)
    # What is made while modules are loaded stays: collections meanwhile find nothing.
    gc.disable()
    from router.cli.tui.app import FairleadApp

    gc.freeze()
    gc.enable()

    def make_source() -> "Source":
        from router.cli.tui.source import HomeSource

        return HomeSource(home)

    app = FairleadApp(make_source)
    app.run(mouse=mouse)
    if app.failure is not None:
        raise app.failure
    return 0
