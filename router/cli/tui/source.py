"""Makes pictures of a home: asks its proxies, follows its history, reads its files. It blocks; one thread calls it."""

import contextlib
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from router.cli.common import budget_lines
from router.cli.config.show import list_rows
from router.cli.inspect.status import ask_all, format_pending, format_status, read_screen
from router.cli.inspect.why import format_request
from router.cli.tui.picture import KEPT, WINDOWS, Picture, Plan, Setting, StoredName
from router.errors import CommandError
from router.host.event_loop import run_async
from router.store.config import backends, toml
from router.store.history import read_requests, read_usage, reader
from router.store.history.read_requests import RecordedRequest
from router.store.history.time_window import parse_since
from router.store.home.home import Home
from router.watch.follow import Follower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.cli.inspect.status_lines import Screen
    from router.operator_api.status import Status

#: Seconds between two questions to the proxies, two sums of the history while it grows, and two looks at the files.
_ASK, _SUM, _READ = 1.0, 2.0, 5.0
#: Seconds that a look waits for their answer.
_PATIENT = 1.0
#: Requests that are read at the start.
_FIRST = 1000
_HOUR = 3600.0
_START_SECONDS = 60.0


class _Every:
    """Says when it is time again."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._due = 0.0

    def is_due(self) -> bool:
        """True at first, and then when so many seconds have passed since the last time that it was."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + self._seconds
        return True

    def reset(self) -> None:
        """Have it be time."""
        self._due = 0.0


