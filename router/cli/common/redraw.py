"""Redraws a command's lines in place, on the other screen of a terminal; what was on the first one comes back."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

_BEGIN, _END = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_REDRAW, _REST = "\x1b[H", "\x1b[K"


@contextmanager
def redrawing() -> Generator[None]:
    """Show the other screen, without a cursor, until Ctrl-C ends what is inside."""
    sys.stdout.write(_BEGIN)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is None:
            raise
    finally:
        sys.stdout.write(_END)
        sys.stdout.flush()


def find_height() -> int:
    """The lines of the terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or 24
    except OSError:
        return 24


def draw(lines: Sequence[str]) -> None:
    """Draw the lines over the last ones, as many as fit."""
    height = find_height()
    fitting = list(lines[: height - 1])
    if len(lines) > len(fitting):
        fitting[-1] = "..."
    sys.stdout.write(_REDRAW + "".join(f"{line}{_REST}\r\n" for line in fitting) + "\x1b[J")
    sys.stdout.flush()
