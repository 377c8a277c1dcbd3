"""Notifies the user at the machine: on the desktop, else by the terminal's bell. Not used while serving a request."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence

import trio

from router.errors import CommandError
from router.host.child_process import OutputLimitExceeded, ProgramTimeout, make_environment, run_program

SECONDS = 5.0
_LIMIT = 4096
_TEXT_LIMIT = 400
_MARKUP = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "&": "+",
    }
)


async def notify(text: str, environ: Mapping[str, str] | None = None) -> bool:
    """Show a text; True when the desktop took it. Fails silently: the log and /status say the same."""
    environ = os.environ if environ is None else environ
    for words in _list_commands(_make_plain(text)):
        with contextlib.suppress(CommandError, ProgramTimeout, OutputLimitExceeded):
            ended = await run_program(words, make_environment(environ), seconds=SECONDS, limit=_LIMIT)
            if ended.code == 0:
                return True
    await trio.to_thread.run_sync(_ring_bell, abandon_on_cancel=True)
    return False


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
