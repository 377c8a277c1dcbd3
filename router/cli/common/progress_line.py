"""A line on stderr that is written over: how far something has come."""

import sys

from router.cli.common.layout import find_width


class ProgressLine:
    """One line; nothing is written where it is not shown, as in a pipe."""

    def __init__(self, *, shown: bool):
        self._shown = shown
        self._line = ""

    def write(self, line: str) -> None:
        """Write it over the one before, cut to the terminal; '' takes that away."""
        line = line[: (find_width(sys.stderr) or 80) - 1]
        if self._shown and line != self._line:
            # Back to its begin, and spaces for what it had more.
            padding = " " * max(0, len(self._line) - len(line))
            print(f"\r{line}{padding}", end="" if line else "\r", file=sys.stderr, flush=True)
            self._line = line
