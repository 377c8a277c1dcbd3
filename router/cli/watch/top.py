"""`fairlead top`: what runs now and what has just ended, again and again; in place on a terminal, below each other in a
pipe."""

import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router.cli.common import budget_lines
from router.cli.common.layout import GAP, find_width, make_printable, print_json, wrap, wrap_row
from router.cli.common.output import format_count, read_settings
from router.cli.common.parser import Parser
from router.cli.common.redraw import draw, find_height, redrawing
from router.cli.inspect.status import ask_all
from router.cli.inspect.status_lines import format_running, judge
from router.cli.watch.log import read_filter
from router.cli.watch.request_line import format_head, format_line
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.operator_api.status import Status
from router.settings.kinds import clean, parse_duration
from router.store.history import read_usage, reader
from router.store.history.read_requests import RecordedRequest
from router.store.history.read_usage import UsageSums
from router.store.history.time_window import parse_since
from router.store.home.home import Home, open_home
from router.watch import amounts
from router.watch.follow import Follower
from router.watch.request_filter import RequestFilter

TOP_SCHEMA = 1
#: Requests that have ended: those kept for a terminal that grows, and those shown where there is no height.
_KEPT, _SHOWN = 200, 10
_MINUTE = 60.0
_SHORTEST, _LONGEST = 0.2, 3600.0


class _Look(NamedTuple):
    """What one look found."""

    time: float
    #: Of each proxy, the newest first.
    proxies: list[Status]
    #: Why there are none.
    absent: CommandError | None
    #: Those that ended since the look before, oldest first.
    ended: list[RecordedRequest]
    #: Sums of the last minute and of today; None without a history.
    minute: UsageSums | None
    today: UsageSums | None


def run(argv: list[str]) -> int:
    """Show it until Ctrl-C."""
    parser = Parser(
        "top",
        "Show what runs now, what has just ended, the requests of the last minute and what was spent today, again "
        "every second until Ctrl-C: in place on a terminal, one below the other in a pipe.",
        examples=["fairlead top", "fairlead top --once", "fairlead top --interval 5s --json"],
    )
    parser.add_argument("--interval", metavar="TIME", default="1s", help="how often, such as 5s (default 1s)")
    parser.add_argument("--once", action="store_true", help="show it once")
    parser.add_argument("--filter", metavar="F", default="", help="of those that ended, the ones it fits, as for log")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    options = parser.read(argv)
    asked, pause = read_filter(options.filter), _read_interval(options.interval)
    home = open_home(os.environ)
    watcher = _Watcher(home, asked)
    if options.once or options.json or not sys.stdout.isatty():
        return _repeat(watcher, once=options.once, pause=pause, as_json=options.json)
    with redrawing():
        while True:
            draw(_format(watcher, watcher.look(), find_width(), find_height()))
            time.sleep(pause)
    return 0


def _read_interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f'--interval is "{clean(text)}"; expected {error}.') from None
    return min(max(seconds, _SHORTEST), _LONGEST)


class _Watcher:
    """Looks at the proxies and the history of a home."""

    def __init__(self, home: Home, asked: RequestFilter):
        self.home = home
        self._asked = asked
        self._follower = Follower(home)
        self._begun = False
        #: The requests that ended last and fit, oldest first.
        self.recent: deque[RecordedRequest] = deque(maxlen=_KEPT)
        self.settings = read_settings(home)

    def look(self) -> _Look:
        """Look once. Raises CommandError for a history that cannot be read."""
        proxies, absent = self._ask()
        found = self._follower.look() if self._begun else self._follower.begin(_KEPT)
        fitting = [one for one in found if self._asked.fits(one)]
        self.recent += fitting
        # What had ended before is shown, but did not end since.
        ended, self._begun = fitting if self._begun else [], True
        now = time.time()
        with reader.open_reader(self.home) as db:
            minute = None if db is None else read_usage.summarize(db, now - _MINUTE, now).total
            today = None if db is None else read_usage.summarize(db, parse_since("today", now), now).total
        return _Look(now, proxies, absent, ended, minute, today)

    def _ask(self) -> tuple[list[Status], CommandError | None]:
        try:
            return run_async(ask_all, self.home), None
        except CommandError as error:
            return [], error


def _repeat(watcher: _Watcher, *, once: bool, pause: float, as_json: bool) -> int:
    """Print it once, or until Ctrl-C; exit code 1 where once was asked and no proxy runs."""
    try:
        while True:
            look = watcher.look()
            if as_json:
                print_json(_report(look), indent=None)
            else:
                print("\n".join(_format(watcher, look, find_width(), None)))
            if once:
                return 1 if look.absent else 0
            if not as_json:
                print()
            sys.stdout.flush()
            time.sleep(pause)
    except KeyboardInterrupt:
        return 0


def _report(look: _Look) -> dict[str, object]:
    """What was found, for programs."""
    found = {"time": look.time, "proxies": look.proxies, "last_minute": look.minute, "today": look.today}
    return {"schema": TOP_SCHEMA, **msgspec.to_builtins({**found, "ended": look.ended})}


def _format(watcher: _Watcher, look: _Look, width: int | None, height: int | None) -> list[str]:
    """The lines. height: of the terminal, None where all that is known has room."""
    lines: list[str] = []
    if look.absent is not None:
        lines += wrap(f"{look.absent}\n{look.absent.hint}", width)
    for status in look.proxies:
        lines += wrap_row("", GAP.join(_head(status, look)), width)
        lines += [line for text in _problems(status) for line in wrap_row("problem  ", text, width)]
    for line in budget_lines.format_budget_lines(watcher.home, watcher.settings):
        lines += wrap(line, width)
    for status in look.proxies:
        lines += format_running(status, width) or ["", "Nothing runs now."]
    # As many as fit, three at least.
    room = _SHOWN if height is None else max(3, height - len(lines) - 4)
    recent = list(watcher.recent)[-room:]
    if recent:
        lines += ["", format_head(width), *(make_printable(format_line(one, width)) for one in reversed(recent))]
    return lines


def _head(status: Status, look: _Look) -> list[str]:
    parts = [f"fairlead {status.version}", judge(status), status.url, f"{status.running_count:,} running"]
    if look.minute is not None:
        parts.append(f"{format_count(look.minute.requests, 'request')} in the last minute")
    if look.today is not None and look.today.requests:
        cost = amounts.format_money(look.today.cost_usd)
        parts.append(f"{cost} today" if look.today.cost_usd or not look.today.unpriced else "")
    return [part for part in parts if part]


def _problems(status: Status) -> Sequence[str]:
    history = [f"the history: {status.history.problem}"] if status.history.problem else []
    return [clean(problem, 300) for problem in (*status.problems, *history)]
