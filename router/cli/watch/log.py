"""`fairlead log`: a line for each request that has ended; `-f` goes on. It reads history.db, which all proxies of the
home write."""

import argparse
import os
import sys
import time
from collections.abc import Iterable

import msgspec

from router.cli.common.flush import flush_history
from router.cli.common.layout import find_width, note, print_json
from router.cli.common.parser import Parser
from router.cli.watch.proxies import ProxyNews
from router.cli.watch.request_line import format_head, format_line
from router.errors import UsageError
from router.store.history.read_requests import RecordedRequest
from router.store.home.home import open_home
from router.watch.follow import Follower
from router.watch.request_filter import FIELDS, RequestFilter, UnknownFilter, parse_filter

LOG_SCHEMA = 1
_COUNT, _MOST = 20, 1000
#: Seconds between two looks at the history, which is written every 0.4 s, and between two at the proxies.
_LOOK_SECONDS, _NEWS_SECONDS = 0.3, 5.0


def run(argv: list[str]) -> int:
    """Print the newest requests, and with -f those that follow until Ctrl-C."""
    parser = Parser(
        "log",
        "Show the newest requests, a line each; -f goes on with those that end from now on, until Ctrl-C. Words of a "
        f"filter must all fit. Fields: {', '.join(FIELDS)}.",
        examples=["fairlead log", "fairlead log -f --filter 'status:error !client:curl'", "fairlead log -f --json"],
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--filter", metavar="F", default="", help="those it fits: 'model:opus', 'status:5xx cost>0.10', '!demo'"
    )
    parser.add_argument("-n", "--lines", metavar="N", default=str(_COUNT), help=f"how many at first (default {_COUNT})")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, with the fields of /admin/history")
    options = parser.read(argv)
    asked = read_filter(options.filter)
    count = _read_count(options.lines)
    home = open_home(os.environ)
    for line in flush_history(home):
        note(f"history  {line}")
    follower = Follower(home)
    # With a filter, of the newest ones those that it fits.
    newest = follower.begin(_MOST if asked.tests else count)
    fitting = [one for one in newest if asked.fits(one)]
    printer = _Printer(options)
    printer.print(fitting[len(fitting) - min(count, len(fitting)) :])
    if options.follow:
        return _follow(follower, asked, printer, ProxyNews(home))
    if not fitting:
        note(_explain_nothing(asked, len(newest)))
    return 0


def read_filter(text: str) -> RequestFilter:
    """The filter of a command. Raises UsageError."""
    try:
        return parse_filter(text)
    except UnknownFilter as error:
        raise UsageError(f"--filter cannot be read: {error}.", "See:   fairlead log --help") from None


def _read_count(text: str) -> int:
    if not text.isdecimal() or len(text) > 4 or int(text) > _MOST:
        raise UsageError(f"-n takes a number from 0 to {_MOST:,}.", "All of them:   fairlead history export")
    return int(text)


def _explain_nothing(asked: RequestFilter, looked: int) -> str:
    if asked.tests and looked:
        return f"None of the newest {looked:,} requests fits." if looked > 1 else "The only request does not fit."
    return "No requests recorded yet. Start the proxy with `fairlead proxy` and send one."


class _Printer:
    """Prints requests as they were asked for."""

    def __init__(self, options: argparse.Namespace):
        self._json: bool = options.json
        self._headed = options.json or not sys.stdout.isatty()

    def print(self, requests: Iterable[RecordedRequest]) -> None:
        """Print them, each at once."""
        for one in requests:
            if self._json:
                print_json({"schema": LOG_SCHEMA, **msgspec.to_builtins(one)}, indent=None)
                continue
            width = find_width()
            if not self._headed:
                print(format_head(width))
                self._headed = True
            print(format_line(one, width))
        sys.stdout.flush()


def _follow(follower: Follower, asked: RequestFilter, printer: _Printer, news: ProxyNews) -> int:
    """Print what ends, until Ctrl-C."""
    try:
        looked = -_NEWS_SECONDS
        while True:
            if time.monotonic() - looked >= _NEWS_SECONDS:
                for line in news.read():
                    note(line)
                looked = time.monotonic()
            printer.print(one for one in follower.look() if asked.fits(one))
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        return 0
