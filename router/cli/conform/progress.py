"""The progress of a run, as one line of a terminal on stderr; nothing in a pipe."""

import sys

from router.cli.common.output import format_count
from router.cli.common.progress_line import ProgressLine
from router.conform.budget import Budget
from router.conform.probe import Probe
from router.conform.record import Row


class Progress:
    """Tells which probe runs. whole: the number of probes."""

    def __init__(self, whole: int):
        self._line = ProgressLine(shown=sys.stderr is not None and sys.stderr.isatty())
        self._whole = whole
        self._done = 0
        self._budget: Budget | None = None

    def start(self, budget: Budget) -> None:
        """The first probe is about to run."""
        self._budget = budget

    def note(self, probe: Probe, row: Row | None) -> None:
        """As `run_probes` calls it."""
        self._done += row is not None
        if row is None:
            self._line.write(f"  {self._done + 1} of {self._whole}   {probe.id}   {self.format_spent()}")

    def format_spent(self) -> str:
        """What was sent so far, with its cost where that is known."""
        if self._budget is None or not self._budget.requests:
            return "nothing was sent"
        said = format_count(self._budget.requests, "request")
        return f"{said}, ${self._budget.dollars:.4f}" if self._budget.dollars else said

    def tell_interrupted(self) -> str:
        """What to say after Ctrl-C."""
        return f"Interrupted: {self.format_spent()}; no card was written."

    def end(self) -> None:
        """Take the line away."""
        self._line.write("")
