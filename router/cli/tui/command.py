"""`fairlead` without a command: the full-screen view, or with --plain a line per request."""

import os
import sys

from router.errors import UsageError
from router.store.home.home import open_home

_FLAGS = ("--plain", "--no-mouse")


def run(argv: list[str]) -> int:
    """Show it until the user leaves."""
    wrong = next((word for word in argv if word not in _FLAGS), None)
    if wrong is not None:
        raise UsageError(f"unknown option: {wrong}", "See:   fairlead --help")
    if "--plain" in argv:
        from router.cli.watch.log import run as run_log

        return run_log(["--follow"])
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "the full-screen view needs a terminal for input, output and errors.", "Lines:   fairlead --plain"
        )
    return _show(mouse="--no-mouse" not in argv)


def _show(*, mouse: bool) -> int:
    from router.cli.tui.app import FairleadApp
    from router.cli.tui.source import HomeSource

    app = FairleadApp(HomeSource(open_home(os.environ)))
    app.run(mouse=mouse)
    if app.failure is not None:
        raise app.failure
    return 0
