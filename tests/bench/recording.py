"""What the history costs a request: one process with it and without it, in turns.

Rules of this file: all that is done once a request has ended counts, also what a thread does of it later. Both ways
meet the same waits, so that what an idle process does is in both figures.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import load
import programs
from programs import Program, Site

PAIRS = 6


@dataclass(slots=True)
class Spent:
    """One way: CPU seconds in all, and the seconds that each request took."""

    cpu: float = 0.0
    taken: list[float] = field(default_factory=list[float])


def turns(
    site: Site,
    work: Callable[[Program, list[load.Client]], list[float]],
    *,
    form: programs.Form = programs.SWITCHED,
    connections: int = 1,
    pairs: int = PAIRS,
) -> tuple[Spent, Spent]:
    """What a fresh process spends without its history, and with it."""
    without, with_it = Spent(), Spent()
    started = programs.fairlead(site, form=form)
    with started as program, load.connected(program.port, connections) as clients:
        on = True
        for turn in range(2 * pairs + 1):
            # With, without, without, with, …: what drifts meets both alike.
            if on is not (turn % 4 < 2):
                program.process.send_signal(signal.SIGUSR1)
                on = not on
            before = program.cpu()
            taken = work(program, clients)
            time.sleep(programs.SETTLE)
            if turn:  # the first warms up
                spent = with_it if on else without
                spent.cpu += program.cpu() - before
                spent.taken += taken
    return without, with_it
