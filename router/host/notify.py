"""Notifies the user at the machine: on the desktop, else by the terminal's bell. Not used while serving a request."""

import contextlib
import os
import sys
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

import trio

from router.errors import CommandError
from router.host.child_process import OutputLimitExceeded, ProgramTimeout, make_environment, run_program

SECONDS = 5.0
#: Seconds in which there is one notification of a kind about a subject.
REPEAT_SECONDS = 300.0
#: Texts that wait to be shown; further ones are dropped.
WAITING_LIMIT = 16
#: Subjects that are known to have been told of; of more the one that was told first is forgotten.
SUBJECTS_LIMIT = 1024
_LIMIT = 4096
_TEXT_LIMIT = 400
_MARKUP = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "&": "+",
    }
)


async def notify(text: str, environ: Mapping[str, str] | None = None, *, bell: bool = True) -> bool:
    """Show a text; True when the desktop took it. Fails silently: the log and /status say the same. bell: ring it where
    no desktop took the text."""
    environ = os.environ if environ is None else environ
    for words in _list_commands(_make_plain(text)):
        with contextlib.suppress(CommandError, ProgramTimeout, OutputLimitExceeded):
            ended = await run_program(words, make_environment(environ), seconds=SECONDS, limit=_LIMIT)
            if ended.code == 0:
                return True
    if bell:
        await trio.to_thread.run_sync(_ring_bell, abandon_on_cancel=True)
    return False


class Show(Protocol):
    """Shows a text to the user, as `notify` does."""

    def __call__(self, text: str, *, bell: bool) -> Awaitable[object]:
        """Show it. Raises nothing."""
        ...


class Notifier:
    """The notifications of one proxy: those of wanted kinds, one after the other, and of one kind about one subject not
    more than one in REPEAT_SECONDS. wanted: returns the kinds that the user wants."""

    def __init__(
        self,
        wanted: Callable[[], Collection[str]],
        *,
        show: Show = notify,
        clock: Callable[[], float] = trio.current_time,
    ):
        self._wanted = wanted
        self._show = show
        self._clock = clock
        #: Takes what would be shown, in a worker whose parent shows it.
        self.relay: Callable[[str, str, str, bool], None] | None = None
        #: Kind and subject -> when that was told, the latest last.
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._waiting: deque[tuple[str, bool]] = deque()
        self._wake = trio.Event()

    def tell(self, kind: str, subject: str, text: str, *, bell: bool = False) -> None:
        """Have a text shown soon. Never waits. bell: ring it where there is no desktop."""
        if kind not in self._wanted() or len(self._waiting) >= WAITING_LIMIT:
            return
        if self.relay is not None:
            self.relay(kind, subject, text, bell)
            return
        key, now = (kind, subject), self._clock()
        if key in self._told and now - self._told[key] < REPEAT_SECONDS:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > SUBJECTS_LIMIT:
            self._told.popitem(last=False)
        self._waiting.append((text, bell))
        self._wake.set()

    async def run(self) -> None:
        """Show what is told until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting:
                text, bell = self._waiting.popleft()
                await self._show(text, bell=bell)


def _make_plain(text: str) -> str:
    """A text that no desktop reads as anything else: without control and bidirectional characters, and without the
    characters of markup, which some notification servers read and others show."""
    shown = text[:_TEXT_LIMIT].translate(_MARKUP)
    return "".join(char if char.isprintable() else " " for char in shown)


def _list_commands(text: str) -> Sequence[Sequence[str]]:
    """The commands that show a notification on this system. The text is an argument, never part of a script."""
    if sys.platform == "darwin":
        script = 'on run argv\ndisplay notification (item 1 of argv) with title "fairlead"\nend run'
        return [("osascript", "-e", script, text)]
    if sys.platform == "win32":
        return [("msg", "*", "/time:30", text)]
    return [("notify-send", "--app-name=fairlead", "--", "fairlead", text)]


def _ring_bell() -> None:
    """Ring the terminal's bell. Runs in a thread: a write to a stopped terminal blocks."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\a")
