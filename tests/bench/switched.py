"""fairlead whose history SIGUSR1 takes away and gives back: two processes of one program differ by more than it costs.

Run as `python switched.py [--held] proxy …`. Without it a request that has ended leaves nothing behind: no row, no sum,
no count for the metrics, no event for those who watch. With --held the rows wait until SIGUSR2 or until they are many:
under a tool that makes the program fifty times as slow, half a second would be a few requests.
"""

import signal
import sys
from itertools import cycle

from router.__main__ import main
from router.store.database import writer
from router.telemetry.recorder import Recorder

_HELD_SECONDS = 3600.0


def _forget(*_: object, **__: object) -> None:
    """What a proxy without a history would do when a request has ended."""


_ways = cycle((_forget, Recorder.add_finished))


def _hold_rows() -> None:
    """Have the ledgers of the process wait for SIGUSR2."""
    writer.COMMIT_SECONDS = _HELD_SECONDS
    started: list[writer.Ledger] = []
    start = writer.Ledger.start

    def remember(ledger: writer.Ledger) -> None:
        started.append(ledger)
        start(ledger)

    writer.Ledger.start = remember
    signal.signal(signal.SIGUSR2, lambda *_: [ledger.flush_soon() for ledger in started])


signal.signal(signal.SIGUSR1, lambda *_: setattr(Recorder, "add_finished", next(_ways)))

if __name__ == "__main__":
    if sys.argv[1] == "--held":
        del sys.argv[1]
        _hold_rows()
    sys.exit(main())
