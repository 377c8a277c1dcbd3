"""Keeps the limit of a model that a probe had an error tell, as a running proxy keeps those of its own requests."""

from router.cli.common.layout import note
from router.cli.common.output import format_count
from router.ir.overflow import Overflow
from router.store.database.writer import Ledger
from router.store.home.home import Home
from router.store.shared.learned_limits import SqliteLearnedLimits


def keep_limit(home: Home, backend: str, model: str, found: Overflow) -> None:
    """Store the limit in the home, where proxies find it within seconds. model: as the backend names it."""
    ledger = Ledger(home, note)
    limits = SqliteLearnedLimits(ledger)
    ledger.start()
    limits.learn(backend, model, window=found.window, max_input=found.max_input)
    ledger.close()
    if ledger.problem is None and found.limit is not None:
        note(f"Learned: {backend}:{model} takes {format_count(found.limit, 'token')}. Models and routes know it now.")