class _Question:
    """Asks the proxies in a thread of its own: one that hangs must not hold up what is read from files."""

    def __init__(self, home: Home):
        self._home = home
        self.began = time.monotonic()
        self.proxies: Sequence[Status] = ()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._ask, name="proxies", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.proxies = run_async(ask_all, self._home)
        except BaseException as error:
            self.error = error

    def is_answered(self, seconds: float) -> bool:
        """Wait for so long; True when it is over."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


class HomeSource:
    """The source of the pictures of one home."""

    def __init__(self, home: Home):
        self._home = home
        self._follower = Follower(home)
        self._begun = False
        self._grown = True
        self._picture = Picture(0.0)
        self._screen: Screen | None = None
        self._question: _Question | None = None
        self._ask, self._sum, self._read = _Every(_ASK), _Every(_SUM), _Every(_READ)
        self._summed_at = 0.0

    def look(self, width: int) -> Picture:
        """Look at what can have changed."""
        self._follow()
        if self._read.is_due():
            self._read_files()
        if self._question is None and self._ask.is_due():
            self._question = _Question(self._home)
        if self._question is not None:
            self._take_answer(self._question, width)
        # Sums move with the clock too, once a minute.
        old = time.time() - self._summed_at > 60
        if (self._grown or old) and self._sum.is_due():
            self._add_up()
        self._picture = self._picture._replace(time=time.time())
        return self._picture

    def _follow(self) -> None:
        try:
            found = self._follower.look() if self._begun else self._follower.begin(_FIRST)
            self._begun = True
        except CommandError as error:
            self._picture = self._picture._replace(unreadable=f"{error} {error.hint}".strip())
            return
        if found:
            newest = [*reversed(found), *self._picture.requests][:KEPT]
            self._picture = self._picture._replace(requests=newest, unreadable="")
            self._grown = True

    def _take_answer(self, question: _Question, width: int) -> None:
        if not question.is_answered(_PATIENT):
            self._picture = self._picture._replace(silent_s=time.monotonic() - question.began)
            return
        self._question = None
        absent = hint = ""
        if isinstance(question.error, CommandError):
            absent, hint = str(question.error), question.error.hint
        elif question.error is not None:
            raise question.error
        proxies = question.proxies
        screen = self._screen
        lines: list[str] = []
        if proxies and screen is not None:
            lines = [*format_pending(self._home, width), *format_status(proxies, screen, width)]
        if bool(proxies) != bool(self._picture.proxies):
            self._read.reset()
        self._picture = self._picture._replace(
            proxies=tuple(proxies),
            asked=time.time(),
            silent_s=0.0,
            absent=absent,
            hint=hint,
            status=tuple(_trim(lines)),
        )

    def _read_files(self) -> None:
        """The configuration, and what `fairlead status` reads beside what a proxy reports."""
        self._screen = read_screen(self._home)
        stored: list[StoredName] = []
        with contextlib.suppress(CommandError):
            found, problems = backends.load(self._home)
            stored = [StoredName(one.name, f"{one.root}{'' if one.enabled else '   disabled'}") for one in found]
            stored += [StoredName(one.name, f"cannot be read: {one.message}") for one in problems]
        settings: list[Setting] = []
        problem, budgets = "", list[str]()
        try:
            loaded = toml.load(self._home, os.environ)
            settings = [Setting(*row) for row in list_rows(loaded, toml.read(self._home))]
            budgets = budget_lines.format_budget_lines(self._home, loaded.settings)
        except CommandError as error:
            problem = f"{error} {error.hint}".strip()
        self._picture = self._picture._replace(
            stored=tuple(stored), settings=tuple(settings), config_problem=problem, budgets=tuple(budgets)
        )

    def _add_up(self) -> None:
        now = time.time()
        try:
            with reader.open_reader(self._home) as db:
                if db is None:
                    return
                since = parse_since(self._picture.window, now)
                self._picture = self._picture._replace(
                    minutes=tuple(read_requests.read_minutes(db, now - _HOUR, now)),
                    today=read_usage.summarize(db, parse_since("today", now), now).total,
                    hour=read_usage.summarize(db, now - _HOUR, now),
                    usage=read_usage.summarize(db, since, now),
                    losses=tuple(read_requests.count_losses(db, since)),
                    unreadable="",
                )
        except CommandError as error:
            self._picture = self._picture._replace(unreadable=f"{error} {error.hint}".strip())
        self._grown, self._summed_at = False, now

    def choose_window(self, window: str) -> None:
        """Have `usage` be that of this window."""
        assert window in WINDOWS
        self._picture = self._picture._replace(window=window)
        self._grown = True
        self._sum.reset()

    def read_older(self) -> int:
        """Add the requests before the oldest one that is known."""
        known = self._picture.requests
        room = KEPT - len(known)
        if not known or room <= 0:
            return 0
        with reader.open_reader(self._home) as db:
            older = [] if db is None else read_requests.read_latest(db, min(room, _FIRST), before=known[-1].id)
        self._picture = self._picture._replace(requests=[*known, *older])
        return len(older)

    def explain_request(self, found: RecordedRequest, width: int) -> list[str]:
        """The lines of `fairlead why`."""
        return format_request(self._home, found, width)

    def resume(self) -> str:
        """End all halts."""
        from router.cli.resume import lift_halts

        lifted = lift_halts(self._home)
        self._ask.reset()
        return "Traffic continues." if lifted else "Nothing was halted."

    def start_proxy(self) -> str:
        """Run `fairlead proxy --detach`."""
        from router.host.own_program import find_words

        words = [*find_words(), "proxy", "--detach"]
        try:
            done = subprocess.run(  # noqa: S603 - this program's own words
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_START_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(f"the proxy could not be started: {error}.", "Try:   fairlead proxy") from None
        said = (done.stdout if not done.returncode else done.stderr).decode("utf-8", "replace").split("\n")
        text = " ".join(said[:1] if not done.returncode else said).strip()
        if done.returncode:
            raise CommandError(text.removeprefix("error: ") or "the proxy could not be started.")
        self._ask.reset()
        return text

    def open_page(self) -> tuple[list[str], str]:
        """As `fairlead ui` does."""
        from router.cli.watch.ui import open_in_browser

        return open_in_browser(self._home)

    def plan(self, key: str, value: str | None) -> Plan:
        """Check a change."""
        from router.cli.tui.config_change import plan

        return plan(self._home, key, value)

    def save(self, plan: Plan) -> list[str]:
        """Make it."""
        from router.cli.tui.config_change import save

        self._read.reset()
        return save(self._home, plan)


def _trim(lines: list[str]) -> list[str]:
    """Without empty lines at the end."""
    while lines and not lines[-1]:
        lines.pop()
    return lines
